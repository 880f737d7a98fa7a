//! Zone file text that anybody might bring along: read or refused with a line of explanation, and what is read can be
//! written and read again. The first byte also says whether the text is repeated to 64 KiB.

#![no_main]

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Records};
use dotp2p_fuzz::{Cost, check_error, text, within};
use dotp2p_registry::zonefile::{
    JsonRecord, Options, check_for_signing, export, from_json, import, owner_text, rdata_text, record_line, type_name,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { name_len: 5, tld_len: 3, max: 4_096 };

fuzz_target!(|data: &[u8]| {
    if let Some(text) = text(data) {
        within(text.len().max(4_096), Cost { per_byte: 256, cpu_ms: 1_000 }, || run(data[0], &text));
    }
});

fn run(first: u8, text: &str) {
    let name: Name = "hello".parse().unwrap();
    let delegate = first & 1 == 1;
    match import(text, &name, "p2p", Options { delegate }, LIMITS) {
        Ok(read) => {
            assert_eq!(Records::decode(&read.records.encode(), LIMITS).as_ref(), Ok(&read.records), "canonical");
            for note in &read.notes {
                assert!(!note.to_string().contains('\n'), "a note is one line: {note}");
            }
            let zone = export(&read.records, &name, "p2p");
            let again = import(&zone, &name, "p2p", Options { delegate: true }, LIMITS);
            assert_eq!(again.map(|it| it.records).as_ref(), Ok(&read.records), "written and read again: {zone}");
            if let Err(error) = check_for_signing(&read.records, &name, "p2p") {
                check_error(&error);
            }
        }
        Err(error) => check_error(&error),
    }
    match record_line(text, &name, "p2p") {
        Ok(record) => {
            let data = rdata_text(record.rtype, &record.rdata);
            let line = format!("{} {} {} {data}", owner_text(&record.owner), record.ttl, type_name(record.rtype));
            assert_eq!(record_line(&line, &name, "p2p").as_ref(), Ok(&record), "a line leads back: {line}");
        }
        Err(error) => check_error(&error),
    }
    if let Ok(list) = serde_json::from_str::<Vec<JsonRecord>>(text)
        && let Err(error) = from_json(&list, &name, "p2p", LIMITS)
    {
        check_error(&error);
    }
}

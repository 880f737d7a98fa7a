//! Records: canonical bytes have one form, and every text form leads back to them (R11).

#![no_main]

use dotp2p_chain::name::Name;
use dotp2p_chain::records::{Limits, Records};
use dotp2p_fuzz::{Cost, check_error, within};
use dotp2p_registry::zonefile::{
    JsonRecord, Options, check_for_signing, check_rdata, export, flatten, from_json, gather, import, owner_text,
    rdata_text, record_line, to_json, type_name, type_number,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { name_len: 5, tld_len: 3, max: 4_096 };

fuzz_target!(|data: &[u8]| {
    // The widest column decides how wide each line of a zone file is, so text takes more than its records.
    within(data.len(), Cost { per_byte: 256, cpu_ms: 400 }, || run(data));
});

fn run(data: &[u8]) {
    let records = match Records::decode(data, LIMITS) {
        Ok(records) => records,
        Err(error) => return check_error(&error),
    };
    assert_eq!(records.encode(), data, "records have one form");
    assert_eq!(Records::new(records.sets().to_vec(), LIMITS).as_ref(), Ok(&records), "and are canonical");
    let name: Name = "hello".parse().unwrap();

    let zone = export(&records, &name, "p2p");
    let read = import(&zone, &name, "p2p", Options { delegate: true }, LIMITS);
    assert_eq!(read.map(|it| it.records).as_ref(), Ok(&records), "a zone file leads back: {zone}");

    let list = to_json(&records);
    let text = serde_json::to_string(&list).expect("a list is JSON");
    let list: Vec<JsonRecord> = serde_json::from_str(&text).expect("and JSON a list");
    let read = from_json(&list, &name, "p2p", LIMITS);
    assert_eq!(read.map(|it| it.records).as_ref(), Ok(&records), "a list leads back: {text}");

    for record in flatten(&records) {
        assert_eq!(type_number(&type_name(record.rtype)), Some(record.rtype), "a type's name leads back");
        let data = rdata_text(record.rtype, &record.rdata);
        let line = format!("{} {} {} {data}", owner_text(&record.owner), record.ttl, type_name(record.rtype));
        assert_eq!(record_line(&line, &name, "p2p").as_ref(), Ok(&record), "a line leads back: {line}");
        if let Err(error) = check_rdata(record.rtype, &record.rdata) {
            check_error(&error);
        }
    }
    assert_eq!(gather(flatten(&records), LIMITS).map(|it| it.records).as_ref(), Ok(&records));
    match check_for_signing(&records, &name, "p2p") {
        Ok(warnings) => warnings.iter().for_each(|warning| assert!(!warning.to_string().contains('\n'))),
        Err(error) => check_error(&error),
    }
}

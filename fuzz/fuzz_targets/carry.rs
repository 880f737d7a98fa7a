//! A chain in a file: what comes out is what went in, in order, up to where the file is not whole; and where it ends.

#![no_main]

use dotp2p_fuzz::networks::NETWORKS;
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;

// The node's own source, compiled again: the crate around it is large and not needed.
#[path = "../../src"]
#[allow(dead_code, unused_imports, reason = "somebody else's module")]
mod node {
    pub mod carry;
}

use node::carry::{CarryReader, FILE_HEAD_LEN, Tail, file_head, record};

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    within(data.len(), Cost { per_byte: 32, cpu_ms: 50 }, || run(kind % 3, data));
});

/// The input as it is, or with a head that is right before it, or as parts that are made into records.
fn run(kind: u8, data: &[u8]) {
    for params in NETWORKS.iter() {
        let mut file = if kind == 0 { Vec::new() } else { file_head(&params.chain_id).to_vec() };
        if kind == 2 {
            let mut rest = data;
            while let Some((len, after)) = rest.split_first_chunk::<2>() {
                let len = usize::from(u16::from_le_bytes(*len)).min(after.len());
                file.append(&mut record(&after[..len]));
                rest = &after[len..];
            }
        } else {
            file.extend_from_slice(data);
        }
        let tail = Tail::of(file.as_slice(), params);
        let mut reader = match CarryReader::open(file.as_slice(), params) {
            Ok(reader) => reader,
            Err(error) => {
                check_error(&error);
                assert!(tail.map_or(true, |tail| tail.last.is_empty()), "no head, no blocks");
                continue;
            }
        };
        let (mut whole, mut last, mut is_error) = (file_head(&params.chain_id).to_vec(), None, false);
        for next in reader.by_ref() {
            assert!(!is_error, "nothing comes after an error");
            match next {
                Ok(block) => {
                    assert!(block.height.0 > 0 && block.encoded.len() <= 189 + params.rules.body_max as usize);
                    if let Some((height, hash)) = last {
                        assert_eq!((block.height.0, block.parent), (height + 1, hash), "each follows on the one before");
                    }
                    whole.append(&mut record(&block.encoded));
                    assert_eq!(block.end, whole.len() as u64);
                    last = Some((block.height.0, block.hash));
                }
                Err(error) => {
                    check_error(&error);
                    is_error = true;
                }
            }
        }
        assert!(file.starts_with(&whole) && reader.end() == whole.len() as u64, "blocks have one form in a file");
        assert!(is_error || whole.len() == file.len(), "what is not read is an error");
        assert!(whole.len() >= FILE_HEAD_LEN);
        if let Ok(tail) = tail {
            assert_eq!(tail.is_torn, is_error);
            assert_eq!(tail.last.back().map(|it| (it.height.0, it.hash)), last);
            assert_eq!(tail.last.back().map_or(whole.len() as u64, |it| it.end), whole.len() as u64);
        }
    }
}

//! Name proofs: bytes have one form, and no bytes prove of a name at a block anything but the truth. The names and
//! blocks are those of `tests/vectors/proofs.json`; the first byte chooses.

#![no_main]

use dotp2p_chain::proof::NameProof;
use dotp2p_fuzz::vectors::NAMES;
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 64, cpu_ms: 50 }, || run(data));
});

fn run(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let chosen = &NAMES[usize::from(*first) % NAMES.len()];
    let proof = match NameProof::decode(bytes, &chosen.rules) {
        Ok(proof) => proof,
        Err(error) => return check_error(&error),
    };
    assert_eq!(proof.encode(), bytes, "a name proof has one form");
    // Shown for every name and block, and with the roots and the tree of others.
    for case in NAMES.iter() {
        for shown in [
            proof.clone(),
            NameProof { head: case.proof.head, ..proof.clone() },
            NameProof { tree: case.proof.tree.clone(), ..proof.clone() },
            NameProof { records: case.proof.records.clone(), head: case.proof.head, tree: proof.tree.clone() },
            NameProof { records: proof.records.clone(), ..case.proof.clone() },
        ] {
            match shown.verify(&case.name, &case.trusted, &case.rules) {
                Ok(proved) => assert_eq!(proved, case.truth, "a proof of what is not so: {shown:?}"),
                Err(error) => check_error(&error),
            }
        }
    }
}

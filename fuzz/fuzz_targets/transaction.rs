//! A transaction: what decodes has no other bytes, and every question that can be asked of it has an answer.

#![no_main]

use dotp2p_chain::check::signatures_good;
use dotp2p_chain::codec::decode_all;
use dotp2p_chain::records::Records;
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_fuzz::networks::NETWORKS;
use dotp2p_fuzz::{Cost, check_error, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(data.len(), Cost { per_byte: 16, cpu_ms: 200 }, || run(data));
});

fn run(data: &[u8]) {
    for params in NETWORKS.iter() {
        let rules = &params.rules;
        match decode_all(data, |input| Body::decode(input, rules)) {
            Ok(body) => {
                assert_eq!(body.encode(), data, "a body has one form");
                let _ = body.sighash(&params.chain_id);
            }
            Err(error) => check_error(&error),
        }
        let transaction = match Transaction::from_bytes(data, rules) {
            Ok(transaction) => transaction,
            Err(error) => {
                check_error(&error);
                continue;
            }
        };
        assert_eq!(transaction.bytes(), data, "it keeps its bytes");
        let (body, signatures) = (transaction.body().clone(), transaction.signatures().to_vec());
        let joined = Transaction::new(body, signatures).expect("as many signatures as keys");
        assert_eq!(joined, transaction, "what is put together again is the same");
        assert_eq!(joined.txid(&params.chain_id), transaction.txid(&params.chain_id));
        assert_eq!(joined.sighash(&params.chain_id), joined.body().sighash(&params.chain_id));
        assert!(data.len() + Transaction::AROUND <= rules.body_max as usize, "a body holds it (T4h)");
        assert!(transaction.body().keys().count() == transaction.signatures().len());
        let _ = signatures_good(&transaction, &params.chain_id);
        for op in &transaction.body().ops {
            let name = op.name().and_then(|name| name.to_name().ok());
            if let dotp2p_chain::op::Op::Update(update) = op
                && let Some(name) = name
                && let Err(error) = Records::decode(&update.records, rules.record_limits(name.as_bytes().len()))
            {
                check_error(&error);
            }
        }
    }
}

//! Bad input, item by item: one error that names the value and the rule, and nothing changed.
//!
//! What a rule says is tested where it is cheapest, by vectors that an independent script made; here is what somebody
//! meets at a node: over RPC, in the pool and in a block. After each refusal tip, state root and pool are as before.
//!
//! Where each item is covered (`ops.json` is run by `registry/tests/vectors.rs::every_op_in_every_stage`, `codec.json`
//! by `chain/tests/vectors.rs::codec_transactions`, `records.json` by `chain/tests/vectors.rs::records`, `chain.json` by
//! `tests/chain_vectors.rs`, here is this folder):
//!
//! | item | rule | vectors | at a node |
//! |---|---|---|---|
//! | names of 0 and 64 bytes | N1a, T4e | `ops.json`, `codec.json` | `names::typed`, `names::in_a_transaction` |
//! | underscore, dot, blank, control byte | N1b | `ops.json` | `names::typed`, `names::in_a_transaction` |
//! | leading, trailing, third-and-fourth hyphen | N1c, N1d | `ops.json` | `names::typed`, `names::in_a_transaction` |
//! | reserved | N2 | `ops.json` | `names::typed`, `names::in_a_transaction` |
//! | a broken A-label | R12, N19 | `registry/src/name_policy/tests.rs` | `names::typed` |
//! | capitals and U-labels | N1b | `ops.json` | `names::folded_by_people_refused_by_consensus` |
//! | records of 4,097 bytes | R7, T4f | `records.json`, `codec.json` | `records::typed`, `records::in_a_transaction` |
//! | unsorted, duplicate | R4 | `records.json` | `records::in_a_transaction`, sorted by RPC: `records::put_in_order` |
//! | a 64-byte label, a forbidden type | R3, R6 | `records.json` | `records::typed`, `records::in_a_transaction` |
//! | RDATA that does not parse | R8, R12 | | `records::typed`, `records::that_only_consensus_carries` |
//! | wrong nonce, no account, fee, expired | T7c to T7f | `ops.json`, `chain.json` | `transactions::judged_by_state` |
//! | another network's or key's signature, a changed byte | T6 | `codec.json`, `chain.json` | `transactions::signatures` |
//! | a non-minimal integer, trailing bytes | C3, T3 | `codec.json` | `transactions::that_do_not_decode` |
//! | a claim too early, too late | N8c, N8d | `ops.json`, `chain.json` | `claims::age` |
//! | of a taken name, of one in grace | N8f, N8g | `ops.json` | `claims::of_a_name_that_is_held` |
//! | with another owner or salt than committed | N8c | `ops.json` | `claims::otherwise_than_committed` |
//! | of a consumed commitment | N8c | `chain.json` | `claims::of_a_consumed_commitment` |
//! | a second commit of a live hash | N7 | `ops.json` | `claims::a_second_commit_of_a_live_hash` |
//! | two claims of one name in a block | N8f | `chain.json` | `claims::two_of_one_name_in_a_block` |
//! | seventeen commitments in a block | N7a | `ops.json`, `chain.json` | `claims::seventeen_commitments_in_a_block` |
//! | update by manager, former owner, stranger | N9d | `ops.json` | `powers::updates` |
//! | transfer and offer without the recovery key | N12e, N13e | `ops.json` | `powers::recovery_key` |
//! | SetKeys after Offer | N11 | `ops.json` | `powers::set_keys_withdraws_an_offer` |
//! | Buy at another price, by another buyer, from oneself | N14f to N14h | `ops.json` | `powers::purchases` |
//! | a block too large | B9 | `chain.json` | `blocks::too_large` |
//! | each root wrong, a wrong height in the roots | B7, B10, B11, B14 | `chain.json` | `blocks::roots` |
//! | wrong bits, time too old, unknown parent | P6, B12, B13 | `chain.json` | `blocks::headers` |
//! | a transaction twice | T7e | `chain.json` | `blocks::a_transaction_twice` |
//!
//! The command line's own refusals: `tests/cli.rs::bad_input`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod blocks;
mod claims;
mod names;
mod powers;
mod records;
mod transactions;

use dotp2p_chain::block::Block;
use dotp2p_chain::hash::to_hex;
use dotp2p_chain::tx::Transaction;
use serde_json::{Value, json};

use common::{TestNode, block_on};

/// What a method says to what it refuses; nothing has changed.
async fn refusal(node: &TestNode, method: &str, params: Value) -> (i32, String) {
    let before = node.picture();
    let (code, text, _) = node.refused(method, params).await;
    assert_eq!(node.picture(), before, "{method}: {text}");
    (code, text)
}

/// What the pool says to a transaction that it refuses.
async fn pool_refusal(node: &TestNode, bytes: &[u8]) -> String {
    refusal(node, "sendrawtransaction", json!([to_hex(bytes)])).await.1
}

/// What is said to a block that is refused.
async fn block_refusal(node: &TestNode, block: &Block) -> String {
    refusal(node, "submitblock", json!([to_hex(&block.encode())])).await.1
}

/// A block that is taken.
async fn taken(node: &TestNode, block: &Block) {
    assert_eq!(node.call::<Value>("submitblock", json!([to_hex(&block.encode())])).await, Value::Null);
}

/// The pool, and a block of just this transaction, are refused with the same words.
async fn assert_refused(node: &TestNode, transaction: Transaction, text: &str) {
    assert_eq!(pool_refusal(node, transaction.bytes()).await, text);
    let block = block_on(&node.reader(), node.key(0), vec![transaction]);
    let said = block_refusal(node, &block).await;
    assert_eq!(said, format!("block {}: transaction 0: {text}", block.hash()));
    assert_eq!(block_refusal(node, &block).await, format!("block {} was rejected (B15)", block.hash()));
}

//! How fast disks and memory fill when somebody pays for nothing else: the limits of a block, and what a year of it costs
//! at the least fees and burns.

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::BlockHead;
use dotp2p_chain::op::{NameBytes, Op, Pay, Update};
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::{MAX_OPS, Transaction};
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::price::{ACCOUNT_BURN, update_burn};

use crate::ledger::{key, label, registration, transaction};
use crate::stats::{number, table};
use crate::{Report, Scale};

/// The year's figures.
#[must_use]
pub fn run(_scale: Scale, _seed: u64) -> Report {
    let mut report = Report::default();
    let params = Params::main();
    let rules = &params.rules;
    let year = f64::from(rules.year);
    let body = f64::from(rules.body_max);
    let room = rules.body_max as usize - Transaction::AROUND;
    let rate = Limits::default().fee_rate_min;
    let issue = rules.subsidy as f64 / Amount::COIN as f64;
    let coin = |atoms: f64| atoms / Amount::COIN as f64;
    let gigabytes = |bytes: f64| format!("{} GB", number(bytes / 1e9));
    let share = |coins: f64| format!("{} %", number(100.0 * coins / (issue * year)));
    // As many of an op as a block holds, in transactions of 100 each, or one of as many as fit.
    let per_block = |op: Op| {
        let size = |ops| transaction(key(1), 1, Amount::from_atoms(10_000), vec![op.clone(); ops]).bytes().len();
        let ops = MAX_OPS.min(room / (size(2) - size(1)));
        (room / size(ops) * ops) as f64
    };
    let mut rows = Vec::new();
    let blocks = (body + BlockHead::LEN as f64) * year;
    let fees = coin(body * rate as f64) * year;
    rows.push(vec![
        "blocks full of anything, at the pool's least fee".to_owned(),
        gigabytes(blocks),
        "blocks, on disk".to_owned(),
        number(fees),
        share(fees),
    ]);
    let updates = |len: usize| {
        let op = Op::Update(Update { name: NameBytes::from(&label(5, 0)), records: vec![0; len] });
        (per_block(op), coin(update_burn(len).atoms() as f64))
    };
    let (count, burn) = updates(4_096);
    rows.push(vec![
        "the same, Updates of 4,096 bytes".to_owned(),
        gigabytes(count * 4_096.0 * year),
        "records of the past, in blocks and undo".to_owned(),
        number((count * burn) * year + fees),
        share((count * burn) * year + fees),
    ]);
    let (_, claim) = registration(&label(5, 0), key(1), 0, &params);
    let names = f64::from(rules.commit_target) * year;
    let claim_bytes = transaction(key(1), 1, Amount::from_atoms(1_000), vec![claim]).bytes().len();
    rows.push(vec![
        "8 names a block, each with 512 bytes of records".to_owned(),
        gigabytes(names * (75.0 + 5.0 + 512.0)),
        format!("state: {} million names", number(names / 1e6)),
        number(names),
        share(names),
    ]);
    let op = Op::Pay(Pay { to: key(1), amount: Amount::from_atoms(1) });
    let burn = coin(ACCOUNT_BURN.atoms() as f64);
    let most = per_block(op);
    let affordable = (issue / burn).min(most);
    rows.push(vec![
        "accounts, all that the whole issue pays for".to_owned(),
        gigabytes(affordable * 48.0 * year),
        format!("state for ever: {} million accounts", number(affordable * year / 1e6)),
        number(affordable * burn * year),
        share(affordable * burn * year),
    ]);
    let tenth = affordable / 10.0;
    rows.push(vec![
        "accounts, a tenth of the issue".to_owned(),
        gigabytes(tenth * 48.0 * year),
        format!("state for ever: {} million accounts", number(tenth * year / 1e6)),
        number(tenth * burn * year),
        share(tenth * burn * year),
    ]);
    let head = ["a year of", "bytes", "where", "coins", "of the year's issue"];
    report.tables.push(("growth", table(&head, &rows)));
    report.expect(blocks < 140e9, "blocks grow by more than 140 GB a year");
    report.expect(claim_bytes < 250, format!("a Claim has {claim_bytes} bytes"));
    report.figure = format!("blocks grow by at most {} a year", gigabytes(blocks));
    report
}

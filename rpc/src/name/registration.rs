//! Where a registration stands, in JSON and in a sentence.

use dotp2p_chain::params::Params;
use dotp2p_registry::name_policy::unicode;
use dotp2p_registry::zonefile::to_json;
use dotp2p_wallet::registration::{Failure, Step, Waiting};

use crate::args::stored_records;
use crate::node::RegistrationStatus;
use crate::shape::address;
use crate::types::{Coins, RegistrationInfo, WaitingInfo};

/// The shape of a registration, without notes.
pub(super) fn info(status: RegistrationStatus, params: &Params) -> RegistrationInfo {
    let waiting = status.waiting.as_ref();
    RegistrationInfo {
        name: status.name.to_string(),
        unicode: unicode(&status.name),
        owner: address(&status.owner, params),
        records: to_json(&stored_records(&status.records, &status.name, params)),
        years: status.years,
        limit: status.limit.map(Coins),
        step: step(&status.step).to_owned(),
        text: text(&status, params),
        blocks_left: status.blocks_left,
        waiting: waiting.map(|waiting| waiting_info(waiting, params)),
        spent: Coins(status.spent),
        txids: status.txids.iter().map(ToString::to_string).collect(),
        error: status.error,
        notes: Vec::new(),
    }
}

fn step(step: &Step) -> &'static str {
    match step {
        Step::Funds => "funds",
        Step::Commit => "commit",
        Step::Age => "age",
        Step::Claim => "claim",
        Step::Rival => "rival",
        Step::Finish => "finish",
        Step::Done => "done",
        Step::Failed(_) => "failed",
    }
}

fn text(status: &RegistrationStatus, params: &Params) -> String {
    let blocks = |left: u32| if left == 1 { "1 block".to_owned() } else { format!("{left} blocks") };
    let left = status.blocks_left.map(|left| format!(", {} to go", blocks(left))).unwrap_or_default();
    match (&status.step, &status.waiting) {
        (Step::Done, _) => "the name is yours".to_owned(),
        (Step::Failed(Failure::Taken { by, since, spent }), _) => {
            let by = address(by, params);
            format!("the name is taken by {by} since height {since}; {spent} coins were spent")
        }
        (Step::Failed(failure), _) => failure.to_string(),
        (_, Some(Waiting::Coins { pay_to, needed, have })) => {
            format!(
                "waits for coins: {needed} are needed and {have} are there; send some to {}",
                address(pay_to, params)
            )
        }
        (_, Some(Waiting::Price { needed, limit })) => {
            format!("waits for the price to fall: it would cost {needed}, the limit is {limit}")
        }
        (_, Some(Waiting::Refused { reason })) => format!("tries again with the next block: {reason}"),
        (Step::Funds, _) => format!("is about to commit{left}"),
        (Step::Commit, _) => format!("the commitment waits for its block{left}"),
        (Step::Age, _) => format!("the commitment grows old enough to be claimed{left}"),
        (Step::Claim, _) => format!("the claim waits for its block{left}"),
        (Step::Rival, _) => "somebody else has the name; this may still change".to_owned(),
        (Step::Finish, _) => format!("the name is yours; records or years wait for their block{left}"),
    }
}

fn waiting_info(waiting: &Waiting, params: &Params) -> WaitingInfo {
    let info = |what: &str| WaitingInfo { what: what.to_owned(), ..WaitingInfo::default() };
    match waiting {
        Waiting::Coins { pay_to, needed, have } => WaitingInfo {
            pay_to: Some(address(pay_to, params)),
            needed: Some(Coins(*needed)),
            have: Some(Coins(*have)),
            ..info("coins")
        },
        Waiting::Price { needed, limit } => {
            WaitingInfo { needed: Some(Coins(*needed)), limit: Some(Coins(*limit)), ..info("price") }
        }
        Waiting::Commit(txid) => WaitingInfo { txid: Some(txid.to_string()), ..info("commit") },
        Waiting::Age => info("age"),
        Waiting::Claim(txid) => WaitingInfo { txid: Some(txid.to_string()), ..info("claim") },
        Waiting::Finish(txid) => WaitingInfo { txid: Some(txid.to_string()), ..info("finish") },
        Waiting::Rival { by } => WaitingInfo { by: Some(address(by, params)), ..info("rival") },
        Waiting::Refused { reason } => WaitingInfo { reason: Some(reason.clone()), ..info("refused") },
    }
}

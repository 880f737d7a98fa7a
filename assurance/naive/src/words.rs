//! Steps and transactions as people read them.

use dotp2p_chain::hash::to_hex;
use dotp2p_chain::op::Op;
use dotp2p_chain::tx::Body;

use crate::world::{KEYS, key};

/// A transaction in one line, its keys by number: `K3`.
pub fn transaction(body: &Body) -> String {
    let ops: Vec<String> = body.ops.iter().map(op).collect();
    let signers: Vec<String> = body.signers.iter().map(|signer| format!("{signer:?}")).collect();
    let expiry = body.expiry.map_or(String::new(), |height| format!(", until {height}"));
    let text = format!(
        "payer {:?}, nonce {}, fee {}{expiry}, signers [{}]: {}",
        body.payer,
        body.nonce,
        body.fee.atoms(),
        signers.join(" "),
        ops.join("; ")
    );
    (0..KEYS).fold(text, |text, number| {
        text.replace(&format!("PublicKey({})", to_hex(&key(number).0)), &format!("K{number}"))
    })
}

fn op(op: &Op) -> String {
    let name =
        op.name().map_or(String::new(), |name| String::from_utf8_lossy(name.as_bytes()).escape_default().to_string());
    match op {
        Op::Pay(op) => format!("pay {:?} {}", op.to, op.amount.atoms()),
        Op::Commit(op) => format!("commit {}", op.hash.to_string().get(..8).unwrap_or_default()),
        Op::Claim(op) => format!("claim {name} for {:?}", op.owner),
        Op::Update(op) => format!("update {name} {}", to_hex(op.records.get(..40).unwrap_or(&op.records))),
        Op::Renew(op) => format!("renew {name} {}", op.years),
        Op::SetKeys(op) => format!("setkeys {name} manager {:?} recovery {:?}", op.manager, op.recovery),
        Op::Transfer(op) => format!("transfer {name} to {:?}", op.to),
        Op::Offer(op) => format!("offer {name} for {} to {:?}", op.price.atoms(), op.buyer),
        Op::Buy(op) => format!("buy {name} for {}", op.price.atoms()),
        Op::Recover(op) => format!("recover {name} to {:?}", op.to),
    }
}

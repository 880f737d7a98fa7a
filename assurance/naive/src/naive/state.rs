//! The state as plain maps (S1 to S6) and its root (S8).

use std::collections::BTreeMap;

use super::bytes::{option, tagged};
use super::money::LEAST_LEVEL;

/// A key's 32 bytes.
pub type Key = [u8; 32];

/// Entry 0 (S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Atoms.
    pub balance: u128,
    /// The next one to use.
    pub nonce: u64,
}

/// An offer inside a name's entry (S3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Atoms.
    pub price: u64,
    /// The only key that may buy.
    pub buyer: Option<Key>,
}

/// Entry 1 (S3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Who owns it.
    pub owner: Key,
    /// May update it.
    pub manager: Option<Key>,
    /// May recover it.
    pub recovery: Option<Key>,
    /// Height of the last Claim, Transfer, Buy or Recover.
    pub since: u32,
    /// The first height at which it is not active.
    pub expires: u32,
    /// R9.
    pub records: [u8; 32],
    /// What it is for sale for.
    pub offer: Option<Offer>,
}

/// Entry 2 (S4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Of the Commit.
    pub height: u32,
    /// The L it paid by.
    pub level: u64,
}

/// Everything that is (S1), and what was burned and issued up to here (S14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Kind 0.
    pub accounts: BTreeMap<Key, Account>,
    /// Kind 1.
    pub names: BTreeMap<Vec<u8>, Name>,
    /// Kind 2.
    pub commitments: BTreeMap<[u8; 32], Commitment>,
    /// Kind 3: to and atoms.
    pub rewards: BTreeMap<u32, (Key, u64)>,
    /// Kind 4.
    pub level: u64,
    /// Of all time.
    pub burned: u128,
    /// Of all time.
    pub issued: u128,
}

impl State {
    /// The state of genesis: the level alone (B5).
    pub fn genesis() -> Self {
        let (accounts, names) = (BTreeMap::new(), BTreeMap::new());
        let (commitments, rewards) = (BTreeMap::new(), BTreeMap::new());
        Self { accounts, names, commitments, rewards, level: LEAST_LEVEL, burned: 0, issued: 0 }
    }

    /// Every entry: kind byte and id, value bytes.
    pub fn entries(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut all = BTreeMap::new();
        for (key, account) in &self.accounts {
            let balance = u64::try_from(account.balance).expect("B3m: no balance can overflow");
            let value = [balance.to_le_bytes(), account.nonce.to_le_bytes()].concat();
            all.insert([&[0], key.as_slice()].concat(), value);
        }
        for (label, name) in &self.names {
            all.insert([&[1], label.as_slice()].concat(), name.value());
        }
        for (hash, commitment) in &self.commitments {
            let value = [commitment.height.to_le_bytes().as_slice(), &commitment.level.to_le_bytes()].concat();
            all.insert([&[2], hash.as_slice()].concat(), value);
        }
        for (height, (to, amount)) in &self.rewards {
            let value = [to.as_slice(), &amount.to_le_bytes()].concat();
            all.insert([[3].as_slice(), &height.to_le_bytes()].concat(), value);
        }
        all.insert(vec![4], self.level.to_le_bytes().to_vec());
        all
    }

    /// The root of all entries (S8).
    pub fn root(&self) -> [u8; 32] {
        let hashed = self.entries().into_iter().map(|(id, value)| (tagged("key", &id), tagged("value", &value)));
        subtree(&hashed.collect::<Vec<_>>(), 0)
    }

    /// Σ balances + Σ reward entries, and issued − burned: equal after every block (S14).
    pub fn supply(&self) -> (u128, u128) {
        let balances: u128 = self.accounts.values().map(|account| account.balance).sum();
        let rewards: u128 = self.rewards.values().map(|(_, amount)| u128::from(*amount)).sum();
        (balances + rewards, self.issued.wrapping_sub(self.burned))
    }
}

impl Name {
    /// The value's bytes (S3).
    pub fn value(&self) -> Vec<u8> {
        let offer = match &self.offer {
            None => vec![0],
            Some(offer) => [[1].as_slice(), &offer.price.to_le_bytes(), &option(offer.buyer)].concat(),
        };
        [
            self.owner.as_slice(),
            &option(self.manager),
            &option(self.recovery),
            &self.since.to_le_bytes(),
            &self.expires.to_le_bytes(),
            &self.records,
            &offer,
        ]
        .concat()
    }
}

/// The hash of the entries whose keys agree in the first `depth` bits.
fn subtree(entries: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
    match entries {
        [] => [0; 32],
        [(key, value)] => tagged("leaf", &[*key, *value].concat()),
        _ => {
            let is_right = |key: &[u8; 32]| key.get(depth / 8).is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1);
            let (right, left): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| is_right(key));
            tagged("node", &[subtree(&left, depth + 1), subtree(&right, depth + 1)].concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn key(text: &str) -> Key {
        let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    #[test]
    fn s8_worked_examples() {
        let mut state = State::genesis();
        assert_eq!(hex(&state.root()), "8db8bd3bda7f7f4941561cdc52920aa86dc22e374822f5e16418e54e40167d14");
        let g = key("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        state.accounts.insert(g, Account { balance: 100_000_000, nonce: 0 });
        assert_eq!(hex(&state.root()), "ee6b97603db6d5469abad8d2b0180a7732cf1f5cd2c4e364a32b3ce0d35552df");
        let owner = key("c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5");
        let (manager, recovery, offer) = (None, None, None);
        let records = tagged("records", &[1, 0]);
        let name = Name { owner, manager, recovery, since: 12, expires: 212, records, offer };
        state.names.insert(b"alice".to_vec(), name);
        assert_eq!(hex(&state.root()), "8107e001da74cabecb6c6bc59bf2f24b62408385956be0d461e091bcef74bdac");
    }
}

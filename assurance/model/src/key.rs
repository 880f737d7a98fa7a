//! The keys there are, and sets of them.

/// A key. Everybody may come into any role; the names say how a story usually goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Key {
    /// Owns the name at the start.
    Alice,
    /// Buys it.
    Bob,
    /// Wants it: thief, sponsor, miner, seller, buyer.
    Mallory,
    /// A recovery key.
    Rita,
    /// A manager.
    Gus,
}

impl Key {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Alice, Self::Bob, Self::Mallory, Self::Rita, Self::Gus];
    /// Those that can have coins, pay, and own.
    pub const PEOPLE: [Self; 3] = [Self::Alice, Self::Bob, Self::Mallory];

    /// Its place in [`Key::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// 0 for none, else the key's number from 1.
#[must_use]
pub fn byte(key: Option<Key>) -> u8 {
    key.map_or(0, |key| key as u8 + 1)
}

/// The keys that signed a transaction (T8).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct KeySet(u8);

impl KeySet {
    /// Every key.
    pub const ALL: Self = Self(31);

    /// Every set of keys, the smaller ones first.
    #[allow(clippy::indexing_slicing, reason = "computed by the compiler, which would refuse it")]
    pub const FEWEST_FIRST: [Self; 32] = {
        let mut sets = [Self(0); 32];
        let (mut size, mut at) = (0, 0);
        while size <= 5 {
            let mut set = 0_u8;
            while set < 32 {
                if set.count_ones() == size {
                    sets[at] = Self(set);
                    at += 1;
                }
                set += 1;
            }
            size += 1;
        }
        sets
    };

    /// The set with `key`, too.
    #[must_use]
    pub const fn with(self, key: Key) -> Self {
        Self(self.0 | 1 << key as u8)
    }

    /// Whether `key` is in it.
    #[must_use]
    pub const fn has(self, key: Key) -> bool {
        self.0 >> key as u8 & 1 == 1
    }

    /// Whether it is set, and in it.
    #[must_use]
    pub fn has_set(self, key: Option<Key>) -> bool {
        key.is_some_and(|key| self.has(key))
    }

    /// Whether every key of `other` is in it.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Its keys, in order.
    pub fn keys(self) -> impl Iterator<Item = Key> {
        Key::ALL.into_iter().filter(move |key| self.has(*key))
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

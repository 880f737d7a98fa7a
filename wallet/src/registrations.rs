//! The file of the registrations under way, `registrations.json`: private like the wallet's, for it tells names before
//! they are claimed.

use std::path::{Path, PathBuf};

use dotp2p_chain::key::PublicKey;
use dotp2p_chain::name::Name;
use dotp2p_chain::params::Params;
use serde::{Deserialize, Serialize};

use crate::file::{self, FileError, VERSION};
use crate::keys::Keys;
use crate::private_file::{self, AccessError};
use crate::registration::{Action, Chain, Registration};

const MAX: u64 = 64 * 1024 * 1024;
const ADVICE: &str = "move it away; registering the same names again takes up what was begun";

/// The registrations of a wallet, one a name, in the order in which they began.
#[derive(Debug)]
pub struct Registrations {
    path: PathBuf,
    content: Content,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    network: String,
    chain_id: String,
    registrations: Vec<Registration>,
}

impl Registrations {
    /// Reads the file; where there is none, there are no registrations, and none is made before the first save.
    pub fn open(path: &Path, params: &Params) -> Result<Self, FileError> {
        let content = match private_file::read(path, MAX) {
            Ok(bytes) => file::parse(path, &bytes, params, ADVICE)?,
            Err(AccessError::Missing(_)) => Content {
                version: VERSION,
                network: params.deployment.name.clone(),
                chain_id: params.chain_id.to_string(),
                registrations: Vec::new(),
            },
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path: path.to_owned(), content })
    }

    /// Writes the file, durably.
    pub fn save(&self) -> Result<(), FileError> {
        Ok(private_file::replace(&self.path, &file::to_json(&self.content))?)
    }

    /// Adds one; it takes the place of one of the same name that is over. `false` where that one still goes on.
    pub fn add(&mut self, registration: Registration) -> bool {
        if self.find(registration.name()).is_some_and(|there| !there.is_over()) {
            return false;
        }
        self.remove(&registration.name().clone());
        self.content.registrations.push(registration);
        true
    }

    /// The registration of a name.
    #[must_use]
    pub fn find(&self, name: &Name) -> Option<&Registration> {
        self.iter().find(|it| it.name() == name)
    }

    /// The registration of a name, to tell it of a refusal.
    pub fn find_mut(&mut self, name: &Name) -> Option<&mut Registration> {
        self.content.registrations.iter_mut().find(|it| it.name() == name)
    }

    /// Forgets the registration of a name; whether there was one. Coins already burned stay burned.
    pub fn remove(&mut self, name: &Name) -> bool {
        let before = self.content.registrations.len();
        self.content.registrations.retain(|it| it.name() != name);
        self.content.registrations.len() < before
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Registration> {
        self.content.registrations.iter()
    }

    /// [`Registration::next`] for one name, leaving alone the coins that the others count on.
    pub fn next(&mut self, name: &Name, chain: &impl Chain, keys: &Keys) -> Option<Action> {
        let mut reserved = std::collections::BTreeMap::new();
        for (payer, amount) in self.iter().filter(|it| it.name() != name).filter_map(|it| it.reserves(chain)) {
            let sum: &mut dotp2p_chain::amount::Amount = reserved.entry(payer).or_default();
            *sum = sum.checked_add(amount).unwrap_or(dotp2p_chain::amount::Amount::MAX);
        }
        Some(self.find_mut(name)?.next_reserving(chain, keys, &reserved))
    }

    /// [`Registration::reopen`] for all; whether one goes on again.
    pub fn reopen(&mut self, chain: &impl Chain, reorganised: bool) -> bool {
        self.content.registrations.iter_mut().fold(false, |any, it| it.reopen(chain, reorganised) | any)
    }

    /// The names whose registration is not over, with the key each will belong to.
    pub fn under_way(&self) -> impl Iterator<Item = (&Name, PublicKey)> {
        self.iter().filter(|it| !it.is_over()).map(|it| (it.name(), it.owner()))
    }
}

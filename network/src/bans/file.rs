//! `bans.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AUTOMATIC_MAX, Ban, Bans, MANUAL_MAX, Origin, Subject, cut};
use crate::saved_file::{self, FileError, Unusable};

const VERSION: u32 = 1;
const MAX: u64 = 4 * 1024 * 1024;
const WITHOUT: &str = "nobody is banned";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    bans: Vec<Row>,
}

/// Times are Unix seconds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    subject: String,
    reason: String,
    created: u64,
    until: u64,
    manual: bool,
}

impl Bans {
    /// Reads `bans.json`; where there is none, or none that makes sense, nobody is banned. In the latter case it is told what
    /// was wrong, and the file is set aside as `bans.json.bad`. Bans that are over are left out.
    #[must_use]
    pub fn load(path: &Path, now_s: u64) -> (Self, Option<Unusable>) {
        match saved_file::load(path, MAX, WITHOUT, |bytes| Self::from_json(bytes, now_s)) {
            Ok(bans) => (bans.unwrap_or_default(), None),
            Err(unusable) => (Self::new(), Some(unusable)),
        }
    }

    /// Writes `bans.json`, durably.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        saved_file::replace(path, &self.to_json())
    }

    /// The content of the file.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let row = |ban: &Ban| Row {
            subject: ban.subject.to_string(),
            reason: ban.reason.clone(),
            created: ban.created_s,
            until: ban.until_s,
            manual: ban.origin == Origin::Manual,
        };
        let content = Content { version: VERSION, bans: self.0.values().map(row).collect() };
        let mut json = serde_json::to_vec_pretty(&content).expect("strings and numbers have a JSON form");
        json.push(b'\n');
        json
    }

    /// Reads the content of the file; the error says what is wrong with it.
    pub(super) fn from_json(bytes: &[u8], now_s: u64) -> Result<Self, String> {
        let content: Content = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if content.version != VERSION {
            return Err(format!("it has version {}, expected {VERSION}", content.version));
        }
        let mut bans = Self::new();
        for row in content.bans {
            let subject: Subject = row.subject.parse().map_err(|error| format!("{error}"))?;
            let origin = if row.manual { Origin::Manual } else { Origin::Automatic };
            let ban = Ban { subject, reason: cut(&row.reason), created_s: row.created, until_s: row.until, origin };
            if ban.until_s <= now_s {
                continue;
            }
            let (max, what) = match origin {
                Origin::Manual => (MANUAL_MAX, "manual"),
                Origin::Automatic => (AUTOMATIC_MAX, "automatic"),
            };
            if bans.count(origin) >= max {
                return Err(format!("it has more than {max} {what} bans"));
            }
            if let Some(twice) = bans.0.insert(ban.subject.clone(), ban) {
                return Err(format!("{} is there twice", twice.subject));
            }
        }
        Ok(bans)
    }
}

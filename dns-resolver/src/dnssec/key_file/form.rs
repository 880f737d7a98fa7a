//! The file's form: JSON.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::super::key::{Algorithm, DnsKey, ZoneKey};
use super::{KeyFile, Next, Retired};

const VERSION: u8 = 1;

/// The file as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    version: u8,
    keys: Vec<Secret>,
    #[serde(default)]
    retired: Vec<Public>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    algorithm: Algorithm,
    /// Base64.
    pkcs8: String,
    /// Only of a second key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roll_began: Option<u64>,
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.pkcs8.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Public {
    algorithm: Algorithm,
    /// Base64.
    public: String,
    until: u64,
}

/// The keys as the file's text.
pub(super) fn write(file: &KeyFile) -> Zeroizing<String> {
    let secret = |key: &ZoneKey, began| Secret {
        algorithm: key.public().algorithm(),
        pkcs8: BASE64_STANDARD.encode(key.pkcs8()),
        roll_began: began,
    };
    let keys = std::iter::once(secret(&file.current, None));
    let keys = keys.chain(file.next.as_ref().map(|next| secret(&next.key, Some(next.began)))).collect();
    let public = |it: &Retired| Public { algorithm: it.key.algorithm(), public: it.key.base64(), until: it.until };
    let shape = Shape { version: VERSION, keys, retired: file.retired.iter().map(public).collect() };
    // Texts and numbers: there is nothing to fail.
    Zeroizing::new(serde_json::to_string_pretty(&shape).unwrap_or_default() + "\n")
}

/// The keys of the file's text; the error says what is wrong with it.
pub(super) fn read(text: &str) -> Result<KeyFile, String> {
    let shape: Shape = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if shape.version != VERSION {
        return Err(format!(
            "its version is {}, known is {VERSION}: a newer dotp2p may have written it",
            shape.version
        ));
    }
    let key = |secret: &Secret| {
        let pkcs8 = BASE64_STANDARD.decode(&secret.pkcs8).map_err(|error| error.to_string())?;
        ZoneKey::from_pkcs8(Zeroizing::new(pkcs8), secret.algorithm).map_err(|error| format!("a key: {error}"))
    };
    let (current, next) = match shape.keys.as_slice() {
        [current @ Secret { roll_began: None, .. }] => (key(current)?, None),
        [current @ Secret { roll_began: None, .. }, next @ Secret { roll_began: Some(began), .. }] => {
            (key(current)?, Some(Next { key: key(next)?, began: *began }))
        }
        _ => return Err("it has neither one key nor two, the second with the time its roll began".to_owned()),
    };
    let public = |it: &Public| {
        let bytes = BASE64_STANDARD.decode(&it.public).map_err(|error| error.to_string())?;
        let key = DnsKey::new(&bytes, it.algorithm).map_err(|error| error.to_string())?;
        Ok(Retired { key, until: it.until })
    };
    let retired = shape.retired.iter().map(public).collect::<Result<_, String>>()?;
    Ok(KeyFile { current, next, retired })
}

//! SvcParams of SVCB and HTTPS (RFC 9460; `dohpath` RFC 9461, `ohttp` RFC 9540).

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{Fault, Problem, ZoneFileError};
use super::fields::Wire;
use super::lexer::{Cursor, Token};
use super::text::{octets, quoted};

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const DOHPATH: u16 = 7;
const OHTTP: u16 = 8;

/// By number.
const KEYS: [&str; 9] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];

fn key_name(key: u16) -> String {
    KEYS.get(usize::from(key)).map_or_else(|| format!("key{key}"), |name| (*name).to_owned())
}

fn key_number(name: &str) -> Option<u16> {
    if let Some(key) = (0u16..).zip(KEYS).find_map(|(key, known)| (known == name).then_some(key)) {
        return Some(key);
    }
    let digits = name.strip_prefix("key")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

/// Reads all parameters left in `wire`, checks them, and puts the text of each into `out`.
pub(super) fn read(wire: &mut Wire<'_>, out: &mut Vec<String>) -> Result<(), Fault> {
    const WHAT: &str = "a parameter";
    let mut params = BTreeMap::new();
    while wire.left() > 0 {
        let (key, len) = (wire.u16(WHAT)?, wire.u16(WHAT)?);
        let value = wire.take(len.into(), WHAT)?;
        if params.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(Fault::ParamOrder(key_name(key)));
        }
        params.insert(key, value);
    }
    for (&key, value) in &params {
        let text = value_text(key, value).ok_or_else(|| Fault::Param(key_name(key)))?;
        out.push(format!("{}{text}", key_name(key)));
    }
    let listed = params.get(&MANDATORY).map(|list| list.as_chunks::<2>().0).unwrap_or_default();
    let listed = listed.iter().map(|key| u16::from_be_bytes(*key));
    let implied = params.contains_key(&NO_DEFAULT_ALPN).then_some(ALPN);
    match listed.chain(implied).find(|key| !params.contains_key(key)) {
        Some(missing) => Err(Fault::ParamMissing(key_name(missing))),
        None => Ok(()),
    }
}

/// `=VALUE`, or nothing for a key without value; `None` if the value is not what the key says.
fn value_text(key: u16, value: &[u8]) -> Option<String> {
    let list = |items: Vec<String>| (!items.is_empty()).then(|| format!("={}", items.join(",")));
    match key {
        MANDATORY => {
            let (keys, []) = value.as_chunks::<2>() else { return None };
            let keys: Vec<u16> = keys.iter().map(|key| u16::from_be_bytes(*key)).collect();
            let ascending = keys.is_sorted_by(|a, b| a < b) && !keys.contains(&MANDATORY);
            list(keys.into_iter().map(key_name).collect()).filter(|_| ascending)
        }
        ALPN => Some(format!("={}", quoted(&alpn_text(value)?))),
        NO_DEFAULT_ALPN | OHTTP => value.is_empty().then(String::new),
        PORT => Some(format!("={}", u16::from_be_bytes(value.try_into().ok()?))),
        IPV4HINT => match value.as_chunks::<4>() {
            (hosts, []) => list(hosts.iter().map(|host| Ipv4Addr::from(*host).to_string()).collect()),
            _ => None,
        },
        IPV6HINT => match value.as_chunks::<16>() {
            (hosts, []) => list(hosts.iter().map(|host| Ipv6Addr::from(*host).to_string()).collect()),
            _ => None,
        },
        ECH => (!value.is_empty()).then(|| format!("={}", STANDARD.encode(value))),
        DOHPATH => core::str::from_utf8(value).is_ok().then(|| format!("={}", quoted(value))),
        u16::MAX => None,
        _ if value.is_empty() => Some(String::new()),
        _ => Some(format!("={}", quoted(value))),
    }
}

/// The protocol identifiers joined with commas, `,` and `\` inside them escaped (RFC 9460, appendix A.1).
fn alpn_text(value: &[u8]) -> Option<Vec<u8>> {
    let (mut wire, mut out) = (Wire::new(value), Vec::new());
    while wire.left() > 0 {
        let len = wire.u8("").ok().filter(|len| *len > 0)?;
        if !out.is_empty() {
            out.push(b',');
        }
        for &octet in wire.take(len.into(), "").ok()? {
            if matches!(octet, b',' | b'\\') {
                out.push(b'\\');
            }
            out.push(octet);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Reads all tokens left as parameters, in any order, and appends them in ascending order of key.
pub(super) fn parse(tokens: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), ZoneFileError> {
    let mut params = BTreeMap::new();
    while let Some(token) = tokens.pop() {
        let (name, value) = match token.text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (token.text, None),
        };
        let key = key_number(name).ok_or_else(|| token.is_not("a parameter, such as alpn=h2,h3 or key667=TEXT"))?;
        let plain = value.and_then(|value| value.strip_prefix('"')).and_then(|value| value.strip_suffix('"'));
        let value = plain.or(value);
        let octets = if name == key_name(key) { value_octets(key, value, token)? } else { raw(value, token)? };
        if params.insert(key, octets).is_some() {
            return Err(token.at.fail(Problem::ParamTwice(key_name(key))));
        }
    }
    for (key, value) in params {
        out.extend(key.to_be_bytes());
        out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(value);
    }
    Ok(())
}

fn raw(value: Option<&str>, token: &Token<'_>) -> Result<Vec<u8>, ZoneFileError> {
    octets(value.unwrap_or_default()).map_err(|problem| token.at.fail(problem))
}

fn value_octets(key: u16, value: Option<&str>, token: &Token<'_>) -> Result<Vec<u8>, ZoneFileError> {
    let text = value.unwrap_or_default();
    let each = |expected, item: &dyn Fn(&str) -> Option<Vec<u8>>| {
        let parts: Option<Vec<Vec<u8>>> = text.split(',').map(item).collect();
        parts.ok_or_else(|| token.is_not(expected))
    };
    match key {
        MANDATORY => {
            let item = |name: &str| key_number(name).map(|key| key.to_be_bytes().to_vec());
            let mut keys = each("a list of keys, such as mandatory=alpn,port", &item)?;
            keys.sort_unstable();
            Ok(keys.concat())
        }
        ALPN => {
            let mut out = Vec::new();
            for id in split_commas(&raw(value, token)?) {
                match u8::try_from(id.len()) {
                    Ok(len @ 1..) => out.push(len),
                    _ => return Err(token.is_not("a list of protocols of 1 to 255 octets, such as alpn=h2,h3")),
                }
                out.extend(id);
            }
            Ok(out)
        }
        NO_DEFAULT_ALPN | OHTTP if value.is_some() => Err(token.is_not("a parameter without value")),
        PORT => {
            let port = text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
            Ok(port.ok_or_else(|| token.is_not("a port from 0 to 65535"))?.to_be_bytes().to_vec())
        }
        IPV4HINT => {
            let item = |host: &str| host.parse::<Ipv4Addr>().ok().map(|host| host.octets().to_vec());
            Ok(each("a list of IPv4 addresses", &item)?.concat())
        }
        IPV6HINT => {
            let item = |host: &str| host.parse::<Ipv6Addr>().ok().map(|host| host.octets().to_vec());
            Ok(each("a list of IPv6 addresses", &item)?.concat())
        }
        ECH => STANDARD.decode(text).map_err(|_| token.is_not("base64 with its padding")),
        _ => match raw(value, token)? {
            long if long.len() > 65_535 => Err(token.at.fail(Problem::StringLength(long.len()))),
            octets => Ok(octets),
        },
    }
}

/// Items between commas; `\` takes the octet after it as it is.
fn split_commas(list: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut input = list.iter().copied();
    while let Some(octet) = input.next() {
        let literal = if octet == b'\\' { input.next() } else { Some(octet).filter(|octet| *octet != b',') };
        match (literal, items.last_mut()) {
            (Some(octet), Some(item)) => item.push(octet),
            _ => items.push(Vec::new()),
        }
    }
    items
}

//! The kinds of field that RDATA is made of, each read from octets and from text.

use core::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{Fault, NameFault, Problem, ZoneFileError};
use super::lexer::{Cursor, Token};
use super::text::{DomainName, octets, quoted};
use super::types::{type_name, type_number};
use super::{loc, svcb};

/// A field. The text in it says what stands there, for errors.
pub(super) enum Field {
    /// An uncompressed domain name.
    Name(&'static str),
    U8(&'static str),
    U16(&'static str),
    U32(&'static str),
    /// Seconds in 32 bits, as text also with units (`1h30m`).
    Period(&'static str),
    /// 16 bits that text may also write as one of these words.
    Code(&'static str, &'static [(&'static str, u16)]),
    Ipv4,
    Ipv6,
    /// One character-string.
    Text(&'static str),
    /// One or more character-strings, to the end.
    Texts(&'static str),
    /// Octets to the end as one string without a length.
    LongText(&'static str),
    /// A character-string of letters and digits, without quotes.
    Tag(&'static str),
    /// Octets to the end in hexadecimal; their number where the octet before (an algorithm) settles it.
    Digest(&'static str, &'static [(u8, usize)]),
    /// Octets to the end in base64.
    Base64(&'static str),
    /// 64 bits as `0014:4fff:ff20:ee64`.
    Groups(&'static str),
    /// So many octets as `00-00-5e-00-53-2a`.
    Eui(&'static str, usize),
    /// A type bitmap, to the end (RFC 4034, 4.1.2).
    TypeBitmap,
    /// RFC 9460.
    SvcParams,
    /// RFC 1876.
    Loc,
}

/// Octets of RDATA, taken from the front.
pub(super) struct Wire<'a> {
    rest: &'a [u8],
    /// The octet taken last.
    last: u8,
}

impl<'a> Wire<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, last: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Fault> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(Fault::Short(what))?;
        self.last = head.last().copied().unwrap_or(self.last);
        self.rest = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Fault> {
        self.take(N, what)?.try_into().map_err(|_| Fault::Short(what))
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, Fault> {
        self.array::<1>(what).map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_be_bytes)
    }

    fn string(&mut self, what: &'static str) -> Result<&'a [u8], Fault> {
        let len = self.u8(what)?;
        self.take(len.into(), what)
    }

    pub(super) fn name(&mut self, what: &'static str) -> Result<DomainName, Fault> {
        let mut labels = Vec::new();
        loop {
            match self.u8(what).map_err(|_| NameFault::Unfinished)? {
                0 => return Ok(DomainName::new(labels)?),
                len @ 64.. => return Err(NameFault::LengthOctet(len).into()),
                len => labels.push(self.take(len.into(), what).map_err(|_| NameFault::Unfinished)?.to_vec()),
            }
        }
    }
}

impl Field {
    /// Reads the field from `wire`, checks it, and puts its text into `out`, a word each.
    pub(super) fn read(&self, wire: &mut Wire<'_>, out: &mut Vec<String>) -> Result<(), Fault> {
        let text = match *self {
            Self::Name(what) => wire.name(what)?.to_string(),
            Self::U8(what) => wire.u8(what)?.to_string(),
            Self::U16(what) | Self::Code(what, _) => wire.u16(what)?.to_string(),
            Self::U32(what) | Self::Period(what) => wire.u32(what)?.to_string(),
            Self::Ipv4 => Ipv4Addr::from(wire.array::<4>("an IPv4 address")?).to_string(),
            Self::Ipv6 => Ipv6Addr::from(wire.array::<16>("an IPv6 address")?).to_string(),
            Self::Text(what) => quoted(wire.string(what)?),
            Self::Texts(what) => {
                out.push(quoted(wire.string(what)?));
                while wire.left() > 0 {
                    out.push(quoted(wire.string(what)?));
                }
                return Ok(());
            }
            Self::LongText(_) => quoted(wire.rest()),
            Self::Tag(what) => {
                let tag = wire.string(what)?;
                if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
                    return Err(Fault::Value(what));
                }
                tag.iter().copied().map(char::from).collect()
            }
            Self::Digest(what, lengths) => {
                let algorithm = wire.last;
                let digest = wire.rest();
                match lengths.iter().find(|(known, _)| *known == algorithm) {
                    Some(&(_, expected)) if digest.len() != expected => {
                        return Err(Fault::Digest { what, len: digest.len(), expected });
                    }
                    _ if digest.is_empty() => return Err(Fault::Short(what)),
                    _ => hex(digest),
                }
            }
            Self::Base64(what) => match wire.rest() {
                [] => return Err(Fault::Short(what)),
                octets => STANDARD.encode(octets),
            },
            Self::Groups(what) => {
                let [a, b, c, d, e, f, g, h] = wire.array::<8>(what)?;
                format!("{a:02x}{b:02x}:{c:02x}{d:02x}:{e:02x}{f:02x}:{g:02x}{h:02x}")
            }
            Self::Eui(what, len) => {
                wire.take(len, what)?.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join("-")
            }
            Self::TypeBitmap => return read_bitmap(wire, out),
            Self::SvcParams => return svcb::read(wire, out),
            Self::Loc => loc::read(wire)?,
        };
        out.push(text);
        Ok(())
    }

    /// Reads the field from the next tokens and appends its octets to `out`; relative names end in `origin`.
    pub(super) fn parse(
        &self,
        tokens: &mut Cursor<'_, '_>,
        origin: &DomainName,
        out: &mut Vec<u8>,
    ) -> Result<(), ZoneFileError> {
        match *self {
            Self::Name(what) => {
                let token = tokens.take(what)?;
                DomainName::parse(token.text, origin).map_err(|problem| token.at.fail(problem))?.put(out);
            }
            Self::U8(what) => out.push(number(tokens.take(what)?, u8::MAX.into(), "a number from 0 to 255")?),
            Self::U16(what) => put_u16(tokens.take(what)?, out)?,
            Self::U32(what) => {
                let value: u32 = number(tokens.take(what)?, u32::MAX.into(), "a number from 0 to 4294967295")?;
                out.extend(value.to_be_bytes());
            }
            Self::Period(what) => out.extend(period(tokens.take(what)?)?.to_be_bytes()),
            Self::Code(what, words) => {
                let token = tokens.take(what)?;
                match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(token.text)) {
                    Some((_, code)) => out.extend(code.to_be_bytes()),
                    None => put_u16(token, out)?,
                }
            }
            Self::Ipv4 => {
                let token = tokens.take("an IPv4 address")?;
                let parsed: Result<Ipv4Addr, _> = token.text.parse();
                out.extend(parsed.map_err(|_| token.is_not("an IPv4 address, such as 192.0.2.7"))?.octets());
            }
            Self::Ipv6 => {
                let token = tokens.take("an IPv6 address")?;
                let parsed: Result<Ipv6Addr, _> = token.text.parse();
                out.extend(parsed.map_err(|_| token.is_not("an IPv6 address, such as 2001:db8::7"))?.octets());
            }
            Self::Text(what) | Self::Tag(what) => put_string(tokens.take(what)?, out)?,
            Self::Texts(what) => {
                put_string(tokens.take(what)?, out)?;
                while let Some(token) = tokens.pop() {
                    put_string(token, out)?;
                }
            }
            Self::LongText(what) => {
                let token = tokens.take(what)?;
                out.extend(octets(token.text).map_err(|problem| token.at.fail(problem))?);
            }
            Self::Digest(what, _) => out.extend(unhex(tokens, what)?),
            Self::Base64(what) => {
                let first = *tokens.peek().ok_or_else(|| tokens.missing(what))?;
                let mut text = String::new();
                while let Some(token) = tokens.pop() {
                    text.push_str(token.text);
                }
                out.extend(STANDARD.decode(&text).map_err(|_| first.is_not("base64 with its padding"))?);
            }
            Self::Groups(what) => {
                let token = tokens.take(what)?;
                let group = |text: &str| u16::from_str_radix(text, 16).ok().filter(|_| !text.starts_with('+'));
                let groups: Option<Vec<u16>> = token.text.split(':').map(group).collect();
                let groups = groups.filter(|groups| groups.len() == 4).ok_or_else(|| token.is_not(what))?;
                out.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
            }
            Self::Eui(what, len) => {
                let token = tokens.take(what)?;
                let octets: Option<Vec<u8>> =
                    token.text.split('-').map(|pair| unhex_text(pair).filter(|_| pair.len() == 2)?.pop()).collect();
                out.extend(octets.filter(|octets| octets.len() == len).ok_or_else(|| token.is_not(what))?);
            }
            Self::TypeBitmap => parse_bitmap(tokens, out)?,
            Self::SvcParams => svcb::parse(tokens, out)?,
            Self::Loc => loc::parse(tokens, out)?,
        }
        Ok(())
    }
}

/// Reads a decimal number of digits alone, at most `max`.
pub(super) fn number<T: TryFrom<u64>>(token: &Token<'_>, max: u64, expected: &'static str) -> Result<T, ZoneFileError> {
    let plain = token.text.bytes().all(|byte| byte.is_ascii_digit());
    let value = token.text.parse::<u64>().ok().filter(|value| plain && *value <= max);
    value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| token.is_not(expected))
}

/// Reads seconds, plain or in units: `3600`, `1h30m`, `2W`.
pub(super) fn period(token: &Token<'_>) -> Result<u32, ZoneFileError> {
    let seconds = || {
        if !token.text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let (mut total, mut count) = (0u64, None);
        for letter in token.text.chars() {
            if let Some(digit) = letter.to_digit(10) {
                count = Some(count.unwrap_or(0u64).checked_mul(10)?.checked_add(digit.into())?);
                continue;
            }
            let unit = match letter.to_ascii_lowercase() {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return None,
            };
            total = total.checked_add(count.take()?.checked_mul(unit)?)?;
        }
        u32::try_from(total.checked_add(count.unwrap_or(0))?).ok()
    };
    seconds().ok_or_else(|| token.is_not("a time in seconds, or with units such as 1h30m"))
}

fn put_u16(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), ZoneFileError> {
    out.extend(number::<u16>(token, u16::MAX.into(), "a number from 0 to 65535")?.to_be_bytes());
    Ok(())
}

fn put_string(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), ZoneFileError> {
    let text = octets(token.text).map_err(|problem| token.at.fail(problem))?;
    out.push(u8::try_from(text.len()).map_err(|_| token.at.fail(Problem::StringLength(text.len())))?);
    out.extend(text);
    Ok(())
}

/// Octets in capitals, as dig prints them.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// The octets of all tokens left, in hexadecimal; spaces may stand anywhere.
pub(super) fn unhex(tokens: &mut Cursor<'_, '_>, what: &'static str) -> Result<Vec<u8>, ZoneFileError> {
    let first = *tokens.peek().ok_or_else(|| tokens.missing(what))?;
    let mut text = String::new();
    while let Some(token) = tokens.pop() {
        text.push_str(token.text);
    }
    unhex_text(&text).ok_or_else(|| first.is_not("hexadecimal of whole octets"))
}

fn unhex_text(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let pairs = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(pairs.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}

fn read_bitmap(wire: &mut Wire<'_>, out: &mut Vec<String>) -> Result<(), Fault> {
    const WHAT: &str = "a type bitmap";
    let mut before = None;
    while wire.left() > 0 {
        let (window, len) = (wire.u8(WHAT)?, wire.u8(WHAT)?);
        let bits = wire.take(len.into(), WHAT)?;
        if before >= Some(window) || !(1..=32).contains(&len) || bits.last() == Some(&0) {
            return Err(Fault::Value(WHAT));
        }
        before = Some(window);
        for (low, octet) in (0u16..).step_by(8).zip(bits) {
            let set = (0..8).filter(|bit| octet & (0x80 >> bit) != 0);
            out.extend(set.map(|bit| type_name(u16::from(window) << 8 | low | bit)));
        }
    }
    Ok(())
}

fn parse_bitmap(tokens: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), ZoneFileError> {
    let mut windows = std::collections::BTreeMap::<u8, Vec<u8>>::new();
    while let Some(token) = tokens.pop() {
        let rtype = type_number(token.text).ok_or_else(|| token.is_not("a record type"))?;
        let [window, low] = rtype.to_be_bytes();
        let bits = windows.entry(window).or_default();
        let at = usize::from(low / 8);
        bits.resize(bits.len().max(at + 1), 0);
        if let Some(octet) = bits.get_mut(at) {
            *octet |= 0x80 >> (low % 8);
        }
    }
    for (window, bits) in windows {
        out.push(window);
        out.extend(u8::try_from(bits.len()));
        out.extend(bits);
    }
    Ok(())
}

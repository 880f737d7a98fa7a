//! LOC: a place on earth (RFC 1876).

use super::error::{Fault, ZoneFileError};
use super::fields::Wire;
use super::lexer::{Cursor, Token};

/// The equator and the prime meridian, in thousandths of a second of arc.
const MIDDLE: i64 = 1 << 31;
const DEGREE: i64 = 3_600_000;
/// Altitudes count from 100,000 m below the reference spheroid, in centimetres.
const DEEPEST_CM: i64 = 10_000_000;
/// 1 m, 10,000 m, 10 m: size and both precisions where they are left out.
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];

/// Reads the 16 octets and gives their text.
pub(super) fn read(wire: &mut Wire<'_>) -> Result<String, Fault> {
    const WHAT: &str = "a location";
    if wire.u8(WHAT)? != 0 {
        return Err(Fault::Value("version 0"));
    }
    let mut sizes = String::new();
    for octet in wire.array::<3>(WHAT)? {
        sizes.push(' ');
        sizes.push_str(&size_text(octet).ok_or(Fault::Value("a digit and a power of ten, each up to 9"))?);
    }
    let latitude = angle_text(wire.u32(WHAT)?, 90, ['N', 'S']).ok_or(Fault::Value("a latitude up to 90 degrees"))?;
    let longitude =
        angle_text(wire.u32(WHAT)?, 180, ['E', 'W']).ok_or(Fault::Value("a longitude up to 180 degrees"))?;
    let altitude = i64::from(wire.u32(WHAT)?) - DEEPEST_CM;
    let sign = if altitude < 0 { "-" } else { "" };
    let (metres, cm) = (altitude.abs() / 100, altitude.abs() % 100);
    Ok(format!("{latitude} {longitude} {sign}{metres}.{cm:02}m{sizes}"))
}

/// A digit and a power of ten of centimetres, as metres.
fn size_text(octet: u8) -> Option<String> {
    let (digit, power) = (u64::from(octet >> 4), u32::from(octet & 15));
    if digit > 9 || power > 9 {
        return None;
    }
    Some(match power.checked_sub(2) {
        Some(power) => format!("{}m", digit * 10u64.pow(power)),
        None => format!("0.{:02}m", digit * 10u64.pow(power)),
    })
}

fn angle_text(value: u32, most: i64, [ahead, behind]: [char; 2]) -> Option<String> {
    let angle = i64::from(value) - MIDDLE;
    let side = if angle < 0 { behind } else { ahead };
    let angle = angle.abs();
    let (degrees, minutes) = (angle / DEGREE, angle / 60_000 % 60);
    let (seconds, thousandths) = (angle / 1_000 % 60, angle % 1_000);
    (angle <= most * DEGREE).then(|| format!("{degrees} {minutes} {seconds}.{thousandths:03} {side}"))
}

/// Reads `51 30 12.748 N 0 7 39.611 W 0m [SIZE [HORIZONTAL [VERTICAL]]]` and appends 16 octets.
pub(super) fn parse(tokens: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), ZoneFileError> {
    let latitude = parse_angle(tokens, 90, ["N", "S"], "degrees of latitude, then N or S")?;
    let longitude = parse_angle(tokens, 180, ["E", "W"], "degrees of longitude, then E or W")?;
    let token = tokens.take("an altitude")?;
    let altitude = metres(token.text).and_then(|cm| u32::try_from(cm.checked_add(DEEPEST_CM)?).ok());
    let altitude = altitude.ok_or_else(|| token.is_not("an altitude from -100000.00m to 42849672.95m"))?;
    let mut sizes = DEFAULTS;
    for size in &mut sizes {
        let Some(token) = tokens.pop() else { break };
        *size = parse_size(token)?;
    }
    out.push(0);
    out.extend(sizes);
    for value in [latitude, longitude, altitude] {
        out.extend(value.to_be_bytes());
    }
    Ok(())
}

fn parse_angle(
    tokens: &mut Cursor<'_, '_>,
    most: i64,
    sides: [&str; 2],
    what: &'static str,
) -> Result<u32, ZoneFileError> {
    let first = *tokens.take(what)?;
    let mut token = first;
    let mut angle = 0;
    // Degrees, minutes, seconds: each may be the last.
    for (unit, limit, places) in [(DEGREE, most, 0), (60_000, 59, 0), (1, 59_999, 3)] {
        let part = decimal(token.text, places).filter(|part| (0..=limit).contains(part));
        angle += unit * part.ok_or_else(|| token.is_not(what))?;
        token = *tokens.take(what)?;
        if sides.iter().any(|side| side.eq_ignore_ascii_case(token.text)) {
            break;
        }
    }
    let angle = match sides {
        _ if angle > most * DEGREE => return Err(first.is_not(what)),
        [ahead, _] if ahead.eq_ignore_ascii_case(token.text) => MIDDLE + angle,
        [_, behind] if behind.eq_ignore_ascii_case(token.text) => MIDDLE - angle,
        _ => return Err(token.is_not(what)),
    };
    u32::try_from(angle).map_err(|_| first.is_not(what))
}

/// The greatest size that one digit and a power of ten can say and that is not above what stands there.
fn parse_size(token: &Token<'_>) -> Result<u8, ZoneFileError> {
    let cm = metres(token.text).filter(|cm| (0..=9_000_000_000).contains(cm));
    let mut digit = cm.ok_or_else(|| token.is_not("a size from 0.00m to 90000000.00m"))?;
    let mut power = 0u8;
    while digit > 9 {
        digit /= 10;
        power += 1;
    }
    Ok(u8::try_from(digit).unwrap_or_default() << 4 | power)
}

/// Centimetres of `-24.5m`.
fn metres(text: &str) -> Option<i64> {
    decimal(text.strip_suffix(['m', 'M']).unwrap_or(text), 2)
}

/// `12.7` with three places is 12700, `.5` is 500; more places than that are an error.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0
        || !plain(whole)
        || !plain(fraction)
        || fraction.len() > places
        || whole.len() > 12
    {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse::<i64>().ok().map(|value| sign * value)
}

//! DNS cookies (RFC 7873), in the form that servers of different makers share (RFC 9018).
//!
//! A client that gives back what was sent to its address has shown that it is there, so its rate needs no limit. Nothing is
//! kept a client: the server's part is made from the client's, the time and the address by a secret.

use std::net::IpAddr;

use siphasher::sip::SipHasher24;
use std::hash::Hasher;

/// The option's code.
pub const OPTION: u16 = 10;
/// Bytes of the client's part.
pub const CLIENT_LEN: usize = 8;
/// Bytes of both parts as this server makes them.
pub const LEN: usize = 24;
/// The longest that any server makes (RFC 7873 4).
const MAX_LEN: usize = 40;

/// The only version of RFC 9018.
const VERSION: u8 = 1;
/// For so long a cookie is taken, in seconds.
const VALID_S: u32 = 3_600;
/// It may be so much ahead of our clock, in seconds.
const AHEAD_S: u32 = 300;
/// After so long a client gets another one, in seconds.
const RENEW_S: u32 = 1_800;

/// What a query has of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// None.
    Absent,
    /// The option has a length that none may have: FORMERR.
    Malformed,
    /// The client's part alone, or with one that is not ours (any more). What it is to be answered.
    Client([u8; LEN]),
    /// One of ours, for this client. What it is to be answered.
    Ours([u8; LEN]),
}

impl Cookie {
    /// What the answer gives back.
    #[must_use]
    pub fn answer(&self) -> Option<&[u8; LEN]> {
        match self {
            Self::Absent | Self::Malformed => None,
            Self::Client(answer) | Self::Ours(answer) => Some(answer),
        }
    }
}

/// What the cookies of a server are made by.
#[derive(Clone)]
pub struct Secret([u8; 16]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// A secret of 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the option of a query.
    ///
    /// - `option`: its data; `None` where the query has none.
    /// - `from`: the client's address.
    /// - `now`: Unix seconds, as 32 bits that run over (RFC 1982).
    #[must_use]
    pub fn read(&self, option: Option<&[u8]>, from: IpAddr, now: u32) -> Cookie {
        let Some(option) = option else { return Cookie::Absent };
        let Some((client, theirs)) = option.split_first_chunk::<CLIENT_LEN>() else { return Cookie::Malformed };
        // The server's part has at least 8 bytes, if there is one.
        if option.len() > MAX_LEN || (1..8).contains(&theirs.len()) {
            return Cookie::Malformed;
        }
        let fresh = || self.make(client, [VERSION, 0, 0, 0], now, from);
        if let [VERSION, r0, r1, r2, t0, t1, t2, t3, _, _, _, _, _, _, _, _] = *theirs {
            let time = u32::from_be_bytes([t0, t1, t2, t3]);
            let age = now.wrapping_sub(time);
            let is_ahead = time.wrapping_sub(now) <= AHEAD_S;
            let made = self.make(client, [VERSION, r0, r1, r2], time, from);
            // Who guesses learns nothing from the time a comparison takes: an attempt costs a packet, and there are 2^64.
            if (age <= VALID_S || is_ahead) && made.get(CLIENT_LEN..) == Some(theirs) {
                return Cookie::Ours(if age <= RENEW_S || is_ahead { made } else { fresh() });
            }
        }
        Cookie::Client(fresh())
    }

    /// Both parts, for a client's part and address; `version`: with the three bytes after it, which are signed as they are.
    fn make(&self, client: &[u8; CLIENT_LEN], version: [u8; 4], time: u32, from: IpAddr) -> [u8; LEN] {
        let mut out = [0; LEN];
        let mut hasher = SipHasher24::new_with_key(&self.0);
        let (head, hash) = out.split_at_mut(16);
        for (place, byte) in head.iter_mut().zip(client.iter().chain(&version).chain(&time.to_be_bytes())) {
            *place = *byte;
        }
        hasher.write(head);
        match from.to_canonical() {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        // RFC 9018 4.4 and its examples: SipHash's own bytes, the least significant first.
        hash.copy_from_slice(&hasher.finish().to_le_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(hex(text).try_into().unwrap())
    }

    /// The examples of RFC 9018, appendix A: what was given by which secret, and what is answered.
    #[test]
    fn cookies_are_those_of_rfc_9018() {
        let (first, second, third) = (
            "e5e973e5a6b2a43f48e7dc849e37bfcf",
            "dd3bdf9344b678b185a6f5cb60fca715",
            "445536bcd2513298075a5d379663c962",
        );
        let (v4, v4_other, v6) = ("198.51.100.100", "203.0.113.203", "2001:db8:220:1:59de:d0f4:8769:82b8");
        let answered = |key, from: &str, now, given: &str, answer: &str| {
            let got = secret(key).read(Some(&hex(given)), from.parse().unwrap(), now);
            assert_eq!(got.answer().map(|it| it.to_vec()), Some(hex(answer)), "{given}");
            matches!(got, Cookie::Ours(_))
        };
        // A.1 and A.2: a new one, and its renewal after 40 minutes.
        let made = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
        assert!(!answered(first, v4, 1_559_731_985, "2464c4abcf10c957", made));
        let renewed = "2464c4abcf10c957010000005cf7a871d4a564a1442aca77";
        assert!(answered(first, v4, 1_559_734_385, made, renewed));
        // A.3: three bytes that mean nothing yet are part of what is hashed; by then it is too old.
        let odd = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
        assert!(answered(first, v4_other, 0x5cf7_8f71, odd, odd));
        let renewed = "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e";
        assert!(!answered(first, v4_other, 1_559_734_700, odd, renewed));
        // A.4: over IPv6, from one secret to the next.
        let made = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
        assert!(answered(second, v6, 0x5cf7_c579, made, made));
        let renewed = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
        assert!(!answered(third, v6, 1_559_741_961, made, renewed));
    }

    #[test]
    fn a_cookie_is_good_for_an_address_and_an_hour() {
        let secret = Secret::new([7; 16]);
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let now = 1_000_000;
        let Cookie::Client(made) = secret.read(Some(&[9; 8]), here, now) else { panic!("not the client's alone") };
        let is_ours = |from, now| matches!(secret.read(Some(&made), from, now), Cookie::Ours(_));
        assert!(is_ours(here, now) && is_ours(here, now + VALID_S) && is_ours(here, now - AHEAD_S));
        assert!(!is_ours(here, now + VALID_S + 1) && !is_ours(here, now - AHEAD_S - 1));
        assert!(!is_ours(there, now));
        assert!(is_ours("::ffff:192.0.2.1".parse().unwrap(), now));
        assert_eq!(secret.read(Some(&made), here, now + RENEW_S), Cookie::Ours(made));
        let Cookie::Ours(renewed) = secret.read(Some(&made), here, now + RENEW_S + 1) else { panic!("not ours") };
        assert_ne!(renewed, made);
        assert!(matches!(secret.read(Some(&renewed), here, now + 2 * VALID_S - RENEW_S), Cookie::Ours(_)));
        for at in 0..LEN {
            let mut other = made;
            other[at] ^= 1;
            assert!(matches!(secret.read(Some(&other), here, now), Cookie::Client(_)), "byte {at}");
        }
        assert!(!matches!(Secret::new([8; 16]).read(Some(&made), here, now), Cookie::Ours(_)));
    }

    #[test]
    fn lengths_that_none_may_have_are_malformed() {
        let (secret, from) = (Secret::new([7; 16]), "192.0.2.1".parse().unwrap());
        for len in 0..60 {
            let got = secret.read(Some(&vec![1; len]), from, 0);
            assert_eq!(got == Cookie::Malformed, !matches!(len, 8 | 16..=40), "{len} bytes");
        }
        assert_eq!(secret.read(None, from, 0), Cookie::Absent);
    }
}

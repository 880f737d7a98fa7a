//! A packet as one question: a standard query, with an OPT record or none.
//!
//! Most are plain: of class IN, with a name that is not longer than most, and with no option but a cookie. Of all others it is known what
//! telling the client to come again takes, and nothing else.

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 12;
/// Bytes of a name that is looked at; a longer one is rare, and every question would carry the room for it.
const NAME_MAX: usize = 127;
/// Bytes of the longest name, the root's included.
const NAME_BYTES_MAX: usize = 255;
/// Labels below the registered name that are looked at.
pub(super) const LABELS_MAX: usize = 8;

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Query<'p> {
    /// Whether it is plain; a question that is not is the full server's.
    pub is_plain: bool,
    /// The header's third and fourth byte.
    pub flags: [u8; 2],
    /// The type asked for.
    pub qtype: u16,
    /// Where the question ends.
    pub question_end: usize,
    /// Where in the packet the last label of the name begins.
    pub tld_at: u16,
    /// The payload that the client's OPT record offers; `None`: it has none.
    pub payload: Option<u16>,
    /// What is told back of its flags: DO.
    pub edns_flags: u16,
    /// The data of its COOKIE option.
    pub cookie: Option<&'p [u8]>,
    /// The name in lower case, in wire form.
    name: [u8; NAME_MAX],
    /// Where its labels begin, the last first: the domain, the registered name, and what is below it.
    starts: [u8; LABELS_MAX + 2],
    count: usize,
}

/// Labels below a registered name, leftmost last.
pub(super) struct Relative<'a> {
    labels: [&'a [u8]; LABELS_MAX],
    len: usize,
}

impl<'a> Relative<'a> {
    /// From the registered name down.
    pub fn down(&self) -> &[&'a [u8]] {
        self.labels.get(..self.len).unwrap_or_default()
    }
}

impl<'p> Query<'p> {
    /// Reads a packet; `None`: it is something else, or is malformed.
    pub fn read(packet: &'p [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<HEADER_LEN>()?;
        let [_, _, high, low, 0, 1, 0, 0, 0, 0, 0, additionals] = *header else { return None };
        // A query that is no response, of opcode 0, whole; what a client has no say in must be 0.
        if high & 0xfe != 0 || low & 0xcf != 0 || additionals > 1 {
            return None;
        }
        let mut name = [0; NAME_MAX];
        let mut all = [0u8; LABELS_MAX + 2];
        let (mut at, mut count, mut is_plain) = (0usize, 0usize, true);
        loop {
            let len = usize::from(*rest.get(at)?);
            if len == 0 {
                break;
            }
            let next = at + 1 + len;
            if len > 63 || next >= NAME_BYTES_MAX {
                return None;
            }
            let from = rest.get(at..next)?;
            match (all.get_mut(count), name.get_mut(at..next)) {
                (Some(start), Some(to)) if next < NAME_MAX => {
                    *start = u8::try_from(at).ok()?;
                    to.copy_from_slice(from);
                    // The length is below `A`.
                    to.make_ascii_lowercase();
                    count += 1;
                }
                _ => is_plain = false,
            }
            at = next;
        }
        is_plain &= count >= 2;
        let mut starts = [0; LABELS_MAX + 2];
        for (to, from) in starts.iter_mut().zip(all.get(..count)?.iter().rev()) {
            *to = *from;
        }
        let [t0, t1, c0, c1, ref more @ ..] = *rest.get(at + 1..)? else { return None };
        is_plain &= [c0, c1] == [0, 1];
        let (payload, edns_flags, cookie) = match (additionals, more) {
            (0, []) => (None, 0, None),
            // Root, OPT, payload, extended code, version, flags, length of the options.
            (1, [0, 0, 41, p0, p1, _, version, flags, _, l0, l1, options @ ..])
                if options.len() == usize::from(u16::from_be_bytes([*l0, *l1])) =>
            {
                let (mut cookie, mut options) = (None, options);
                while let [o0, o1, l0, l1, more @ ..] = options {
                    let (data, behind) = more.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
                    let is_cookie = [*o0, *o1] == [0, 10] && cookie.is_none();
                    is_plain &= is_cookie;
                    cookie = if is_cookie { Some(data) } else { cookie };
                    options = behind;
                }
                if !options.is_empty() {
                    return None;
                }
                is_plain &= *version == 0;
                (Some(u16::from_be_bytes([*p0, *p1])), u16::from(*flags & 0x80) << 8, cookie)
            }
            _ => return None,
        };
        Some(Self {
            is_plain,
            flags: [high, low],
            qtype: u16::from_be_bytes([t0, t1]),
            question_end: HEADER_LEN + at + 5,
            tld_at: u16::try_from(HEADER_LEN + usize::from(starts[0])).ok()?,
            payload,
            edns_flags,
            cookie,
            name,
            starts,
            count,
        })
    }

    fn label(&self, number: usize) -> Option<&[u8]> {
        let at = usize::from(*self.starts.get(number)?);
        let len = usize::from(*self.name.get(at)?);
        self.name.get(at + 1..at + 1 + len)
    }

    /// The registered name that it is about and the labels below that; `None` where it is not below `tld`.
    pub fn below(&self, tld: &[u8]) -> Option<(&[u8], Relative<'_>)> {
        if self.label(0)? != tld {
            return None;
        }
        let mut relative = Relative { labels: [&[]; LABELS_MAX], len: self.count.checked_sub(2)? };
        for (number, place) in relative.labels.iter_mut().enumerate().take(relative.len) {
            *place = self.label(number + 2)?;
        }
        Some((self.label(1)?, relative))
    }
}

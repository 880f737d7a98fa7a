//! A packet as one question, or none (RFC 7873 5.4): a standard query, with an OPT record or none.
//!
//! Most are plain: of class IN, with a name of no more labels than most, and with no option but a cookie. Of all others it is known what
//! telling the client to come again takes, and nothing else. Nothing is copied out of the packet: names are in the client's case.

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 12;
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
    /// Where the question ends; [`HEADER_LEN`]: there is none.
    pub question_end: usize,
    /// Where in the packet the last label of the name begins.
    pub tld_at: u16,
    /// The payload that the client's OPT record offers; `None`: it has none.
    pub payload: Option<u16>,
    /// What is told back of its flags: DO.
    pub edns_flags: u16,
    /// The data of its COOKIE option.
    pub cookie: Option<&'p [u8]>,
    /// The name in wire form, and what follows it.
    name: &'p [u8],
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
    /// From the registered name down, in the client's case.
    pub fn down(&self) -> &[&'a [u8]] {
        self.labels.get(..self.len).unwrap_or_default()
    }
}

impl<'p> Query<'p> {
    /// Reads a packet; `None`: it is something else, or is malformed.
    pub fn read(packet: &'p [u8]) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk::<HEADER_LEN>()?;
        let [_, _, high, low, 0, questions, 0, 0, 0, 0, 0, additionals] = *header else { return None };
        // A query that is no response, of opcode 0, whole; what a client has no say in must be 0.
        if high & 0xfe != 0 || low & 0xcf != 0 || questions > 1 || additionals > 1 {
            return None;
        }
        let is_asked = questions == 1;
        let mut all = [0u8; LABELS_MAX + 2];
        let (mut at, mut count, mut is_plain) = (0usize, 0usize, is_asked);
        loop {
            let len = if is_asked { usize::from(*rest.get(at)?) } else { 0 };
            if len == 0 {
                break;
            }
            let next = at + 1 + len;
            if len > 63 || next >= NAME_BYTES_MAX {
                return None;
            }
            match all.get_mut(count) {
                Some(start) => {
                    *start = u8::try_from(at).ok()?;
                    count += 1;
                }
                None => is_plain = false,
            }
            at = next;
        }
        is_plain &= count >= 2;
        let mut starts = [0; LABELS_MAX + 2];
        for (to, from) in starts.iter_mut().zip(all.get(..count)?.iter().rev()) {
            *to = *from;
        }
        let (name, qtype, question_end, more) = match rest.get(at + 1..) {
            _ if !is_asked => (&[][..], 0, HEADER_LEN, rest),
            Some([t0, t1, c0, c1, more @ ..]) => {
                is_plain &= [*c0, *c1] == [0, 1];
                (rest, u16::from_be_bytes([*t0, *t1]), HEADER_LEN + at + 5, more)
            }
            _ => return None,
        };
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
            qtype,
            question_end,
            tld_at: u16::try_from(HEADER_LEN + usize::from(starts[0])).ok()?,
            payload,
            edns_flags,
            cookie,
            name,
            starts,
            count,
        })
    }

    fn label(&self, number: usize) -> Option<&'p [u8]> {
        let at = usize::from(*self.starts.get(number)?);
        let len = usize::from(*self.name.get(at)?);
        self.name.get(at + 1..at + 1 + len)
    }

    /// The registered name that it is about; `None` where it is not below `tld`.
    pub fn registered(&self, tld: &[u8]) -> Option<&'p [u8]> {
        if self.label(0)?.eq_ignore_ascii_case(tld) { self.label(1) } else { None }
    }

    /// The labels below the registered name.
    pub fn relative(&self) -> Option<Relative<'p>> {
        let mut relative = Relative { labels: [&[]; LABELS_MAX], len: self.count.checked_sub(2)? };
        for (number, place) in relative.labels.iter_mut().enumerate().take(relative.len) {
            *place = self.label(number + 2)?;
        }
        Some(relative)
    }
}

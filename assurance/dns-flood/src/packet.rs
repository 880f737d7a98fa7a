//! Queries, and what is looked at of answers.

/// A type's number.
pub(crate) const A: u16 = 1;
pub(crate) const ANY: u16 = 255;
pub(crate) const TXT: u16 = 16;

/// A query for `name`, with an OPT record that offers 1,232 bytes.
pub(crate) fn query(id: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut out = [id.to_be_bytes(), [1, 0], [0, 1], [0, 0], [0, 0], [0, 1]].concat();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap_or(63));
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend([rtype, 1].into_iter().flat_map(u16::to_be_bytes));
    out.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    out
}

/// What an answer says: its id, whether it was cut (TC), its code and how many records are in the answer section.
pub(crate) struct Head {
    pub id: u16,
    pub is_cut: bool,
    pub rcode: u8,
    pub answers: u16,
}

impl Head {
    pub fn read(packet: &[u8]) -> Option<Self> {
        let [i0, i1, high, low, _, _, a0, a1, ..] = *packet else { return None };
        let head = Self {
            id: u16::from_be_bytes([i0, i1]),
            is_cut: high & 0x02 != 0,
            rcode: low & 0x0f,
            answers: u16::from_be_bytes([a0, a1]),
        };
        (high & 0x80 != 0).then_some(head)
    }
}

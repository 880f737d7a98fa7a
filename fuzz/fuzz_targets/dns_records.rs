//! Records that anybody may put on the chain, served, and asked for: whatever they are, the answers are sound.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use dotp2p_chain::records::{Limits, Owner, RecordSet, Records};
use dotp2p_fuzz::dns::{FixedZone, Server, check};
use dotp2p_fuzz::{Cost, within};
use hickory_server::net::xfer::Protocol;
use libfuzzer_sys::fuzz_target;

/// Labels that come near one another.
const LABELS: [&[u8]; 8] = [b"a", b"b", b"*", b"ab", b"_x", b"\x00.", b"xn--a", b"c"];
/// Types that decide something, and others.
const TYPES: [u16; 24] =
    [1, 1, 2, 5, 5, 12, 13, 15, 16, 28, 33, 35, 39, 39, 43, 44, 52, 61, 64, 65, 99, 257, 29, 65_280];

#[derive(Arbitrary, Debug)]
struct Set {
    owner: Vec<u8>,
    rtype: u16,
    ttl: u32,
    rdatas: Vec<Data>,
}

#[derive(Arbitrary, Debug)]
enum Data {
    Bytes(Vec<u8>),
    /// A name below the served one, or elsewhere.
    Name {
        labels: Vec<u8>,
        elsewhere: bool,
    },
    Address([u8; 4]),
    /// So many zero bytes.
    Long(u16),
    /// Some bytes, then a name.
    Host {
        front: Vec<u8>,
        labels: Vec<u8>,
    },
    Text(Vec<u8>),
}

#[derive(Debug)]
struct Input {
    sets: Vec<Set>,
    questions: Vec<(Vec<u8>, u16, u8)>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut questions: Vec<(Vec<u8>, u16, u8)> = input.arbitrary()?;
        questions.truncate(4);
        Ok(Self { sets: input.arbitrary()?, questions })
    }
}

fuzz_target!(|input: Input| {
    within(64 * 1024, Cost { per_byte: 48, cpu_ms: 200 }, || run(&input));
});

fn labels(numbers: &[u8]) -> impl Iterator<Item = &'static [u8]> {
    numbers.iter().take(6).map(|number| LABELS[usize::from(*number) % LABELS.len()])
}

fn rtype(number: u16) -> u16 {
    if number < 1_024 { TYPES[usize::from(number) % TYPES.len()] } else { number }
}

fn wire(labels: impl Iterator<Item = &'static [u8]>, elsewhere: bool) -> Vec<u8> {
    let end: &[&[u8]] = if elsewhere { &[b"example"] } else { &[b"n", b"p2p"] };
    let all = labels.chain(end.iter().copied());
    all.flat_map(|label| [&[label.len() as u8], label].concat()).chain([0]).collect()
}

fn rdata(data: &Data) -> Vec<u8> {
    match data {
        Data::Bytes(bytes) => bytes.clone(),
        Data::Name { labels: numbers, elsewhere } => wire(labels(numbers), *elsewhere),
        Data::Address(address) => address.to_vec(),
        Data::Long(len) => vec![0; usize::from(*len) % 3_000],
        Data::Host { front, labels: numbers } => [front.clone(), wire(labels(numbers), false)].concat(),
        Data::Text(text) => text.chunks(255).flat_map(|part| [&[part.len() as u8], part].concat()).collect(),
    }
}

fn run(input: &Input) {
    let mut sets: Vec<RecordSet> = Vec::new();
    for set in &input.sets {
        let (owner, rtype) = (Owner::new(labels(&set.owner)), rtype(set.rtype));
        // Empty RDATA is none to hickory's decoder, which reads the answers here; it may be served (RFC 3597).
        let rdatas: Vec<Vec<u8>> = set.rdatas.iter().map(rdata).filter(|data| !data.is_empty()).collect();
        if !sets.iter().any(|set| set.owner == owner && set.rtype == rtype) {
            sets.push(RecordSet { owner, rtype, ttl: set.ttl & 0x7fff_ffff, rdatas });
        }
    }
    let limits = Limits { name_len: 1, tld_len: 3, max: 4_096 };
    let Ok(records) = Records::new(sets, limits) else { return };
    let name = "n".parse().expect("a name");
    let server = Server::new(FixedZone::new([(name, records)]));
    for (owner, qtype, flags) in &input.questions {
        let mut packet = vec![7, 9, flags & 1, 0, 0, 1, 0, 0, 0, 0, 0, flags >> 1 & 1];
        packet.extend(wire(labels(owner), flags & 4 != 0));
        packet.extend(rtype(*qtype).to_be_bytes());
        packet.extend([0, 1]);
        if flags & 2 != 0 {
            packet.extend([0, 0, 41, *flags, 0, 0, 0, 0, 0, 0, 0]);
        }
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let reply = server.ask(&packet, protocol).expect("a query has an answer");
            check(&packet, &reply, protocol);
        }
    }
}

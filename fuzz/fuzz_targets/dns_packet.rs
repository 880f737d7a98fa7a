//! A packet to an answer: any bytes asked of a zone with records of every type, over UDP and TCP.

#![no_main]

use std::sync::LazyLock;

use dotp2p_chain::name::Name;
use dotp2p_chain::records::Limits;
use dotp2p_fuzz::dns::{FixedZone, Server, check};
use dotp2p_fuzz::{Cost, within};
use dotp2p_registry::zonefile::{Options, import};
use hickory_server::net::xfer::Protocol;
use libfuzzer_sys::fuzz_target;

/// Delegations, wildcards, chains, loops, and what fits no packet.
const TANGLE: &str = r"@ NS ns
ns A 192.0.2.1
ns AAAA 2001:db8::1
";
const WEB: &str = r#"* TXT "wild"
*.deep CNAME a
a CNAME b
b CNAME c
c CNAME a
self CNAME self
x DNAME y
y DNAME x
out DNAME example.
up DNAME @
long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.long
sub NS ns.sub
sub NS ns.else
sub NS ns.example.
sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub A 192.0.2.2
ns.else A 192.0.2.3
hello CNAME www.hello.p2p.
tangle CNAME www.tangle.p2p.
gone CNAME www.nobody.p2p.
broken CNAME x.fails.p2p.
bad A \# 3 000000
any HINFO a b
"#;

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let hello = include_str!("../../examples/hello.zone");
    let many: String = (0..120).map(|at| format!("many A 192.0.2.{at}\nmany AAAA 2001:db8::{at}\n")).collect();
    let zones = [("hello", hello, false), ("tangle", TANGLE, true), ("web", WEB, false), ("big", &many, false)];
    let zones = zones.into_iter().map(|(name, text, delegate)| {
        let name: Name = name.parse().expect("a name");
        let limits = Limits { name_len: name.as_bytes().len(), tld_len: 3, max: 65_535 };
        let read = import(text, &name, "p2p", Options { delegate }, limits).expect("a zone");
        (name, read.records)
    });
    Server::new(FixedZone::new(zones))
});

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&SERVER);
    // hickory-server makes room for as many questions as the header says, 11 MB at most, before it reads one.
    within(data.len().max(15 * 1_024), Cost { per_byte: 1_024, cpu_ms: 100 }, || run(data));
});

fn run(packet: &[u8]) {
    let over = |protocol| {
        let reply = SERVER.ask(packet, protocol)?;
        Some((check(packet, &reply, protocol), reply))
    };
    let (udp, tcp) = (over(Protocol::Udp), over(Protocol::Tcp));
    let (Some((short, _)), Some((full, bytes))) = (&udp, &tcp) else {
        assert!(udp.is_none() && tcp.is_none(), "both transports answer");
        return;
    };
    assert!(!full.metadata.truncation, "nothing is cut off over TCP");
    if short.metadata.truncation {
        assert!(bytes.len() > 512, "what fits is not cut off: {} bytes", bytes.len());
    } else {
        assert_eq!(short.metadata.response_code, full.metadata.response_code);
        assert_eq!((&short.answers, &short.authorities), (&full.answers, &full.authorities), "the same over both");
    }
}

//! A packet to an answer: any bytes asked of a zone with records of every type, over UDP and TCP.

#![no_main]

use std::sync::LazyLock;

use dotp2p_fuzz::dns::{Server, check, tangled};
use dotp2p_fuzz::{Cost, within};
use hickory_server::net::xfer::Protocol;
use libfuzzer_sys::fuzz_target;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::new(tangled()));

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

//! Messages as people see them with dig, after the way over a socket.

use hickory_proto::op::Message;

use super::tests::{query, start, udp};
use crate::fake::{FakeZone, dig};

async fn ask(question: &str, payload: Option<u16>) -> String {
    let zone = FakeZone::default()
        .with(
            "alice",
            r"@ A 192.0.2.7
              @ A 192.0.2.9
              @ AAAA 2001:db8::7
              @ MX 10 Mail
              @ TXT hello world
              @ TYPE65280 \# c00c
              www CNAME @
              old DNAME bob.p2p.
              sub NS ns.sub
              sub DS \# 00010d02aabbccdd
              ns.sub A 192.0.2.53
              ns.sub AAAA 2001:db8::53",
        )
        .with("bob", "* A 192.0.2.8");
    let server = start(zone).await;
    let reply = udp(&server, &query(4_711, question, payload)).await;
    dig(&Message::from_vec(&reply).unwrap())
}

#[tokio::test]
async fn addresses() {
    insta::assert_snapshot!(ask("AliCE.p2p. A", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;AliCE.p2p.	IN	A
    ;; ANSWER
    AliCE.p2p. 60 IN A 192.0.2.7
    AliCE.p2p. 60 IN A 192.0.2.9
    ");
}

#[tokio::test]
async fn mail_keeps_its_case() {
    insta::assert_snapshot!(ask("alice.p2p. MX", Some(4_096)).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;; EDNS: version 0; flags: ; udp: 1232
    ;alice.p2p.	IN	MX
    ;; ANSWER
    alice.p2p. 60 IN MX 10 Mail.alice.p2p.
    ");
}

#[tokio::test]
async fn text() {
    insta::assert_snapshot!(ask("alice.p2p. TXT", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;alice.p2p.	IN	TXT
    ;; ANSWER
    alice.p2p. 60 IN TXT helloworld
    ");
}

#[tokio::test]
async fn an_unknown_type() {
    insta::assert_snapshot!(ask("alice.p2p. TYPE65280", None).await, @r"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;alice.p2p.	IN	Unknown
    ;; ANSWER
    alice.p2p. 60 IN TYPE65280 \# 2 C00C
    ");
}

#[tokio::test]
async fn an_alias() {
    insta::assert_snapshot!(ask("www.alice.p2p. AAAA", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;www.alice.p2p.	IN	AAAA
    ;; ANSWER
    www.alice.p2p. 60 IN CNAME alice.p2p.
    alice.p2p. 60 IN AAAA 2001:db8::7
    ");
}

#[tokio::test]
async fn a_redirection_to_a_wildcard() {
    insta::assert_snapshot!(ask("x.old.alice.p2p. A", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;x.old.alice.p2p.	IN	A
    ;; ANSWER
    old.alice.p2p. 60 IN DNAME bob.p2p.
    x.old.alice.p2p. 60 IN CNAME x.bob.p2p.
    x.bob.p2p. 60 IN A 192.0.2.8
    ");
}

#[tokio::test]
async fn a_referral() {
    insta::assert_snapshot!(ask("www.sub.alice.p2p. A", Some(1_232)).await, @r"
    ;; status: NOERROR, id: 4711
    ;; flags: qr rd
    ;; EDNS: version 0; flags: ; udp: 1232
    ;www.sub.alice.p2p.	IN	A
    ;; AUTHORITY
    sub.alice.p2p. 60 IN NS ns.sub.alice.p2p.
    sub.alice.p2p. 60 IN DS 1 13 2 AABBCCDD
    ;; ADDITIONAL
    ns.sub.alice.p2p. 60 IN A 192.0.2.53
    ns.sub.alice.p2p. 60 IN AAAA 2001:db8::53
    ");
}

#[tokio::test]
async fn no_data() {
    insta::assert_snapshot!(ask("alice.p2p. SRV", Some(512)).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;; EDNS: version 0; flags: ; udp: 512
    ;alice.p2p.	IN	SRV
    ;; AUTHORITY
    p2p. 60 IN SOA ns.dotp2p.p2p. hostmaster.dotp2p.p2p. 2026 1800 900 604800 60
    ");
}

#[tokio::test]
async fn no_name() {
    insta::assert_snapshot!(ask("Nobody.P2P. A", None).await, @"
    ;; status: NXDOMAIN, id: 4711
    ;; flags: qr aa rd
    ;Nobody.P2P.	IN	A
    ;; AUTHORITY
    P2P. 60 IN SOA ns.dotp2p.P2P. hostmaster.dotp2p.P2P. 2026 1800 900 604800 60
    ");
}

#[tokio::test]
async fn the_apex() {
    insta::assert_snapshot!(ask("p2p. NS", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;p2p.	IN	NS
    ;; ANSWER
    p2p. 3600 IN NS ns.dotp2p.p2p.
    ;; ADDITIONAL
    ns.dotp2p.p2p. 3600 IN A 127.0.0.1
    ns.dotp2p.p2p. 3600 IN AAAA ::1
    ");
}

#[tokio::test]
async fn the_soa() {
    insta::assert_snapshot!(ask("p2p. SOA", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;p2p.	IN	SOA
    ;; ANSWER
    p2p. 60 IN SOA ns.dotp2p.p2p. hostmaster.dotp2p.p2p. 2026 1800 900 604800 60
    ");
}

#[tokio::test]
async fn any() {
    insta::assert_snapshot!(ask("alice.p2p. ANY", None).await, @"
    ;; status: NOERROR, id: 4711
    ;; flags: qr aa rd
    ;alice.p2p.	IN	ANY
    ;; ANSWER
    alice.p2p. 3789 IN HINFO RFC8482
    ");
}

#[tokio::test]
async fn refused() {
    insta::assert_snapshot!(ask("example.com. A", Some(1_232)).await, @"
    ;; status: REFUSED, id: 4711
    ;; flags: qr rd
    ;; EDNS: version 0; flags: ; udp: 1232
    ;example.com.	IN	A
    ");
}

#[tokio::test]
async fn a_zone_that_cannot_be_read() {
    insta::assert_snapshot!(ask("fails.p2p. A", None).await, @"
    ;; status: SERVFAIL, id: 4711
    ;; flags: qr rd
    ;fails.p2p.	IN	A
    ");
}

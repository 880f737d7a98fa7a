use super::*;
use crate::fake::{FakeZone, SERVERS, domain, line, number, wire};

/// Each line of `cases` is a question and, below it and indented, its answer.
#[track_caller]
fn check(zone: &FakeZone, cases: &str) {
    let mut lines = cases.lines().map(str::trim).filter(|line| !line.is_empty());
    while let Some(question) = lines.next() {
        assert_eq!(line(&zone.ask(question)), lines.next().unwrap(), "{question}");
    }
}

#[test]
fn the_apex() {
    let soa = FakeZone::default().ask("p2p. SOA").answer.remove(0);
    assert_eq!((soa.owner.to_string(), soa.ttl), ("p2p.".to_owned(), 60));
    let numbers = [2_026_u32, 1_800, 900, 604_800, 60].map(u32::to_be_bytes).concat();
    assert_eq!(soa.rdata, [wire("ns.dotp2p.p2p."), wire("hostmaster.dotp2p.p2p."), numbers].concat());
    check(
        &FakeZone::default(),
        "p2p. NS
            NOERROR aa | p2p. 3600 NS ns.dotp2p.p2p. |  | ns.dotp2p.p2p. 3600 A 127.0.0.1; ns.dotp2p.p2p. 3600 AAAA ::1
         p2p. A
            NOERROR aa |  | SOA
         p2p. DS
            NOERROR aa |  | SOA
         p2p. ANY
            NOERROR aa | p2p. 3789 HINFO RFC8482",
    );
}

#[test]
fn the_zones_own_servers() {
    check(
        &FakeZone::default(),
        "ns.dotp2p.p2p. A
            NOERROR aa | ns.dotp2p.p2p. 3600 A 127.0.0.1
         ns.dotp2p.p2p. AAAA
            NOERROR aa | ns.dotp2p.p2p. 3600 AAAA ::1
         ns.dotp2p.p2p. TXT
            NOERROR aa |  | SOA
         ns.dotp2p.p2p. ANY
            NOERROR aa | ns.dotp2p.p2p. 3789 HINFO RFC8482
         dotp2p.p2p. A
            NOERROR aa |  | SOA
         dotp2p.p2p. ANY
            NOERROR aa |  | SOA
         hostmaster.dotp2p.p2p. A
            NXDOMAIN aa |  | SOA
         a.ns.dotp2p.p2p. A
            NXDOMAIN aa |  | SOA",
    );
}

#[test]
fn what_is_not_ours() {
    check(
        &FakeZone::default(),
        "example.com. A
            REFUSED
         . NS
            REFUSED
         p2p.com. A
            REFUSED
         p2p. AXFR
            REFUSED
         alice.p2p. IXFR
            REFUSED",
    );
    let question = |qclass| Question { name: domain("p2p."), qtype: rtype::SOA, qclass };
    let ask = |qclass| answer(&FakeZone::default(), &SERVERS, &question(qclass)).unwrap();
    assert_eq!(ask(3), Answer::empty(ResponseCode::Refused, false));
    assert_eq!((ask(255).rcode, ask(255).aa, ask(255).answer.len()), (ResponseCode::NoError, false, 1));
}

#[test]
fn names() {
    let zone = FakeZone::default().with("alice", "@ A 192.0.2.7\n@ A 192.0.2.9\nwww TXT hi").with("empty", "");
    check(
        &zone,
        "alice.p2p. A
            NOERROR aa | alice.p2p. A 192.0.2.7; alice.p2p. A 192.0.2.9
         alice.p2p. AAAA
            NOERROR aa |  | SOA
         alice.p2p. NS
            NOERROR aa |  | SOA
         alice.p2p. SOA
            NOERROR aa |  | SOA
         www.alice.p2p. TXT
            NOERROR aa | www.alice.p2p. TXT hi
         a.www.alice.p2p. TXT
            NXDOMAIN aa |  | SOA
         empty.p2p. A
            NOERROR aa |  | SOA
         www.empty.p2p. A
            NXDOMAIN aa |  | SOA
         bob.p2p. A
            NXDOMAIN aa |  | SOA
         -x.p2p. A
            NXDOMAIN aa |  | SOA
         _dmarc.p2p. TXT
            NXDOMAIN aa |  | SOA
         localhost.p2p. A
            NXDOMAIN aa |  | SOA",
    );
}

#[test]
fn a_zone_that_cannot_be_read() {
    let ask = |name| {
        let question = Question { name: domain(name), qtype: rtype::A, qclass: 1 };
        answer(&FakeZone::default().with("alice", "@ CNAME fails.p2p."), &SERVERS, &question).map_err(|e| e.to_string())
    };
    let error = "cannot read the records of fails: the disk is on fire";
    assert_eq!(ask("www.fails.p2p.").unwrap_err(), error);
    assert_eq!(ask("alice.p2p.").unwrap_err(), error);
}

#[test]
fn any_type() {
    let zone = FakeZone::default().with(
        "alice",
        r"@ TYPE65280 \# c00c00
          @ TYPE65281 \#
          both A 192.0.2.7
          both HINFO cpu os
          alias CNAME @",
    );
    check(
        &zone,
        r"alice.p2p. TYPE65280
            NOERROR aa | alice.p2p. TYPE65280 \# 3 C00C00
          both.alice.p2p. ANY
            NOERROR aa | both.alice.p2p. HINFO cpu os
          alice.p2p. ANY
            NOERROR aa | alice.p2p. 3789 HINFO RFC8482
          alias.alice.p2p. ANY
            NOERROR aa | alias.alice.p2p. CNAME alice.p2p.",
    );
    let empty = zone.ask("alice.p2p. TYPE65281");
    assert_eq!(empty.answer.first().map(|rr| (rr.rtype, rr.rdata.len())), Some((number("TYPE65281"), 0)));
}

#[test]
fn aliases() {
    let zone = FakeZone::default()
        .with(
            "alice",
            "@ A 192.0.2.7
             www CNAME @
             www TXT hidden
             far CNAME web.bob.p2p.
             out CNAME www.example.
             gone CNAME nothing.bob.p2p.
             loop CNAME pool
             pool CNAME LOOP
             self CNAME self
             up CNAME p2p.
             into CNAME www.cut.bob.p2p.",
        )
        .with("bob", "web CNAME www.alice.p2p.\ncut NS ns.example.");
    check(
        &zone,
        "www.alice.p2p. A
            NOERROR aa | www.alice.p2p. CNAME alice.p2p.; alice.p2p. A 192.0.2.7
         www.alice.p2p. CNAME
            NOERROR aa | www.alice.p2p. CNAME alice.p2p.
         www.alice.p2p. TXT
            NOERROR aa | www.alice.p2p. CNAME alice.p2p. | SOA
         x.www.alice.p2p. A
            NXDOMAIN aa |  | SOA
         far.alice.p2p. A
            NOERROR aa | far.alice.p2p. CNAME web.bob.p2p.; web.bob.p2p. CNAME www.alice.p2p.; www.alice.p2p. CNAME alice.p2p.; alice.p2p. A 192.0.2.7
         out.alice.p2p. A
            NOERROR aa | out.alice.p2p. CNAME www.example.
         gone.alice.p2p. A
            NXDOMAIN aa | gone.alice.p2p. CNAME nothing.bob.p2p. | SOA
         loop.alice.p2p. A
            NOERROR aa | loop.alice.p2p. CNAME pool.alice.p2p.; pool.alice.p2p. CNAME LOOP.alice.p2p.
         self.alice.p2p. A
            NOERROR aa | self.alice.p2p. CNAME self.alice.p2p.
         up.alice.p2p. A
            NOERROR aa | up.alice.p2p. CNAME p2p. | SOA
         into.alice.p2p. A
            NOERROR aa | into.alice.p2p. CNAME www.cut.bob.p2p. | cut.bob.p2p. NS ns.example.",
    );
}

#[test]
fn a_chain_has_16_links() {
    let lines: String = (0..20).map(|at| format!("c{at} CNAME c{}\n", at + 1)).collect();
    let zone = FakeZone::default().with("alice", &format!("{lines}c20 A 192.0.2.7"));
    for (first, links, records) in [(4, 16, 17), (5, 15, 16), (3, 16, 16), (0, 16, 16)] {
        let answer = zone.ask(&format!("c{first}.alice.p2p. A"));
        let cnames = answer.answer.iter().filter(|rr| rr.rtype == rtype::CNAME).count();
        assert_eq!((cnames, answer.answer.len()), (links, records), "from c{first}");
        assert_eq!((answer.rcode, answer.authority), (ResponseCode::NoError, vec![]));
    }
}

#[test]
fn dnames() {
    let zone = FakeZone::default()
        .with("alice", "@ DNAME bob.p2p.\n@ A 192.0.2.1\nwww A 192.0.2.2")
        .with("bob", "@ A 192.0.2.7\nwww A 192.0.2.8")
        .with("out", "sub DNAME Example.")
        .with("deep", "@ DNAME x.deep.p2p.");
    check(
        &zone,
        "alice.p2p. A
            NOERROR aa | alice.p2p. A 192.0.2.1
         alice.p2p. DNAME
            NOERROR aa | alice.p2p. DNAME bob.p2p.
         www.alice.p2p. A
            NOERROR aa | alice.p2p. DNAME bob.p2p.; www.alice.p2p. CNAME www.bob.p2p.; www.bob.p2p. A 192.0.2.8
         www.alice.p2p. CNAME
            NOERROR aa | alice.p2p. DNAME bob.p2p.; www.alice.p2p. CNAME www.bob.p2p.
         www.alice.p2p. ANY
            NOERROR aa | alice.p2p. DNAME bob.p2p.; www.alice.p2p. CNAME www.bob.p2p.; www.bob.p2p. 3789 HINFO RFC8482
         a.b.alice.p2p. A
            NXDOMAIN aa | alice.p2p. DNAME bob.p2p.; a.b.alice.p2p. CNAME a.b.bob.p2p. | SOA
         a.sub.out.p2p. A
            NOERROR aa | sub.out.p2p. DNAME Example.; a.sub.out.p2p. CNAME a.Example.",
    );
    let ttls: Vec<u32> = zone.ask("www.alice.p2p. A").answer.iter().map(|rr| rr.ttl).collect();
    assert_eq!(ttls, [60, 60, 60]);
    // A DNAME below itself: 16 synthesised links, the DNAME once.
    let deep = zone.ask("a.deep.p2p. A");
    assert_eq!((deep.rcode, deep.answer.len()), (ResponseCode::NoError, 17));
    assert_eq!(deep.answer.iter().filter(|rr| rr.rtype == rtype::DNAME).count(), 1);
}

#[test]
fn a_dname_that_leads_to_itself_and_is_asked_for_is_there_once() {
    let zone = FakeZone::default().with("n", "b DNAME n.p2p.");
    check(
        &zone,
        "b.b.n.p2p. DNAME
            NOERROR aa | b.n.p2p. DNAME n.p2p.; b.b.n.p2p. CNAME b.n.p2p.",
    );
}

#[test]
fn a_dname_that_makes_a_name_too_long() {
    let long = "a".repeat(63);
    let zone = FakeZone::default().with("alice", &format!("@ DNAME {long}.{long}.{long}.example."));
    assert_eq!(zone.ask(&format!("{}.alice.p2p. A", "b".repeat(52))).rcode, ResponseCode::NoError);
    let answer = zone.ask(&format!("{}.alice.p2p. A", "b".repeat(54)));
    assert_eq!((answer.rcode, answer.aa, answer.answer.len()), (ResponseCode::YXDomain, true, 1));
}

#[test]
fn wildcards_as_rfc_4592_has_them() {
    // The example of section 2.2.1, below a name.
    let zone = FakeZone::default().with(
        "ex",
        "* TXT wildcard
         * MX 10 host1
         sub.* TXT not-a-wildcard
         host1 A 192.0.2.1
         _ssh._tcp.host1 TXT service
         _ssh._tcp.host2 TXT service
         subdel NS ns.example.com.
         subdel NS ns.example.net.
         *.alias CNAME host1
         *.subdel A 192.0.2.9
         only.*.ent A 192.0.2.3",
    );
    check(
        &zone,
        "host3.ex.p2p. MX
            NOERROR aa | host3.ex.p2p. MX 10 host1.ex.p2p.
         host3.ex.p2p. A
            NOERROR aa |  | SOA
         foo.bar.ex.p2p. TXT
            NOERROR aa | foo.bar.ex.p2p. TXT wildcard
         host1.ex.p2p. MX
            NOERROR aa |  | SOA
         sub.*.ex.p2p. MX
            NOERROR aa |  | SOA
         _telnet._tcp.host1.ex.p2p. TXT
            NXDOMAIN aa |  | SOA
         host.subdel.ex.p2p. A
            NOERROR |  | subdel.ex.p2p. NS ns.example.com.; subdel.ex.p2p. NS ns.example.net.
         ghost.*.ex.p2p. MX
            NXDOMAIN aa |  | SOA
         *.ex.p2p. TXT
            NOERROR aa | *.ex.p2p. TXT wildcard
         host2.ex.p2p. TXT
            NOERROR aa |  | SOA
         _tcp.host2.ex.p2p. TXT
            NOERROR aa |  | SOA
         x.host2.ex.p2p. TXT
            NXDOMAIN aa |  | SOA
         any.alias.ex.p2p. A
            NOERROR aa | any.alias.ex.p2p. CNAME host1.ex.p2p.; host1.ex.p2p. A 192.0.2.1
         x.ent.ex.p2p. A
            NOERROR aa |  | SOA
         x.ex.p2p. ANY
            NOERROR aa | x.ex.p2p. 3789 HINFO RFC8482",
    );
}

#[test]
fn delegations() {
    let zone = FakeZone::default()
        .with(
            "alice",
            r"sub NS ns.sub
              sub NS NS.Sub
              sub NS ns.other
              sub NS ns.example.
              sub DS \# 00010802aabb
              ns.sub A 192.0.2.53
              ns.sub AAAA 2001:db8::53
              ns.other A 192.0.2.54
              www.sub A 192.0.2.1
              sub TXT hidden
              bare NS ns.example.",
        )
        .with("bob", "@ NS ns\n@ A 192.0.2.1\nns A 192.0.2.2");
    for question in ["sub A", "sub NS", "sub TXT", "sub ANY", "www.sub A", "ns.sub A", "x.sub A", "x.sub DS"] {
        let (label, rtype) = question.split_once(' ').unwrap();
        let answer = zone.ask(&format!("{label}.alice.p2p. {rtype}"));
        assert!(!answer.aa && answer.answer.is_empty(), "{question}");
        let mut types: Vec<u16> = answer.authority.iter().map(|rr| rr.rtype).collect();
        types.sort_unstable();
        assert_eq!(types, [2, 2, 2, 2, 43], "{question}");
        let glue: Vec<_> = answer.additional.iter().map(|rr| (rr.owner.to_string(), rr.rtype)).collect();
        let [below, other] = ["ns.sub.alice.p2p.", "ns.other.alice.p2p."].map(str::to_owned);
        assert_eq!(glue, [(below.clone(), 1), (below, 28), (other, 1)], "{question}");
        assert_eq!(answer.required, 2, "{question}");
    }
    let ds = zone.ask("sub.alice.p2p. DS");
    assert_eq!((ds.aa, ds.answer.len(), ds.authority.len()), (true, 1, 0));
    check(
        &zone,
        "bare.alice.p2p. DS
            NOERROR aa |  | SOA
         bare.alice.p2p. A
            NOERROR |  | bare.alice.p2p. NS ns.example.
         bob.p2p. A
            NOERROR |  | bob.p2p. NS ns.bob.p2p. | ns.bob.p2p. A 192.0.2.2
         bob.p2p. DS
            NOERROR aa |  | SOA
         x.y.bob.p2p. A
            NOERROR |  | bob.p2p. NS ns.bob.p2p. | ns.bob.p2p. A 192.0.2.2",
    );
}

#[test]
fn servers_in_each_others_names_are_found() {
    let zone = FakeZone::default()
        .with("alice", "@ NS ns.bob.p2p.\n@ NS ns.example.\n@ NS ns.dotp2p.p2p.\n@ NS p2p.\nns A 192.0.2.1")
        .with("bob", "@ NS ns.alice.p2p.\nns A 192.0.2.2");
    check(
        &zone,
        "www.alice.p2p. A
            NOERROR |  | alice.p2p. NS ns.bob.p2p.; alice.p2p. NS ns.dotp2p.p2p.; alice.p2p. NS ns.example.; alice.p2p. NS p2p. | ns.bob.p2p. A 192.0.2.2
         bob.p2p. A
            NOERROR |  | bob.p2p. NS ns.alice.p2p. | ns.alice.p2p. A 192.0.2.1",
    );
    assert_eq!(zone.ask("alice.p2p. A").required, 0);
}

#[test]
fn a_delegation_to_everybody_reads_few_names() {
    let lines: String = (0..60).map(|at| format!("@ NS ns.n{at}.p2p.\n")).collect();
    let zone = (0..60)
        .fold(FakeZone::default().with("alice", &lines), |zone, at| zone.with(&format!("n{at}"), "ns A 192.0.2.1"));
    let answer = zone.ask("alice.p2p. A");
    assert_eq!((answer.authority.len(), answer.additional.len()), (60, MAX_SIBLINGS));
}

#[test]
fn an_alias_does_not_stand_for_the_nsec_beside_it() {
    let zone = FakeZone::default().with("alice", "www CNAME @\n*.wild CNAME nowhere");
    check(
        &zone,
        "www.alice.p2p. NSEC
            NOERROR aa |  | SOA
         x.wild.alice.p2p. NSEC
            NOERROR aa |  | SOA",
    );
}

#[test]
fn what_cannot_be_served_is_not_there() {
    let zone = FakeZone::default().with(
        "alice",
        r"@ A \# c00002
          @ TXT served
          @ CNAME \# c00c
          only A \# c00002
          sub NS \# 02
          sub A 192.0.2.3
          two CNAME a
          two CNAME b
          two A 192.0.2.4
          d DNAME \# 03
          x.d A 192.0.2.5
          deep.only2 A \# 00
          mx MX \# 0001",
    );
    check(
        &zone,
        "alice.p2p. A
            NOERROR aa |  | SOA
         alice.p2p. TXT
            NOERROR aa | alice.p2p. TXT served
         only.alice.p2p. A
            NXDOMAIN aa |  | SOA
         only2.alice.p2p. A
            NXDOMAIN aa |  | SOA
         sub.alice.p2p. A
            NOERROR aa | sub.alice.p2p. A 192.0.2.3
         two.alice.p2p. A
            NOERROR aa | two.alice.p2p. A 192.0.2.4
         x.d.alice.p2p. A
            NOERROR aa | x.d.alice.p2p. A 192.0.2.5
         mx.alice.p2p. MX
            NXDOMAIN aa |  | SOA",
    );
}

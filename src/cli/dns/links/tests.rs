use hickory_proto::op::{Edns, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{Name as DnsName, RecordType};

use super::*;

const SERVER: &str = "127.0.0.1:9355";

fn message(code: ResponseCode, records: Vec<Record>) -> Message {
    let mut message = Message::new(1, MessageType::Response, OpCode::Query);
    message.add_query(Query::query(DnsName::from_ascii("p2p.").unwrap(), RecordType::SOA));
    message.metadata.response_code = code;
    message.metadata.authoritative = true;
    message.answers = records;
    message
}

fn soa(mname: &str, serial: u32) -> Record {
    let name = |text: &str| DnsName::from_ascii(text).unwrap();
    let soa = SOA::new(name(mname), name("hostmaster.dotp2p.p2p."), serial, 1, 1, 1, 1);
    Record::from_rdata(name("p2p."), 60, RData::SOA(soa))
}

fn apex(serial: u32) -> Heard {
    Ok(message(ResponseCode::NoError, vec![soa("NS.dotp2p.p2p.", serial)]))
}

fn code(code: ResponseCode) -> Heard {
    Ok(message(code, Vec::new()))
}

fn address(ip: [u8; 4]) -> Heard {
    let a = Record::from_rdata(DnsName::from_ascii("a.p2p.").unwrap(), 60, RData::A(A(ip.into())));
    Ok(message(ResponseCode::NoError, vec![a]))
}

fn silent() -> Heard {
    Err("no answer within 5 s".to_owned())
}

fn explained(mut message: Message) -> Heard {
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Unknown(15, b"\0\x06forged\x1b".to_vec()));
    message.set_edns(edns);
    Ok(message)
}

fn line(link: &Link) -> String {
    let Link { link, state, seen, fix } = link;
    format!("{link} | {state:?} | {seen}{}", fix.as_ref().map(|fix| format!("\n    {fix}")).unwrap_or_default())
}

#[test]
fn each_link_says_what_is_broken() {
    let at: SocketAddr = SERVER.parse().unwrap();
    let other = Ok(message(ResponseCode::NoError, vec![soa("a.gtld.example.", 9)]));
    let bogus = explained(message(ResponseCode::ServFail, Vec::new()));
    let none = code(ResponseCode::NXDomain);
    let failed = code(ResponseCode::ServFail);
    let ips = |all: &[[u8; 4]]| all.iter().map(|ip| IpAddr::from(*ip)).collect::<BTreeSet<_>>();
    let links = [
        node_dns(at, "p2p", [("UDP", &apex(7)), ("TCP", &apex(7))]),
        node_dns(at, "p2p", [("UDP", &silent()), ("TCP", &apex(7))]),
        node_dns(at, "p2p", [("UDP", &apex(7)), ("TCP", &Err("Connection refused".to_owned()))]),
        node_dns(at, "p2p", [("UDP", &code(ResponseCode::Refused)), ("TCP", &apex(7))]),
        node_passes_on(at, "example.com", &address([192, 0, 2, 1])),
        node_passes_on(at, "example.com", &code(ResponseCode::Refused)),
        node_passes_on(at, "example.com", &none),
        node_passes_on(at, "example.com", &failed),
        node_passes_on(at, "example.com", &silent()),
        node_has(at, "a.p2p", &address([192, 0, 2, 1])),
        node_has(at, "a.p2p", &code(ResponseCode::NoError)),
        node_has(at, "a.p2p", &none),
        node_has(at, "a.p2p", &bogus),
        node_has(at, "a.p2p", &silent()),
        resolver(at, "example.com", &address([192, 0, 2, 1])),
        resolver(at, "example.com", &code(ResponseCode::NoError)),
        resolver(at, "example.com", &none),
        resolver(at, "example.com", &failed),
        resolver(at, "example.com", &silent()),
        asks_node(at, "p2p", Some(7), &apex(7), &apex(7)),
        asks_node(at, "p2p", Some(8), &apex(7), &apex(7)),
        asks_node(at, "p2p", Some(7), &none, &none),
        asks_node(at, "p2p", Some(7), &none, &none).aside(),
        asks_node(at, "p2p", Some(7), &apex(7), &apex(7)).aside(),
        asks_node(at, "p2p", Some(7), &bogus, &apex(7)),
        asks_node(at, "p2p", Some(7), &failed, &failed),
        asks_node(at, "p2p", Some(7), &other, &other),
        asks_node(at, "p2p", Some(7), &silent(), &silent()),
        same_answer(at, "a.p2p", &address([192, 0, 2, 1]), &address([192, 0, 2, 1])),
        same_answer(at, "a.p2p", &none, &none),
        same_answer(at, "a.p2p", &address([192, 0, 2, 1]), &address([192, 0, 2, 2])),
        same_answer(at, "a.p2p", &address([192, 0, 2, 1]), &code(ResponseCode::NoError)),
        same_answer(at, "a.p2p", &silent(), &none),
        same_answer(at, "a.p2p", &none, &silent()),
        programs("a.p2p", &ips(&[[192, 0, 2, 1]]), &Ok(ips(&[[192, 0, 2, 1]]))),
        programs("a.p2p", &ips(&[[192, 0, 2, 1]]), &Ok(ips(&[[192, 0, 2, 9]]))),
        programs("a.p2p", &ips(&[[192, 0, 2, 1]]), &Err("Name or service not known".to_owned())),
        programs("a.p2p", &ips(&[]), &Err("Name or service not known".to_owned())),
    ];
    insta::assert_snapshot!("links", links.iter().map(line).collect::<Vec<_>>().join("\n"));
}

//! `dotp2p dns query`

use std::net::SocketAddr;

use clap::Args;
use dotp2p_registry::zonefile::{type_name, type_number};
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name as DnsName, Record, RecordType};
use serde_json::{Value, json};

use super::super::{CliError, Output, Tone};
use super::{random_id, servers};
use crate::config::Settings;
use crate::dns_client::{Question, Reply, Transport, ask, name_text, rcode_text, type_and_data};

/// The option of Extended DNS Errors (RFC 8914).
const EXTENDED_ERROR: u16 = 15;

#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// A name: alice, www.alice.p2p, the domain itself, or one outside it
    name: String,
    /// Its type: A, AAAA, TXT, …, ANY, or TYPE65280
    #[arg(value_name = "TYPE", default_value = "A", value_parser = rtype)]
    rtype: u16,
    /// Ask there [default: the running node of this data directory]
    #[arg(long, value_name = "ADDR:PORT")]
    server: Option<SocketAddr>,
    /// Ask over TCP at once, not only where UDP does not hold the answer
    #[arg(long)]
    tcp: bool,
    /// Want signatures too
    #[arg(long)]
    dnssec: bool,
}

fn rtype(text: &str) -> Result<u16, String> {
    if matches!(text.to_ascii_uppercase().as_str(), "AXFR" | "IXFR") {
        return Err("zones are not transferred here; ask for one name and the type of its records".to_owned());
    }
    let any = text.eq_ignore_ascii_case("ANY").then_some(u16::from(RecordType::ANY));
    any.or_else(|| type_number(&text.to_ascii_uppercase()))
        .ok_or_else(|| "it is no type; A, AAAA, TXT and MX are".to_owned())
}

pub(super) async fn run(args: &QueryArgs, settings: &Settings, out: &Output) -> Result<(), CliError> {
    let name = full_name(&args.name, &settings.tld())?;
    let all = servers(args.server, settings)?;
    let server = *all.first().ok_or_else(|| CliError::Refused("the node answers no DNS".to_owned()))?;
    let transport = if args.tcp { Transport::Tcp } else { Transport::Udp };
    let rtype = RecordType::from(args.rtype);
    let question = Question { recursion: true, dnssec: args.dnssec, ..Question::new(name, rtype) };
    let failed = |error| CliError::Refused(format!("{server}: {error}"));
    let reply = ask(server, transport, random_id()?, &question).await.map_err(failed)?;
    if out.is_json() {
        return out.json(&as_json(&question, server, &reply)?);
    }
    print(&question, server, &reply, out)
}

/// A type's mnemonic, that of all types included.
fn type_text(rtype: RecordType) -> String {
    if rtype == RecordType::ANY { "ANY".to_owned() } else { type_name(rtype.into()) }
}

/// The name that is meant: a single label is a registered name, unless it is the domain; U-labels become A-labels.
pub(super) fn full_name(text: &str, tld: &str) -> Result<DnsName, CliError> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let is_name = !bare.is_empty() && !bare.contains('.') && !bare.eq_ignore_ascii_case(tld);
    let full = if is_name { format!("{bare}.{tld}") } else { text.to_owned() };
    if text.is_empty() {
        return Err(CliError::Usage("an empty text is no domain name; the root is `.`".to_owned()));
    }
    let parsed = if full.is_ascii() { DnsName::from_ascii(&full) } else { DnsName::from_utf8(&full) };
    let mut name = parsed.map_err(|error| {
        let why = error.to_string();
        let why = why.trim_end_matches([':', ' ']);
        CliError::Usage(format!("{text:?} is no domain name, such as www.alice.{tld}: {why}"))
    })?;
    name.set_fqdn(true);
    Ok(name)
}

/// The flags that are set, as dig writes them.
fn flags(message: &Message) -> String {
    let metadata = &message.metadata;
    let all = [
        ("qr", true),
        ("aa", metadata.authoritative),
        ("tc", metadata.truncation),
        ("rd", metadata.recursion_desired),
        ("ra", metadata.recursion_available),
        ("ad", metadata.authentic_data),
        ("cd", metadata.checking_disabled),
    ];
    all.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// What the server says beside the code (RFC 8914): number and text.
pub(super) fn extended_errors(message: &Message) -> Vec<(u16, String)> {
    let options = message.edns.iter().flat_map(|edns| AsRef::<[(_, EdnsOption)]>::as_ref(edns.options()));
    let error = |option: &EdnsOption| match option {
        EdnsOption::Unknown(EXTENDED_ERROR, data) => {
            let (code, text) = data.split_first_chunk::<2>()?;
            let text = String::from_utf8_lossy(text).replace(char::is_control, "\u{fffd}");
            Some((u16::from_be_bytes(*code), text))
        }
        _ => None,
    };
    options.filter_map(|(_, option)| error(option)).collect()
}

fn sections(message: &Message) -> [(&'static str, &[Record]); 3] {
    [("answer", &message.answers), ("authority", &message.authorities), ("additional", &message.additionals)]
}

/// Owner, TTL in seconds, type and data.
fn fields(record: &Record) -> Result<(String, u32, String, String), CliError> {
    let wrong = |error| CliError::Refused(format!("a record in the answer: {error}"));
    let (rtype, data) = type_and_data(record).map_err(wrong)?;
    Ok((name_text(&record.name).map_err(wrong)?, record.ttl, rtype, data))
}

fn print(question: &Question, server: SocketAddr, reply: &Reply, out: &Output) -> Result<(), CliError> {
    let message = &reply.message;
    let code = rcode_text(message.metadata.response_code);
    let tone = if code == "NOERROR" { Tone::Good } else { Tone::Bad };
    out.pairs(&[
        ("question", Some(format!("{} {}", question.name.to_ascii(), type_text(question.rtype)))),
        ("status", Some(out.paint(&code, tone))),
        ("flags", Some(flags(message))),
    ])?;
    for (number, text) in extended_errors(message) {
        out.pairs(&[("error", Some(format!("{number} {text}")))])?;
    }
    for (title, records) in sections(message).into_iter().filter(|(_, records)| !records.is_empty()) {
        out.line("")?;
        out.line(out.paint(title, Tone::Bold))?;
        let row = |record| fields(record).map(|(owner, ttl, rtype, data)| vec![owner, ttl.to_string(), rtype, data]);
        let rows = records.iter().map(row).collect::<Result<_, _>>()?;
        out.table(&["name", "ttl", "type", "data"], rows)?;
    }
    out.note(format_args!(
        "\n{} bytes from {server} over {} in {} ms",
        reply.bytes,
        transport(reply).to_ascii_uppercase(),
        reply.took.as_millis()
    ));
    Ok(())
}

fn transport(reply: &Reply) -> &'static str {
    match reply.transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

fn as_json(question: &Question, server: SocketAddr, reply: &Reply) -> Result<Value, CliError> {
    let message = &reply.message;
    let record = |record: &Record| {
        let (name, ttl, rtype, data) = fields(record)?;
        Ok::<Value, CliError>(json!({ "name": name, "ttl": ttl, "type": rtype, "data": data }))
    };
    let section = |records: &[Record]| records.iter().map(record).collect::<Result<Value, CliError>>();
    let errors = extended_errors(message).into_iter().map(|(code, text)| json!({ "code": code, "text": text }));
    Ok(json!({
        "question": { "name": question.name.to_ascii(), "type": type_text(question.rtype) },
        "server": server,
        "transport": transport(reply),
        "bytes": reply.bytes,
        "took_us": u64::try_from(reply.took.as_micros()).unwrap_or(u64::MAX),
        "status": rcode_text(message.metadata.response_code),
        "flags": flags(message).split(' ').collect::<Vec<_>>(),
        "errors": errors.collect::<Value>(),
        "answer": section(&message.answers)?,
        "authority": section(&message.authorities)?,
        "additional": section(&message.additionals)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_they_are_typed() {
        let cases = [
            ("alice", "alice.p2p."),
            ("alice.p2p", "alice.p2p."),
            ("www.Alice.p2p.", "www.Alice.p2p."),
            ("P2P", "P2P."),
            ("p2p.", "p2p."),
            (".", "."),
            ("bücher", "xn--bcher-kva.p2p."),
            ("_443._tcp.alice.p2p", "_443._tcp.alice.p2p."),
            ("example.com", "example.com."),
        ];
        for (text, name) in cases {
            assert_eq!(full_name(text, "p2p").unwrap().to_ascii(), name, "{text}");
        }
        for text in ["", "a..b", &"a".repeat(64)] {
            assert!(matches!(full_name(text, "p2p"), Err(CliError::Usage(_))), "{text}");
        }
    }

    #[test]
    fn types_as_they_are_typed() {
        for (text, number) in [("a", 1), ("AAAA", 28), ("any", 255), ("TYPE65280", 65280), ("type65280", 65280)] {
            assert_eq!(rtype(text), Ok(number), "{text}");
        }
        assert!(rtype("B").is_err());
        assert!(rtype("axfr").unwrap_err().starts_with("zones are not transferred here"));
    }
}

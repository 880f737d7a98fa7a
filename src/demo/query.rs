//! Questions to the demo's server, and answers in the form that [`super::expected`] compares.

use std::net::SocketAddr;

use dotp2p_registry::zonefile::{type_name, type_number};
use hickory_proto::ProtoError;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name as DnsName, Record, RecordType};

use super::expected::{Expected, record_line};
use crate::dns_client::{self, QueryError, Question, Transport, not_an_answer, rcode_text, type_and_data};

/// Asks `server` what `expected` is the answer to; the answer in the same form.
pub async fn ask(
    server: SocketAddr,
    transport: Transport,
    id: u16,
    expected: &Expected,
) -> Result<Expected, QueryError> {
    let question = question(&expected.qname, &expected.qtype)?;
    let answer = dns_client::ask(server, transport, id, &question).await?.message;
    shape(&answer, expected).map_err(|error| not_an_answer(&error))
}

fn question(qname: &str, qtype: &str) -> Result<Question, QueryError> {
    let name = DnsName::from_ascii(qname).map_err(|error| not_an_answer(&error))?;
    let number = type_number(qtype).ok_or_else(|| QueryError::Answer(format!("{qtype} is no type")))?;
    Ok(Question { dnssec: true, ..Question::new(name, RecordType::from(number)) })
}

/// An answer as the question's [`Expected`] would have it.
fn shape(answer: &Message, question: &Expected) -> Result<Expected, ProtoError> {
    Ok(Expected {
        qname: question.qname.clone(),
        qtype: question.qtype.clone(),
        rcode: rcode_text(answer.metadata.response_code),
        aa: answer.metadata.authoritative,
        answer: section(&answer.answers)?,
        authority: section(&answer.authorities)?,
        additional: section(&answer.additionals)?,
    })
}

fn section(records: &[Record]) -> Result<Vec<String>, ProtoError> {
    let is_compared = |record: &&Record| !matches!(type_name(record.record_type().into()).as_str(), "RRSIG" | "NSEC");
    let mut lines = records.iter().filter(is_compared).map(line).collect::<Result<Vec<_>, _>>()?;
    lines.sort_unstable();
    Ok(lines)
}

fn line(record: &Record) -> Result<String, ProtoError> {
    let (rtype, rdata) = type_and_data(record)?;
    Ok(record_line(&record.name.to_ascii(), record.ttl, &rtype, &rdata))
}

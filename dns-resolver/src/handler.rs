//! From a request to a message: what hickory-server calls for each one.
//!
//! RDATA is put out as it is stored, every type as an opaque one. A message is whole or says that it is not: where its
//! records do not fit, none is sent and TC is set (RFC 2181 9), and the OPT record always has its place.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use hickory_proto::ProtoError;
use hickory_proto::op::{
    Edns, EmitAndCount, Header, HeaderCounts, LowerQuery, Metadata, OpCode, ResponseCode, emit_message_parts,
};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncoder};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};

use crate::answer::{Answer, Question, Rr, answer_with};
use crate::dnssec::signer::Signer;
use crate::server::{Config, UDP_MIN};
use crate::zone::{Zone, Zones};

/// Bytes of a header.
const HEADER_LEN: usize = 12;
/// Bytes of an OPT record without options.
const OPT_LEN: u16 = 11;

/// Answers requests from the newest zone. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Handler {
    zones: Arc<dyn Zones>,
    config: Arc<Config>,
    /// `None`: the zone is not signed.
    signer: Option<Arc<Signer>>,
}

/// A message, but for its question.
struct Reply {
    metadata: Metadata,
    edns: Option<Edns>,
    answer: Vec<Record>,
    authority: Vec<Record>,
    additional: Vec<Record>,
}

impl Handler {
    pub fn new(zones: impl Zones, config: Config, signer: Option<Arc<Signer>>) -> Self {
        Self { zones: Arc::new(zones), config: Arc::new(config), signer }
    }

    /// Whether the zone is signed.
    pub fn signs(&self) -> bool {
        self.signer.is_some()
    }

    /// The newest zone.
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.zones.current()
    }

    /// The most bytes of an answer over UDP.
    pub fn udp_payload(&self) -> u16 {
        self.config.udp_payload
    }

    fn reply(&self, request: &Request) -> Reply {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let edns = request.edns.as_ref().map(|theirs| {
            let mut ours = Edns::new();
            ours.set_max_payload(theirs.max_payload().min(self.config.udp_payload).max(UDP_MIN));
            ours.set_dnssec_ok(theirs.flags().dnssec_ok);
            ours
        });
        let mut reply = |rcode, aa| {
            metadata.response_code = rcode;
            metadata.authoritative = aa;
            Reply { metadata, edns: edns.clone(), answer: Vec::new(), authority: Vec::new(), additional: Vec::new() }
        };
        if request.version() != 0 {
            return reply(ResponseCode::BADVERS, false);
        }
        if request.metadata.op_code != OpCode::Query {
            return reply(ResponseCode::NotImp, false);
        }
        let Some(query) = only_query(request) else {
            return reply(ResponseCode::FormErr, false);
        };
        let question = Question {
            name: query.name().into(),
            qtype: query.query_type().into(),
            qclass: query.query_class().into(),
        };
        let proofs = edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        match self.answer(&question, proofs) {
            Ok(answer) => fill(reply(answer.rcode, answer.aa), answer, request, query),
            Err(error) => {
                tracing::error!(%error, "a query could not be answered");
                reply(ResponseCode::ServFail, false)
            }
        }
    }

    /// The answer from the newest zone, with signatures where `proofs` are wanted.
    fn answer(&self, question: &Question, proofs: bool) -> Result<Answer, Box<dyn Error>> {
        let (zone, servers) = (self.zone(), &self.config.ns_addresses);
        let Some(signer) = &self.signer else { return Ok(answer_with(&*zone, servers, question, None)?) };
        let keys = signer.keys();
        let mut answer = answer_with(&*zone, servers, question, Some(keys.added(proofs)))?;
        signer.sign(&keys, &mut answer, proofs)?;
        Ok(answer)
    }
}

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut out: R) -> ResponseInfo {
        let reply = self.reply(request);
        // A question that is not one is not repeated.
        let none = Queries::read(&mut BinDecoder::new(&[]), 0).ok();
        let queries = match (only_query(request), &none) {
            (None, Some(none)) => none,
            _ => &request.queries,
        };
        let message = MessageResponseBuilder::new(queries, reply.edns.as_ref()).build(
            reply.metadata,
            &reply.answer,
            &reply.authority,
            &[],
            &reply.additional,
        );
        out.send_response(message).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "an answer could not be sent");
            Header { metadata: reply.metadata, counts: HeaderCounts::default() }.into()
        })
    }
}

/// The request's question, if there is one, and its name is written out: nothing stands before it to point to.
fn only_query(request: &Request) -> Option<&LowerQuery> {
    let [query] = request.queries.queries() else { return None };
    let name: usize = query.name().iter().map(|label| label.len() + 1).sum();
    (request.queries.as_bytes().len() == name + 1 + 4).then_some(query)
}

/// Puts an answer's records into `reply`, as far as they fit.
fn fill(mut reply: Reply, answer: Answer, request: &Request, query: &LowerQuery) -> Reply {
    let limit = match (request.protocol(), &reply.edns) {
        (Protocol::Udp, Some(edns)) => edns.max_payload(),
        (Protocol::Udp, None) => UDP_MIN,
        _ => u16::MAX,
    };
    let records = |rrs: Vec<Rr>| -> Vec<Record> { rrs.into_iter().map(|rr| record(rr, query)).collect() };
    let question = request.queries.as_bytes();
    let bound = |rrs: &[Rr]| rrs.iter().map(|rr| rr.owner.len() + 1 + 10 + rr.rdata.len()).sum::<usize>();
    let most = HEADER_LEN
        + question.len()
        + usize::from(OPT_LEN)
        + bound(&answer.answer)
        + bound(&answer.authority)
        + bound(&answer.additional);
    let required = answer.required;
    reply.answer = records(answer.answer);
    reply.authority = records(answer.authority);
    reply.additional = records(answer.additional);
    if most <= usize::from(limit) {
        return reply;
    }
    // Compression may help: only an encoder can tell.
    let fitting = fitting(&reply, question, limit).unwrap_or_default();
    if usize::from(fitting.answers) < reply.answer.len()
        || usize::from(fitting.authorities) < reply.authority.len()
        || usize::from(fitting.additionals) < required
    {
        if request.protocol() == Protocol::Udp {
            reply.metadata.truncation = true;
        } else {
            reply.metadata.response_code = ResponseCode::ServFail;
            reply.metadata.authoritative = false;
        }
        reply.answer.clear();
        reply.authority.clear();
        reply.additional.clear();
        return reply;
    }
    // Addresses that can be found elsewhere are left out by whole RRsets, which is no truncation.
    let mut keep = usize::from(fitting.additionals).min(reply.additional.len());
    while keep > required
        && let (Some(last), Some(lost)) = (reply.additional.get(keep - 1), reply.additional.get(keep))
        && last.name == lost.name
        && last.record_type() == lost.record_type()
    {
        keep -= 1;
    }
    reply.additional.truncate(keep);
    reply
}

/// A record as hickory knows it, with RDATA as it is. Its owner takes on the case of the question where it can, as
/// resolvers that vary it expect.
fn record(rr: Rr, query: &LowerQuery) -> Record {
    let name = query.original().name();
    let owner = if rr.owner.zone_of(name) { name.trim_to(rr.owner.iter().len()) } else { rr.owner };
    let mut opaque = NULL::new();
    opaque.anything = rr.rdata;
    Record::from_rdata(owner, rr.ttl, RData::Unknown { code: RecordType::from(rr.rtype), rdata: opaque })
}

/// How many records of each section fit beside the question and an OPT record.
fn fitting(reply: &Reply, question: &[u8], limit: u16) -> Result<HeaderCounts, ProtoError> {
    let mut bytes = Vec::with_capacity(usize::from(limit));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(limit - if reply.edns.is_some() { OPT_LEN } else { 0 });
    let header = emit_message_parts(
        &reply.metadata,
        &mut RawQuestion(question),
        &mut reply.answer.iter(),
        &mut reply.authority.iter(),
        &mut reply.additional.iter(),
        None,
        None,
        &mut encoder,
    )?;
    Ok(header.counts)
}

/// The question as hickory-server repeats it: bytes that no later name matches, so none is compressed by it.
struct RawQuestion<'a>(&'a [u8]);

impl EmitAndCount for RawQuestion<'_> {
    fn emit(&mut self, encoder: &mut BinEncoder<'_>) -> Result<usize, ProtoError> {
        let start = encoder.offset();
        encoder.emit_vec(self.0)?;
        encoder.store_label_pointer(start, encoder.offset());
        Ok(1)
    }
}

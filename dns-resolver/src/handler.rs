//! From a request to a message: what hickory-server calls for each one.
//!
//! RDATA is put out as it is stored, every type as an opaque one. A message is whole or says that it is not: where its
//! records do not fit, none is sent and TC is set (RFC 2181 9), and the OPT record always has its place.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use hickory_proto::ProtoError;
use hickory_proto::op::{
    Edns, EmitAndCount, Header, HeaderCounts, LowerQuery, Metadata, OpCode, ResponseCode, emit_message_parts,
};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncoder};
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};

use crate::answer::{Question, Rr};
use crate::forward::Forwarder;
use crate::resolve::{Asker, Resolved, Resolving, State, begin};
use crate::server::{Config, UDP_MIN};
use crate::zone::{Zone, ZoneError, Zones};

/// Bytes of a header.
const HEADER_LEN: usize = 12;
/// Bytes of an OPT record without options.
const OPT_LEN: u16 = 11;
/// The option of an Extended DNS Error (RFC 8914).
const EDE: u16 = 15;

/// Answers requests from the newest zone. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Handler {
    zones: Arc<dyn Zones>,
    config: Arc<Config>,
    ns_addresses: Arc<[IpAddr]>,
    forwarder: Option<Arc<Forwarder>>,
}

/// How far the answer to a request is.
pub(crate) enum Progress {
    /// There it is.
    Replied(Reply),
    /// Upstreams are to be asked: [`Handler::finish`].
    Waits(Box<Resolving>),
}

/// A message, but for its question.
pub(crate) struct Reply {
    metadata: Metadata,
    edns: Option<Edns>,
    answer: Vec<Record>,
    authority: Vec<Record>,
    additional: Vec<Record>,
}

impl Handler {
    pub fn new(zones: impl Zones, config: Config, forwarder: Option<Arc<Forwarder>>) -> Self {
        let ns_addresses = config.ns_addresses.clone().into();
        Self { zones: Arc::new(zones), config: Arc::new(config), ns_addresses, forwarder }
    }

    /// The newest zone.
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.zones.current()
    }

    /// The most bytes of an answer over UDP.
    pub fn udp_payload(&self) -> u16 {
        self.config.udp_payload
    }

    /// Who asks upstreams, where anybody does.
    pub fn forwarder(&self) -> Option<&Arc<Forwarder>> {
        self.forwarder.as_ref()
    }

    /// Begins to answer a request, and mostly ends. Never waits.
    pub fn begin(&self, request: &Request) -> Progress {
        if request.version() != 0 {
            return Progress::Replied(self.empty(request, ResponseCode::BADVERS));
        }
        if request.metadata.op_code != OpCode::Query {
            return Progress::Replied(self.empty(request, ResponseCode::NotImp));
        }
        let Some(query) = only_query(request) else {
            return Progress::Replied(self.empty(request, ResponseCode::FormErr));
        };
        let question = Question {
            name: query.name().into(),
            qtype: query.query_type().into(),
            qclass: query.query_class().into(),
        };
        let asker = Asker {
            address: request.src().ip(),
            wants_recursion: request.metadata.recursion_desired,
            dnssec_ok: request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok),
            checking_disabled: request.metadata.checking_disabled,
        };
        let wire_name = request.queries.as_bytes().split_last_chunk::<4>().map_or([].as_slice(), |(name, _)| name);
        match begin(self.zone(), &self.ns_addresses, self.forwarder(), &question, wire_name, asker) {
            Ok(State::Waits(resolving)) => Progress::Waits(resolving),
            Ok(State::Done(resolved)) => Progress::Replied(self.reply(request, Ok(resolved))),
            Err(error) => Progress::Replied(self.reply(request, Err(error))),
        }
    }

    /// Waits for upstreams.
    pub async fn finish(&self, request: &Request, resolving: Resolving) -> Reply {
        match &self.forwarder {
            Some(forwarder) => self.reply(request, resolving.finish(forwarder).await),
            None => self.empty(request, ResponseCode::ServFail),
        }
    }

    /// The message that says what was found.
    fn reply(&self, request: &Request, resolved: Result<Resolved, ZoneError>) -> Reply {
        let (resolved, query) = match (resolved, only_query(request)) {
            (Ok(resolved), Some(query)) => (resolved, query),
            (Err(error), _) => {
                tracing::error!(%error, "a query could not be answered");
                return self.empty(request, ResponseCode::ServFail);
            }
            (_, None) => return self.empty(request, ResponseCode::FormErr),
        };
        let mut reply = self.empty(request, resolved.answer.rcode);
        reply.metadata.authoritative = resolved.answer.aa;
        // It is told to those who understand it (RFC 6840 5.8).
        let wants_ad =
            request.metadata.authentic_data || request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        reply.metadata.authentic_data = resolved.ad && wants_ad;
        if let Some(edns) = &mut reply.edns {
            edns.set_rcode_high(u8::try_from(u16::from(resolved.answer.rcode) >> 4).unwrap_or_default());
            for error in &resolved.errors {
                let data = [error.code.to_be_bytes().as_slice(), &error.text].concat();
                edns.options_mut().insert(EdnsOption::Unknown(EDE, data));
            }
        }
        fill(reply, resolved, request, query)
    }

    /// A message without records.
    fn empty(&self, request: &Request, rcode: ResponseCode) -> Reply {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = rcode;
        metadata.recursion_available = self.recurses_for(request.src().ip());
        let edns = request.edns.as_ref().map(|theirs| {
            let mut ours = Edns::new();
            ours.set_max_payload(theirs.max_payload().min(self.config.udp_payload).max(UDP_MIN));
            ours.set_dnssec_ok(theirs.flags().dnssec_ok);
            ours
        });
        Reply { metadata, edns, answer: Vec::new(), authority: Vec::new(), additional: Vec::new() }
    }

    /// Whether that client's questions are forwarded (RA).
    pub fn recurses_for(&self, client: IpAddr) -> bool {
        self.forwarder.as_ref().is_some_and(|forwarder| forwarder.allows(client))
    }

    /// Sends a reply by hickory's writer.
    pub async fn send(&self, request: &Request, reply: Reply, out: &mut impl ResponseHandler) -> ResponseInfo {
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

#[async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut out: R) -> ResponseInfo {
        let reply = match self.begin(request) {
            Progress::Replied(reply) => reply,
            Progress::Waits(resolving) => self.finish(request, *resolving).await,
        };
        self.send(request, reply, &mut out).await
    }
}

/// The request's question, if there is one, and its name is written out: nothing stands before it to point to.
fn only_query(request: &Request) -> Option<&LowerQuery> {
    let [query] = request.queries.queries() else { return None };
    let name: usize = query.name().iter().map(|label| label.len() + 1).sum();
    (request.queries.as_bytes().len() == name + 1 + 4).then_some(query)
}

/// Puts an answer's records into `reply`, as far as they fit.
fn fill(mut reply: Reply, resolved: Resolved, request: &Request, query: &LowerQuery) -> Reply {
    let answer = resolved.answer;
    let limit = match (request.protocol(), &reply.edns) {
        (Protocol::Udp, Some(edns)) => edns.max_payload(),
        (Protocol::Udp, None) => UDP_MIN,
        _ => u16::MAX,
    };
    let records = |rrs: Vec<Rr>| -> Vec<Record> { rrs.into_iter().map(|rr| record(rr, query)).collect() };
    let question = request.queries.as_bytes();
    // What is said about an error must not take the place of the answer.
    if let Some(edns) = &mut reply.edns
        && HEADER_LEN + question.len() + usize::from(opt_len(edns)) > usize::from(limit)
    {
        edns.options_mut().remove(EdnsCode::from(EDE));
    }
    let opt = reply.edns.as_ref().map_or(0, opt_len);
    let bound = |rrs: &[Rr]| rrs.iter().map(|rr| rr.owner.len() + 1 + 10 + rr.rdata.len()).sum::<usize>();
    let most = HEADER_LEN
        + question.len()
        + usize::from(opt)
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
    let fitting = fitting(&reply, question, limit.saturating_sub(opt)).unwrap_or_default();
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

/// Bytes of an OPT record.
fn opt_len(edns: &Edns) -> u16 {
    edns.options().as_ref().iter().fold(OPT_LEN, |len, (_, option)| len.saturating_add(4 + option.len()))
}

/// How many records of each section fit into so many bytes beside the question.
fn fitting(reply: &Reply, question: &[u8], limit: u16) -> Result<HeaderCounts, ProtoError> {
    let mut bytes = Vec::with_capacity(usize::from(limit));
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(limit);
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

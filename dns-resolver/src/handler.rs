//! From a request, as hickory-server reads it, to a message.
//!
//! RDATA is put out as it is stored, every type as an opaque one. A message is whole or says that it is not: where its
//! records do not fit, TC is set, and of the answer the RRsets are sent that do (RFC 2181 9). The OPT record always has its
//! place.

use std::error::Error;
use std::sync::Arc;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, LowerQuery, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record, RecordType};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::Request;

use crate::answer::{Answer, Question, Rr, answer_with};
use crate::dnssec::signer::Signer;
use crate::extended::{self, ExtendedError};
use crate::guard::Guard;
use crate::guard::cookie::{self, Cookie};
use crate::message::{self, Parts};
use crate::rdata::rtype;
use crate::server::{Config, UDP_MIN};
use crate::zone::{Zone, Zones};

/// Bytes of a header.
const HEADER_LEN: usize = 12;
/// Bytes of an OPT record without options.
const OPT_LEN: u16 = 11;
/// EDNS TCP keepalive (RFC 7828).
const KEEPALIVE: u16 = 11;

/// Answers requests from the newest zone. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Handler {
    zones: Arc<dyn Zones>,
    config: Arc<Config>,
    guard: Arc<Guard>,
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
    pub fn new(zones: impl Zones, config: Config, guard: Guard, signer: Option<Arc<Signer>>) -> Self {
        Self { zones: Arc::new(zones), config: Arc::new(config), guard: Arc::new(guard), signer }
    }

    /// Cookies and rates.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Whether the zone is signed.
    pub fn signs(&self) -> bool {
        self.signer.is_some()
    }

    /// How it answers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The newest zone.
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.zones.current()
    }

    /// The answer's bytes.
    pub fn answer(&self, request: &Request) -> Result<Vec<u8>, ProtoError> {
        let reply = self.reply(request);
        // A question that is not one is not repeated.
        let question = only_query(request).map_or(&[][..], |_| request.queries.as_bytes());
        message::encode(&reply.parts(question), usize::from(self.limit(request))).map(|encoded| encoded.bytes)
    }

    /// The most bytes that may be sent.
    fn limit(&self, request: &Request) -> u16 {
        match (request.protocol(), &request.edns) {
            (Protocol::Udp, Some(theirs)) => theirs.max_payload().min(self.config.udp_payload).max(UDP_MIN),
            (Protocol::Udp, None) => UDP_MIN,
            _ => u16::MAX,
        }
    }

    fn reply(&self, request: &Request) -> Reply {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let cookie = self.cookie(request);
        let edns = request.edns.as_ref().map(|theirs| {
            let mut ours = Edns::new();
            // What may be sent to us; what is sent depends on theirs (RFC 6891 6.2.4).
            ours.set_max_payload(self.config.udp_payload.max(UDP_MIN));
            ours.set_dnssec_ok(theirs.flags().dnssec_ok);
            let options = ours.options_mut();
            if let Some(cookie) = cookie.answer() {
                options.insert(EdnsOption::Unknown(cookie::OPTION, cookie.to_vec()));
            }
            if request.protocol() == Protocol::Tcp && theirs.option(KEEPALIVE.into()).is_some() {
                let tenths = u16::try_from(self.config.tcp_timeout_s.saturating_mul(10)).unwrap_or(u16::MAX);
                options.insert(EdnsOption::Unknown(KEEPALIVE, tenths.to_be_bytes().to_vec()));
            }
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
        let Some(query) = only_query(request).filter(|_| cookie != Cookie::Malformed) else {
            return reply(ResponseCode::FormErr, false);
        };
        let question = Question {
            name: query.name().into(),
            qtype: query.query_type().into(),
            qclass: query.query_class().into(),
        };
        let proofs = edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        let zone = self.zone();
        match self.answer_from(&*zone, &question, proofs) {
            Ok(mut answer) => {
                if !proofs {
                    // Only who asks for DNSSEC is told of it beside a referral (RFC 4035 3.1).
                    answer.authority.retain(|rr| rr.rtype != rtype::DS);
                }
                let mut reply = reply(answer.rcode, answer.aa);
                if let Some(edns) = &mut reply.edns {
                    let error = extended::of(&*zone, &question, &answer).map(ExtendedError::option);
                    error.into_iter().for_each(|error| edns.options_mut().insert(error));
                }
                fill(reply, answer, request, query, self.limit(request))
            }
            Err(error) => {
                tracing::error!(%error, "a query could not be answered");
                let mut reply = reply(ResponseCode::ServFail, false);
                if let Some(edns) = &mut reply.edns {
                    edns.options_mut().insert(extended::UNREADABLE.option());
                }
                reply
            }
        }
    }

    /// The answer from `zone`, with signatures where `proofs` are wanted.
    fn answer_from(&self, zone: &dyn Zone, question: &Question, proofs: bool) -> Result<Answer, Box<dyn Error>> {
        let servers = &self.config.ns_addresses;
        let Some(signer) = &self.signer else { return Ok(answer_with(zone, servers, question, None)?) };
        let keys = signer.keys();
        let mut answer = answer_with(zone, servers, question, Some(keys.added(proofs)))?;
        signer.sign(&keys, &mut answer, proofs)?;
        Ok(answer)
    }
}

impl Handler {
    fn cookie(&self, request: &Request) -> Cookie {
        let option = request.edns.as_ref().and_then(|edns| edns.option(cookie::OPTION.into()));
        let option = match option {
            Some(EdnsOption::Unknown(_, data)) => Some(data.as_slice()),
            _ => None,
        };
        self.guard.cookie(option, request.src().ip(), self.guard.now())
    }
}

impl Reply {
    fn parts<'a>(&'a self, question: &'a [u8]) -> Parts<'a> {
        let sections = [self.answer.as_slice(), &self.authority, &self.additional];
        Parts { metadata: &self.metadata, question, sections, edns: self.edns.as_ref() }
    }
}

/// The request's question, if there is one, and its name is written out: nothing stands before it to point to.
fn only_query(request: &Request) -> Option<&LowerQuery> {
    let [query] = request.queries.queries() else { return None };
    let name: usize = query.name().iter().map(|label| label.len() + 1).sum();
    (request.queries.as_bytes().len() == name + 1 + 4).then_some(query)
}

/// Puts an answer's records into `reply`, as far as they fit into `limit` bytes.
fn fill(mut reply: Reply, answer: Answer, request: &Request, query: &LowerQuery, limit: u16) -> Reply {
    let records = |rrs: Vec<Rr>| -> Vec<Record> { rrs.into_iter().map(|rr| record(rr, query)).collect() };
    let question = request.queries.as_bytes();
    let bound = |rrs: &[Rr]| rrs.iter().map(|rr| rr.owner.len() + 1 + 10 + rr.rdata.len()).sum::<usize>();
    let most = HEADER_LEN
        + question.len()
        + usize::from(opt_len(reply.edns.as_ref()))
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
    let counts = message::encode(&reply.parts(question), usize::from(limit)).map(|encoded| encoded.counts);
    let [answers, authorities, additionals] = counts.unwrap_or_default();
    if answers < reply.answer.len() || authorities < reply.authority.len() || additionals < required {
        if request.protocol() == Protocol::Udp {
            reply.metadata.truncation = true;
            keep_whole(&mut reply.answer, answers, 0);
        } else {
            reply.metadata.response_code = ResponseCode::ServFail;
            reply.metadata.authoritative = false;
            reply.answer.clear();
        }
        reply.authority.clear();
        reply.additional.clear();
        return reply;
    }
    // Addresses that can be found elsewhere are left out, which is no truncation.
    keep_whole(&mut reply.additional, additionals, required);
    reply
}

/// Keeps the RRsets that are whole among the first `fitting` records, and the first `required` records in any case.
fn keep_whole(section: &mut Vec<Record>, fitting: usize, required: usize) {
    let mut keep = fitting.min(section.len());
    while keep > required
        && let (Some(last), Some(lost)) = (section.get(keep - 1), section.get(keep))
        && last.name == lost.name
        && last.record_type() == lost.record_type()
    {
        keep -= 1;
    }
    section.truncate(keep);
}

/// Bytes of the OPT record.
fn opt_len(edns: Option<&Edns>) -> u16 {
    let options = |edns: &Edns| edns.options().as_ref().iter().map(|(_, option)| 4 + option.len()).sum::<u16>();
    edns.map_or(0, |edns| OPT_LEN + options(edns))
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

//! From a request, as hickory-server reads it, to a message.
//!
//! RDATA is put out as it is stored, every type as an opaque one. A message is whole or says that it is not: where its
//! records do not fit, TC is set, and of the answer the RRsets are sent that do (RFC 2181 9). The OPT record always has its
//! place. Before that, what can be done without is left out: the servers that an upstream names beside an answer, and what is
//! said about errors (RFC 8914 3).

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, LowerQuery, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{RData, Record, RecordType};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::Request;

use crate::answer::{Answer, Question, Rr};
use crate::authority::{AnswerError, Authority};
use crate::dnssec::signer::Signer;
use crate::extended;
use crate::forward::{Forwarder, covered, is_proof};
use crate::guard::Guard;
use crate::guard::cookie::{self, Cookie};
use crate::message::{self, Parts};
use crate::rdata::rtype;
use crate::resolve::{Asker, Resolved, Resolving, State, begin};
use crate::server::{Config, UDP_MIN};
use crate::zone::{Zone, Zones};

/// Bytes of a header.
const HEADER_LEN: usize = 12;
/// Bytes of an OPT record without options.
const OPT_LEN: u16 = 11;
/// EDNS TCP keepalive (RFC 7828).
const KEEPALIVE: u16 = 11;

/// Answers requests from the newest zone, and what is outside from upstreams. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Handler {
    zones: Arc<dyn Zones>,
    config: Arc<Config>,
    guard: Arc<Guard>,
    authority: Arc<Authority>,
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
    pub fn new(
        zones: impl Zones,
        config: Config,
        guard: Guard,
        signer: Option<Arc<Signer>>,
        forwarder: Option<Arc<Forwarder>>,
    ) -> Self {
        let authority = Arc::new(Authority { servers: config.ns_addresses.clone(), signer });
        Self { zones: Arc::new(zones), config: Arc::new(config), guard: Arc::new(guard), authority, forwarder }
    }

    /// Cookies and rates.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Whether the zone is signed.
    pub fn signs(&self) -> bool {
        self.authority.signer.is_some()
    }

    /// How it answers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The newest zone.
    pub fn zone(&self) -> Arc<dyn Zone> {
        self.zones.current()
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
        let cookie = self.cookie(request);
        if request.queries.queries().is_empty()
            && let Some(rcode) = of_no_question(&cookie, cookie_option(request))
        {
            return Progress::Replied(self.empty(request, rcode));
        }
        let Some(query) = only_query(request).filter(|_| cookie != Cookie::Malformed) else {
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
        match begin(self.zone(), &self.authority, self.forwarder(), &question, wire_name, asker) {
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

    /// The reply's bytes.
    pub fn encode(&self, request: &Request, reply: &Reply) -> Result<Vec<u8>, ProtoError> {
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

    /// The message that says what was found.
    fn reply(&self, request: &Request, resolved: Result<Resolved, AnswerError>) -> Reply {
        let (resolved, query) = match (resolved, only_query(request)) {
            (Ok(resolved), Some(query)) => (resolved, query),
            (Err(error), _) => {
                tracing::error!(%error, "a query could not be answered");
                let mut reply = self.empty(request, ResponseCode::ServFail);
                if let Some(edns) = &mut reply.edns {
                    edns.options_mut().insert(extended::UNREADABLE.option());
                }
                return reply;
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
            for error in &resolved.errors {
                edns.options_mut().insert(error.option());
            }
        }
        fill(reply, resolved.answer, resolved.is_told, request, query, self.limit(request))
    }

    /// A message without records.
    fn empty(&self, request: &Request, rcode: ResponseCode) -> Reply {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = rcode;
        metadata.recursion_available = self.recurses_for(request.src().ip());
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
        Reply { metadata, edns, answer: Vec::new(), authority: Vec::new(), additional: Vec::new() }
    }

    /// Whether that client's questions are forwarded (RA).
    pub fn recurses_for(&self, client: IpAddr) -> bool {
        self.forwarder.as_ref().is_some_and(|forwarder| forwarder.allows(client))
    }
}

impl Handler {
    fn cookie(&self, request: &Request) -> Cookie {
        self.guard.cookie(cookie_option(request), request.src().ip(), self.guard.now())
    }
}

/// The data of the request's COOKIE option.
fn cookie_option(request: &Request) -> Option<&[u8]> {
    match request.edns.as_ref()?.option(cookie::OPTION.into()) {
        Some(EdnsOption::Unknown(_, data)) => Some(data),
        _ => None,
    }
}

/// What a client that asks for nothing but a cookie is told (RFC 7873 5.4); `None`: it asks for none.
fn of_no_question(cookie: &Cookie, option: Option<&[u8]>) -> Option<ResponseCode> {
    match cookie {
        Cookie::Absent | Cookie::Malformed => None,
        Cookie::Client(_) if option.is_some_and(|option| option.len() > cookie::CLIENT_LEN) => {
            Some(ResponseCode::BADCOOKIE)
        }
        Cookie::Client(_) | Cookie::Ours(_) => Some(ResponseCode::NoError),
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

/// Puts an answer's records into `reply`, as far as they fit into `limit` bytes; `is_told`: servers in its authority section
/// are an extra.
fn fill(mut reply: Reply, answer: Answer, is_told: bool, request: &Request, query: &LowerQuery, limit: u16) -> Reply {
    // What is said about an error must not take the place of the answer, here or below.
    let error = EdnsCode::from(extended::OPTION);
    if let Some(edns) = &mut reply.edns
        && HEADER_LEN + request.queries.as_bytes().len() + usize::from(opt_len(Some(&*edns))) > usize::from(limit)
    {
        edns.options_mut().remove(error);
    }
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
    let is_extra = |rr: &Rr| {
        let is_needed = is_proof(rr) || rr.rtype == rtype::SOA || covered(rr) == Some(rtype::SOA);
        is_told && !answer.answer.is_empty() && !is_needed
    };
    let extras: Vec<bool> = answer.authority.iter().map(is_extra).collect();
    reply.answer = records(answer.answer);
    reply.authority = records(answer.authority);
    reply.additional = records(answer.additional);
    if most <= usize::from(limit) {
        return reply;
    }
    // Compression may help: only an encoder can tell.
    let fitting = |reply: &Reply| {
        let encoded = message::encode(&reply.parts(question), usize::from(limit));
        let counts = encoded.map(|encoded| encoded.counts).unwrap_or_default();
        let [answers, authorities, additionals] = counts;
        let is_cut = answers < reply.answer.len() || authorities < reply.authority.len() || additionals < required;
        (counts, is_cut)
    };
    let ([mut answers, _, mut additionals], mut is_cut) = fitting(&reply);
    if is_cut && extras.contains(&true) {
        let mut extras = extras.into_iter();
        reply.authority.retain(|_| extras.next() != Some(true));
        ([answers, _, additionals], is_cut) = fitting(&reply);
    }
    if is_cut && let Some(edns) = reply.edns.as_mut().filter(|edns| edns.options().get(error).is_some()) {
        edns.options_mut().remove(error);
        ([answers, _, additionals], is_cut) = fitting(&reply);
    }
    if is_cut {
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

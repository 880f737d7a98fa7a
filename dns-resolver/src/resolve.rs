//! An answer out of the zone and of what upstreams tell, alias by alias.
//!
//! Each part answers for its side alone: the zone for our domain, upstreams for the rest, and for a delegated name those it is
//! delegated to. An alias out of our domain, and a delegation, is followed for a client that may have its questions forwarded
//! and wants recursion; for others it is left to them.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::Name as DnsName;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Answer, MAX_LINKS, Question, Rr};
use crate::authority::{AnswerError, Authority};
use crate::extended::{self, ExtendedError};
use crate::forward::{Delegation, Failure, Forwarder, Outside, Place, Told, address, is_inside, is_proof};
use crate::rdata::{rtype, target};
use crate::zone::Zone;

/// How often an answer may go out of our domain.
const WAYS_OUT_MAX: usize = 4;
/// After so many of them no more addresses of servers are asked of upstreams.
const LOOKUPS_UNTIL: usize = 2;
/// How long all of it may take: clients have given up by then.
const DEADLINE: Duration = Duration::from_secs(6);
const IN: u16 = 1;

/// What a client is told.
pub(crate) struct Resolved {
    pub answer: Answer,
    /// Whether the authority section is an upstream's, in which servers are an extra.
    pub is_told: bool,
    /// Whether an upstream has validated all of it.
    pub ad: bool,
    pub errors: Vec<ExtendedError>,
}

/// How a client asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub address: IpAddr,
    /// RD.
    pub wants_recursion: bool,
    /// DO.
    pub dnssec_ok: bool,
    /// CD.
    pub checking_disabled: bool,
}

/// An answer in the making.
pub(crate) struct Resolving {
    zone: Arc<dyn Zone>,
    authority: Arc<Authority>,
    qtype: u16,
    asker: Asker,
    resolved: Resolved,
    /// The name that it goes on at: outside our domain, or delegated.
    next: Option<(DnsName, Option<Arc<Delegation>>)>,
    ways_out: usize,
    /// Held while it waits.
    place: Option<Place>,
}

/// Where a question stands.
pub(crate) enum State {
    /// It is answered.
    Done(Resolved),
    /// Upstreams are to be asked: [`Resolving::finish`].
    Waits(Box<Resolving>),
}

/// Begins to answer a question: from the zone, and from what upstreams have told before.
///
/// - `authority`: who answers for the zone.
/// - `wire_name`: the question's name as it was sent.
/// - Errors: the zone could not be read.
pub(crate) fn begin(
    zone: Arc<dyn Zone>,
    authority: &Arc<Authority>,
    forwarder: Option<&Arc<Forwarder>>,
    question: &Question,
    wire_name: &[u8],
    asker: Asker,
) -> Result<State, AnswerError> {
    let is_outside = !is_inside(&question.name, zone.tld());
    let answer = authority.answer(&*zone, question, asker.dnssec_ok)?;
    let errors = extended::of(&*zone, question, &answer).into_iter().collect();
    let mut resolving = Resolving {
        authority: authority.clone(),
        qtype: question.qtype,
        asker,
        resolved: Resolved { answer, is_told: false, ad: false, errors },
        next: None,
        ways_out: 0,
        place: None,
        zone,
    };
    let Some(forwarder) = forwarder.filter(|_| question.qclass == IN && is_data(question.qtype)) else {
        return Ok(State::Done(resolving.resolved));
    };
    if is_outside {
        if !asker.wants_recursion {
            return Ok(State::Done(resolving.resolved));
        }
        if !forwarder.allows(asker.address) {
            resolving.resolved.errors.push(ExtendedError::new(18, "this server forwards for its own network only"));
            return Ok(State::Done(resolving.resolved));
        }
        resolving.resolved.answer = Answer::empty(ResponseCode::NoError, false);
        resolving.resolved.ad = true;
        resolving.next = Some((question.name.clone(), None));
    } else if asker.wants_recursion && forwarder.allows(asker.address) {
        resolving.next = resolving.way_on(&question.name);
    }
    while let Some(question) = resolving.question() {
        match forwarder.cached(&question) {
            Some(Ok(told)) => resolving.add(told)?,
            Some(Err(failure)) => return Ok(State::Done(resolving.fail(failure))),
            None => {
                // The place comes first: whoever has none left does not learn whether he has guessed what we asked.
                let Some(place) = forwarder.enter(asker.address) else {
                    return Ok(State::Done(resolving.fail(Failure::TooMany)));
                };
                if is_outside && forwarder.has_come_round(&question.name, question.qtype, wire_name, asker.address) {
                    return Ok(State::Done(resolving.fail(Failure::Loop)));
                }
                resolving.place = Some(place);
                return Ok(State::Waits(Box::new(resolving)));
            }
        }
    }
    Ok(State::Done(resolving.resolved))
}

impl Resolving {
    /// Asks upstreams until there is an answer. Errors: the zone could not be read.
    pub async fn finish(mut self, forwarder: &Arc<Forwarder>) -> Result<Resolved, AnswerError> {
        let deadline = Instant::now() + DEADLINE;
        while let Some(question) = self.question() {
            // The first one has been looked for.
            let known = if self.ways_out > 0 { forwarder.cached(&question) } else { None };
            let told = match known {
                Some(forwarded) => forwarded,
                None => {
                    let asked = timeout_at(deadline, forwarder.ask(&question, self.zone.tld())).await;
                    asked.unwrap_or_else(|_| {
                        // Its place is taken for as long as it is on its way.
                        let (forwarder, place) = (forwarder.clone(), self.place.take());
                        tokio::spawn(async move {
                            forwarder.landed(&question).await;
                            drop(place);
                        });
                        Err(Failure::Unreachable)
                    })
                }
            };
            match told {
                Ok(told) => self.add(told)?,
                Err(failure) => return Ok(self.fail(failure)),
            }
        }
        Ok(self.resolved)
    }

    /// What is to be asked next.
    fn question(&self) -> Option<Outside> {
        let Asker { dnssec_ok, checking_disabled, .. } = self.asker;
        let (name, delegation) = self.next.clone()?;
        Some(Outside { name, qtype: self.qtype, dnssec_ok, checking_disabled, delegation })
    }

    /// Adds what was told, and what the zone has where that leads into it.
    fn add(&mut self, told: Told) -> Result<(), AnswerError> {
        self.ways_out += 1;
        if let Some((name, Some(delegation))) = &self.next
            && told.refers(name, delegation)
            && let Some(further) = self.delegation(&told.authority, &told.additional, name)
        {
            // Another server of theirs knows.
            let next = Some((name.clone(), Some(Arc::new(further))));
            self.go_on(next);
            return Ok(());
        }
        self.next = None;
        let Resolved { answer: ours, is_told, ad, errors } = &mut self.resolved;
        *ad &= told.ad && ours.answer.is_empty();
        *is_told = true;
        errors.extend(told.errors);
        ours.rcode = told.rcode;
        ours.answer.extend(told.answer);
        let kept = proofs(ours);
        (ours.authority, ours.additional, ours.required) = (told.authority, told.additional, 0);
        if ours.rcode == ResponseCode::ServFail {
            (ours.aa, *ad) = (false, false);
            ours.answer.clear();
            return Ok(());
        }
        add_missing(&mut ours.authority, kept);
        let Some(name) = told.leads_to.filter(|name| self.may_go_on(name)) else { return Ok(()) };
        if !is_inside(&name, self.zone.tld()) {
            self.go_on(Some((name, None)));
            return Ok(());
        }
        let question = Question { name, qtype: self.qtype, qclass: IN };
        let zone = self.authority.answer(&*self.zone, &question, self.asker.dnssec_ok)?;
        self.resolved.is_told = false;
        let ours = &mut self.resolved.answer;
        ours.rcode = zone.rcode;
        ours.answer.extend(zone.answer);
        let kept = proofs(ours);
        (ours.authority, ours.additional, ours.required) = (zone.authority, zone.additional, zone.required);
        add_missing(&mut ours.authority, kept);
        let next = self.way_on(&question.name);
        self.go_on(next);
        Ok(())
    }

    /// Goes on at `next`, if that is not too often: half a chain would pass for one that ends without what was asked for.
    fn go_on(&mut self, next: Option<(DnsName, Option<Arc<Delegation>>)>) {
        self.next = next;
        if self.next.is_some() && self.ways_out >= WAYS_OUT_MAX {
            self.next = None;
            self.end_with(ExtendedError::ours(0, "the name leads on through too many servers"));
        }
    }

    /// Where the zone's answer goes on that was looked for at `name`: at whom it refers to, or out of our domain.
    fn way_on(&mut self, name: &DnsName) -> Option<(DnsName, Option<Arc<Delegation>>)> {
        let last = match self.qtype {
            rtype::CNAME | rtype::ANY => name.clone(),
            _ => self.last_target().unwrap_or_else(|| name.clone()),
        };
        let ours = &self.resolved.answer;
        if ours.rcode == ResponseCode::NoError
            && let Some(delegation) = self.delegation(&ours.authority, &ours.additional, &last)
        {
            let ours = &mut self.resolved.answer;
            // That it is not signed is the parent's to say, to who asks for DS.
            ours.authority.retain(|rr| is_proof(rr) && rr.owner != delegation.cut);
            return Some((last, Some(Arc::new(delegation))));
        }
        self.way_out().map(|name| (name, None))
    }

    /// Where these records refer who asks for `name`.
    fn delegation(&self, authority: &[Rr], additional: &[Rr], name: &DnsName) -> Option<Delegation> {
        let inside = |host: &DnsName| {
            let addresses = [rtype::A, rtype::AAAA].map(|qtype| {
                let question = Question { name: host.clone(), qtype, qclass: IN };
                let answer = self.authority.answer(&*self.zone, &question, false);
                answer.map(|answer| answer.answer.iter().filter_map(address).collect::<Vec<_>>()).unwrap_or_default()
            });
            addresses.concat()
        };
        let mut delegation = Delegation::of(authority, additional, name, self.zone.tld(), inside)?;
        if self.ways_out >= LOOKUPS_UNTIL {
            delegation.hosts.clear();
        }
        Some(delegation)
    }

    /// Where the last alias leads.
    fn last_target(&self) -> Option<DnsName> {
        let last = self.resolved.answer.answer.iter().rev().find(|rr| rr.rtype == rtype::CNAME)?;
        Some(target(&last.rdata)?.to_lowercase())
    }

    /// The name outside our domain that the answer's last alias leads to.
    fn way_out(&self) -> Option<DnsName> {
        if matches!(self.qtype, rtype::CNAME | rtype::ANY) {
            return None;
        }
        let name = self.last_target()?;
        (!is_inside(&name, self.zone.tld()) && self.may_go_on(&name)).then_some(name)
    }

    /// Whether a chain may go on at `name`: it is not too long and was not there before.
    fn may_go_on(&self, name: &DnsName) -> bool {
        let aliases: Vec<&Rr> = self.resolved.answer.answer.iter().filter(|rr| rr.rtype == rtype::CNAME).collect();
        aliases.len() <= MAX_LINKS && aliases.iter().all(|rr| rr.owner != *name)
    }

    fn fail(mut self, failure: Failure) -> Resolved {
        self.give_up(failure);
        self.resolved
    }

    fn give_up(&mut self, failure: Failure) {
        let is_delegated = matches!(self.next.take(), Some((_, Some(_))));
        self.end_with(match failure {
            Failure::Unreachable | Failure::NoUpstream if is_delegated => {
                ExtendedError::new(22, "no server answers that the name is delegated to")
            }
            failure => ExtendedError::of(failure),
        });
    }

    fn end_with(&mut self, error: ExtendedError) {
        self.resolved.answer = Answer::empty(ResponseCode::ServFail, false);
        (self.resolved.is_told, self.resolved.ad) = (false, false);
        self.resolved.errors.push(error);
    }
}

/// What an answer proves not to be there, which what follows in the chain does not take back.
fn proofs(answer: &mut Answer) -> Vec<Rr> {
    std::mem::take(&mut answer.authority).into_iter().filter(is_proof).collect()
}

fn add_missing(section: &mut Vec<Rr>, more: Vec<Rr>) {
    let mut known: HashSet<Rr> = section.iter().cloned().collect();
    section.extend(more.into_iter().filter(|rr| known.insert(rr.clone())));
}

/// Whether a type is one that others can be asked for: not a transfer, and nothing of the messages themselves.
const fn is_data(qtype: u16) -> bool {
    !matches!(qtype, 0 | 41 | 128..=254)
}

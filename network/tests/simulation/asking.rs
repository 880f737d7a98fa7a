//! Questions and answers between nodes, and what misbehaviour costs: as the service does it.

use std::sync::Arc;

use dotp2p_chain::hash::BlockHash;
use dotp2p_network::address::PeerId;
use dotp2p_network::message::{BYTES_MAX, Request, Response};
use dotp2p_network::relay;
use dotp2p_network::score::{Misbehaviour, Verdict};
use dotp2p_network::sync;

use crate::chain::Made;
use crate::world::{Event, QUESTION_MS, World, pair};

#[derive(Clone, Debug)]
pub enum Question {
    Heads(usize),
    Blocks(usize, u64),
    Announced(usize, BlockHash),
}

impl Question {
    pub fn peer(&self) -> usize {
        match self {
            Self::Heads(peer) | Self::Blocks(peer, _) | Self::Announced(peer, _) => *peer,
        }
    }
}

fn brief(response: &Response) -> String {
    match response {
        Response::Heads(heads) => format!("{} heads", heads.len()),
        Response::Blocks(items) | Response::BlockTransactions(items) => {
            format!("{} of {} bytes", items.len(), items.iter().map(Vec::len).sum::<usize>())
        }
        other => format!("{other:?}"),
    }
}

impl World {
    pub fn ask(&mut self, node: usize, question: Question, request: Request) {
        let peer = question.peer();
        if !self.is_open(node, peer) {
            self.fail(|| format!("{node} asks {peer}, which is gone: {question:?}"));
        }
        self.note(|| format!("{node} asks {peer}: {request:.80?}"));
        self.figures.questions += 1;
        let id = self.next_id();
        self.nodes[node].asked.insert(id, question);
        self.question_limits(node, peer);
        self.push(QUESTION_MS, Event::TimeIsUp(node, id));
        if self.rng.u16(..) > 130 {
            self.send(node, peer, 0, |link| Event::Ask { from: node, to: peer, link, id, request });
        }
    }

    /// A question reaches `to`.
    pub fn asked(&mut self, from: usize, to: usize, id: u64, request: Request) {
        let (response, more_ms) = if self.is_liar(to) {
            let Some(lie) = self.lie(to, request) else { return };
            lie
        } else if self.rng.u8(..) == 0 {
            (Response::Busy, 0)
        } else {
            (self.honest_answer(to, request), 0)
        };
        self.send(to, from, more_ms, |link| Event::Answer { from: to, to: from, link, id, response });
    }

    pub fn honest_answer(&self, node: usize, request: Request) -> Response {
        let chain = &self.nodes[node].chain;
        let here = |hash: &BlockHash| chain.bodies.contains(hash).then(|| self.blocks.get(hash)).flatten();
        match request {
            Request::Heads(locator) => Response::Heads(chain.heads_after(&locator)),
            Request::Blocks(hashes) => {
                let mut bytes = 0;
                let bodies = hashes.iter().map_while(here).map(|made| made.bytes.clone());
                Response::Blocks(bodies.take_while(|body| (bytes += body.len(), bytes <= BYTES_MAX).1).collect())
            }
            Request::BlockTransactions(hash, places) => {
                let of = |made: &Arc<Made>| {
                    let one = |place: &u32| Some(made.transactions.get(*place as usize)?.bytes.clone());
                    places.iter().map(one).collect::<Option<Vec<_>>>()
                };
                Response::BlockTransactions(here(&hash).and_then(of).unwrap_or_default())
            }
            _ => Response::Busy,
        }
    }

    pub fn answered(&mut self, node: usize, from: usize, id: u64, response: Response) {
        let Some(question) = self.nodes[node].asked.get(&id).cloned() else { return };
        self.note(|| format!("{from} answers {node} to {question:?}: {}", brief(&response)));
        if matches!(response, Response::Busy) {
            return self.unanswered(node, id, false);
        }
        self.nodes[node].asked.remove(&id);
        match (question, response) {
            (Question::Heads(peer), Response::Heads(heads)) => self.sync_event(node, sync::Event::Heads(peer, heads)),
            (Question::Blocks(peer, no), Response::Blocks(blocks)) => {
                let len = blocks.iter().map(Vec::len).sum();
                self.nodes[node].longest = self.nodes[node].longest.max(len);
                self.sync_event(node, sync::Event::Blocks(peer, no, blocks));
            }
            (Question::Announced(peer, hash), Response::BlockTransactions(transactions)) => {
                self.relay_event(node, relay::Event::Transactions(peer, hash, transactions));
            }
            (Question::Announced(peer, hash), Response::Blocks(blocks)) => match blocks.into_iter().next() {
                Some(block) => self.relay_event(node, relay::Event::Block(peer, hash, block)),
                None => self.relay_event(node, relay::Event::Nothing(peer, hash)),
            },
            (question, response) => self.fail(|| format!("{response:?} is no answer to {question:?}")),
        }
    }

    pub fn unanswered(&mut self, node: usize, id: u64, is_blamed: bool) {
        let Some(question) = self.nodes[node].asked.remove(&id) else { return };
        match question {
            Question::Heads(peer) if is_blamed => self.sync_event(node, sync::Event::NoHeads(peer)),
            Question::Heads(peer) => self.sync_event(node, sync::Event::Heads(peer, Vec::new())),
            Question::Blocks(peer, no) if is_blamed => self.sync_event(node, sync::Event::NoBlocks(peer, no)),
            Question::Blocks(peer, no) => self.sync_event(node, sync::Event::Blocks(peer, no, Vec::new())),
            Question::Announced(peer, hash) => self.relay_event(node, relay::Event::Nothing(peer, hash)),
        }
    }

    pub fn penalise(&mut self, node: usize, peer: usize, what: Misbehaviour, more: &str) {
        let id = PeerId::new(&[peer as u8]).unwrap();
        let now_s = self.now_ms / 1_000;
        let verdict = self.nodes[node].scores.penalise(&id, what, now_s);
        let points = self.nodes[node].scores.points(&id, now_s);
        self.note(|| format!("{node} blames {peer}: {what:?} {more}, {points} points"));
        if !self.is_liar(peer) {
            self.figures.points = self.figures.points.max(points);
        }
        if verdict == Verdict::Keep {
            return;
        }
        if verdict != Verdict::Disconnect {
            self.figures.bans += 1;
            self.nodes[node].banned.insert(peer);
            if !self.is_liar(peer) {
                self.fail(|| format!("{node} bans the honest {peer}: {what:?} {more}"));
            }
        }
        if let Some(link) = self.links.get(&pair(node, peer)) {
            let life = link.life;
            self.push(5, Event::Close(node, peer, life));
        }
    }
}

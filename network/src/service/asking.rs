//! Questions to peers, and what the machines make of the answers.

use std::collections::HashSet;
use std::sync::Arc;

use dotp2p_chain::hash::{BlockHash, Wtxid, tag};
use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use libp2p::request_response::{OutboundFailure, OutboundRequestId};

use super::info::ConnectionKind;
use super::serving::locator;
use super::{Done, Service};
use crate::chain::{BlockVerdict, Chain};
use crate::message::{CompactBlock, Hello, LOCATOR_MAX, Request, Response, TRANSACTIONS_MAX};
use crate::relay::{self, Worth};
use crate::score::Misbehaviour;
use crate::sync;

/// How often a peer is greeted again, in milliseconds: its chain may have grown by what was not gossiped here.
const GREET_MS: u64 = 30_000;

/// What a question was about.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Hello(PeerId),
    Heads(PeerId),
    Blocks(PeerId, u64),
    /// For a block that was announced: its transactions, or all of it.
    Announced(PeerId, BlockHash),
    Pool(PeerId),
    Addresses(PeerId),
    /// A transaction that a message announced.
    Transaction(PeerId, Wtxid, MessageId),
    /// Transactions of a peer's pool: the first [`TRANSACTIONS_MAX`] of these.
    PoolTransactions(PeerId, Vec<Wtxid>),
}

impl Question {
    fn peer(&self) -> PeerId {
        match self {
            Self::Hello(peer)
            | Self::Heads(peer)
            | Self::Blocks(peer, _)
            | Self::Announced(peer, _)
            | Self::Pool(peer)
            | Self::Addresses(peer)
            | Self::Transaction(peer, ..)
            | Self::PoolTransactions(peer, _) => *peer,
        }
    }
}

impl<C: Chain> Service<C> {
    pub(super) fn answered(&mut self, id: OutboundRequestId, response: Response) {
        let Some(question) = self.no_longer_asked(&id) else { return };
        match (question, response) {
            (Question::Hello(peer), Response::Hello(hello)) => self.greeted(peer, hello),
            (Question::Heads(peer), Response::Heads(heads)) => self.sync_event(sync::Event::Heads(peer, heads)),
            (Question::Blocks(peer, no), Response::Blocks(blocks)) => {
                self.sync_event(sync::Event::Blocks(peer, no, blocks));
            }
            (Question::Announced(peer, hash), Response::BlockTransactions(transactions)) => {
                self.relay_event(relay::Event::Transactions(peer, hash, transactions));
            }
            (Question::Announced(peer, hash), Response::Blocks(blocks)) => match blocks.into_iter().next() {
                Some(block) => self.relay_event(relay::Event::Block(peer, hash, block)),
                None => self.relay_event(relay::Event::Nothing(peer, hash)),
            },
            (Question::Pool(peer), Response::Pool(wtxids)) => self.pool_told(peer, &wtxids),
            (Question::Addresses(peer), Response::Addresses(addresses)) => self.addresses_told(peer, addresses),
            (Question::Transaction(peer, wtxid, message), Response::Transactions(transactions)) => {
                match self.asked_for(peer, &[wtxid], transactions).pop() {
                    Some((_, bytes)) => self.take_transaction(peer, Some(message), bytes),
                    None => self.report(&peer, &message, Worth::Ignore),
                }
            }
            (Question::PoolTransactions(peer, wanted), Response::Transactions(transactions)) => {
                self.pool_given(peer, wanted, transactions);
            }
            // Too busy to look, and no fault of its own.
            (question, Response::Busy) => self.unanswered(&question, false),
            (question, _) => {
                self.penalise(question.peer(), Misbehaviour::Malformed, "an answer of another kind");
                self.unanswered(&question, false);
            }
        }
    }

    pub(super) fn not_answered(&mut self, id: OutboundRequestId, error: &OutboundFailure) {
        let Some(question) = self.no_longer_asked(&id) else { return };
        let peer = question.peer();
        match error {
            OutboundFailure::UnsupportedProtocols => {
                tracing::debug!(%peer, "a peer of another network");
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            OutboundFailure::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.penalise(peer, Misbehaviour::Malformed, &error.to_string());
            }
            _ => {}
        }
        self.unanswered(&question, matches!(error, OutboundFailure::Timeout));
    }

    fn no_longer_asked(&mut self, id: &OutboundRequestId) -> Option<Question> {
        let question = self.asked.remove(id)?;
        if let Question::Transaction(peer, ..) = &question
            && let Some(known) = self.peers.get_mut(peer)
        {
            known.promised = known.promised.saturating_sub(1);
        }
        Some(question)
    }

    fn unanswered(&mut self, question: &Question, is_blamed: bool) {
        match question {
            Question::Heads(peer) if is_blamed => self.sync_event(sync::Event::NoHeads(*peer)),
            Question::Heads(peer) => self.sync_event(sync::Event::Heads(*peer, Vec::new())),
            Question::Blocks(peer, no) if is_blamed => self.sync_event(sync::Event::NoBlocks(*peer, *no)),
            Question::Blocks(peer, no) => self.sync_event(sync::Event::Blocks(*peer, *no, Vec::new())),
            Question::Announced(peer, hash) => self.relay_event(relay::Event::Nothing(*peer, *hash)),
            // What a message announced was not given: it is not passed on.
            Question::Transaction(peer, _, message) => self.report(peer, message, Worth::Ignore),
            Question::Hello(_) | Question::Pool(_) | Question::Addresses(_) | Question::PoolTransactions(..) => {}
        }
    }

    /// A peer has said who it is.
    pub(super) fn greeted(&mut self, peer: PeerId, hello: Hello) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let work = hello.work;
        let is_first = known.hello.is_none();
        if is_first && hello.deployment != self.params.deployment.hash() {
            let agent = &hello.agent;
            tracing::warn!(%peer, agent, "a peer knows other checkpoints or activations: one of you runs an old release");
        }
        let tip = hello.tip;
        let before = known.hello.replace(hello).map(|hello| hello.tip);
        if before.is_some_and(|before| self.came_over(&before, &tip)) {
            self.ask_peer(peer, Request::Pool, Question::Pool(peer));
        }
        if is_first {
            self.sync_event(sync::Event::Connected(peer, work));
            self.ask_peer(peer, Request::Pool, Question::Pool(peer));
            let known = self.peers.get(&peer).map(|known| (known.address.clone(), known.kind));
            if let Some((address, kind)) = known.filter(|(_, kind)| *kind != ConnectionKind::Inbound) {
                self.reached(peer, &address, kind);
            }
        } else {
            self.sync_event(sync::Event::Claims(peer, Some(work)));
        }
    }

    /// Whether a peer that had the tip `before` has left another branch for ours: what it had there is in its pool now, and
    /// gossip, which knows those transactions from before, does not tell them again.
    fn came_over(&self, before: &BlockHash, tip: &BlockHash) -> bool {
        let reader = self.newest();
        let height = reader.head(before).ok().map(|row| row.head.roots.height);
        *tip == reader.tip_hash() && before != tip && !height.is_some_and(|height| reader.is_active(height, before))
    }

    /// Greets everybody at once: this node is on another branch now.
    pub(super) fn greet_all(&mut self) {
        let now_ms = self.now_ms();
        let all: Vec<PeerId> =
            self.peers.iter_mut().map(|(peer, known)| (*peer, known.greeted_ms = now_ms).0).collect();
        all.into_iter().for_each(|peer| self.greet(peer));
    }

    /// Greets who was not greeted lately.
    pub(super) fn greet_again(&mut self, now_ms: u64) {
        let late = self.peers.iter_mut().filter(|(_, known)| known.greeted_ms + GREET_MS <= now_ms);
        let late: Vec<PeerId> = late.map(|(peer, known)| (*peer, known.greeted_ms = now_ms).0).collect();
        for peer in late {
            self.greet(peer);
        }
    }

    pub(super) fn greet(&mut self, peer: PeerId) {
        let hello = Request::Hello(self.hello());
        self.ask_peer(peer, hello, Question::Hello(peer));
    }

    /// What of a peer's pool is not in this node's is asked for.
    fn pool_told(&mut self, peer: PeerId, wtxids: &[Wtxid]) {
        let pool = self.newest().pool.clone();
        let new = wtxids.iter().filter(|wtxid| !pool.has_verified(wtxid)).copied().collect();
        self.ask_pool(peer, new);
    }

    /// One question after the other: a peer answers few at a time.
    fn ask_pool(&mut self, peer: PeerId, wanted: Vec<Wtxid>) {
        let some: Vec<Wtxid> = wanted.iter().take(TRANSACTIONS_MAX).copied().collect();
        if !some.is_empty() {
            self.ask_peer(peer, Request::Transactions(some), Question::PoolTransactions(peer, wanted));
        }
    }

    /// What came is judged. What did not fit the answer is asked for again, until an answer has nothing of what it is for.
    fn pool_given(&mut self, peer: PeerId, mut wanted: Vec<Wtxid>, given: Vec<Vec<u8>>) {
        let asked: Vec<Wtxid> = wanted.drain(..wanted.len().min(TRANSACTIONS_MAX)).collect();
        let given = self.asked_for(peer, &asked, given);
        if !given.is_empty() {
            let came: HashSet<Wtxid> = given.iter().map(|(wtxid, _)| *wtxid).collect();
            wanted.splice(..0, asked.into_iter().filter(|wtxid| !came.contains(wtxid)));
        }
        for (_, bytes) in given {
            self.take_transaction(peer, None, bytes);
        }
        self.ask_pool(peer, wanted);
    }

    /// Of transactions that were given, those that were asked for; any other is its sender's fault.
    fn asked_for(&mut self, peer: PeerId, asked: &[Wtxid], given: Vec<Vec<u8>>) -> Vec<(Wtxid, Vec<u8>)> {
        let asked: HashSet<&Wtxid> = asked.iter().collect();
        let given = given.into_iter().map(|bytes| (Wtxid(tag::WTX.hash(&[&bytes])), bytes));
        let (wanted, others): (Vec<_>, Vec<_>) = given.partition(|(wtxid, _)| asked.contains(wtxid));
        if !others.is_empty() {
            self.penalise(peer, Misbehaviour::Unrequested, "transactions that were not asked for");
        }
        wanted
    }

    pub(super) fn sync_event(&mut self, event: sync::Event<PeerId>) {
        let now_ms = self.now_ms();
        for action in self.sync.on(event, now_ms) {
            let chain = self.chain.clone();
            match action {
                sync::Action::AskHeads(peer, after) => {
                    let mut hashes: Vec<BlockHash> = after.into_iter().collect();
                    hashes.extend(locator(&self.newest()));
                    hashes.truncate(LOCATOR_MAX);
                    self.ask_peer(peer, Request::Heads(hashes), Question::Heads(peer));
                }
                sync::Action::AskBlocks(peer, no, hashes) => {
                    self.ask_peer(peer, Request::Blocks(hashes), Question::Blocks(peer, no));
                }
                sync::Action::TakeHeads(peer, heads, is_proven) => {
                    self.beside(async move { Done::HeadsTaken(peer, chain.take_heads(heads, is_proven).await) });
                }
                sync::Action::TakeBlocks(hashes, blocks) => self.beside(async move {
                    let verdicts = chain.take_blocks(blocks).await;
                    Done::BlocksTaken(hashes.into_iter().zip(verdicts).collect())
                }),
                sync::Action::WantMissing(max) => {
                    self.beside(async move { Done::Missing(chain.missing(max).await) });
                }
                sync::Action::Penalise(peer, what, more) => self.penalise(peer, what, &more),
            }
        }
    }

    pub(super) fn relay_event(&mut self, event: relay::Event<PeerId, MessageId>) {
        let now_ms = self.now_ms();
        for action in self.relay.on(event, now_ms) {
            let chain = self.chain.clone();
            match action {
                relay::Action::Judge(head) => self.beside(async move {
                    let hash = head.hash();
                    Done::Judged(hash, chain.take_heads(vec![head], false).await)
                }),
                relay::Action::Fill(block) => self.fill(block),
                relay::Action::AskTransactions(peer, hash, places) => {
                    self.ask_peer(peer, Request::BlockTransactions(hash, places), Question::Announced(peer, hash));
                }
                relay::Action::AskBlock(peer, hash) => {
                    self.ask_peer(peer, Request::Blocks(vec![hash]), Question::Announced(peer, hash));
                }
                relay::Action::Take(hash, encoded) => self.beside(async move {
                    let verdict = chain.take_blocks(vec![encoded]).await.pop();
                    let stopped = || crate::chain::BlockVerdict::later("the node is stopping");
                    Done::Taken(hash, verdict.unwrap_or_else(stopped))
                }),
                relay::Action::Report(peer, message, worth) => {
                    if worth == Worth::PassOn {
                        self.swarm.behaviour_mut().gate.brought(&peer, true);
                    }
                    self.report(&peer, &message, worth);
                }
                relay::Action::Claims(peer) => self.sync_event(sync::Event::Claims(peer, None)),
                relay::Action::Penalise(peer, what, more) => self.penalise(peer, what, &more),
            }
        }
    }

    fn fill(&mut self, block: CompactBlock) {
        let pool = Arc::clone(&self.newest().pool);
        self.beside(async move {
            let hash = block.head.hash();
            let filled = tokio::task::spawn_blocking(move || {
                let known = pool.iter().map(|tx| (&tx.wtxid, tx.transaction.as_ref()));
                block.fill(known).into_iter().map(|tx| tx.map(|tx| tx.bytes().to_vec())).collect()
            });
            Done::Filled(hash, filled.await.unwrap_or_default())
        });
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::HeadsTaken(peer, taken) => self.sync_event(sync::Event::HeadsTaken(peer, taken)),
            Done::Missing(hashes) => self.sync_event(sync::Event::Missing(hashes)),
            Done::BlocksTaken(verdicts) => self.sync_event(sync::Event::BlocksTaken(verdicts)),
            Done::Judged(hash, taken) => self.relay_event(relay::Event::Judged(hash, taken)),
            Done::Filled(hash, parts) => self.relay_event(relay::Event::Filled(hash, parts)),
            Done::Taken(hash, verdict) => {
                if matches!(verdict, BlockVerdict::Taken | BlockVerdict::Known) {
                    self.relayed = hash;
                }
                self.relay_event(relay::Event::Taken(hash, verdict));
            }
            Done::Transaction { came, verdict } => self.transaction_taken(came, verdict),
            Done::Answer(peer, id, channel, response) => self.served(peer, id, channel, response),
            Done::Seeds(number, addresses) => self.seeded(number, &addresses),
            Done::Resolved { text, addresses, stays } => self.resolved(text, addresses, stays),
        }
    }
}

/// What gossipsub calls the worth of a message.
pub(super) fn acceptance(worth: Worth) -> libp2p::gossipsub::MessageAcceptance {
    use libp2p::gossipsub::MessageAcceptance;
    match worth {
        Worth::PassOn => MessageAcceptance::Accept,
        Worth::Ignore => MessageAcceptance::Ignore,
        Worth::Reject => MessageAcceptance::Reject,
    }
}

//! What is gossiped: taken in, judged, and only then passed on.

use dotp2p_chain::check;
use libp2p::PeerId;
use libp2p::gossipsub::{self, IdentTopic, MessageId, PublishError};

use super::asking::{Question, acceptance};
use super::{Done, Service};
use crate::chain::{Chain, TransactionVerdict};
use crate::message::{CompactBlock, GossipTransaction, Request};
use crate::rate::Rate;
use crate::relay::{self, Worth};
use crate::score::Misbehaviour;
use crate::sync::misbehaviour_of;

/// Transactions that are judged at a time.
const JUDGING_MAX: usize = 64;
/// Those that wait to be, and their bytes; beyond, they are left to whoever has room.
const TO_JUDGE_MAX: usize = 8_192;
const TO_JUDGE_BYTES_MAX: usize = 8 << 20;

/// Transactions that one peer is asked for at a time because it announced their ids. They are long: four fill a block. At 512
/// streams a connection ends.
const PROMISED_MAX: usize = 32;

/// What this node gossips of its own accord: less than peers allow (M3), for what it passes on of others counts too.
pub(super) const TELLING: Rate = Rate { per_s: 40, burst: 2_500 };
/// Told at once to who has just come.
pub(super) const TELLING_AT_FIRST: u64 = 40;
/// Looked at in one go.
const TOLD_AT_A_TIME: usize = 1_000;

/// Milliseconds after which what waits is tried again.
const EARLY_MS: u64 = 1_000;
/// Transactions that are tried again at a time.
const TRIED_AGAIN: usize = 32;

/// A transaction as it came: from whom, by which message.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) from: PeerId,
    pub(super) message: Option<MessageId>,
    pub(super) encoded: Vec<u8>,
    since_ms: u64,
}

/// Peers whose pool is asked for once the chain has caught up.
const POOLS: usize = 4;

impl<C: Chain> Service<C> {
    pub(super) fn gossiped(&mut self, from: PeerId, id: MessageId, message: &gossipsub::Message) {
        if self.is_parted(&from) {
            self.report(&from, &id, Worth::Ignore);
        } else if message.topic == self.protocols.blocks.hash() {
            self.block_announced(from, id, &message.data);
        } else if message.topic == self.protocols.transactions.hash() {
            self.transaction_gossiped(from, id, &message.data);
        }
    }

    fn block_announced(&mut self, from: PeerId, id: MessageId, data: &[u8]) {
        let malformed = |error: dotp2p_chain::codec::DecodeError| (Misbehaviour::Malformed, error.to_string());
        let judged = CompactBlock::decode(data).map_err(malformed).and_then(|block| {
            let work = check::check_work(&block.head, &self.params.rules);
            let roots = work.and_then(|()| check::check_roots(&block.head.header, &block.head.roots));
            roots.map(|()| block).map_err(|error| misbehaviour_of(&error))
        });
        let block = match judged {
            Ok(block) => block,
            Err((what, reason)) => {
                self.report(&from, &id, Worth::Reject);
                self.penalise(from, what, &reason);
                return;
            }
        };
        let hash = block.head.hash();
        let is_here = self.newest().head(&hash).is_ok_and(|row| row.block.is_some() || row.rejected);
        if is_here && !self.relay.has(&hash) {
            self.report(&from, &id, Worth::Ignore);
            return;
        }
        self.relay_event(relay::Event::Announced(from, id, block));
    }

    fn transaction_gossiped(&mut self, from: PeerId, id: MessageId, data: &[u8]) {
        match GossipTransaction::decode(data) {
            Ok(GossipTransaction::Whole(bytes)) => self.take_transaction(from, Some(id), bytes),
            Ok(GossipTransaction::Id(wtxid)) if self.newest().pool.has_verified(&wtxid) => {
                self.report(&from, &id, Worth::Ignore);
            }
            Ok(GossipTransaction::Id(wtxid)) => {
                let known = self.peers.get_mut(&from).filter(|known| known.promised < PROMISED_MAX);
                let Some(known) = known else { return self.report(&from, &id, Worth::Ignore) };
                known.promised += 1;
                self.ask_peer(from, Request::Transactions(vec![wtxid]), Question::Transaction(from, wtxid, id));
            }
            Err(error) => {
                self.report(&from, &id, Worth::Reject);
                self.penalise(from, Misbehaviour::Malformed, &error.to_string());
            }
        }
    }

    pub(super) fn take_transaction(&mut self, from: PeerId, message: Option<MessageId>, encoded: Vec<u8>) {
        let came = Came { from, message, encoded, since_ms: self.now_ms() };
        self.take_came(came);
    }

    fn take_came(&mut self, came: Came) {
        if self.judging < JUDGING_MAX {
            self.judge(came);
        } else if self.to_judge.len() < TO_JUDGE_MAX && self.to_judge_bytes + came.encoded.len() <= TO_JUDGE_BYTES_MAX {
            // After a reorganisation hundreds come at once, and gossip brings none of them twice.
            self.to_judge_bytes += came.encoded.len();
            self.to_judge.push_back(came);
        } else {
            self.give_up(&came);
        }
    }

    fn judge(&mut self, came: Came) {
        self.judging += 1;
        let chain = self.chain.clone();
        self.beside(async move {
            let verdict = chain.take_transaction(came.encoded.clone()).await;
            Done::Transaction { came, verdict }
        });
    }

    pub(super) fn transaction_taken(&mut self, came: Came, verdict: TransactionVerdict) {
        self.judging = self.judging.saturating_sub(1);
        while let Some(next) = self.to_judge.pop_front() {
            self.to_judge_bytes = self.to_judge_bytes.saturating_sub(next.encoded.len());
            if !self.is_parted(&next.from) {
                self.judge(next);
                break;
            }
            self.give_up(&next);
        }
        let from = came.from;
        let worth = match verdict {
            TransactionVerdict::Taken { payer, nonce } => {
                self.swarm.behaviour_mut().gate.brought(&from, false);
                // The one after it may have come before it.
                if let Some(next) = self.early.remove(&payer, nonce.saturating_add(1)) {
                    self.judge_again(next);
                }
                Worth::PassOn
            }
            TransactionVerdict::Early { payer, nonce } => {
                let (bytes, since_ms) = (came.encoded.len(), came.since_ms);
                let not_kept = self.early.keep(payer, nonce, came, bytes, since_ms);
                not_kept.into_iter().for_each(|came| self.give_up(&came));
                return;
            }
            TransactionVerdict::Unwanted(reason) => {
                tracing::debug!(%from, reason, "a transaction is not wanted");
                Worth::Ignore
            }
            TransactionVerdict::Invalid(what, reason) => {
                self.penalise(from, what, &reason);
                Worth::Reject
            }
        };
        if let Some(message) = came.message {
            self.report(&from, &message, worth);
        }
    }

    fn judge_again(&mut self, came: Came) {
        self.take_came(came);
    }

    fn give_up(&mut self, came: &Came) {
        if let Some(message) = &came.message {
            self.report(&came.from, message, Worth::Ignore);
        }
    }

    /// What waits for others of its payer is tried again, for those may have come while it was judged; what waited too
    /// long is given up.
    pub(super) fn tidy_early(&mut self, now_ms: u64) {
        if !self.early.is_empty() && self.early_ms + EARLY_MS <= now_ms {
            self.early_ms = now_ms;
            for came in self.early.firsts(TRIED_AGAIN) {
                self.judge_again(came);
            }
        }
        for came in self.early.expired(now_ms) {
            self.give_up(&came);
        }
    }

    pub(super) fn report(&mut self, from: &PeerId, message: &MessageId, worth: Worth) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let _ = gossip.report_message_validation_result(message, from, acceptance(worth));
    }

    /// Gossips of the pool what was not told yet, no faster than whoever came last takes it for a flood.
    pub(super) fn tell(&mut self) {
        let (reader, now_ms) = (self.newest(), self.now_ms());
        for _ in 0..TOLD_AT_A_TIME {
            let Some(txid) = self.to_tell.front().filter(|_| self.telling.check(1, now_ms).is_ok()) else { return };
            let message =
                reader.pool.get(txid).map(|tx| GossipTransaction::new(tx.transaction.bytes(), tx.wtxid).encode());
            self.to_tell.pop_front();
            let topic = self.protocols.transactions.clone();
            // What is in a block by now, and what gossip has told before, costs nothing.
            if message.is_some_and(|message| self.publish(topic, message)) {
                let _ = self.telling.take(1, now_ms);
            }
        }
    }

    /// Whether it was told: gossip tells nothing again that it has seen, whoever brought it.
    fn publish(&mut self, topic: IdentTopic, message: Vec<u8>) -> bool {
        match self.swarm.behaviour_mut().gossip.publish(topic, message) {
            Ok(_) | Err(PublishError::NoPeersSubscribedToTopic) => return true,
            Err(PublishError::Duplicate) => {}
            Err(error) => tracing::debug!(%error, "not gossiped"),
        }
        false
    }

    /// There is a new view: a new tip is announced, and after a reorganisation what came back to the pool.
    pub(super) fn tip_moved(&mut self) {
        let reader = self.readers.borrow_and_update().clone();
        self.sync_event(crate::sync::Event::BestHeader(reader.headers_work));
        // What peers' pools held meanwhile could not be judged here.
        let was_behind = std::mem::replace(&mut self.is_behind, reader.headers_work > reader.work);
        if was_behind && !self.is_behind {
            let some: Vec<PeerId> = self.peers.keys().take(POOLS).copied().collect();
            some.into_iter().for_each(|peer| self.ask_peer(peer, Request::Pool, Question::Pool(peer)));
        }
        let tip = reader.tip_hash();
        if tip == self.announced {
            return;
        }
        let before = std::mem::replace(&mut self.announced, tip);
        for came in self.early.firsts(TRIED_AGAIN) {
            self.judge_again(came);
        }
        let height = |hash| reader.head(hash).ok().map(|row| row.head.roots.height);
        let is_reorganised = height(&before).is_some_and(|height| !reader.is_active(height, &before));
        // While blocks are fetched by the thousand, the others have them already; what was gossiped is passed on as it is.
        let mut is_told = true;
        if !self.is_behind
            && !self.relay.is_taking(&tip)
            && self.relayed != tip
            && let Ok(block) = reader.block(reader.tip)
        {
            let topic = self.protocols.blocks.clone();
            is_told = self.publish(topic, CompactBlock::of(&block).encode());
        }
        if is_reorganised {
            self.to_tell = reader.pool.iter().map(|tx| tx.txid).collect();
            self.tell();
        }
        // One that was announced here, could not be put together then, and came another way.
        if is_reorganised || !is_told {
            self.greet_all();
        }
    }
}

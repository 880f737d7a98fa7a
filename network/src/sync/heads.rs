//! Answers to questions for heads, and what the chain made of them.

use std::fmt::Debug;

use dotp2p_chain::block::BlockHead;
use dotp2p_chain::check::Condemns;

use super::{Action, Heads, Peer, Sync, misbehaviour_of};
use crate::chain::HeadsTaken;
use crate::message::HEADS_MAX;
use crate::presync::{Next, Presync};
use crate::score::Misbehaviour;

impl<P: Ord + Clone + Debug> Sync<P> {
    pub(super) fn heads_came(&mut self, peer: P, heads: Vec<BlockHead>, now_ms: u64) {
        let Some(it) = self.peers.get_mut(&peer) else { return };
        if !matches!(it.heads, Heads::Asked { .. } | Heads::Late) {
            return;
        }
        it.heads = Heads::Idle;
        let is_full = heads.len() >= HEADS_MAX;
        let follow = heads.windows(2).all(|two| matches!(two, [a, b] if b.header.prev_blockhash == a.hash()));
        if !follow {
            it.give_up(self.best, now_ms + self.config.rest_ms);
            self.blame(peer, Misbehaviour::InvalidHeader, "they do not follow each other");
            return;
        }
        let Some(presync) = &mut it.presync else {
            if heads.is_empty() {
                // It may have what we have by now, and nothing more.
                it.give_up(self.best, now_ms + self.config.rest_ms);
                self.after = None;
                return;
            }
            it.heads = Heads::Judged { is_full };
            self.out.push(Action::TakeHeads(peer, heads, false));
            return;
        };
        let blame = match presync.heads(heads, !is_full, &self.params) {
            Next::Ask(after) => {
                it.heads = Heads::Asked { at_ms: now_ms };
                self.out.push(Action::AskHeads(peer, Some(after)));
                return;
            }
            Next::Store(heads) => {
                it.heads = Heads::Judged { is_full };
                if presync.is_done() {
                    it.presync = None;
                }
                self.out.push(Action::TakeHeads(peer, heads, true));
                return;
            }
            Next::Worthless | Next::Lie => (Misbehaviour::LowWorkHeaders, String::new()),
            Next::Refused(error) if error.condemns() == Condemns::Nothing => {
                it.give_up(self.best, now_ms + self.config.rest_ms);
                return;
            }
            Next::Refused(error) => misbehaviour_of(&error),
        };
        it.give_up(self.best, now_ms.saturating_add(60 * self.config.rest_ms));
        self.out.push(Action::Penalise(peer, blame.0, blame.1));
    }

    pub(super) fn no_heads(&mut self, peer: &P, now_ms: u64) {
        match self.peers.get_mut(peer) {
            Some(it) if matches!(it.heads, Heads::Asked { .. }) => self.blame_late(peer, Heads::Idle, now_ms),
            // It was blamed already.
            Some(it) if matches!(it.heads, Heads::Late) => it.heads = Heads::Idle,
            _ => {}
        }
    }

    pub(super) fn blame_late(&mut self, peer: &P, heads: Heads, now_ms: u64) {
        if let Some(it) = self.peers.get_mut(peer) {
            it.heads = heads;
            it.presync = None;
            it.rests_ms = now_ms + self.config.rest_ms;
            self.blame(peer.clone(), Misbehaviour::Timeout, "headers");
        }
    }

    pub(super) fn heads_taken(&mut self, peer: P, taken: HeadsTaken, now_ms: u64) {
        let rest_ms = now_ms + self.config.rest_ms;
        let is_here = self.peers.get(&peer).is_some_and(|it| matches!(it.heads, Heads::Judged { .. }));
        let blame = {
            // Heads of a peer that left meanwhile are as good as any, even if it is back and was asked anew.
            let mut gone = Peer::default();
            let it = self.peers.get_mut(&peer).filter(|_| is_here).unwrap_or(&mut gone);
            let is_full = matches!(std::mem::take(&mut it.heads), Heads::Judged { is_full: true });
            match taken {
                HeadsTaken::Stored { last, work } => {
                    // Full answers that lead no further would have the same asked for ever.
                    let goes_on = is_full && self.after.is_none_or(|(_, before)| work > before);
                    if !is_full {
                        it.claims = work;
                    } else if !goes_on {
                        it.give_up(self.best.max(work), rest_ms);
                    }
                    self.after = goes_on.then_some((last, work));
                    self.best = self.best.max(work);
                    self.wants_missing = true;
                    None
                }
                // Nobody is there to ask for the rest.
                HeadsTaken::LowWork(..) if !is_here => None,
                HeadsTaken::LowWork(fork, heads) => {
                    let mut presync = Presync::new(*fork);
                    match presync.heads(heads, !is_full, &self.params) {
                        Next::Ask(after) => {
                            it.presync = Some(presync);
                            it.heads = Heads::Asked { at_ms: now_ms };
                            it.asked_ms = now_ms;
                            self.out.push(Action::AskHeads(peer.clone(), Some(after)));
                            None
                        }
                        Next::Refused(error) => Some(misbehaviour_of(&error)),
                        // A block of its own made us ask: it never said that its chain is the better one.
                        Next::Worthless if it.told <= self.best => {
                            it.give_up(self.best, rest_ms);
                            None
                        }
                        Next::Store(_) | Next::Worthless | Next::Lie => {
                            Some((Misbehaviour::LowWorkHeaders, String::new()))
                        }
                    }
                }
                HeadsTaken::Unconnected => Some((Misbehaviour::Unconnected, String::new())),
                HeadsTaken::Refused(error) if error.condemns() == Condemns::Nothing => {
                    it.give_up(self.best, rest_ms);
                    None
                }
                HeadsTaken::Refused(error) => Some(misbehaviour_of(&error)),
                HeadsTaken::Other(_) => {
                    it.give_up(self.best, rest_ms);
                    None
                }
            }
        };
        if let Some(blame) = blame {
            self.after = None;
            if let Some(it) = self.peers.get_mut(&peer).filter(|_| is_here) {
                it.give_up(self.best, now_ms.saturating_add(60 * self.config.rest_ms));
            }
            self.out.push(Action::Penalise(peer, blame.0, blame.1));
        }
    }
}

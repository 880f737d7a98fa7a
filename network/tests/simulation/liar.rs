//! Peers that lie, each in its way; otherwise they show the chain of an honest node.

use dotp2p_chain::block::{BlockHead, Coinbase};
use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::key::PublicKey;
use dotp2p_network::message::{CompactBlock, HEADS_MAX, Request, Response};
use fastrand::Rng;
use std::sync::Arc;

use crate::chain::{INVALID, make, shared};
use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Never answers.
    Silent,
    /// Has nothing of what it claims.
    Empty,
    /// Gives bodies of other blocks.
    OtherBodies,
    /// Gives bodies that are not the block's, and announcements with other transactions.
    BadBodies,
    /// Gives heads that rules refuse.
    BadHeads,
    /// Gives a branch of little work that does not end.
    Light,
    /// Mines blocks that the ledger refuses.
    InvalidBlocks,
    /// Announces blocks and keeps their bodies.
    Withholds,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Silent,
        Self::Empty,
        Self::OtherBodies,
        Self::BadBodies,
        Self::BadHeads,
        Self::Light,
        Self::InvalidBlocks,
        Self::Withholds,
    ];

    pub fn any(rng: &mut Rng) -> Self {
        Self::ALL[rng.usize(..Self::ALL.len())]
    }
}

impl World {
    fn kind(&self, liar: usize) -> Kind {
        self.nodes[liar].kind.unwrap()
    }

    /// What a liar answers, if it does, and after how many milliseconds more.
    pub fn lie(&mut self, liar: usize, request: Request) -> Option<(Response, u64)> {
        let (kind, view, asked) = (self.kind(liar), self.nodes[liar].view, request.clone());
        let honest = self.honest_answer(view, request);
        let slow_ms = self.rng.u64(0..3_000);
        let lie = match (kind, honest) {
            (Kind::Silent, _) => return None,
            (Kind::Empty, Response::Heads(_)) => Response::Heads(Vec::new()),
            (Kind::Empty | Kind::Withholds, Response::Blocks(_)) => Response::Blocks(Vec::new()),
            (Kind::Empty | Kind::Withholds, Response::BlockTransactions(_)) => Response::BlockTransactions(Vec::new()),
            (Kind::OtherBodies, Response::Blocks(_)) => {
                let other = self.rng.usize(..self.blocks.len().max(1));
                Response::Blocks(self.blocks.values().nth(other).map(|made| made.bytes.clone()).into_iter().collect())
            }
            (Kind::BadBodies, Response::Blocks(mut bodies)) => {
                for body in &mut bodies {
                    if self.rng.bool() { body.extend([0; 3_000]) } else { *body.last_mut().unwrap() ^= 1 }
                }
                Response::Blocks(bodies)
            }
            (Kind::BadBodies, Response::BlockTransactions(mut transactions)) => {
                match transactions.first_mut() {
                    Some(first) if self.rng.bool() => first[0] ^= 1,
                    _ => drop(transactions.pop()),
                }
                Response::BlockTransactions(transactions)
            }
            (Kind::BadHeads, Response::Heads(heads)) => Response::Heads(self.spoilt(heads)),
            (Kind::Light, Response::Heads(_)) => return Some((Response::Heads(self.light_after(&asked)), slow_ms)),
            (Kind::InvalidBlocks | Kind::Withholds, Response::Heads(mut heads)) => {
                self.put_own(liar, &asked, &mut heads);
                Response::Heads(heads)
            }
            (Kind::InvalidBlocks, Response::Blocks(bodies)) => match asked {
                Request::Blocks(hashes) if bodies.is_empty() => {
                    let of = |hash: &BlockHash| self.blocks.get(hash).map(|made| made.bytes.clone());
                    Response::Blocks(hashes.iter().map_while(of).collect())
                }
                _ => Response::Blocks(bodies),
            },
            (_, honest) => honest,
        };
        Some((lie, slow_ms / 8))
    }

    fn spoilt(&mut self, mut heads: Vec<BlockHead>) -> Vec<BlockHead> {
        let way = self.rng.u8(0..4);
        match (heads.last_mut(), way) {
            (Some(last), 0) => last.header.nonce ^= 1 << 40,
            (Some(last), 1) => last.header.time = 0,
            (Some(last), 2) => last.roots.height.0 += 1,
            (Some(_), _) => heads.reverse(),
            (None, _) => {}
        }
        heads
    }

    /// Its own block behind the honest ones below it.
    fn put_own(&self, liar: usize, asked: &Request, heads: &mut Vec<BlockHead>) {
        let Some(own) = self.message_ids.iter().find(|((_, author), _)| *author == liar) else { return };
        let Some(own) = self.blocks.get(&own.0.0) else { return };
        let parent = own.head.header.prev_blockhash;
        let at = heads.iter().position(|head| head.hash() == parent);
        let is_first = matches!(asked, Request::Heads(locator) if locator.contains(&parent));
        if at.is_some() || is_first {
            heads.truncate(at.map_or(0, |at| at + 1));
            heads.push(own.head);
        }
    }

    pub fn liar_mines(&mut self, liar: usize) {
        let (kind, view) = (self.kind(liar), self.nodes[liar].view);
        if !self.nodes[liar].is_up || !self.nodes[view].is_up {
            return;
        }
        let chain = &self.nodes[view].chain;
        let tip = chain.tree.active_tip();
        // Beside the tip nobody looks at what the ledger would say.
        let parent = if self.rng.bool() || tip.height.0 < 2 { tip.hash } else { tip.header.prev_blockhash };
        let extra = match kind {
            Kind::InvalidBlocks => INVALID.to_vec(),
            Kind::Withholds => Vec::new(),
            Kind::Light => {
                let compact = CompactBlock {
                    head: shared().light[0],
                    coinbase: Coinbase { to: PublicKey([0; 32]), extra: Vec::new() },
                    short_ids: Vec::new(),
                };
                let message = self.message(&compact, liar);
                return self.publish(liar, message);
            }
            _ => return,
        };
        let coinbase = Coinbase { to: PublicKey([liar as u8; 32]), extra };
        let now_s = chain.now_s(self.now_ms);
        let made = make(&chain.tree, &parent, &chain.params.rules, now_s, (coinbase, Vec::new()));
        self.note(|| format!("{liar} mines {} on {parent}: {kind:?}", made.hash));
        let message = self.message(&made.compact, liar);
        self.blocks.insert(made.hash, Arc::new(made));
        self.publish(liar, message);
    }

    /// A block was announced to a liar.
    pub fn liar_hears(&mut self, liar: usize, from: usize, message: u64, block: &CompactBlock) {
        let mut block = block.clone();
        match self.kind(liar) {
            Kind::BadBodies => match self.rng.u8(0..3) {
                0 => block.coinbase.to.0[0] ^= 1,
                1 => block.short_ids.push([1; 6]),
                _ => drop(block.short_ids.pop()),
            },
            Kind::BadHeads if self.rng.u8(..) < 20 => block.head.header.nonce ^= 1 << 40,
            _ => return self.pass_on(liar, Some(from), message),
        }
        let message = self.message(&block, liar);
        self.publish(liar, message);
    }

    fn light_after(&self, asked: &Request) -> Vec<BlockHead> {
        let Request::Heads(locator) = asked else { return Vec::new() };
        let at = locator.iter().find_map(|hash| shared().light_at.get(hash));
        shared().light[..self.light].iter().skip(at.map_or(0, |at| at + 1)).take(HEADS_MAX).copied().collect()
    }
}

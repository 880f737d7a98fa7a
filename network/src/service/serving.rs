//! Answers to peers' questions, from the newest view; looked up beside the task.

use std::sync::Arc;

use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::height::Height;
use dotp2p_registry::query::Reader;
use libp2p::PeerId;
use libp2p::request_response::{InboundRequestId, ResponseChannel};

use super::{Done, Service};
use crate::chain::Chain;
use crate::codec::Question;
use crate::message::{HEADS_MAX, Hello, Request, Response, VERSION, WTXIDS_MAX};
use crate::rate::Rate;
use crate::score::Misbehaviour;

/// Questions that a peer may put: ten times what a sync from it alone takes.
pub(super) const QUESTIONS: Rate = Rate { per_s: 100, burst: 1_000 };
/// Refusals that a peer did not heed, which are one offence.
const OFFENCE: u32 = 100;
/// Questions that are answered at a time, and of one peer.
const AT_A_TIME: usize = 32;
const OF_ONE_PEER: usize = 4;

impl<C: Chain> Service<C> {
    pub(super) fn hello(&self) -> Hello {
        let reader = self.newest();
        Hello {
            version: VERSION,
            deployment: self.params.deployment.hash(),
            tip: reader.tip_hash(),
            height: reader.tip,
            work: reader.work,
            agent: self.agent.clone(),
        }
    }

    pub(super) fn serve(
        &mut self,
        peer: PeerId,
        id: InboundRequestId,
        question: Question,
        channel: ResponseChannel<Response>,
    ) {
        let now_ms = self.now_ms();
        let Some(known) = self.peers.get_mut(&peer).filter(|known| !known.is_parted) else { return };
        if known.questions.take(1, now_ms).is_err() {
            known.refused += 1;
            let is_offence = known.refused.is_multiple_of(OFFENCE);
            drop(self.swarm.behaviour_mut().ask.send_response(channel, Response::Busy));
            if is_offence {
                self.penalise(peer, Misbehaviour::Flood, "questions");
            }
            return;
        }
        let request = match question {
            Ok(request) => request,
            Err(error) => return self.penalise(peer, Misbehaviour::Malformed, &error.to_string()),
        };
        if let Request::Hello(hello) = request {
            let own = Response::Hello(self.hello());
            drop(self.swarm.behaviour_mut().ask.send_response(channel, own));
            self.greeted(peer, hello);
            return;
        }
        if matches!(request, Request::Addresses) {
            let sample = Response::Addresses(self.sample());
            drop(self.swarm.behaviour_mut().ask.send_response(channel, sample));
            return;
        }
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if self.serving >= AT_A_TIME || known.serving >= OF_ONE_PEER {
            drop(self.swarm.behaviour_mut().ask.send_response(channel, Response::Busy));
            return;
        }
        let Some(room) = self.unsent.reserve(id, peer, now_ms) else {
            drop(self.swarm.behaviour_mut().ask.send_response(channel, Response::Busy));
            return self.part_from_slowest(now_ms);
        };
        self.serving += 1;
        known.serving += 1;
        let reader = self.newest();
        self.beside(async move {
            let looked_up = tokio::task::spawn_blocking(move || answer(&reader, request, room)).await;
            Done::Answer(peer, id, channel, looked_up.unwrap_or(Response::Busy))
        });
    }

    /// Others want the room that answers take which a peer does not read.
    fn part_from_slowest(&mut self, now_ms: u64) {
        if let Some(peer) = self.unsent.slowest(now_ms).filter(|peer| !self.is_parted(peer)) {
            tracing::info!(%peer, "parted from a peer that reads its answers too slowly");
            self.part(peer);
        }
    }

    pub(super) fn served(
        &mut self,
        peer: PeerId,
        id: InboundRequestId,
        channel: ResponseChannel<Response>,
        response: Response,
    ) {
        self.serving = self.serving.saturating_sub(1);
        self.unsent.settle(&id, response.bytes());
        if let Some(known) = self.peers.get_mut(&peer) {
            known.serving = known.serving.saturating_sub(1);
        }
        if self.swarm.behaviour_mut().ask.send_response(channel, response).is_err() {
            self.unsent.free(&id);
        }
    }
}

/// The tip, then ever wider steps back to genesis: whoever has any of these blocks has the one from which to go on.
pub(super) fn locator(reader: &Reader) -> Vec<BlockHash> {
    let mut hashes = Vec::new();
    let (mut height, mut step) = (reader.tip.0, 1u32);
    loop {
        hashes.extend(reader.chain_row(Height(height)).map(|row| row.hash));
        if height == 0 {
            return hashes;
        }
        if hashes.len() >= 10 {
            step = step.saturating_mul(2);
        }
        height = height.saturating_sub(step);
    }
}

/// An answer that has no more than `room` bytes, but for its first item.
fn answer(reader: &Arc<Reader>, request: Request, room: usize) -> Response {
    match request {
        Request::Heads(locator) => heads(reader, &locator),
        Request::Blocks(hashes) => {
            let block = |hash| {
                let place = reader.head(&hash).ok()?.block?;
                reader.files.read(place).ok()
            };
            Response::Blocks(fitting(hashes.into_iter().map_while(block), room))
        }
        Request::BlockTransactions(hash, places) => {
            let block = reader.head(&hash).ok().and_then(|head| reader.block_of(&head).ok());
            let all = block.and_then(|block| {
                let one = |place: &u32| {
                    let at = usize::try_from(*place).ok()?;
                    block.transactions.get(at).map(|transaction| transaction.bytes().to_vec())
                };
                places.iter().map(one).collect::<Option<Vec<_>>>()
            });
            let fits = |all: &Vec<Vec<u8>>| all.iter().map(Vec::len).sum::<usize>() <= room;
            Response::BlockTransactions(all.filter(fits).unwrap_or_default())
        }
        Request::Pool => Response::Pool(reader.pool.iter().take(WTXIDS_MAX).map(|tx| tx.wtxid).collect()),
        Request::Transactions(wtxids) => {
            let found = wtxids.iter().filter_map(|wtxid| reader.pool.by_wtxid(wtxid));
            Response::Transactions(fitting(found.map(|tx| tx.transaction.bytes().to_vec()), room))
        }
        // Answered without a look at the chain.
        Request::Addresses | Request::Hello(_) => Response::Busy,
    }
}

/// As many as fit in an answer; the first always does.
fn fitting(items: impl Iterator<Item = Vec<u8>>, room: usize) -> Vec<Vec<u8>> {
    let mut bytes = 0;
    let fits = |item: &Vec<u8>| {
        let is_first = bytes == 0;
        bytes += item.len() + 4;
        is_first || bytes <= room
    };
    items.take_while(fits).collect()
}

fn heads(reader: &Reader, locator: &[BlockHash]) -> Response {
    let active = |hash: &BlockHash| {
        let height = reader.head(hash).ok()?.head.roots.height;
        reader.is_active(height, hash).then_some(height)
    };
    let from = locator.iter().find_map(active).unwrap_or(Height::GENESIS);
    let heights = (from.0.saturating_add(1)..=reader.tip.0).take(HEADS_MAX);
    let head = |height| Some(reader.head(&reader.chain_row(Height(height)).ok()?.hash).ok()?.head);
    Response::Heads(heights.map_while(head).collect())
}

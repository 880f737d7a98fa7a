//! What misbehaviour costs: points, the connection, a ban.

use libp2p::PeerId;

use super::Service;
use super::connecting::ip_of;
use crate::bans::{Ban, BanError, Bans, Subject, Term};
use crate::behaviour::SHUNNED;
use crate::chain::Chain;
use crate::gate::peer_bytes;
use crate::score::{Misbehaviour, Verdict};

/// The file of the bans.
const BANS_FILE: &str = "bans.json";
/// How often a peer may say in one connection which topics it listens to.
const SUBSCRIPTIONS_MAX: u32 = 16;

impl<C: Chain> Service<C> {
    /// A peer did what it should not. What comes of it after it was parted from costs nothing more: it was all on its way.
    pub(super) fn penalise(&mut self, peer: PeerId, what: Misbehaviour, more: &str) {
        let Some(id) = peer_bytes(&peer).filter(|_| !self.is_parted(&peer)) else { return };
        let now_s = self.chain.now_s();
        let verdict = self.scores.penalise(&id, what, now_s);
        let address = self.peers.get(&peer).map(|known| known.address.clone());
        let shown = address.as_ref().map_or_else(String::new, ToString::to_string);
        match verdict {
            Verdict::Keep => tracing::debug!(%peer, what = what.text(), more, "a peer misbehaves"),
            Verdict::Disconnect => {
                tracing::info!(%peer, address = shown, what = what.text(), more, "parted from a peer that misbehaves");
                self.part(peer);
            }
            Verdict::Ban { until_s, reason } => {
                tracing::warn!(%peer, address = shown, what = what.text(), more, until_s, "a peer is banned");
                let reason = format!("{}{}{more}", reason.text(), if more.is_empty() { "" } else { ": " });
                let bans = self.swarm.behaviour_mut().gate.bans_mut();
                match address.as_ref().and_then(ip_of) {
                    Some(ip) => drop(bans.add_automatic(ip, Some(&id), until_s, &reason, now_s)),
                    None => {
                        // Only its id is known: it came through a third peer.
                        let loopback = std::net::Ipv4Addr::LOCALHOST.into();
                        drop(bans.add_automatic(loopback, Some(&id), until_s, &reason, now_s));
                    }
                }
                // A crowd is banned in a moment: the file is written when time passes.
                self.are_bans_unsaved = true;
                self.part(peer);
            }
        }
    }

    pub(super) fn part(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.is_parted = true;
        }
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Whether nothing is taken from a peer any more.
    pub(super) fn is_parted(&self, peer: &PeerId) -> bool {
        let is_banned = || {
            let bans = self.swarm.behaviour().gate.bans();
            peer_bytes(peer).is_some_and(|id| bans.is_peer_banned(&id, self.chain.now_s()).is_some())
        };
        self.peers.get(peer).map_or_else(is_banned, |known| known.is_parted)
    }

    /// Who gossips too fast, and to whom gossip no longer listens, is of no use here.
    pub(super) fn judge_gossip(&mut self) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let too_fast = gossip.take_too_fast().into_iter().map(|peer| (peer, "gossip"));
        let is_shunned = |peer: &PeerId| gossip.peer_score(peer).is_some_and(|score| score <= SHUNNED);
        let shunned = self.peers.keys().filter(|peer| is_shunned(peer)).map(|peer| (*peer, "gossip that is none"));
        for (peer, more) in too_fast.chain(shunned).collect::<Vec<_>>() {
            self.penalise(peer, Misbehaviour::Flood, more);
        }
    }

    /// A peer has said which topics it listens to, or no longer: there are two, and some that a later release may have.
    pub(super) fn subscribed(&mut self, peer: PeerId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.subscriptions += 1;
        if known.subscriptions > SUBSCRIPTIONS_MAX {
            self.penalise(peer, Misbehaviour::Flood, "subscriptions");
        }
    }

    pub(super) fn points(&self, peer: &PeerId) -> u32 {
        peer_bytes(peer).map_or(0, |id| self.scores.points(&id, self.chain.now_s()))
    }

    pub(super) fn ban(&mut self, subject: Subject, term: Term) -> Result<Ban, BanError> {
        let now_s = self.chain.now_s();
        let ban = self.swarm.behaviour_mut().gate.bans_mut().add(subject, term, "manually added", now_s)?;
        let is_hit = |peer: &PeerId, address: &libp2p::Multiaddr| match &ban.subject {
            Subject::Net(net) => ip_of(address).is_some_and(|ip| net.contains(ip)),
            Subject::Peer(id) => peer_bytes(peer).as_ref() == Some(id),
        };
        let hit: Vec<PeerId> =
            self.peers.iter().filter(|(peer, known)| is_hit(peer, &known.address)).map(|(peer, _)| *peer).collect();
        for peer in hit {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        self.are_bans_unsaved = true;
        self.save_bans();
        Ok(ban)
    }

    pub(super) fn unban(&mut self, subject: &Subject) -> bool {
        let was_banned = self.swarm.behaviour_mut().gate.bans_mut().remove(subject);
        self.are_bans_unsaved = true;
        self.save_bans();
        was_banned
    }

    pub(super) fn banned(&self) -> Vec<Ban> {
        self.swarm.behaviour().gate.bans().list(self.chain.now_s()).cloned().collect()
    }

    /// Writes the bans where they have changed, one file at a time: two at once are in each other's way.
    pub(super) fn save_bans(&mut self) {
        let is_saving = self.saving_bans.as_ref().is_some_and(|saving| !saving.is_finished());
        if is_saving || !std::mem::take(&mut self.are_bans_unsaved) {
            return;
        }
        let (bans, path) = (self.swarm.behaviour().gate.bans().clone(), self.dir.join(BANS_FILE));
        self.saving_bans = Some(tokio::task::spawn_blocking(move || save(&bans, &path)));
    }

    /// Writes what was not written yet, after what is being written.
    pub(super) async fn close_bans(&mut self) {
        for _ in 0..2 {
            if let Some(saving) = self.saving_bans.take() {
                let _ = saving.await;
            }
            self.save_bans();
        }
    }

    /// The bans as they were kept.
    pub(super) fn load_bans(dir: &std::path::Path, now_s: u64) -> Bans {
        let (bans, unusable) = Bans::load(&dir.join(BANS_FILE), now_s);
        if let Some(unusable) = unusable {
            tracing::warn!(%unusable, "nobody is banned");
        }
        bans
    }
}

fn save(bans: &Bans, path: &std::path::Path) {
    if let Err(error) = bans.save(path) {
        tracing::warn!(%error, "bans are not kept over a restart");
    }
}

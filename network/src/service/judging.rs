//! What misbehaviour costs: points, the connection, a ban.

use libp2p::PeerId;

use super::Service;
use super::connecting::ip_of;
use crate::bans::{Ban, BanError, Subject, Term};
use crate::chain::Chain;
use crate::gate::peer_bytes;
use crate::score::{Misbehaviour, Verdict};

/// The file of the bans.
const BANS_FILE: &str = "bans.json";

impl<C: Chain> Service<C> {
    /// A peer did what it should not.
    pub(super) fn penalise(&mut self, peer: PeerId, what: Misbehaviour, more: &str) {
        let Some(id) = peer_bytes(&peer) else { return };
        let now_s = self.chain.now_s();
        let verdict = self.scores.penalise(&id, what, now_s);
        let address = self.peers.get(&peer).map(|known| known.address.clone());
        let shown = address.as_ref().map_or_else(String::new, ToString::to_string);
        match verdict {
            Verdict::Keep => tracing::debug!(%peer, what = what.text(), more, "a peer misbehaves"),
            Verdict::Disconnect => {
                tracing::info!(%peer, address = shown, what = what.text(), more, "parted from a peer that misbehaves");
                let _ = self.swarm.disconnect_peer_id(peer);
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
                let _ = self.swarm.disconnect_peer_id(peer);
                self.save_bans();
            }
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
        self.save_bans();
        Ok(ban)
    }

    pub(super) fn unban(&mut self, subject: &Subject) -> bool {
        let was_banned = self.swarm.behaviour_mut().gate.bans_mut().remove(subject);
        self.save_bans();
        was_banned
    }

    pub(super) fn banned(&self) -> Vec<Ban> {
        self.swarm.behaviour().gate.bans().list(self.chain.now_s()).cloned().collect()
    }

    fn save_bans(&self) {
        let (bans, path) = (self.swarm.behaviour().gate.bans().clone(), self.dir.join(BANS_FILE));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = bans.save(&path) {
                tracing::warn!(%error, "bans are not kept over a restart");
            }
        });
    }

    /// The bans as they were kept.
    pub(super) fn load_bans(dir: &std::path::Path, now_s: u64) -> crate::bans::Bans {
        let (bans, unusable) = crate::bans::Bans::load(&dir.join(BANS_FILE), now_s);
        if let Some(unusable) = unusable {
            tracing::warn!(%unusable, "nobody is banned");
        }
        bans
    }
}

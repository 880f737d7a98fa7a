//! Peers that this node chooses by itself: eight, each of another network group, from the address book.

use std::collections::BTreeSet;
use std::path::Path;

use libp2p::{Multiaddr, PeerId};

use super::asking::Question;
use super::connecting::{is_dialable, is_relayed};
use super::info::{ConnectionKind, Known};
use super::{Done, Service};
use crate::address::{NetGroup, PeerAddress};
use crate::address_book::{AddressBook, OUTBOUND, Sighting, Source, anchors};
use crate::chain::Chain;
use crate::gate::peer_bytes;
use crate::message::{ADDRESSES_MAX, Request};
use crate::peer_text::{socket_of, tcp_address};

const BOOK_FILE: &str = "peers.dat";
const ANCHORS_FILE: &str = "anchors.dat";
/// Milliseconds between two dials, and between two feelers.
const DIAL_MS: u64 = 500;
const FEELER_MS: u64 = 120_000;
/// Peers behind NATs that are reached through relays.
const RELAYED_MAX: usize = 2;
/// How often Kademlia is asked who is there.
const LOOK_MS: u64 = 30_000;
/// How often the book is written, and an answer made anew that tells of it.
const SAVE_MS: u64 = 600_000;
const SAMPLE_MS: u64 = 86_400_000;

/// The book, and when what was done with it last.
#[derive(Debug)]
pub(super) struct Chosen {
    book: AddressBook,
    rng: fastrand::Rng,
    /// Whom to dial before anybody else.
    anchors: Vec<PeerAddress>,
    dialled_ms: u64,
    felt_ms: u64,
    looked_ms: u64,
    saved_ms: u64,
    /// Dialled only to see whether somebody is there.
    feelers: BTreeSet<PeerAddress>,
    /// What those who ask are told, and since when.
    sample: Option<(u64, Vec<(PeerAddress, u64)>)>,
}

/// An address as the book has it; those through a third peer, and those of no IP, it has not.
fn bookable(address: &Multiaddr) -> Option<PeerAddress> {
    // One of a link means nothing to anybody else.
    let is_link_local = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let socket = socket_of(address).filter(|socket| !is_relayed(address) && !is_link_local(socket.ip()))?;
    PeerAddress::new(socket.ip(), socket.port()).ok()
}

fn multiaddr(address: &PeerAddress) -> Multiaddr {
    tcp_address(address.ip(), address.port())
}

impl Chosen {
    /// The book of a folder; `accept_local`: addresses on our own networks are kept, too.
    pub(super) fn load(dir: &Path, secret: [u8; 32], seed: u64, accept_local: bool, now_s: u64) -> Self {
        let (book, unusable) = AddressBook::load(&dir.join(BOOK_FILE), secret, accept_local, now_s);
        let anchors = anchors::take(&dir.join(ANCHORS_FILE));
        for unusable in unusable.iter().chain(anchors.as_ref().err()) {
            tracing::warn!(%unusable, "addresses of peers");
        }
        Self {
            book,
            rng: fastrand::Rng::with_seed(seed),
            anchors: anchors.unwrap_or_default(),
            dialled_ms: 0,
            felt_ms: 0,
            looked_ms: 0,
            saved_ms: 0,
            feelers: BTreeSet::new(),
            sample: None,
        }
    }
}

impl<C: Chain> Service<C> {
    /// Whether no peer is known from any source.
    pub(super) fn knows_nobody(&self) -> bool {
        self.fixed.is_empty() && self.chosen.book.counts().new + self.chosen.book.counts().tried == 0
    }

    /// Dials who is to be chosen next.
    pub(super) fn choose(&mut self, now_ms: u64) {
        let now_s = self.chain.now_s();
        if self.chosen.saved_ms + SAVE_MS <= now_ms {
            self.chosen.saved_ms = now_ms;
            self.chosen.book.resolve_collisions(now_s);
            self.save_book();
        }
        if !self.discovery || self.chosen.dialled_ms + DIAL_MS > now_ms {
            return;
        }
        self.look_around(now_ms);
        self.chosen.dialled_ms = now_ms;
        let outbound = self.peers.values().filter(|known| known.kind != ConnectionKind::Inbound);
        let groups: BTreeSet<NetGroup> =
            outbound.filter_map(|known| bookable(&known.address)).map(|it| it.group()).collect();
        let is_chosen = |known: &&Known| known.kind == ConnectionKind::Outbound && !is_relayed(&known.address);
        if self.peers.values().filter(is_chosen).count() < OUTBOUND {
            let anchor = self.chosen.anchors.pop();
            let Chosen { book, rng, .. } = &mut self.chosen;
            let next = anchor.or_else(|| Some(book.select_outbound(&groups, now_s, rng)?.address));
            if let Some(address) = next.filter(|address| !self.is_connected_to(address)) {
                self.chosen.book.attempt(&address, now_s);
                self.dial(multiaddr(&address));
            }
        } else if self.chosen.felt_ms + FEELER_MS <= now_ms {
            self.chosen.felt_ms = now_ms;
            let Chosen { book, rng, .. } = &mut self.chosen;
            let next = book.select_feeler(now_s, rng).map(|candidate| candidate.address);
            if let Some(address) = next.filter(|address| !self.is_connected_to(address)) {
                self.chosen.book.attempt(&address, now_s);
                self.chosen.feelers.insert(address);
                self.dial(multiaddr(&address));
            }
        }
    }

    fn is_connected_to(&self, address: &PeerAddress) -> bool {
        self.peers.values().any(|known| bookable(&known.address).as_ref() == Some(address))
    }

    /// A peer that this node dialled has said who it is: its address is good, and it is asked for others.
    pub(super) fn reached(&mut self, peer: PeerId, address: &Multiaddr, kind: ConnectionKind) {
        let now_s = self.chain.now_s();
        let Some(address) = bookable(address) else { return };
        if kind == ConnectionKind::Manual {
            let sighting = Sighting { address, source: Source::Operator, seen_s: now_s };
            let _ = self.chosen.book.add(&sighting, now_s, &mut self.chosen.rng);
        }
        self.chosen.book.good(&address, peer_bytes(&peer).as_ref(), now_s);
        if self.chosen.feelers.remove(&address) {
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        }
        self.ask_peer(peer, Request::Addresses, Question::Addresses(peer));
    }

    /// A dial came to nothing.
    pub(super) fn not_reached(&mut self, address: &Multiaddr) {
        if let Some(address) = bookable(address) {
            self.chosen.book.failed(&address, self.chain.now_s());
            self.chosen.feelers.remove(&address);
        }
    }

    pub(super) fn left(&mut self, address: &Multiaddr) {
        if let Some(address) = bookable(address) {
            self.chosen.book.disconnected(&address, self.chain.now_s());
        }
    }

    /// A peer tells addresses: so many of its own group at most are kept, whatever it tells.
    pub(super) fn addresses_told(&mut self, peer: PeerId, addresses: Vec<(PeerAddress, u64)>) {
        let Some(teller) = self.peers.get(&peer).and_then(|known| bookable(&known.address)) else { return };
        for (address, seen_s) in addresses.into_iter().take(ADDRESSES_MAX) {
            self.sighted(address, Source::Gossip(teller.group()), seen_s);
        }
    }

    /// A peer says where it listens: believed where that is at its own address.
    pub(super) fn listens_at(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let Some(ip) = self.peers.get(&peer).and_then(|known| bookable(&known.address)).map(|it| it.ip()) else {
            return;
        };
        let now_s = self.chain.now_s();
        for address in addresses.iter().filter_map(bookable).filter(|address| address.ip() == ip).take(4) {
            self.sighted(address, Source::Gossip(address.group()), now_s);
        }
    }

    /// Kademlia has heard of a peer: its addresses go into the book; one that is behind a NAT is reached through its relay.
    pub(super) fn heard_of(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let now_s = self.chain.now_s();
        let direct: Vec<PeerAddress> = addresses.iter().filter(|it| is_dialable(it)).filter_map(bookable).collect();
        for address in &direct {
            self.sighted(*address, Source::Gossip(address.group()), now_s);
        }
        let relayed: Vec<Multiaddr> = addresses.into_iter().filter(is_relayed).take(4).collect();
        // They fill none of the eight places: whoever tells many must not choose our peers.
        let through_relays = self.peers.values().filter(|known| is_relayed(&known.address)).count();
        let is_wanted =
            through_relays < RELAYED_MAX && peer != *self.swarm.local_peer_id() && !self.peers.contains_key(&peer);
        if is_wanted && !relayed.is_empty() {
            self.dial_peer(peer, relayed);
        }
    }

    /// Asks Kademlia who is there, by a place chosen at random.
    pub(super) fn look_around(&mut self, now_ms: u64) {
        if self.peers.is_empty() || self.chosen.looked_ms + LOOK_MS > now_ms {
            return;
        }
        self.chosen.looked_ms = now_ms;
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            kad.get_closest_peers(PeerId::random());
        }
    }

    fn sighted(&mut self, address: PeerAddress, source: Source, seen_s: u64) {
        if self.listening.borrow().iter().any(|own| bookable(own) == Some(address)) {
            return;
        }
        let sighting = Sighting { address, source, seen_s };
        let _ = self.chosen.book.add(&sighting, self.chain.now_s(), &mut self.chosen.rng);
    }

    /// What those who ask for addresses are told: the same for a day, so that asking often tells no more.
    pub(super) fn sample(&mut self) -> Vec<(PeerAddress, u64)> {
        let (now_ms, now_s) = (self.now_ms(), self.chain.now_s());
        let Chosen { book, rng, sample, .. } = &mut self.chosen;
        // A small book changes too much in a day to be told once.
        let is_old = |(since_ms, told): &(u64, Vec<_>)| since_ms + SAMPLE_MS <= now_ms || told.len() < ADDRESSES_MAX;
        if sample.as_ref().is_none_or(is_old) {
            *sample = Some((now_ms, book.sample(ADDRESSES_MAX, now_s, rng)));
        }
        sample.as_ref().map(|(_, told)| told.clone()).unwrap_or_default()
    }

    fn save_book(&self) {
        let (book, path) = (self.chosen.book.clone(), self.dir.join(BOOK_FILE));
        tokio::task::spawn_blocking(move || {
            if let Err(error) = book.save(&path) {
                tracing::warn!(%error, "addresses of peers are not kept over a restart");
            }
        });
    }

    /// At a clean stop: the book, and whom to dial first next time.
    pub(super) fn close_book(&self) {
        let outbound: Vec<(PeerAddress, u64)> = self
            .peers
            .values()
            .filter(|known| known.kind == ConnectionKind::Outbound && known.hello.is_some())
            .filter_map(|known| Some((bookable(&known.address)?, known.since_ms)))
            .collect();
        let anchors = anchors::save(&self.dir.join(ANCHORS_FILE), &anchors::choose(&outbound));
        for error in self.chosen.book.save(&self.dir.join(BOOK_FILE)).err().into_iter().chain(anchors.err()) {
            tracing::warn!(%error, "addresses of peers are not kept over a restart");
        }
    }

    /// Names of the network's first peers are looked up where the book is empty.
    pub(super) fn bootstrap(&self) {
        let port = self.params.deployment.p2p_port;
        for (number, text) in self.params.deployment.bootstrap.iter().cloned().enumerate() {
            self.beside(async move {
                let addresses = super::addresses_of(&text, port).await.unwrap_or_default();
                Done::Seeds(u8::try_from(number).unwrap_or(u8::MAX), addresses)
            });
        }
    }

    pub(super) fn seeded(&mut self, number: u8, addresses: &[Multiaddr]) {
        let now_s = self.chain.now_s();
        for address in addresses.iter().filter_map(bookable) {
            self.sighted(address, Source::Seed(number), now_s);
        }
    }
}

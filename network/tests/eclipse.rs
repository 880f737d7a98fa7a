//! An attacker with many addresses in few groups against a node that restarts: how often do all of the node's outbound
//! peers belong to the attacker?
//!
//! The victim knows 300 honest addresses in 200 groups, of which at any time four in ten are offline. The attacker holds
//! 1,000 addresses in 5 groups, always reachable. It connects from them, tells the victim of all of them before every
//! restart, and of addresses that do not exist, in as many groups as it likes, to fill every slot it can reach. Even the
//! honest peers gossip its addresses, in proportion to their number. A restart comes as a crash, so there are no anchors,
//! unless the case says so.
//!
//! What is counted: restarts after which no outbound peer is honest. Inbound peers do not help the victim here.
//!
//! `SEED=… cargo test -p dotp2p-network --test eclipse -- --nocapture` replays a run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests")]
#![allow(clippy::print_stdout, reason = "the figures")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use dotp2p_network::address::PeerAddress;
use dotp2p_network::address_book::{AddressBook, OUTBOUND, Sighting, Source, anchors};
use fastrand::Rng;

const HONEST: u16 = 300;
const HONEST_GROUPS: u16 = 200;
const ONLINE_PERCENT: u8 = 60;
const ATTACKER: u16 = 1_000;
const ATTACKER_GROUPS: u16 = 5;
/// Victims, each with its own secret, and how often each restarts.
const WORLDS: usize = 10;
const RESTARTS: usize = 100;
/// Addresses that do not exist, told by the attacker before the victim hears of anybody else, and before each restart.
const PHANTOMS_FIRST: usize = 20_000;
const PHANTOMS: usize = 500;
const DIALS_MAX: usize = 500;
const FEELERS: usize = 30;

/// What is different from the attack as described above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// The victim knows the honest peers and was connected to some before the attacker comes.
    Settled,
    /// The attacker fills the book before anybody else is known.
    FloodedFirst,
    /// The same, and every restart is a clean stop: anchors.
    Anchors,
    /// Flooded first, and the victim does not look at groups when it chooses whom to dial.
    WithoutGroupRule,
}

#[derive(Debug, Default)]
struct Figures {
    restarts: usize,
    eclipsed: usize,
    attackers_connected: usize,
    connected: usize,
    most_attackers: usize,
    dials: usize,
}

struct World<'a> {
    case: Case,
    rng: Rng,
    book: AddressBook,
    honest: Vec<PeerAddress>,
    attacker: Vec<PeerAddress>,
    online: BTreeSet<PeerAddress>,
    now_s: u64,
    anchors: Vec<PeerAddress>,
    folder: &'a Path,
}

fn address(group: u16, number: u16) -> PeerAddress {
    let ([a, b], [c, d]) = (group.to_be_bytes(), number.to_be_bytes());
    PeerAddress::new(IpAddr::V4(Ipv4Addr::new(20 + a, b, c, d)), 9353).unwrap()
}

impl<'a> World<'a> {
    fn new(case: Case, mut rng: Rng, folder: &'a Path) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let honest: Vec<_> = (0..HONEST).map(|number| address(number % HONEST_GROUPS, number)).collect();
        let attacker: Vec<_> = (0..ATTACKER).map(|number| address(1_000 + number % ATTACKER_GROUPS, number)).collect();
        let book = AddressBook::new(secret, false);
        let online = BTreeSet::new();
        Self { case, rng, book, honest, attacker, online, now_s: 1_700_000_000, anchors: Vec::new(), folder }
    }

    fn run(mut self, figures: &mut Figures) {
        if self.case == Case::Settled {
            self.meet_honest();
        }
        self.flood(PHANTOMS_FIRST);
        self.meet_honest();
        for restart in 0..RESTARTS {
            self.flood(PHANTOMS);
            self.restart(restart);
            let outbound = self.connect(figures);
            let attackers = outbound.keys().filter(|address| self.is_attacker(address)).count();
            figures.restarts += 1;
            figures.eclipsed += usize::from(attackers == outbound.len());
            figures.attackers_connected += attackers;
            figures.connected += outbound.len();
            figures.most_attackers = figures.most_attackers.max(attackers);
            self.live(outbound);
        }
    }

    fn is_attacker(&self, address: &PeerAddress) -> bool {
        self.attacker.contains(address)
    }

    fn tell(&mut self, address: PeerAddress, source: Source) {
        let _ = self.book.add(&Sighting { address, source, seen_s: self.now_s }, self.now_s, &mut self.rng);
    }

    /// Two seeds tell of the honest peers; some are met.
    fn meet_honest(&mut self) {
        for number in 0..self.honest.len() {
            self.tell(self.honest[number], Source::Seed((number % 2) as u8));
        }
        self.come_and_go();
        for _ in 0..4 {
            let outbound = self.connect(&mut Figures::default());
            self.live(outbound);
        }
    }

    /// The attacker tells of all its addresses and of phantoms, from a random one of its groups each.
    fn flood(&mut self, phantoms: usize) {
        for number in 0..self.attacker.len() + phantoms {
            let told = match self.attacker.get(number) {
                Some(own) => *own,
                None => address(2_000 + self.rng.u16(..40_000), self.rng.u16(..)),
            };
            let teller = self.attacker[self.rng.usize(..self.attacker.len())];
            self.tell(told, Source::Gossip(teller.group()));
        }
    }

    fn come_and_go(&mut self) {
        self.online = self.honest.iter().filter(|_| self.rng.u8(..100) < ONLINE_PERCENT).copied().collect();
    }

    /// Some restarts go through the real files.
    fn restart(&mut self, number: usize) {
        self.come_and_go();
        if self.case != Case::Anchors {
            self.anchors.clear();
        }
        if number.is_multiple_of(10) {
            let (peers, anchor_file) = (self.folder.join("peers.dat"), self.folder.join("anchors.dat"));
            self.book.save(&peers).unwrap();
            anchors::save(&anchor_file, &self.anchors).unwrap();
            let (book, unusable) = AddressBook::load(&peers, [0; 32], false, self.now_s);
            assert!(unusable.is_none());
            self.book = book;
            self.anchors = anchors::take(&anchor_file).unwrap();
        }
    }

    /// Dials until there are eight outbound peers, or too much was dialled.
    fn connect(&mut self, figures: &mut Figures) -> BTreeMap<PeerAddress, u64> {
        let mut outbound = BTreeMap::new();
        let mut first = std::mem::take(&mut self.anchors);
        for _ in 0..DIALS_MAX {
            let groups = match self.case {
                Case::WithoutGroupRule => BTreeSet::new(),
                _ => outbound.keys().map(PeerAddress::group).collect(),
            };
            let chosen = first.pop().or_else(|| {
                self.book.select_outbound(&groups, self.now_s, &mut self.rng).map(|candidate| candidate.address)
            });
            self.now_s += 1;
            let Some(address) = chosen.filter(|address| !outbound.contains_key(address)) else { continue };
            figures.dials += 1;
            if self.dial(address) {
                outbound.insert(address, self.now_s);
            }
            if outbound.len() == OUTBOUND {
                break;
            }
        }
        outbound
    }

    fn dial(&mut self, address: PeerAddress) -> bool {
        self.book.attempt(&address, self.now_s);
        let answers = self.is_attacker(&address) || self.online.contains(&address);
        if answers {
            self.book.good(&address, None, self.now_s);
        } else {
            self.book.failed(&address, self.now_s);
        }
        answers
    }

    /// An hour: gossip of the peers, feelers.
    fn live(&mut self, outbound: BTreeMap<PeerAddress, u64>) {
        for peer in outbound.keys().copied().collect::<Vec<_>>() {
            if self.is_attacker(&peer) {
                continue;
            }
            // An honest book has everybody in it; it tells a fiftieth, which is more than a node asks for in an hour.
            for _ in 0..(HONEST + ATTACKER) / 50 {
                let all = self.honest.iter().chain(&self.attacker);
                let told = *self.rng.choice(all.collect::<Vec<_>>()).unwrap();
                self.tell(told, Source::Gossip(peer.group()));
            }
        }
        for _ in 0..FEELERS {
            self.now_s += 120;
            if let Some(feeler) = self.book.select_feeler(self.now_s, &mut self.rng) {
                self.dial(feeler.address);
            }
            self.now_s += 61;
            self.book.resolve_collisions(self.now_s);
        }
        for peer in outbound.keys() {
            self.book.disconnected(peer, self.now_s);
        }
        self.anchors = anchors::choose(&outbound.into_iter().collect::<Vec<_>>());
    }
}

fn simulate(case: Case, seed: u64) -> Figures {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Rng::with_seed(seed);
    let mut figures = Figures::default();
    for _ in 0..WORLDS {
        World::new(case, rng.fork(), folder.path()).run(&mut figures);
    }
    println!("{case:?}: {figures:?}");
    figures
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of as f64
}

#[test]
fn a_thousand_addresses_in_five_groups_eclipse_nobody() {
    let seed = std::env::var("SEED").map_or(7, |seed| seed.parse().expect("SEED is a number"));
    println!("seed {seed}");
    let cases = [Case::Settled, Case::FloodedFirst, Case::Anchors];
    let held: Vec<_> = cases.iter().map(|case| (*case, simulate(*case, seed))).collect();
    let without = simulate(Case::WithoutGroupRule, seed);
    let (mut told, mut restarts) = (Vec::new(), 0);
    for (case, figures) in &held {
        restarts += figures.restarts;
        let (eclipsed, attackers) =
            (percent(figures.eclipsed, figures.restarts), percent(figures.attackers_connected, figures.connected));
        told.push(format!("{case:?} {eclipsed:.1} % eclipsed, {attackers:.0} % of peers the attacker's"));
    }
    println!(
        "assurance: {ATTACKER} addresses in {ATTACKER_GROUPS} groups against {HONEST} in {HONEST_GROUPS}, {restarts} \
         restarts: {}; without one peer a group {:.1} % eclipsed; seed {seed}",
        told.join("; "),
        percent(without.eclipsed, without.restarts),
    );
    for (case, figures) in &held {
        assert_eq!(figures.restarts, WORLDS * RESTARTS);
        assert!(figures.eclipsed * 100 < figures.restarts, "{case:?}: {figures:?}");
        assert!(figures.most_attackers <= usize::from(ATTACKER_GROUPS), "{case:?}: two peers of one group");
    }
    assert!(
        without.eclipsed > held.iter().map(|(_, figures)| figures.eclipsed).sum(),
        "the attack is none: {without:?}"
    );
}

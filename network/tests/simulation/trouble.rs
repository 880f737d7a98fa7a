//! What goes wrong between nodes and with them: connections end, links are cut, nodes crash; and comes right again.

use dotp2p_network::relay::{self, Relay};
use dotp2p_network::sync::{self, Sync};

use crate::world::{Event, NODES, World, pair};

impl World {
    pub fn open(&mut self, a: usize, b: usize) {
        let is_able = |at: usize, other: usize| self.nodes[at].is_up && !self.nodes[at].banned.contains(&other);
        let both = is_able(a, b) && is_able(b, a);
        let link = self.links.get_mut(&pair(a, b)).unwrap();
        if link.is_open || !both {
            return;
        }
        if link.is_cut {
            let again_ms = self.rng.u64(1_000..5_000);
            self.push(again_ms, Event::Open(a, b));
            return;
        }
        link.is_open = true;
        link.life += 1;
        self.note(|| format!("{a} and {b} connect"));
        self.greet(a, b);
        self.greet(b, a);
    }

    pub fn close(&mut self, a: usize, b: usize) {
        let link = self.links.get_mut(&pair(a, b)).unwrap();
        if !std::mem::take(&mut link.is_open) {
            return;
        }
        self.note(|| format!("{a} and {b} part"));
        self.gone(a, b);
        self.gone(b, a);
        let again_ms = self.rng.u64(2_000..6_000);
        self.push(again_ms, Event::Open(a, b));
    }

    pub fn gone(&mut self, node: usize, peer: usize) {
        self.nodes[node].peers.remove(&peer);
        if self.is_liar(node) || !self.nodes[node].is_up {
            return;
        }
        // As libp2p tells it: first the connection, then the questions that went with it.
        self.sync_event(node, sync::Event::Gone(peer));
        self.relay_event(node, relay::Event::Gone(peer));
        let open = self.nodes[node].asked.iter().filter(|(_, asked)| asked.peer() == peer);
        for id in open.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.unanswered(node, id, false);
        }
    }

    pub fn trouble(&mut self) {
        if self.rng.bool() {
            self.figures.partitions += 1;
            let (side, is_noticed) = (self.rng.u64(..), self.rng.bool());
            let across = |a: &usize, b: &usize| (side >> a & 1) != (side >> b & 1);
            let cut: Vec<_> = self.links.keys().filter(|(a, b)| across(a, b)).copied().collect();
            self.note(|| format!("{} links are cut, noticed: {is_noticed}", cut.len()));
            for (a, b) in cut {
                self.links.get_mut(&(a, b)).unwrap().is_cut = true;
                if is_noticed {
                    self.close(a, b);
                }
            }
            let heal_ms = self.rng.u64(5_000..40_000);
            self.push(heal_ms, Event::Heal);
        } else {
            let node = self.rng.usize(0..NODES);
            self.crash(node);
        }
        let next_ms = self.rng.u64(5_000..40_000);
        self.push(next_ms, Event::Trouble);
    }

    pub fn heal(&mut self) {
        self.note(|| "links heal".to_owned());
        self.links.values_mut().for_each(|link| link.is_cut = false);
    }

    pub fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_up {
            return;
        }
        self.figures.crashes += 1;
        self.note(|| format!("{node} crashes"));
        self.nodes[node].is_up = false;
        self.nodes[node].life += 1;
        self.nodes[node].forget();
        self.neighbours(node).into_iter().for_each(|peer| self.close(node, peer));
        let restart_ms = self.rng.u64(1_000..20_000);
        self.push(restart_ms, Event::Restart(node));
    }

    pub fn restart(&mut self, node: usize) {
        if self.nodes[node].is_up {
            return;
        }
        self.note(|| format!("{node} restarts"));
        let (config, params) = (self.config, self.params.clone());
        let it = &mut self.nodes[node];
        it.is_up = true;
        it.sync = Sync::new(config, params, it.chain.headers_work());
        it.relay = Relay::default();
        let life = it.life;
        self.push(0, Event::Tick(node, life));
        let links: Vec<_> = self.links.keys().filter(|(a, b)| *a == node || *b == node).copied().collect();
        for (a, b) in links {
            let open_ms = self.rng.u64(0..3_000);
            self.push(open_ms, Event::Open(a, b));
        }
    }
}

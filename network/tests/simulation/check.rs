//! What must hold: while anything happens, and in the end.

use dotp2p_chain::hash::BlockHash;
use dotp2p_chain::header_tree::Status;

use crate::asking::Question;
use crate::node::Node;
use crate::world::{Event, NODES, SETTLED_MS, Stage, World};

impl World {
    /// Whether all honest nodes are of one mind; then the last block is mined, and they must be again.
    pub fn look(&mut self) {
        self.push(500, Event::Look);
        let honest = || self.nodes.iter().filter(|node| node.kind.is_none());
        let best = honest().map(|node| node.chain.work()).max().unwrap();
        // Of two branches of the same work a node follows the one whose head came first, and may have to wait for the next
        // block where nobody near has its bodies.
        let is_there = |node: &Node| node.chain.work() == best || node.chain.headers_work() >= best;
        match self.stage {
            Stage::Settling(since_ms) if honest().all(is_there) => {
                self.figures.settled_ms = self.now_ms - since_ms;
                let furthest = (0..NODES).filter(|at| !self.is_liar(*at) && self.nodes[*at].chain.work() == best);
                let furthest: Vec<usize> = furthest.collect();
                let miner = self.rng.choice(furthest).unwrap();
                let hash = self.mine(miner).unwrap();
                self.stage = Stage::Last(self.now_ms, hash);
            }
            Stage::Last(since_ms, hash) if honest().all(|node| node.chain.tree.active_tip().hash == hash) => {
                self.figures.last_ms = self.now_ms - since_ms;
                self.end(hash);
                self.stage = Stage::Over;
            }
            // A block that a liar withheld has as much work as the last one: that is for the next to decide.
            Stage::Last(since_ms, _) if honest().all(|node| node.chain.work() == best) => {
                let miner = (0..NODES).find(|at| !self.is_liar(*at)).unwrap();
                let hash = self.mine(miner).unwrap();
                self.stage = Stage::Last(since_ms, hash);
            }
            Stage::Settling(since_ms) | Stage::Last(since_ms, _) if self.now_ms > since_ms + SETTLED_MS => {
                let tips: Vec<_> = self.nodes.iter().map(|node| node.chain.tree.active_tip().height.0).collect();
                self.fail(|| format!("not of one mind after {SETTLED_MS} ms; tips {tips:?}"));
            }
            _ => {}
        }
    }

    fn end(&mut self, last: BlockHash) {
        let is_bad = |hash: &BlockHash| self.blocks.get(hash).is_some_and(|made| !made.is_valid());
        let mut wrong = None;
        let mined = self.blocks.keys().filter(|hash| !self.base.contains(hash));
        let mined: Vec<&BlockHash> = mined.collect();
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.kind.is_none()) {
            let tree = &node.chain.tree;
            for it in mined.iter().filter_map(|hash| tree.get(hash)) {
                // No branch of mined blocks is longer.
                let is_good = !tree.ancestors(&it.hash).take(200).any(|it| is_bad(&it.hash));
                match it.status {
                    Status::Rejected if is_good => wrong = Some(format!("{at} condemned the good block {}", it.hash)),
                    Status::Connected { .. } if it.work > tree.active_tip().work => {
                        wrong = Some(format!("{at} leaves aside a heavier valid tip"));
                    }
                    _ => {}
                }
            }
            if tree.ancestors(&last).take(200).any(|it| is_bad(&it.hash)) {
                wrong = Some(format!("{at} follows an invalid block"));
            }
        }
        if let Some(why) = wrong {
            self.fail(|| why);
        }
    }

    pub fn question_limits(&mut self, node: usize, peer: usize) {
        let asked = || self.nodes[node].asked.values().filter(|asked| asked.peer() == peer);
        let blocks = asked().filter(|asked| matches!(asked, Question::Blocks(..))).count();
        let heads = asked().filter(|asked| matches!(asked, Question::Heads(_))).count();
        if blocks > self.config.questions || heads > 1 {
            self.fail(|| format!("{node} has {blocks} questions for bodies and {heads} for heads at {peer}"));
        }
    }
}

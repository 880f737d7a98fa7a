//! The tree against a model that recomputes everything, over random orders of headers, bodies and rejections.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Header(usize),
    Body(usize),
    Reject(usize),
}

/// Blocks that exist, known to the node or not; block 0 is genesis, parents come before children.
struct Model {
    headers: Vec<Header>,
    parents: Vec<usize>,
    states: Vec<Option<State>>,
    arrivals: u64,
    sequences: u64,
}

#[derive(Clone, Copy)]
struct State {
    arrival: u64,
    has_body: bool,
    is_rejected: bool,
    sequence: Option<u64>,
}

impl Model {
    fn new(shape: &[(usize, bool)]) -> Self {
        let (mut headers, mut parents) = (vec![genesis()], vec![0]);
        for (nonce, (parent, is_hard)) in (1..).zip(shape) {
            let parent = parent % headers.len();
            headers.push(header(headers[parent].hash(), if *is_hard { HARD } else { EASY }, nonce));
            parents.push(parent);
        }
        let mut states = vec![None; headers.len()];
        states[0] = Some(State { arrival: 0, has_body: true, is_rejected: false, sequence: Some(0) });
        Self { headers, parents, states, arrivals: 1, sequences: 1 }
    }

    fn hash(&self, at: usize) -> BlockHash {
        self.headers[at].hash()
    }

    /// From the block down to genesis.
    fn way(&self, at: usize) -> Vec<usize> {
        let mut way = vec![at];
        while let Some(last) = way.last().copied().filter(|last| *last != 0) {
            way.push(self.parents[last]);
        }
        way
    }

    fn work(&self, at: usize) -> u32 {
        self.way(at).iter().map(|at| if self.headers[*at].bits == HARD { 4 } else { 2 }).sum()
    }

    fn status(&self, at: usize) -> Option<Status> {
        self.states[at].map(|state| match state {
            State { is_rejected: true, .. } => Status::Rejected,
            State { sequence: Some(sequence), .. } => Status::Connected { sequence },
            State { has_body: true, .. } => Status::Body,
            _ => Status::Header,
        })
    }

    /// The states of blocks that are known and not rejected.
    fn alive(&self) -> impl Iterator<Item = (usize, State)> {
        let states = self.states.iter().enumerate();
        states.filter_map(|(at, state)| Some((at, (*state)?))).filter(|(_, state)| !state.is_rejected)
    }

    fn insert(&mut self, at: usize) -> Result<InsertOutcome, HeaderTreeError> {
        let parent_hash = self.headers[at].prev_blockhash;
        match (self.states[at], self.states[self.parents[at]]) {
            (Some(State { is_rejected: true, .. }), _) => Err(HeaderTreeError::Rejected(self.hash(at))),
            (Some(_), _) => Ok(InsertOutcome::Known),
            (None, None) => Err(HeaderTreeError::UnknownParent(parent_hash)),
            (None, Some(State { is_rejected: true, .. })) => Err(HeaderTreeError::RejectedParent(parent_hash)),
            (None, Some(_)) => {
                let state = State { arrival: self.arrivals, has_body: false, is_rejected: false, sequence: None };
                self.states[at] = Some(state);
                self.arrivals += 1;
                Ok(InsertOutcome::Inserted)
            }
        }
    }

    fn body(&mut self, at: usize) -> Result<Vec<BlockHash>, HeaderTreeError> {
        let hash = self.hash(at);
        let state = self.states[at].as_mut().ok_or(HeaderTreeError::Unknown(hash))?;
        if state.is_rejected {
            return Err(HeaderTreeError::Rejected(hash));
        }
        state.has_body = true;
        let mut connected = Vec::new();
        loop {
            let is_connected = |at: usize| self.states[at].is_some_and(|state| state.sequence.is_some());
            let ready = self
                .alive()
                .filter(|(at, state)| state.has_body && state.sequence.is_none() && is_connected(self.parents[*at]));
            let Some((next, _)) = ready.min_by_key(|(_, state)| state.arrival) else { return Ok(connected) };
            self.states[next].as_mut().unwrap().sequence = Some(self.sequences);
            self.sequences += 1;
            connected.push(self.hash(next));
        }
    }

    fn reject(&mut self, at: usize) -> Vec<BlockHash> {
        if at == 0 || self.states[at].is_none() {
            return Vec::new();
        }
        let fallen: Vec<_> = self.alive().map(|(of, _)| of).filter(|of| self.way(*of).contains(&at)).collect();
        fallen.iter().for_each(|of| self.states[*of].as_mut().unwrap().is_rejected = true);
        fallen.into_iter().map(|of| self.hash(of)).collect()
    }

    fn best(&self) -> usize {
        let connected = self.alive().filter_map(|(at, state)| Some((Reverse(self.work(at)), state.sequence?, at)));
        connected.min().unwrap().2
    }

    fn tips(&self) -> Vec<BlockHash> {
        let is_end = |at: usize| !self.alive().any(|(child, _)| child != 0 && self.parents[child] == at);
        let ends = self.alive().filter(|(at, _)| is_end(*at));
        let mut ends: Vec<_> = ends.map(|(at, state)| (Reverse(self.work(at)), state.arrival, at)).collect();
        ends.sort_unstable();
        ends.into_iter().map(|(_, _, at)| self.hash(at)).collect()
    }

    fn reorg(&self, from: usize, to: usize) -> Reorg {
        let (old, mut new) = (self.way(from), self.way(to));
        let fork = *old.iter().find(|at| new.contains(at)).unwrap();
        let fork_height = u32::try_from(self.way(fork).len() - 1).unwrap();
        let disconnect = old.iter().take_while(|at| **at != fork).map(|at| self.hash(*at)).collect();
        new.truncate(new.iter().position(|at| *at == fork).unwrap());
        let connect = new.iter().rev().map(|at| self.hash(*at)).collect();
        Reorg { fork: Height(fork_height), disconnect, connect }
    }

    fn missing(&self, to: usize) -> Vec<BlockHash> {
        let way = self.way(to).into_iter().rev();
        way.filter(|at| self.status(*at) == Some(Status::Header)).map(|at| self.hash(at)).collect()
    }
}

fn steps(blocks: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..blocks).prop_map(Step::Header),
        8 => (0..blocks).prop_map(Step::Body),
        1 => (0..blocks).prop_map(Step::Reject),
    ];
    prop::collection::vec(step, 0..6 * blocks)
}

/// Parents near the end of the list as often as anywhere, so that branches grow long; and their difficulties.
fn shape(blocks: usize) -> impl Strategy<Value = Vec<(usize, bool)>> {
    let parent = (0..usize::MAX, any::<bool>());
    prop::collection::vec((parent, any::<bool>()), blocks).prop_map(|all| {
        let near = |at: usize, any: usize| at - any % at.clamp(1, 2);
        let parents = all.into_iter().enumerate();
        parents.map(|(at, ((any, is_near), is_hard))| (if is_near { near(at, any) } else { any }, is_hard)).collect()
    })
}

proptest! {
    #[test]
    fn tree_is_the_model(shape in shape(20), steps in steps(21)) {
        let mut model = Model::new(&shape);
        let mut tree = HeaderTree::new(&genesis());
        let mut active = 0;
        for step in steps {
            match step {
                Step::Header(at) => prop_assert_eq!(tree.insert(&model.headers[at]), model.insert(at)),
                Step::Body(at) => prop_assert_eq!(tree.body_arrived(&model.hash(at)), model.body(at)),
                Step::Reject(at) => {
                    let (mut found, mut expected) = (tree.reject(&model.hash(at)), model.reject(at));
                    found.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected);
                }
            }
            let best = model.best();
            prop_assert_eq!(tree.best(), model.hash(best));
            prop_assert_eq!(tree.reorg(&model.hash(active), &tree.best()), Some(model.reorg(active, best)));
            tree.set_active_tip(&model.hash(best)).unwrap();
            active = best;
            let tips: Vec<_> = tree.tips().map(|node| node.hash).collect();
            prop_assert_eq!(tree.best_header(), tips[0]);
            prop_assert_eq!(&tips, &model.tips());
            for at in 0..model.headers.len() {
                let node = tree.get(&model.hash(at));
                prop_assert_eq!(node.map(|node| node.status), model.status(at));
                let Some(node) = node else { continue };
                prop_assert_eq!(node.header, model.headers[at]);
                let way: Vec<_> = model.way(at).into_iter().map(|at| model.hash(at)).collect();
                prop_assert_eq!(node.height.0 as usize, way.len() - 1);
                prop_assert_eq!(tree.is_active(&node.hash), model.way(active).contains(&at));
                prop_assert_eq!(tree.missing_bodies(&node.hash, u32::MAX), model.missing(at));
                for (height, ancestor) in (0..).zip(way.iter().rev()) {
                    prop_assert_eq!(tree.ancestor(&node.hash, Height(height)), Some(*ancestor));
                }
                prop_assert_eq!(tree.ancestors(&node.hash).map(|node| node.hash).collect::<Vec<_>>(), way);
            }
        }

        // What was stored rebuilds the same tree.
        let mut stored: Vec<_> = model.headers.iter().filter_map(|header| tree.get(&header.hash())).collect();
        stored.sort_by_key(|node| node.height);
        let mut rebuilt = HeaderTree::new(&genesis());
        for node in &stored {
            rebuilt.restore(&node.header, node.status).unwrap();
        }
        rebuilt.set_active_tip(&tree.active_tip().hash).unwrap();
        prop_assert_eq!(rebuilt.best(), tree.best());
        prop_assert_eq!(rebuilt.tips().count(), tree.tips().count());
        for node in stored {
            prop_assert_eq!(rebuilt.get(&node.hash), Some(node));
        }
    }
}

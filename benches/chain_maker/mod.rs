//! Chains for the benchmarks: names made, then updated, in blocks that any node of `bench.toml` accepts.
//!
//! - [`ChainMaker`]: connects each block itself, so that its roots are right; keeps the encoded blocks.
//! - [`Owners`]: who owns which name, and with what key.
//! - [`file`]: chains kept between runs.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub mod file;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dotp2p::config::network_file;
use dotp2p::miner;
use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow, tx_root};
use dotp2p_chain::hash::StateRoot;
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::height::Height;
use dotp2p_chain::history::{History, Node};
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Claim, Commit, Op, Pay, Update};
use dotp2p_chain::params::Params;
use dotp2p_chain::records::{Owner, RecordSet, Records};
use dotp2p_chain::tx::{Body, MAX_OPS, Transaction};
use dotp2p_registry::ledger::apply_block;
use dotp2p_registry::state::State;
use k256::schnorr::SigningKey;
use rayon::prelude::*;

/// Names a block, while they are made: what fits as Commits and payments, or as Claims.
const PER_BLOCK: usize = 3_400;
/// The fee of every transaction.
const FEE: Amount = Amount::from_atoms(1_000);
/// What an owner is given: enough for many fees.
const GIFT: Amount = Amount::from_atoms(1_000_000);

/// The network of `bench.toml`.
pub fn network() -> Arc<Params> {
    Arc::new(network_file::read(Path::new(NETWORK_FILE)).unwrap())
}

/// Where `bench.toml` is.
pub const NETWORK_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/bench.toml");

/// Who owns the names: `names` of them, each key `per_key`.
pub struct Owners {
    /// How many names.
    pub names: u32,
    /// Names of one key, in a row.
    pub per_key: u32,
    first: u32,
    keys: Vec<SigningKey>,
    nonces: Vec<u64>,
    records: fn(u32, &Name, &Params) -> Vec<u8>,
}

impl Owners {
    /// Owners of the names from number `first` on.
    pub fn new(first: u32, names: u32, per_key: u32) -> Self {
        let keys: Vec<SigningKey> = (0..names.div_ceil(per_key)).into_par_iter().map(|at| key(first + at)).collect();
        let nonces = vec![0; keys.len()];
        Self { names, per_key, first, keys, nonces, records: small_zone }
    }

    /// The same with other records.
    pub fn with(self, records: fn(u32, &Name, &Params) -> Vec<u8>) -> Self {
        Self { records, ..self }
    }

    /// One Update of every name, in a transaction a key; each `serial` gives other records.
    pub fn updates(&mut self, serial: u32, params: &Params) -> Vec<Transaction> {
        self.updates_by(&(0..self.keys.len()).collect::<Vec<_>>(), serial, params)
    }

    /// The same by some keys only, each given once by its place.
    pub fn updates_by(&mut self, places: &[usize], serial: u32, params: &Params) -> Vec<Transaction> {
        let update = |place: &usize| {
            let at = u32::try_from(*place).unwrap();
            let numbers = at * self.per_key..((at + 1) * self.per_key).min(self.names);
            let updates = numbers.map(|number| {
                let number = self.first + number;
                let name = name(number);
                let records = (self.records)(number.wrapping_add(serial.wrapping_mul(0x0100_0001)), &name, params);
                Op::Update(Update { name: (&name).into(), records })
            });
            sign(&self.keys[*place], self.nonces[*place], updates.collect(), params)
        };
        let transactions = places.par_iter().map(update).collect();
        places.iter().for_each(|place| self.nonces[*place] += 1);
        transactions
    }

    fn owner_of(&self, at: u32) -> PublicKey {
        public(&self.keys[usize::try_from(at / self.per_key).unwrap()])
    }
}

/// A chain under construction: only what the next block needs.
pub struct ChainMaker {
    /// The network.
    pub params: Arc<Params>,
    /// The state at the tip.
    pub state: State,
    /// The encoded blocks since they were last taken.
    pub blocks: Vec<Vec<u8>>,
    history: History,
    head: BlockHead,
    sponsor: SigningKey,
    nonce: u64,
}

impl ChainMaker {
    /// A chain whose first blocks pay a sponsor enough for everything.
    pub fn new(params: Arc<Params>) -> Self {
        let mut history = History::default();
        history.push(Node::leaf(&params.genesis.head.header).unwrap());
        let head = params.genesis.head;
        let (state, sponsor) = (State::genesis(), key(u32::MAX));
        let mut maker = Self { params, state, blocks: Vec::new(), history, head, sponsor, nonce: 0 };
        for _ in 0..=maker.params.rules.maturity + 10 {
            maker.block(Vec::new());
        }
        maker
    }

    /// Adds a block of these transactions.
    pub fn block(&mut self, transactions: Vec<Transaction>) {
        let coinbase = Coinbase { to: public(&self.sponsor), extra: Vec::new() };
        let height = self.head.roots.height.next();
        let connected = apply_block(&self.state, height, &coinbase, &transactions, &self.params).unwrap();
        self.state.apply(&connected.changes);
        let roots = Roots {
            height,
            tx_root: tx_root(&coinbase, &transactions),
            state_root: self.state.root(),
            history_root: self.history.root(),
        };
        let header = Header {
            version: 1,
            prev_blockhash: self.head.hash(),
            commitment: roots.commitment(),
            time: self.head.header.time + 60,
            bits: self.params.rules.limit_bits,
            nonce: 0,
        };
        let block = Block { head: BlockHead { header, roots, pow: Pow::Native }, coinbase, transactions };
        let block = miner::mine(block, &AtomicBool::new(false), |_| ()).unwrap();
        self.head = block.head;
        self.history.push(Node::leaf(&block.head.header).unwrap());
        self.blocks.push(block.encode());
    }

    /// Adds blocks that are as full of these transactions as they get.
    pub fn full_blocks(&mut self, transactions: Vec<Transaction>) {
        let max = usize::try_from(self.params.rules.body_max).unwrap() - 64;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for transaction in transactions {
            if bytes + transaction.bytes().len() > max {
                self.block(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += transaction.bytes().len();
            batch.push(transaction);
        }
        self.block(batch);
    }

    /// Adds blocks after which `owners` have their names, and each key an account. A Claim follows in the block after its
    /// Commit, which has no Commits: that brings the price level back down.
    pub fn names(&mut self, owners: &Owners) {
        let params = self.params.clone();
        let claim =
            |at: u32| Claim { name: (&name(owners.first + at)).into(), owner: owners.owner_of(at), salt: [7; 16] };
        let claims: Vec<Claim> = (0..owners.names).into_par_iter().map(claim).collect();
        let gifts: Vec<Op> = owners.keys.par_iter().map(|key| Op::Pay(Pay { to: public(key), amount: GIFT })).collect();
        let mut gifts = gifts.chunks(PER_BLOCK);
        for claims in claims.chunks(PER_BLOCK) {
            let commit = |claim: &Claim| Op::Commit(Commit { hash: claim.commitment(&params.chain_id) });
            let mut ops: Vec<Op> = claims.par_iter().map(commit).collect();
            ops.extend_from_slice(gifts.next().unwrap_or_default());
            self.sponsored(ops);
            self.sponsored(claims.iter().cloned().map(Op::Claim).collect());
        }
    }

    fn sponsored(&mut self, ops: Vec<Op>) {
        let batches: Vec<(u64, &[Op])> = (self.nonce..).zip(ops.chunks(MAX_OPS)).collect();
        let signed = batches.par_iter().map(|(nonce, ops)| sign(&self.sponsor, *nonce, ops.to_vec(), &self.params));
        let transactions: Vec<Transaction> = signed.collect();
        self.nonce += u64::try_from(transactions.len()).unwrap();
        self.block(transactions);
    }

    /// The tip's height and state root, which whoever imports the blocks must come to.
    pub fn tip(&self) -> (Height, StateRoot) {
        (self.head.roots.height, self.state.root())
    }
}

fn key(number: u32) -> SigningKey {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_slice(&secret).unwrap()
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes().into())
}

fn sign(key: &SigningKey, nonce: u64, ops: Vec<Op>, params: &Params) -> Transaction {
    let body = Body { payer: public(key), nonce, fee: FEE, expiry: None, signers: Vec::new(), ops };
    let sighash = body.sighash(&params.chain_id);
    let signature = key.sign_raw(&sighash.0, &[0; 32]).unwrap();
    Transaction::new(body, vec![Signature(signature.to_bytes())]).unwrap()
}

/// The name of that number.
pub fn name(number: u32) -> Name {
    format!("name-{number}").parse().unwrap()
}

/// An ordinary small zone: an address at the apex and at `www`.
pub fn small_zone(number: u32, name: &Name, params: &Params) -> Vec<u8> {
    let a = at_apex(1, number.to_be_bytes().to_vec());
    encoded(vec![a.clone(), at_www(a)], name, params)
}

/// One with mail: both addresses at the apex and at `www`, MX and TXT. [`zone_lines`] are the same.
pub fn zone_with_mail(number: u32, name: &Name, params: &Params) -> Vec<u8> {
    let (a, aaaa) = (at_apex(1, number.to_be_bytes().to_vec()), at_apex(28, ipv6(number).octets().to_vec()));
    let wire = |label: &str| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat();
    let tld = std::str::from_utf8(&params.rules.tld).unwrap();
    let mx = at_apex(15, [vec![0, 10], wire("www"), wire(name.as_str()), wire(tld), vec![0]].concat());
    let txt = at_apex(16, wire(SPF));
    encoded(vec![a.clone(), mx, txt, aaaa.clone(), at_www(a), at_www(aaaa)], name, params)
}

/// [`zone_with_mail`] as lines of a zone file, below its origin.
pub fn zone_lines(number: u32) -> String {
    let (name, ip, ip6) = (name(number), Ipv4Addr::from(number), ipv6(number));
    format!(
        "{name} A {ip}\n{name} AAAA {ip6}\n{name} MX 10 www.{name}\n{name} TXT \"{SPF}\"\nwww.{name} A {ip}\nwww.{name} AAAA {ip6}\n"
    )
}

/// Where mail from the name may come from.
const SPF: &str = "v=spf1 mx -all";

fn ipv6(number: u32) -> Ipv6Addr {
    Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(number))
}

fn at_apex(rtype: u16, rdata: Vec<u8>) -> RecordSet {
    RecordSet { owner: Owner::APEX, rtype, ttl: 3_600, rdatas: vec![rdata] }
}

fn at_www(set: RecordSet) -> RecordSet {
    RecordSet { owner: Owner::new([b"www".as_slice()]), ..set }
}

fn encoded(sets: Vec<RecordSet>, name: &Name, params: &Params) -> Vec<u8> {
    Records::new(sets, params.rules.record_limits(name.as_bytes().len())).unwrap().encode()
}

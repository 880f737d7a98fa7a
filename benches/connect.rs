//! Connecting blocks of updates, from encoded blocks to a durable store: `cargo bench`.
//!
//! A chain is made on which each of NAMES keys (100,000, or the variable `NAMES`) has an account and a name. Then each
//! sends one Update in a transaction of its own. Those blocks are imported by a node that has seen none of the
//! signatures: decoded, checked on all cores, connected, their state root compared, written durably. Beside it, in the
//! same run, the same signatures alone on the same cores.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a benchmark, not a service")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use dotp2p::config::network_file;
use dotp2p::import::Importer;
use dotp2p::miner;
use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow, tx_root};
use dotp2p_chain::check::signatures_good;
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::history::{History, Node};
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::name::Name;
use dotp2p_chain::op::{Claim, Commit, Op, Pay, Update};
use dotp2p_chain::params::Params;
use dotp2p_chain::records::{Owner, RecordSet, Records};
use dotp2p_chain::tx::{Body, Transaction};
use dotp2p_registry::ledger::apply_block;
use dotp2p_registry::mempool::Limits;
use dotp2p_registry::state::State;
use dotp2p_registry::store::Store;
use k256::schnorr::SigningKey;
use rayon::prelude::*;

/// Commits, claims and payments a block while the names are made.
const PER_BLOCK: usize = 64;

/// A chain under construction: only what the next block needs.
struct Maker {
    params: Arc<Params>,
    state: State,
    history: History,
    head: BlockHead,
    blocks: Vec<Vec<u8>>,
}

impl Maker {
    fn new(params: Arc<Params>) -> Self {
        let mut history = History::default();
        history.push(Node::leaf(&params.genesis.head.header).unwrap());
        let head = params.genesis.head;
        Self { params, state: State::genesis(), history, head, blocks: Vec::new() }
    }

    fn block(&mut self, to: PublicKey, transactions: Vec<Transaction>) {
        let coinbase = Coinbase { to, extra: Vec::new() };
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
    let fee = Amount::from_atoms(1_000);
    let body = Body { payer: public(key), nonce, fee, expiry: None, signers: Vec::new(), ops };
    let sighash = body.sighash(&params.chain_id);
    let signature = key.sign_raw(&sighash.0, &[0; 32]).unwrap();
    Transaction::new(body, vec![Signature(signature.to_bytes())]).unwrap()
}

fn name(number: u32) -> Name {
    format!("name-{number}").parse().unwrap()
}

fn records(number: u32, name: &Name, params: &Params) -> Vec<u8> {
    let a = RecordSet { owner: Owner::APEX, rtype: 1, ttl: 3_600, rdatas: vec![number.to_be_bytes().to_vec()] };
    let www = RecordSet { owner: Owner::new([b"www".as_slice()]), ..a.clone() };
    Records::new(vec![a, www], params.rules.record_limits(name.as_bytes().len())).unwrap().encode()
}

/// Blocks on which every key has an account and a name.
fn make_names(maker: &mut Maker, keys: &[PublicKey]) {
    let params = maker.params.clone();
    let sponsor = key(u32::MAX);
    let to = public(&sponsor);
    let mut nonce = 0;
    for _ in 0..=params.rules.maturity {
        maker.block(to, Vec::new());
    }
    let claims: Vec<Claim> = (0u32..)
        .zip(keys)
        .map(|(number, owner)| Claim { name: (&name(number)).into(), owner: *owner, salt: [7; 16] })
        .collect();
    let batches: Vec<&[Claim]> = claims.chunks(PER_BLOCK).collect();
    let wait = usize::try_from(params.rules.age_min).unwrap();
    for at in 0..batches.len() + wait {
        let mut transactions = Vec::new();
        let mut send = |ops: Vec<Op>| {
            transactions.push(sign(&sponsor, nonce, ops, &params));
            nonce += 1;
        };
        if let Some(batch) = batches.get(at) {
            send(batch.iter().map(|claim| Op::Commit(Commit { hash: claim.commitment(&params.chain_id) })).collect());
            let amount = Amount::from_atoms(1_000_000);
            send(batch.iter().map(|claim| Op::Pay(Pay { to: claim.owner, amount })).collect());
        }
        if let Some(batch) = at.checked_sub(wait).and_then(|at| batches.get(at)) {
            send(batch.iter().cloned().map(Op::Claim).collect());
        }
        maker.block(to, transactions);
    }
}

fn import(dir: &Path, params: &Arc<Params>, blocks: Vec<Vec<u8>>) -> (Importer, dotp2p::import::Spent, f64) {
    let (store, loaded) = Store::open(dir, params, false).unwrap();
    let (mut importer, _) = Importer::open(store, loaded, params.clone(), Limits::default(), |_| ()).unwrap();
    let began = Instant::now();
    let count = blocks.len() as u64;
    let spent = importer.import_all(blocks.into_iter().map(|block| (block, None)), |_| ()).unwrap();
    assert_eq!((spent.blocks, spent.refused), (count, 0));
    (importer, spent, began.elapsed().as_secs_f64())
}

/// Prints how long an open takes and how much more memory the process has after it.
fn open(dir: &Path, params: &Arc<Params>) {
    let (began, before) = (Instant::now(), resident_bytes());
    let (store, loaded) = Store::open(dir, params, false).unwrap();
    let (importer, _) = Importer::open(store, loaded, params.clone(), Limits::default(), |_| ()).unwrap();
    println!("{:.2} {:.0}", began.elapsed().as_secs_f64(), resident_bytes() - before);
    drop(importer);
}

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4_096.0
}

fn main() {
    let names: u32 = std::env::var("NAMES").ok().map_or(100_000, |text| text.parse().expect("NAMES is a number"));
    let params = network_file::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/bench.toml"))).unwrap();
    let params = Arc::new(params);
    if let Some(dir) = std::env::var_os("OPEN") {
        return open(Path::new(&dir), &params);
    }
    let signers: Vec<SigningKey> = (0..names).into_par_iter().map(key).collect();
    let keys: Vec<PublicKey> = signers.iter().map(public).collect();
    let mut maker = Maker::new(params.clone());
    make_names(&mut maker, &keys);
    let setup = std::mem::take(&mut maker.blocks);
    let updates: Vec<Transaction> = (0..names)
        .into_par_iter()
        .zip(&signers)
        .map(|(number, signer)| {
            let name = name(number);
            let update = Update { name: (&name).into(), records: records(number, &name, &params) };
            sign(signer, 0, vec![Op::Update(update)], &params)
        })
        .collect();
    let bytes = updates.iter().map(|tx| tx.bytes().len()).max().unwrap_or(1);
    let per_block = (usize::try_from(params.rules.body_max).unwrap() - 64) / bytes;
    for batch in updates.chunks(per_block) {
        maker.block(keys[0], batch.to_vec());
    }
    let blocks = std::mem::take(&mut maker.blocks);
    let (expected, tip) = (maker.state.root(), maker.head.roots.height);
    drop(maker);
    println!("{names} names in {} blocks; {names} updates of {bytes} bytes in {} blocks", setup.len(), blocks.len());

    let began = Instant::now();
    let good = updates.par_iter().filter(|tx| signatures_good(tx, &params.chain_id)).count();
    let alone = f64::from(names) / began.elapsed().as_secs_f64();
    assert_eq!(good, updates.len());
    println!("signatures alone, {} threads: {alone:>9.0}/s", rayon::current_num_threads());
    drop(updates);

    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (importer, spent, seconds) = import(dir.path(), &params, setup);
    let ops = f64::from(names) * 3.0;
    println!("names made: {seconds:.1} s, {:.0} ops/s (write {:.1} s)", ops / seconds, spent.write.as_secs_f64());
    let (db, files) = importer.disk_bytes().unwrap();
    let each = |bytes: f64| bytes / f64::from(names);
    println!("disk a name: {:.0} bytes of database, {:.0} of blocks and undo", each(db as f64), each(files as f64));
    drop(importer);

    // In a process of its own, so that nothing else is counted.
    let opened = std::process::Command::new(std::env::current_exe().unwrap()).env("OPEN", dir.path()).output().unwrap();
    assert!(opened.status.success());
    let text = String::from_utf8(opened.stdout).unwrap();
    let (seconds, held) = text.trim().split_once(' ').unwrap();
    println!("cold start: {seconds} s");
    let held = each(held.parse().unwrap());
    println!("memory a name: {held:.0} bytes (state tree with accounts and names, indexes, headers, sled's cache)");

    let (importer, spent, seconds) = import(dir.path(), &params, blocks);
    let reader = importer.reader();
    assert_eq!((reader.tip, reader.state.root()), (tip, expected), "the state root is the maker's");
    let rate = f64::from(names) / seconds;
    println!("updates connected: {rate:.0}/s, {:.0} % of signatures alone (goal 60 %)", 100.0 * rate / alone);
    let share = |part: std::time::Duration| 100.0 * part.as_secs_f64() / seconds;
    println!(
        "  share of {seconds:.2} s: check on all cores {:.0} %, connect {:.0} %, durable write {:.0} % (the first beside the others)",
        share(spent.check),
        share(spent.connect),
        share(spent.write),
    );
    let (db, files) = importer.disk_bytes().unwrap();
    println!(
        "disk a name after its update: {:.0} bytes of database, {:.0} of blocks and undo",
        each(db as f64),
        each(files as f64)
    );
}

//! Laws of the encoding, on values nobody wrote down: what is encoded decodes to itself, what decodes has no other
//! bytes, and bytes that are cut off or changed are refused or understood, never a panic.
//!
//! A failure prints the case, shrunk. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others, and for more.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fmt::Debug;

use dotp2p_chain::amount::Amount;
use dotp2p_chain::block::{Block, BlockHead, Coinbase, Pow};
use dotp2p_chain::hash::{BlockHash, CommitmentHash, HistoryRoot, RootsCommitment, StateRoot, TxRoot};
use dotp2p_chain::header::{Header, Roots};
use dotp2p_chain::height::Height;
use dotp2p_chain::key::{PublicKey, Signature};
use dotp2p_chain::op::{Buy, Claim, Commit, NameBytes, Offer, Op, Pay, Recover, Renew, SetKeys, Transfer, Update};
use dotp2p_chain::params::Rules;
use dotp2p_chain::pow::CompactTarget;
use dotp2p_chain::proof::{NameProof, PathEnd, TREE_PROOF_MAX, TreeProof, VALUE_MAX};
use dotp2p_chain::records::{Limits, Owner, RecordSet, Records, is_storable};
use dotp2p_chain::tx::{Body, Transaction};
use parity_scale_codec::{Decode, Encode};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};

fn key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey)
}

/// Amounts of every width that a compact integer has.
fn amount() -> impl Strategy<Value = Amount> {
    (any::<u64>(), 0..64u32).prop_map(|(atoms, shift)| Amount::from_atoms(atoms >> shift))
}

fn name() -> impl Strategy<Value = NameBytes> {
    let label = "[a-z0-9][a-z0-9-]{0,8}".prop_map(String::into_bytes);
    prop_oneof![label, vec(any::<u8>(), 0..=63)].prop_map(|bytes| NameBytes::new(&bytes).unwrap())
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (key(), amount()).prop_map(|(to, amount)| Op::Pay(Pay { to, amount })),
        any::<[u8; 32]>().prop_map(|hash| Op::Commit(Commit { hash: CommitmentHash(hash) })),
        (name(), key(), any::<[u8; 16]>()).prop_map(|(name, owner, salt)| Op::Claim(Claim { name, owner, salt })),
        (name(), vec(any::<u8>(), 0..600)).prop_map(|(name, records)| Op::Update(Update { name, records })),
        (name(), any::<u8>()).prop_map(|(name, years)| Op::Renew(Renew { name, years })),
        (name(), option::of(key()), option::of(key())).prop_map(|(name, manager, recovery)| Op::SetKeys(SetKeys {
            name,
            manager,
            recovery
        })),
        (name(), key()).prop_map(|(name, to)| Op::Transfer(Transfer { name, to })),
        (name(), amount(), option::of(key())).prop_map(|(name, price, buyer)| Op::Offer(Offer { name, price, buyer })),
        (name(), amount()).prop_map(|(name, price)| Op::Buy(Buy { name, price })),
        (name(), key()).prop_map(|(name, to)| Op::Recover(Recover { name, to })),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let expiry = option::of((1..=u32::MAX).prop_map(Height));
    let nonce = (any::<u64>(), 0..64u32).prop_map(|(nonce, shift)| nonce >> shift);
    (key(), nonce, amount(), expiry, btree_set(key(), 0..=16), vec(op(), 1..8)).prop_map(
        |(payer, nonce, fee, expiry, mut signers, ops)| {
            signers.remove(&payer);
            Body { payer, nonce, fee, expiry, signers: signers.into_iter().collect(), ops }
        },
    )
}

fn transaction() -> impl Strategy<Value = Transaction> {
    (body(), any::<[u8; 32]>()).prop_map(|(body, seed)| {
        let signature = |at: u8| {
            let mut bytes = [at; 64];
            bytes[..32].copy_from_slice(&seed);
            Signature(bytes)
        };
        let signatures = (0..=u8::try_from(body.signers.len()).unwrap()).map(signature).collect();
        Transaction::new(body, signatures).unwrap()
    })
}

fn head() -> impl Strategy<Value = BlockHead> {
    let hash = any::<[u8; 32]>;
    let header = (any::<u32>(), hash(), hash(), any::<u64>(), any::<u32>(), any::<u64>());
    let roots = (any::<u32>(), hash(), hash(), hash());
    (header, roots).prop_map(|((version, prev, commitment, time, bits, nonce), (height, tx, state, history))| {
        BlockHead {
            header: Header {
                version,
                prev_blockhash: BlockHash(prev),
                commitment: RootsCommitment(commitment),
                time,
                bits: CompactTarget::from_consensus(bits),
                nonce,
            },
            roots: Roots {
                height: Height(height),
                tx_root: TxRoot(tx),
                state_root: StateRoot(state),
                history_root: HistoryRoot(history),
            },
            pow: Pow::Native,
        }
    })
}

fn block() -> impl Strategy<Value = Block> {
    (head(), key(), vec(any::<u8>(), 0..=64), vec(transaction(), 0..4))
        .prop_map(|(head, to, extra, transactions)| Block { head, coinbase: Coinbase { to, extra }, transactions })
}

fn limits() -> Limits {
    Rules::regtest().record_limits(5)
}

/// RRsets as somebody would write them: in any order, records in any order, some of them twice.
fn sets() -> impl Strategy<Value = Vec<RecordSet>> {
    let octet = any::<u8>().prop_filter("capitals are folded", |octet| !octet.is_ascii_uppercase());
    let label = prop_oneof![Just(b"www".to_vec()), Just(b"a".to_vec()), vec(octet, 1..12)];
    let owner = vec(label, 0..4).prop_map(|labels| Owner::new(labels.iter().map(Vec::as_slice)));
    let rtype = prop_oneof![Just(1), Just(16), any::<u16>()].prop_filter("storable", |rtype| is_storable(*rtype));
    let rdatas = vec(vec(any::<u8>(), 0..24), 1..5);
    let set = (owner, rtype, 0..=i32::MAX.unsigned_abs(), rdatas).prop_map(|(owner, rtype, ttl, rdatas)| RecordSet {
        owner,
        rtype,
        ttl,
        rdatas,
    });
    vec(set, 0..8).prop_map(|mut sets: Vec<RecordSet>| {
        let mut seen = std::collections::HashSet::new();
        sets.retain(|set| seen.insert((set.owner.clone(), set.rtype)));
        sets
    })
}

fn tree_proof() -> impl Strategy<Value = TreeProof> {
    let hash = any::<[u8; 32]>().prop_filter("an empty sibling is none", |hash| *hash != [0; 32]);
    let siblings = prop_oneof![vec(option::of(hash.clone()), 0..20), vec(option::of(hash), 250..=256)];
    let end = prop_oneof![
        Just(PathEnd::Nothing),
        vec(any::<u8>(), 0..=VALUE_MAX).prop_map(PathEnd::Entry),
        any::<([u8; 32], [u8; 32])>().prop_map(|(key, value_hash)| PathEnd::Other { key, value_hash }),
    ];
    (siblings, end).prop_map(|(siblings, end)| TreeProof { siblings, end })
}

fn name_proof() -> impl Strategy<Value = NameProof> {
    (head(), tree_proof(), vec(any::<u8>(), 0..300)).prop_map(|(head, tree, records)| NameProof { head, tree, records })
}

/// Reads all of the bytes; what is left over is refused.
fn whole<'a, T, E: Debug>(mut bytes: &'a [u8], decode: impl Fn(&mut &'a [u8]) -> Result<T, E>) -> Option<T> {
    let value = decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(value)
}

/// The laws of one type: `decode` reads all the bytes it is given or nothing.
///
/// `change`: where a byte is changed and into what; `cut`: where the bytes are cut off.
fn laws<T: PartialEq + Debug>(
    value: &T,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Option<T>,
    (at, byte, cut): (Index, u8, Index),
) -> Result<(), TestCaseError> {
    let encoded = encode(value);
    let decoded = decode(&encoded);
    prop_assert_eq!(decoded.as_ref(), Some(value));
    let mut longer = encoded.clone();
    longer.push(byte);
    prop_assert_eq!(decode(&longer), None, "a byte left over");
    if encoded.is_empty() {
        return Ok(());
    }
    prop_assert_eq!(decode(&encoded[..cut.index(encoded.len())]), None, "cut off");
    let mut changed = encoded;
    let at = at.index(changed.len());
    changed[at] = byte;
    if let Some(other) = decode(&changed) {
        prop_assert_eq!(encode(&other), changed, "byte {} changed", at);
    }
    Ok(())
}

fn change() -> impl Strategy<Value = (Index, u8, Index)> {
    // Small bytes are tags, counts and Options.
    (any::<Index>(), prop_oneof![any::<u8>(), 0..12u8], any::<Index>())
}

fn decode_records(bytes: &[u8]) -> Option<Records> {
    Records::decode(bytes, limits()).ok()
}

fn decode_tree_proof(bytes: &[u8]) -> Option<TreeProof> {
    whole(bytes, TreeProof::decode)
}

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match config.rng_seed {
        RngSeed::Random => ProptestConfig { rng_seed: RngSeed::Fixed(20_261_123), ..config },
        RngSeed::Fixed(_) => config,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ops(op in op(), change in change()) {
        laws(&op, Encode::encode, |bytes| whole(bytes, Op::decode), change)?;
    }

    #[test]
    fn bodies(body in body(), change in change()) {
        let rules = Rules::regtest();
        laws(&body, Body::encode, |bytes| whole(bytes, |input| Body::decode(input, &rules)), change)?;
    }

    #[test]
    fn transactions(transaction in transaction(), change in change()) {
        let rules = Rules::regtest();
        laws(&transaction, |it| it.bytes().to_vec(), |bytes| Transaction::from_bytes(bytes, &rules).ok(), change)?;
        let mut stream = transaction.bytes().to_vec();
        stream.extend_from_slice(transaction.bytes());
        let mut input = stream.as_slice();
        prop_assert_eq!(&Transaction::decode(&mut input, &rules).unwrap(), &transaction, "it tells its own end");
        prop_assert_eq!(input, transaction.bytes());
    }

    #[test]
    fn headers(head in head(), change in change()) {
        prop_assert_eq!(head.header.encode().len(), Header::LEN);
        laws(&head.header, Encode::encode, |bytes| whole(bytes, Header::decode), change)?;
        let encode = |head: &BlockHead| {
            let mut out = Vec::new();
            head.encode_to(&mut out);
            out
        };
        laws(&head, encode, |bytes| whole(bytes, BlockHead::decode), change)?;
    }

    #[test]
    fn blocks(block in block(), change in change()) {
        let rules = Rules::regtest();
        laws(&block, Block::encode, |bytes| Block::decode(bytes, &rules).ok(), change)?;
        prop_assert_eq!(block.encode().len(), BlockHead::LEN + block.encode_body().len());
    }

    #[test]
    fn records(sets in sets(), rotate in any::<Index>(), change in change()) {
        let records = Records::new(sets.clone(), limits()).unwrap();
        laws(&records, Records::encode, decode_records, change)?;
        let mut other = sets;
        other.reverse();
        for set in &mut other {
            let mid = rotate.index(set.rdatas.len());
            set.rdatas.rotate_left(mid);
            set.rdatas.push(set.rdatas[0].clone());
        }
        prop_assert_eq!(Records::new(other, limits()).unwrap().encode(), records.encode(), "equal sets, equal bytes");
    }

    #[test]
    fn tree_proofs(proof in tree_proof(), change in change()) {
        prop_assert!(proof.encode().len() <= TREE_PROOF_MAX);
        laws(&proof, TreeProof::encode, decode_tree_proof, change)?;
    }

    #[test]
    fn name_proofs(proof in name_proof(), change in change()) {
        let rules = Rules::regtest();
        laws(&proof, NameProof::encode, |bytes| NameProof::decode(bytes, &rules).ok(), change)?;
    }

    #[test]
    fn rules(change in change()) {
        for rules in [Rules::public([3; 16]), Rules::regtest()] {
            laws(&rules, Encode::encode, |bytes| whole(bytes, Rules::decode), change)?;
        }
    }

    /// Bytes that nobody encoded: nearly all are refused, the others have no other form.
    #[test]
    fn arbitrary_bytes(mut bytes in vec(prop_oneof![any::<u8>(), 0..12u8], 0..400)) {
        let rules = Rules::regtest();
        if let Some(op) = whole(&bytes, Op::decode) {
            prop_assert_eq!(op.encode(), bytes.clone());
        }
        if let Ok(transaction) = Transaction::from_bytes(&bytes, &rules) {
            prop_assert_eq!(transaction.bytes(), bytes.as_slice());
        }
        if let Ok(block) = Block::decode(&bytes, &rules) {
            prop_assert_eq!(block.encode(), bytes.clone());
        }
        if let Ok(proof) = NameProof::decode(&bytes, &rules) {
            prop_assert_eq!(proof.encode(), bytes.clone());
        }
        if let Some(proof) = decode_tree_proof(&bytes) {
            prop_assert_eq!(proof.encode(), bytes.clone());
        }
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Some(records) = decode_records(&bytes) {
            prop_assert_eq!(records.encode(), bytes);
        }
    }
}

/// Every length that a valid transaction, block or proof can be cut off at.
#[test]
fn every_truncation_is_refused() {
    let rules = Rules::regtest();
    let mut runner = TestRunner::deterministic();
    let mut sample = || {
        let (block, proof) = (block().new_tree(&mut runner).unwrap(), name_proof().new_tree(&mut runner).unwrap());
        (block.current(), proof.current())
    };
    for _ in 0..20 {
        let (block, proof) = sample();
        let encoded = block.encode();
        assert!((0..encoded.len()).all(|len| Block::decode(&encoded[..len], &rules).is_err()));
        for transaction in &block.transactions {
            let bytes = transaction.bytes();
            assert!((0..bytes.len()).all(|len| Transaction::from_bytes(&bytes[..len], &rules).is_err()));
        }
        let encoded = proof.encode();
        assert!((0..encoded.len()).all(|len| NameProof::decode(&encoded[..len], &rules).is_err()));
    }
}

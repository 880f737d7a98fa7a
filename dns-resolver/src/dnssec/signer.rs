//! Signatures for answers, made when they are asked for and kept.
//!
//! A signature is found again by a hash of what it is of: the key, the owner as signed, the type, and every byte of the
//! RRset in canonical form. So one that is kept is never given for other data, and when a name changes nothing has to be
//! thrown away. What is kept is bounded in bytes; what is asked for often stays.
//!
//! Times: a signature begins an hour before it is made, for clocks that lag, and ends 11 to 14 days after; the days are drawn
//! from the hash, so that not all end at once. One with less than a week to go, or whose time has not come because the clock
//! went back, is not given but made again.

mod canonical;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use dotp2p_chain::records::{Owner, RecordSet};
use hickory_proto::dnssec::DigestType;
use hickory_proto::dnssec::crypto::Digest;
use hickory_proto::rr::Name as DnsName;
use moka::sync::Cache;

use super::key::{DnsKey, KeyError, ZoneKey};
use super::key_file::{KEY_FILE, KEYS_TTL, KeyFile, KeyFileError, Stamp};
use crate::answer::{Answer, Rr, Signing, wire};
use crate::rdata::rtype;
use canonical::{Canonical, labels};

/// How long before it is made a signature begins, in seconds.
const LAG_S: u64 = 3_600;
/// How long after it is made it ends at the latest, in seconds, and how much earlier it may.
const LIFE_S: u64 = 14 * 86_400;
const JITTER_S: u64 = 3 * 86_400;
/// With less to go it is made again, in seconds.
const RENEW_S: u64 = 7 * 86_400;

/// Bytes that an entry takes beside its signature: key, times, and what the cache itself needs.
const ENTRY_BYTES: usize = 200;

/// Bytes of signatures that are kept, unless something else is said.
pub const CACHE_BYTES: u64 = 32 << 20;

/// The clock: Unix seconds.
pub type Clock = dyn Fn() -> u64 + Send + Sync;

/// Signs the answers of one zone.
pub struct Signer {
    apex: DnsName,
    keys: RwLock<Arc<Keys>>,
    kept: Cache<[u8; 32], Arc<Signature>>,
    clock: Box<Clock>,
}

/// Keys, and what they put into the zone.
pub(crate) struct Keys {
    file: Arc<KeyFile>,
    /// DNSKEY, CDS and CDNSKEY.
    apex: Vec<RecordSet>,
    /// When fewer keys are published, in Unix seconds.
    until: Option<u64>,
}

struct Signature {
    rdata: Vec<u8>,
    begins: u64,
    ends: u64,
}

impl Signer {
    /// Signs with the keys of `file` as the zone `tld`.
    ///
    /// - `tld`: one label in lower case, without a dot.
    /// - `cache_bytes`: how much of signatures is kept.
    /// - `clock`: gives Unix seconds.
    #[must_use]
    pub fn new(tld: &str, file: KeyFile, cache_bytes: u64, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let apex = apex_of(tld);
        let kept = Cache::builder()
            .max_capacity(cache_bytes)
            .weigher(|_, kept: &Arc<Signature>| u32::try_from(ENTRY_BYTES + kept.rdata.len()).unwrap_or(u32::MAX))
            .build();
        let keys = RwLock::new(Arc::new(Keys::new(Arc::new(file), &apex, clock())));
        Self { apex, keys, kept, clock: Box::new(clock) }
    }

    /// Signs with other keys from now on.
    pub fn replace(&self, file: KeyFile) {
        self.put(Arc::new(file));
    }

    fn put(&self, file: Arc<KeyFile>) -> Arc<Keys> {
        let keys = Arc::new(Keys::new(file, &self.apex, (self.clock)()));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        keys
    }

    /// The keys of now. A query takes them once.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        if keys.until.is_some_and(|until| until <= (self.clock)()) { self.put(keys.file.clone()) } else { keys }
    }

    /// Puts a signature behind each RRset of the zone's own in `answer`.
    ///
    /// - `proofs`: whether the client wants them (DO); else only a question for signatures is answered.
    /// - Errors: the system gives no random numbers.
    pub(crate) fn sign(&self, keys: &Keys, answer: &mut Answer, proofs: bool) -> Result<(), KeyError> {
        let notes = std::mem::take(&mut answer.notes);
        if proofs || notes.only_signatures {
            let owner = |rr: &Rr| notes.expanded.iter().find(|(owner, _)| *owner == rr.owner).map(|(_, source)| source);
            answer.answer = self.section(keys, std::mem::take(&mut answer.answer), owner, |rr| match rr.rtype {
                rtype::NSEC if notes.only_signatures => Part::Signature,
                rtype::CNAME if notes.redirected.contains(&rr.owner) => Part::Records,
                _ if proofs => Part::Both,
                _ => Part::Records,
            })?;
        }
        if proofs {
            // The NS of a referral are the child's.
            let of_authority = |rr: &Rr| if rr.rtype == rtype::NS { Part::Records } else { Part::Both };
            answer.authority = self.section(keys, std::mem::take(&mut answer.authority), |_| None, of_authority)?;
            let of_additional = |rr: &Rr| if notes.own_hosts.contains(&rr.owner) { Part::Both } else { Part::Records };
            answer.additional = self.section(keys, std::mem::take(&mut answer.additional), |_| None, of_additional)?;
        }
        answer.notes = notes;
        Ok(())
    }

    /// A section with its signatures. `source`: the wildcard that an RRset is of, if it is of one.
    fn section<'a>(
        &self,
        keys: &Keys,
        rrs: Vec<Rr>,
        source: impl Fn(&Rr) -> Option<&'a DnsName>,
        part: impl Fn(&Rr) -> Part,
    ) -> Result<Vec<Rr>, KeyError> {
        let mut out = Vec::with_capacity(2 * rrs.len());
        for set in rrs.chunk_by(|a, b| a.rtype == b.rtype && a.owner == b.owner) {
            let Some(first) = set.first() else { continue };
            let part = part(first);
            if part != Part::Signature {
                out.extend_from_slice(set);
            }
            if part != Part::Records {
                let owner = source(first).unwrap_or(&first.owner);
                for rdata in self.signatures(keys, owner, set)? {
                    out.push(Rr { owner: first.owner.clone(), rtype: rtype::RRSIG, ttl: first.ttl, rdata });
                }
            }
        }
        Ok(out)
    }

    /// RDATA of the signatures of an RRset. `owner`: the name or wildcard that it stands at.
    fn signatures(&self, keys: &Keys, owner: &DnsName, set: &[Rr]) -> Result<Vec<Vec<u8>>, KeyError> {
        let Some(first) = set.first() else { return Ok(Vec::new()) };
        let canonical = Canonical::new(owner, first.rtype, first.ttl, set.iter().map(|rr| rr.rdata.as_slice()));
        keys.signing(first.rtype).map(|key| self.signature(key, owner, first, &canonical)).collect()
    }

    fn signature(&self, key: &ZoneKey, owner: &DnsName, rr: &Rr, set: &Canonical) -> Result<Vec<u8>, KeyError> {
        let now = (self.clock)();
        let id = id(key.public(), set)?;
        if let Some(kept) = self.kept.get(&id).filter(|kept| kept.begins <= now && now + RENEW_S <= kept.ends) {
            return Ok(kept.rdata.clone());
        }
        let drawn = id.first_chunk().map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)));
        let (begins, ends) = (now.saturating_sub(LAG_S), now + LIFE_S - drawn % JITTER_S);
        let mut rdata = Vec::with_capacity(96);
        rdata.extend(rr.rtype.to_be_bytes());
        rdata.extend([key.public().algorithm().number(), labels(owner)]);
        rdata.extend(rr.ttl.to_be_bytes());
        rdata.extend(serial(ends).to_be_bytes());
        rdata.extend(serial(begins).to_be_bytes());
        rdata.extend(key.public().tag().to_be_bytes());
        rdata.extend(wire(&self.apex));
        let signature = key.sign(&[rdata.as_slice(), set.bytes()].concat())?;
        rdata.extend(signature);
        self.kept.insert(id, Arc::new(Signature { rdata: rdata.clone(), begins, ends }));
        Ok(rdata)
    }
}

/// What is put out of an RRset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Records,
    Signature,
    Both,
}

impl Keys {
    fn new(file: Arc<KeyFile>, apex: &DnsName, now: u64) -> Self {
        let set = |rtype, mut rdatas: Vec<Vec<u8>>| {
            rdatas.sort_unstable();
            RecordSet { owner: Owner::APEX, rtype, ttl: KEYS_TTL, rdatas }
        };
        let published = file.published(now).map(|key| key.rdata().to_vec()).collect();
        // What the anchor should become (RFC 7344).
        let lasting = file.lasting();
        let sets = vec![
            set(rtype::DNSKEY, published),
            set(rtype::CDS, vec![lasting.ds_rdata(apex)]),
            set(rtype::CDNSKEY, vec![lasting.rdata().to_vec()]),
        ];
        let until = file.changes_at(now);
        Self { file, apex: sets, until }
    }

    /// What is added to the zone for one question.
    pub(crate) fn added(&self, proofs: bool) -> Signing<'_> {
        Signing { apex: &self.apex, proofs }
    }

    /// Who signs an RRset of a type: every anchor the keys, so that whichever a resolver trusts leads to them; the first key
    /// everything else, and with it one of each other algorithm, as a zone with keys of two has to (RFC 4035 2.2).
    fn signing(&self, rtype: u16) -> impl Iterator<Item = &ZoneKey> {
        let is_about_keys = matches!(rtype, rtype::DNSKEY | rtype::CDS | rtype::CDNSKEY);
        let first = self.file.signing().next().map(|key| key.public().algorithm());
        let others =
            move |at: usize, key: &ZoneKey| at == 0 || is_about_keys || Some(key.public().algorithm()) != first;
        self.file.signing().enumerate().filter(move |(at, key)| others(*at, key)).map(|(_, key)| key)
    }
}

/// What a signature is kept under.
fn id(key: &DnsKey, set: &Canonical) -> Result<[u8; 32], KeyError> {
    let digest = Digest::new(&[key.rdata(), set.bytes()].concat(), DigestType::SHA256);
    digest.ok().and_then(|digest| digest.as_ref().try_into().ok()).ok_or_else(|| KeyError::new("no SHA-256"))
}

/// Times in signatures are of 32 bits, compared around the circle (RFC 4034 3.1.5).
#[allow(clippy::cast_possible_truncation, reason = "the high bits are what is left out")]
const fn serial(seconds: u64) -> u32 {
    seconds as u32
}

/// The domain name of a top-level domain.
#[must_use]
pub fn apex_of(tld: &str) -> DnsName {
    // A label of at most 63 bytes: it always fits.
    DnsName::from_labels([tld.as_bytes()]).unwrap_or_default()
}

/// Follows the file of the keys, so that a roll reaches a node that runs.
pub struct KeyWatch {
    dir: PathBuf,
    seen: Option<Stamp>,
}

impl KeyWatch {
    /// Follows the file in the network's folder `dir`, from what it is now.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), seen: Stamp::of(&dir.join(KEY_FILE)) }
    }

    /// Gives `signer` the keys of the file, if it has changed since the last look. Whether it had.
    ///
    /// Errors: the file cannot be used. It is said once; the keys there were stay until it can.
    pub fn look(&mut self, signer: &Signer) -> Result<bool, KeyFileError> {
        let stamp = Stamp::of(&self.dir.join(KEY_FILE));
        if stamp == self.seen {
            return Ok(false);
        }
        // Before it is read: what changes meanwhile is seen at the next look.
        self.seen = stamp;
        signer.replace(KeyFile::load(&self.dir)?);
        Ok(true)
    }
}

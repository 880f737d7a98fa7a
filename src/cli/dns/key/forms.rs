//! Trust anchors in the words of each resolver.

use std::fmt::Write as _;

use dotp2p_chain::hash::to_hex;
use dotp2p_dns::dnssec::key::DnsKey;
use hickory_proto::rr::Name as DnsName;

/// A key as an anchor, its parts as text.
pub(super) struct Anchor {
    /// The zone, with a dot at the end.
    pub zone: String,
    pub tag: u16,
    pub algorithm: u8,
    /// The SHA-256 digest, in upper-case hexadecimal.
    pub digest: String,
    /// The key, in base64.
    pub key: String,
}

impl Anchor {
    pub fn new(key: &DnsKey, apex: &DnsName) -> Self {
        Self {
            zone: apex.to_string(),
            tag: key.tag(),
            algorithm: key.algorithm().number(),
            digest: to_hex(&key.digest(apex)).to_uppercase(),
            key: key.base64(),
        }
    }

    fn ds(&self) -> String {
        format!("{} {} 2 {}", self.tag, self.algorithm, self.digest)
    }
}

fn each(anchors: &[Anchor], line: impl Fn(&Anchor) -> String) -> String {
    anchors.iter().fold(String::new(), |mut out, anchor| {
        let _ = writeln!(out, "{}", line(anchor));
        out
    })
}

pub(super) fn unbound(anchors: &[Anchor]) -> String {
    each(anchors, |it| format!("trust-anchor: \"{} DS {}\"", it.zone, it.ds()))
}

/// Also what delv reads.
pub(super) fn bind(anchors: &[Anchor]) -> String {
    let lines = each(anchors, |it| {
        format!("    \"{}\" static-ds {} {} 2 \"{}\";", it.zone.trim_end_matches('.'), it.tag, it.algorithm, it.digest)
    });
    format!("trust-anchors {{\n{lines}}};\n")
}

pub(super) fn systemd_resolved(anchors: &[Anchor]) -> String {
    each(anchors, |it| format!("{} IN DS {}", it.zone, it.ds()))
}

pub(super) fn dnsmasq(anchors: &[Anchor]) -> String {
    each(anchors, |it| {
        format!("trust-anchor={},{},{},2,{}", it.zone.trim_end_matches('.'), it.tag, it.algorithm, it.digest)
    })
}

pub(super) fn knot(anchors: &[Anchor]) -> String {
    each(anchors, |it| format!("trust_anchors.add('{} DS {}')", it.zone, it.ds()))
}

pub(super) fn powerdns(anchors: &[Anchor]) -> String {
    each(anchors, |it| format!("addTA('{}', \"{}\")", it.zone.trim_end_matches('.'), it.ds()))
}

pub(super) fn zone(anchors: &[Anchor]) -> String {
    each(anchors, |it| {
        let (zone, algorithm) = (&it.zone, it.algorithm);
        format!("{zone} IN DS {}\n{zone} IN DNSKEY 257 3 {algorithm} {}", it.ds(), it.key)
    })
}

#[cfg(test)]
mod tests {
    use dotp2p_dns::dnssec::key::Algorithm;
    use dotp2p_dns::dnssec::signer::apex_of;

    use super::*;

    fn anchors() -> Vec<Anchor> {
        let key = |algorithm, byte, len| DnsKey::new(&vec![byte; len], algorithm).unwrap();
        let keys = [key(Algorithm::EcdsaP256, 1, 64), key(Algorithm::Ed25519, 2, 32)];
        keys.iter().map(|key| Anchor::new(key, &apex_of("p2p"))).collect()
    }

    #[test]
    fn each_resolver() {
        let all = anchors();
        let forms = [unbound, bind, systemd_resolved, dnsmasq, knot, powerdns, zone].map(|form| form(&all));
        insta::assert_snapshot!(forms.join("\n"));
    }
}

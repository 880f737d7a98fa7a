//! Limits, and who goes.

use super::*;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn inbound(limits: InboundLimits) -> Inbound {
    Inbound::new(limits, [7; 32])
}

#[test]
fn limits_of_customer_site_and_total() {
    let mut inbound = inbound(InboundLimits { total: 20, ..InboundLimits::default() });
    let mut keys = (0..).map(ConnectionKey);
    let mut admit = |inbound: &mut Inbound, address: &str| inbound.admit(keys.next().unwrap(), ip(address), 1);
    for _ in 0..4 {
        admit(&mut inbound, "8.8.8.8").unwrap();
        admit(&mut inbound, "2a00:1:2:3::1").unwrap();
    }
    let text = |refused: Result<(), Refused>| refused.unwrap_err().to_string();
    assert_eq!(text(admit(&mut inbound, "::ffff:8.8.8.8")), "8.8.8.8 has 4 connections already");
    assert_eq!(text(admit(&mut inbound, "2a00:1:2:3:ffff::")), "2a00:1:2:3::/64 has 4 connections already");
    for number in 20..32 {
        admit(&mut inbound, &format!("8.8.8.{number}")).unwrap();
    }
    assert_eq!(text(admit(&mut inbound, "8.8.8.99")), "8.8.8.0/24 has 16 connections already");
    assert_eq!(admit(&mut inbound, "9.9.9.9"), Err(Refused::Full(20)));
    assert!(inbound.closed(ConnectionKey(0)) && !inbound.closed(ConnectionKey(0)));
    inbound.admit(ConnectionKey(900), ip("8.8.8.8"), 1).unwrap();
    assert_eq!(inbound.admit(ConnectionKey(900), ip("9.9.9.9"), 1), Err(Refused::Twice(ConnectionKey(900))));
}

#[test]
fn loopback_is_exempt_unless_configured() {
    for (limit_loopback, expected) in [(false, 117), (true, 4)] {
        let mut inbound = inbound(InboundLimits { limit_loopback, ..InboundLimits::default() });
        let admitted = (0..200).filter(|key| inbound.admit(ConnectionKey(*key), ip("127.0.0.1"), 1).is_ok()).count();
        assert_eq!((admitted, inbound.len()), (expected, expected));
    }
}

/// 117 connections: of 100 honest peers in groups of their own, then of an attacker in one group, younger.
fn crowded() -> Inbound {
    let mut inbound = inbound(InboundLimits::default());
    for number in 0..100_u64 {
        inbound.admit(ConnectionKey(number), ip(&format!("{}.1.1.1", 20 + number)), 100 + number).unwrap();
    }
    for number in 100..117_u64 {
        inbound.admit(ConnectionKey(number), ip(&format!("8.8.{number}.1")), 1_000 + number).unwrap();
    }
    inbound
}

#[test]
fn the_youngest_of_the_most_crowded_group_goes() {
    let mut inbound = crowded();
    assert_eq!(inbound.candidate_to_evict(), Some(ConnectionKey(116)));
    inbound.keep(ConnectionKey(116));
    assert_eq!(inbound.candidate_to_evict(), Some(ConnectionKey(115)));
    inbound.pinged(ConnectionKey(115), 1);
    assert_eq!(inbound.candidate_to_evict(), Some(ConnectionKey(114)));
    inbound.brought_block(ConnectionKey(114), 2_000);
    assert_eq!(inbound.candidate_to_evict(), Some(ConnectionKey(113)));
    inbound.brought_tx(ConnectionKey(113), 2_000);
    assert_eq!(inbound.candidate_to_evict(), Some(ConnectionKey(112)));
}

#[test]
fn an_attacker_that_evicts_for_ever_displaces_only_itself() {
    let mut inbound = crowded();
    for key in 0..20 {
        inbound.brought_block(ConnectionKey(key), 500 + key);
        inbound.brought_tx(ConnectionKey(20 + key), 500 + key);
        inbound.pinged(ConnectionKey(40 + key), 10);
    }
    for number in 0..1_000_u64 {
        let out = inbound.candidate_to_evict().unwrap();
        assert!(out.0 >= 100, "an honest peer went");
        inbound.closed(out);
        // From two /16, a /24 each time.
        let address = format!("8.{}.{}.2", 8 + number % 2, number / 4 % 250);
        inbound.admit(ConnectionKey(1_000 + number), ip(&address), 2_000 + number).unwrap();
    }
}

#[test]
fn few_connections_are_all_protected() {
    let mut inbound = inbound(InboundLimits::default());
    for key in 0..24 {
        inbound.admit(ConnectionKey(key), ip(&format!("{}.1.1.1", 20 + key)), 1).unwrap();
        assert_eq!(inbound.candidate_to_evict(), None);
    }
}

proptest! {
    #[test]
    fn limits_hold_under_any_input(
        steps in prop::collection::vec((any::<[u8; 2]>(), any::<bool>(), 0_u64..60, 0_u8..5), 0..300),
        total in 0_usize..40,
    ) {
        let limits = InboundLimits { total, per_customer: 2, per_site: 3, limit_loopback: true };
        let mut inbound = inbound(limits);
        for (now_s, ([a, b], v6, key, deed)) in steps.into_iter().enumerate() {
            let address: IpAddr = match v6 {
                true => ip(&format!("2a00:{}:1:{}::{a}", a % 3, b % 3)),
                false => ip(&format!("8.{}.{}.1", a % 3, b % 3)),
            };
            let (key, now_s) = (ConnectionKey(key), now_s as u64);
            match deed {
                0 => { inbound.closed(key); }
                1 => inbound.pinged(key, b.into()),
                2 => inbound.brought_block(key, now_s),
                _ => { let _ = inbound.admit(key, address, now_s); }
            }
            prop_assert!(inbound.len() <= total);
            for connection in inbound.connections.values() {
                prop_assert!(inbound.count(Subnet::customer(connection.ip)) <= 2);
                prop_assert!(inbound.count(Subnet::site(connection.ip)) <= 3);
            }
            let out = inbound.candidate_to_evict();
            prop_assert!(out.is_none_or(|key| inbound.connections.contains_key(&key)));
        }
    }
}

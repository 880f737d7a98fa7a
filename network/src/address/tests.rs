//! Groups as Bitcoin Core has them, and the one form of everything.

use super::*;
use proptest::prelude::*;

fn group(ip: &str) -> String {
    NetGroup::of(ip.parse().unwrap()).to_string()
}

#[test]
fn groups() {
    for (ip, expected) in [
        ("8.9.10.11", "8.9.0.0/16"),
        ("::ffff:8.9.10.11", "8.9.0.0/16"),
        ("2002:809:a0b::1", "8.9.0.0/16"),
        ("2001:0:9999:9999:9999:9999:f7f6:f5f4", "8.9.0.0/16"),
        ("64:ff9b::809:a0b", "8.9.0.0/16"),
        ("::ffff:0:809:a0b", "8.9.0.0/16"),
        ("2a01:4f8:1::2", "2a01:04f8::/32"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.31.0.1", "private"),
        ("172.32.0.1", "172.32.0.0/16"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("100.128.0.1", "100.128.0.0/16"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fd00::1", "unique local"),
        ("2002:7f00:1::", "reserved"),
        ("0.1.2.3", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.51.100.1", "reserved"),
        ("203.0.113.9", "reserved"),
        ("198.19.0.1", "reserved"),
        ("224.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001:10::1", "reserved"),
        ("3fff:fff::1", "reserved"),
        ("ff02::1", "reserved"),
        ("4000::1", "reserved"),
        ("::", "reserved"),
    ] {
        assert_eq!(group(ip), expected, "{ip}");
        assert_eq!(is_routable(ip.parse().unwrap()), expected.contains('/'), "{ip}");
    }
}

#[test]
fn addresses_that_nobody_listens_on_are_none() {
    for text in ["1.2.3.4:0", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "255.255.255.255:1"] {
        assert!(matches!(text.parse::<PeerAddress>(), Err(AddressError::Nowhere(_))), "{text}");
    }
    for text in ["", "1.2.3.4", "host:1", "1.2.3.4:70000"] {
        assert_eq!(text.parse::<PeerAddress>(), Err(AddressError::Text(text.to_owned())));
    }
    let mapped: PeerAddress = "[::ffff:1.2.3.4]:5".parse().unwrap();
    assert_eq!(mapped, "1.2.3.4:5".parse().unwrap());
    let wire: Wire = Err(("::ffff:1.2.3.4".parse::<Ipv6Addr>().unwrap().octets(), 5));
    let wire = wire.encode();
    assert!(PeerAddress::decode(&mut wire.as_slice()).is_err(), "two encodings of one address");
}

#[test]
fn ids_are_bounded() {
    assert_eq!(PeerId::new(&[]), Err(AddressError::IdLength(0)));
    assert_eq!(PeerId::new(&[0; 65]), Err(AddressError::IdLength(65)));
    let id = PeerId::new(&[0xab; 64]).unwrap();
    assert_eq!(id.to_string().parse(), Ok(id.clone()));
    assert_eq!(PeerId::decode(&mut id.encode().as_slice()), Ok(id));
    assert_eq!("xy".parse::<PeerId>(), Err(AddressError::IdText("xy".to_owned())));
    for bytes in [vec![0_u8; 65].encode(), Vec::<u8>::new().encode(), Compact(u32::MAX).encode()] {
        assert!(PeerId::decode(&mut bytes.as_slice()).is_err());
    }
}

#[test]
fn subnets() {
    let net: Subnet = "8.9.10.11/12".parse().unwrap();
    assert_eq!(net.to_string(), "8.0.0.0/12");
    assert!(net.contains("8.15.0.1".parse().unwrap()) && !net.contains("8.16.0.1".parse().unwrap()));
    assert!(net.contains("::ffff:8.1.1.1".parse().unwrap()));
    assert_eq!("::ffff:8.9.10.11".parse::<Subnet>().unwrap().to_string(), "8.9.10.11");
    let all: Subnet = "::/0".parse().unwrap();
    assert!(all.contains("2a00::1".parse().unwrap()) && !all.contains("8.8.8.8".parse().unwrap()));
    for text in ["", "8.8.8.8/", "8.8.8.8/+8/", "8/8", "::ffff:8.8.8.8/96", "8.8.8.8/300"] {
        assert_eq!(text.parse::<Subnet>(), Err(AddressError::SubnetText(text.to_owned())));
    }
    assert!(matches!("8.8.8.8/33".parse::<Subnet>(), Err(AddressError::Prefix { bits: 33, max: 32, .. })));
    assert_eq!(Subnet::customer("2a00:1:2:3:4::5".parse().unwrap()).to_string(), "2a00:1:2:3::/64");
    assert_eq!(Subnet::site("2a00:1:2:3:4::5".parse().unwrap()).to_string(), "2a00:1:2::/48");
    assert_eq!(Subnet::site("8.9.10.11".parse().unwrap()).to_string(), "8.9.10.0/24");
}

proptest! {
    #[test]
    fn every_form_reads_back(ip in any::<IpAddr>(), port in any::<u16>(), bits in 0_u8..=128) {
        let group = NetGroup::of(ip);
        prop_assert_eq!(NetGroup::from_bytes(group.to_bytes()), Some(group));
        if let Ok(address) = PeerAddress::new(ip, port) {
            prop_assert_eq!(address.to_string().parse(), Ok(address));
            prop_assert_eq!(PeerAddress::decode(&mut address.encode().as_slice()), Ok(address));
        }
        if let Ok(net) = Subnet::new(ip, bits) {
            prop_assert!(net.contains(ip));
            prop_assert_eq!(net.to_string().parse(), Ok(net));
            prop_assert_eq!(Subnet::around(ip).find(|at| *at == net), Some(net));
        }
    }

    #[test]
    fn group_bytes_name_one_group(bytes in any::<[u8; 5]>()) {
        if let Some(group) = NetGroup::from_bytes(bytes) {
            prop_assert_eq!(group.to_bytes(), bytes);
        }
    }
}

//! Labels that are no names.

use dotp2p_chain::op::{Claim, NameBytes, Op};
use dotp2p_chain::params::Params;
use dotp2p_rpc::types::{NameInfo, RegistrationInfo};
use serde_json::json;

use crate::common::{SALT, TestNode};
use crate::{assert_refused, pool_refusal, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn typed() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let long = "a".repeat(64);
    let byte = |byte: &str, at: u8| {
        format!("byte {byte} is not allowed at offset {at} of a name: a-z, 0-9 and inner hyphens only (N1)")
    };
    let labels = "has more than one label: a name is one label below p2p, what is below it goes into its records";
    let cases = [
        ("", "name has 0 bytes, expected 1 to 63 (N1)".to_owned()),
        (".p2p", "name has 0 bytes, expected 1 to 63 (N1)".to_owned()),
        (&long, "name has 64 bytes, expected 1 to 63 (N1)".to_owned()),
        ("a_b", byte("0x5f", 1)),
        ("a b", byte("0x20", 1)),
        ("a\u{1}b", byte("0x01", 1)),
        ("-a", byte("0x2d", 0)),
        ("a-", byte("0x2d", 1)),
        ("ab--c", "name \"ab--c\" has hyphens in third and fourth place, allowed only after `xn` (N1)".to_owned()),
        ("localhost", "name \"localhost\" is reserved (N2)".to_owned()),
        ("ONION.p2p", "name \"onion\" is reserved (N2)".to_owned()),
        ("a.b", labels.to_owned()),
        ("xn--a", "begins with xn-- and is no A-label (RFC 5890): type the letters themselves".to_owned()),
        ("xn--bcher-kvb.p2p", "begins with xn-- and is no A-label (RFC 5890): type the letters themselves".to_owned()),
        ("a\u{ad}\u{200d}b", "holds what no internationalised label may hold (UTS 46)".to_owned()),
    ];
    for (typed, problem) in cases {
        // Where the problem does not begin a sentence of its own, a colon stands before it.
        let joint = if problem.starts_with("name ") || problem.starts_with("byte ") { ": " } else { " " };
        // Where JSON and Rust write the value differently, it stands there in both ways.
        let (shown, json) = (format!("{typed:?}"), json!(typed).to_string());
        let value = if shown == json { String::new() } else { format!(" {json}") };
        let text = format!("name{value}: {shown}{joint}{problem}");
        for method in ["name_show", "name_history", "name_price", "name_register", "name_renew", "name_proof"] {
            assert_eq!(refusal(&node, method, json!([typed])).await, (-8, text.clone()), "{method}");
        }
        let transfer = refusal(&node, "name_transfer", json!([typed, node.address(1)])).await;
        assert_eq!(transfer, (-8, text.clone()));
        assert_eq!(refusal(&node, "name_update", json!([typed, []])).await, (-8, text));
    }
    let under_way: Vec<RegistrationInfo> = node.call("name_registrations", json!([])).await;
    assert_eq!(under_way, []);
    node.stop().await;
}

/// A claim of any bytes at all.
fn claim(node: &TestNode, label: &[u8]) -> dotp2p_wallet::TxPlan {
    let claim = Claim { name: NameBytes::new(label).unwrap(), owner: node.key(1), salt: SALT };
    node.plan(0).op(Op::Claim(claim))
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_transaction() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    let cases: [(&[u8], &str); 9] = [
        (b"", "name has 0 bytes, expected 1 to 63 (N1) (N8a, N8b)"),
        (b"a_b", "byte 0x5f is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)"),
        (b"a.b", "byte 0x2e is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)"),
        (b"a b", "byte 0x20 is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)"),
        (b"a\x01", "byte 0x01 is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)"),
        (b"-a", "byte 0x2d is not allowed at offset 0 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)"),
        (b"a-", "byte 0x2d is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)"),
        (b"ab--c", "name \"ab--c\" has hyphens in third and fourth place, allowed only after `xn` (N1) (N8a, N8b)"),
        (b"localhost", "name \"localhost\" is reserved (N2) (N8a, N8b)"),
    ];
    for (label, text) in cases {
        assert_refused(&node, node.sign(claim(&node, label)), text).await;
    }
    // 64 bytes do not even decode: the length byte of a 63-byte name is made one more, and a byte put in.
    let mut bytes = node.sign(claim(&node, &[b'a'; 63])).bytes().to_vec();
    let at = bytes.windows(2).position(|pair| pair == [63 * 4, b'a']).unwrap();
    bytes.splice(at..=at, [1, 1, b'a']);
    let said = pool_refusal(&node, &bytes).await;
    assert!(
        said.starts_with("hexstring: not a transaction: ") && said.contains("name of more than 63 bytes"),
        "{said}"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folded_by_people_refused_by_consensus() {
    let node = TestNode::start(&Params::regtest()).await;
    node.mine_to(2).await;
    for (typed, name, unicode) in [
        ("ALICE", "alice", "alice"),
        ("Alice.P2P.", "alice", "alice"),
        ("Bücher", "xn--bcher-kva", "bücher"),
        ("xn--bcher-kva", "xn--bcher-kva", "bücher"),
    ] {
        let info: NameInfo = node.call("name_show", json!([typed])).await;
        assert_eq!((info.name.as_str(), info.unicode.as_str()), (name, unicode), "{typed}");
    }
    let text = "byte 0x41 is not allowed at offset 0 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)";
    assert_refused(&node, node.sign(claim(&node, b"Alice")), text).await;
    let text = "byte 0xc3 is not allowed at offset 1 of a name: a-z, 0-9 and inner hyphens only (N1) (N8a, N8b)";
    assert_refused(&node, node.sign(claim(&node, "bücher".as_bytes())), text).await;
    node.stop().await;
}

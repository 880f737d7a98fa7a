//! What bad peers get: a stranger speaks the protocols and says what no honest node would.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dotp2p_chain::amount::Amount;
use dotp2p_chain::hash::{BlockHash, Wtxid};
use dotp2p_chain::key::Signature;
use dotp2p_chain::params::Params;
use dotp2p_chain::tx::Transaction;
use dotp2p_network::bans::Bans;
use dotp2p_network::behaviour::{Behaviour, BehaviourEvent, Setup};
use dotp2p_network::gate::Gate;
use dotp2p_network::inbound::InboundLimits;
use dotp2p_network::message::{CompactBlock, GossipTransaction, Hello, LOCATOR_MAX, Request, Response, VERSION};
use dotp2p_network::protocol::Protocols;
use dotp2p_network::transport;
use dotp2p_rpc::types::{BanInfo, PeerInfo};
use dotp2p_wallet::TxPlan;
use futures::StreamExt;
use libp2p::gossipsub::{self, IdentTopic};
use libp2p::identity::Keypair;
use libp2p::request_response::{Event as AskEvent, Message as AskMessage};
use libp2p::swarm::{Config as SwarmConfig, SwarmEvent};
use libp2p::{PeerId, Swarm};
use serde_json::json;

use crate::common::{DEADLINE, TestNode};

/// A peer that says what it is told to.
struct Stranger {
    swarm: Swarm<Behaviour>,
    protocols: Protocols,
    hello: Hello,
    /// What it says is in its pool.
    pool: Vec<Wtxid>,
    /// What it answers to whoever asks it for transactions, the one or the other answer after the other.
    gives: VecDeque<Vec<Vec<u8>>>,
}

impl Stranger {
    /// Connects to a node, and waits until that listens to gossip.
    async fn connected(node: &TestNode, number: u8) -> Self {
        Self::with_pool(node, number, Vec::new(), VecDeque::new()).await
    }

    async fn with_pool(node: &TestNode, number: u8, pool: Vec<Wtxid>, gives: VecDeque<Vec<Vec<u8>>>) -> Self {
        let keypair = Keypair::ed25519_from_bytes([number; 32]).unwrap();
        let (protocols, reader) = (Protocols::of(&node.params.chain_id), node.reader());
        let (transport, relay) = transport::build(&keypair, None).unwrap();
        let setup = Setup {
            keypair: &keypair,
            protocols: &protocols,
            agent: "stranger",
            discovery: false,
            accept_local: true,
            gate: Gate::new(Bans::new(), InboundLimits::default(), [0; 32]),
            inbound_max: 8,
            outbound_max: 8,
        };
        let behaviour = Behaviour::new(setup, relay).unwrap();
        let local = keypair.public().to_peer_id();
        let config = SwarmConfig::with_tokio_executor().with_idle_connection_timeout(DEADLINE);
        let hello = Hello {
            version: VERSION,
            deployment: node.params.deployment.hash(),
            tip: reader.tip_hash(),
            height: reader.tip,
            work: reader.work,
            agent: "stranger".to_owned(),
        };
        let swarm = Swarm::new(transport, behaviour, local, config);
        let mut stranger = Self { swarm, protocols, hello, pool, gives };
        stranger.swarm.dial(node.p2p().parse::<libp2p::Multiaddr>().unwrap()).unwrap();
        let mut topics = 0;
        stranger
            .drive(|event| {
                let is_topic = |event: &_| matches!(event, BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. }));
                topics += usize::from(matches!(event, SwarmEvent::Behaviour(event) if is_topic(event)));
                topics == 2
            })
            .await;
        stranger
    }

    fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Answers what it is asked, until `is_over`.
    async fn drive(&mut self, mut is_over: impl FnMut(&SwarmEvent<BehaviourEvent>) -> bool) {
        let driven = async {
            loop {
                let event = self.swarm.select_next_some().await;
                if is_over(&event) {
                    return;
                }
                let SwarmEvent::Behaviour(BehaviourEvent::Ask(AskEvent::Message { message, .. })) = event else {
                    continue;
                };
                let AskMessage::Request { request, channel, .. } = message else { continue };
                let response = match request {
                    Ok(Request::Hello(_)) => Response::Hello(self.hello.clone()),
                    Ok(Request::Pool) => Response::Pool(self.pool.clone()),
                    Ok(Request::Transactions(_)) => Response::Transactions(self.gives.pop_front().unwrap_or_default()),
                    _ => Response::Busy,
                };
                let _ = self.swarm.behaviour_mut().ask.send_response(channel, response);
            }
        };
        tokio::time::timeout(DEADLINE, driven).await.expect("the node answers the stranger");
    }

    async fn until_parted_from(&mut self) {
        self.drive(|event| matches!(event, SwarmEvent::ConnectionClosed { num_established: 0, .. })).await;
    }

    fn publish(&mut self, topic: &IdentTopic, message: Vec<u8>) {
        self.swarm.behaviour_mut().gossip.publish(topic.clone(), message).unwrap();
    }

    fn ask(&mut self, request: Request) {
        let peer = *self.swarm.connected_peers().next().expect("the node is connected");
        self.swarm.behaviour_mut().ask.send_request(&peer, Ok(request));
    }

    fn publish_block(&mut self, message: Vec<u8>) {
        self.publish(&self.protocols.blocks.clone(), message);
    }

    fn publish_transaction(&mut self, message: &GossipTransaction) {
        self.publish(&self.protocols.transactions.clone(), message.encode());
    }
}

async fn bans(node: &TestNode) -> Vec<BanInfo> {
    node.call("listbanned", json!([])).await
}

/// Waits until just `stranger` is banned, for that reason.
async fn is_banned(node: &TestNode, mut stranger: Stranger, reason: &str) {
    stranger.until_parted_from().await;
    let bans = bans(node).await;
    assert_eq!((bans.len(), bans[0].address.clone()), (1, stranger.id().to_string()));
    assert!(bans[0].reason.starts_with(reason), "{}", bans[0].reason);
}

async fn node() -> TestNode {
    let node = TestNode::connected(&Params::regtest(), &[]).await;
    node.mine_to(3).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gossips_what_is_no_message_is_banned() {
    let node = node().await;
    let mut stranger = Stranger::connected(&node, 1).await;
    stranger.publish_block(vec![7; 300]);
    is_banned(&node, stranger, "malformed message").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_announces_a_block_without_work_is_banned() {
    let node = node().await;
    let mut stranger = Stranger::connected(&node, 1).await;
    let reader = node.reader();
    let mut block = reader.block(reader.tip).unwrap();
    let target = block.head.header.bits.to_target().unwrap();
    while target.is_met_by(&block.hash()) {
        block.head.header.nonce += 1;
    }
    stranger.publish_block(CompactBlock::of(&block).encode());
    is_banned(&node, stranger, "invalid work").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gossips_a_transaction_with_a_bad_signature_is_banned() {
    let node = node().await;
    let mut stranger = Stranger::connected(&node, 1).await;
    let good = node.sign(node.plan(0).pay(node.key(3), Amount::from_coins(1)));
    let mut signature = good.signatures()[0].0;
    signature[40] ^= 1;
    let bad = Transaction::new(good.body().clone(), vec![Signature(signature)]).unwrap();
    stranger.publish_transaction(&GossipTransaction::new(bad.bytes(), bad.wtxid()));
    is_banned(&node, stranger, "invalid signature").await;
    assert!(node.reader().pool.is_empty());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_not_asked_for_is_not_taken() {
    let node = node().await;
    let mut stranger = Stranger::connected(&node, 1).await;
    let other = node.sign(node.plan(0).pay(node.key(3), Amount::from_coins(1)));
    stranger.gives = [vec![other.bytes().to_vec()]].into();
    stranger.publish_transaction(&GossipTransaction::Id(Wtxid([9; 32])));
    let driving = tokio::spawn(async move { stranger.until_parted_from().await });
    let blamed = async {
        loop {
            let peers: Vec<PeerInfo> = node.call("getpeerinfo", json!([])).await;
            match peers.first().map(|peer| peer.banscore) {
                Some(0) | None => tokio::task::yield_now().await,
                Some(points) => return points,
            }
        }
    };
    assert_eq!(tokio::time::timeout(DEADLINE, blamed).await.expect("it is blamed"), 10);
    assert!(node.reader().pool.is_empty());
    node.stop().await;
    driving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_fit_one_answer_of_a_pool_is_asked_for_again() {
    let node = node().await;
    let paid = |nonce| {
        let plan = TxPlan::new(node.key(0), nonce).pay(node.key(3), Amount::from_coins(1));
        let tx = node.sign(plan);
        (tx.wtxid(), vec![tx.bytes().to_vec()])
    };
    let ((first, one), (second, two), (last, three)) = (paid(0), paid(1), paid(2));
    let others = (0..1_100u32).map(|number| Wtxid(std::array::from_fn(|at| number.to_le_bytes()[at % 4])));
    let pool = [first, second].into_iter().chain(others).chain([last]).collect();
    // The second does not fit the first answer; of the rest of the first 512, and of the next, nothing is there any more.
    let gives = [one, two, Vec::new(), Vec::new(), three].into();
    let mut stranger = Stranger::with_pool(&node, 1, pool, gives).await;
    let driving = tokio::spawn(async move { stranger.until_parted_from().await });
    let all = async {
        while node.reader().pool.len() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, all).await.expect("all three are in the pool");
    let peers: Vec<PeerInfo> = node.call("getpeerinfo", json!([])).await;
    assert_eq!(peers[0].banscore, 0);
    node.stop().await;
    driving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_end_is_told_that_it_is_too_much() {
    let node = node().await;
    let began = Instant::now();
    let mut stranger = Stranger::connected(&node, 1).await;
    let peer = *stranger.swarm.connected_peers().next().unwrap();
    let (mut answered, mut refused) = (0u64, 0u64);
    while refused == 0 {
        assert!(began.elapsed() < DEADLINE, "{answered} answers and no refusal");
        for _ in 0..4 {
            let hello = Request::Hello(stranger.hello.clone());
            stranger.swarm.behaviour_mut().ask.send_request(&peer, Ok(hello));
        }
        let mut waiting = 4;
        stranger
            .drive(|event| {
                let SwarmEvent::Behaviour(BehaviourEvent::Ask(AskEvent::Message { message, .. })) = event else {
                    return false;
                };
                let AskMessage::Response { response, .. } = message else { return false };
                match response {
                    Response::Hello(_) => answered += 1,
                    Response::Busy => refused += 1,
                    other => panic!("{other:?}"),
                }
                waiting -= 1;
                waiting == 0
            })
            .await;
    }
    let filled = u64::try_from(began.elapsed().as_millis() / 10).unwrap();
    assert!((1_000..=1_001 + filled).contains(&answered), "{answered} answers, {filled} of them since");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_what_is_no_question_is_banned() {
    let node = node().await;
    let mut stranger = Stranger::connected(&node, 1).await;
    stranger.ask(Request::Heads(vec![BlockHash::ZERO; LOCATOR_MAX + 1]));
    is_banned(&node, stranger, "malformed message").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_asking_is_parted_from_and_then_banned() {
    let node = node().await;
    for visit in 1..=2 {
        let mut stranger = Stranger::connected(&node, 1).await;
        let (mut waiting, mut is_parted) = (0, false);
        while !is_parted {
            for _ in waiting..8 {
                stranger.ask(Request::Addresses);
            }
            waiting = 7;
            stranger
                .drive(|event| {
                    is_parted = matches!(event, SwarmEvent::ConnectionClosed { num_established: 0, .. });
                    is_parted || matches!(event, SwarmEvent::Behaviour(BehaviourEvent::Ask(AskEvent::Message { .. })))
                })
                .await;
        }
        let reasons: Vec<String> = bans(&node).await.into_iter().map(|ban| ban.reason).collect();
        match visit {
            1 => assert!(reasons.is_empty(), "{reasons:?}"),
            _ => assert_eq!(reasons, ["flood of messages: questions"]),
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_to_everything_is_parted_from() {
    let node = node().await;
    let mut stranger = Stranger::connected(&node, 1).await;
    for number in 0..20 {
        stranger.swarm.behaviour_mut().gossip.subscribe(&IdentTopic::new(format!("topic {number}"))).unwrap();
    }
    stranger.until_parted_from().await;
    assert!(bans(&node).await.is_empty());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_came_another_way_is_told_though_gossip_knows_it() {
    let node = node().await;
    let friend = TestNode::connected(&node.params, &[&node]).await;
    friend.wait_for_tip_of(&node).await;
    let miner = TestNode::start(&node.params).await;
    miner.follow(&node).await;
    miner.send(miner.plan(0).pay(miner.key(3), Amount::from_coins(1))).await;
    miner.mine(1).await;
    let block = miner.reader().block(miner.reader().tip).unwrap();
    // The node lacks the payment, and the stranger does not give it.
    let mut stranger = Stranger::connected(&node, 1).await;
    stranger.publish_block(CompactBlock::of(&block).encode());
    let is_refused = |event: &_| matches!(event, BehaviourEvent::Ask(AskEvent::ResponseSent { .. }));
    stranger.drive(|event| matches!(event, SwarmEvent::Behaviour(event) if is_refused(event))).await;
    let came = Instant::now();
    node.take_all(&miner).await;
    friend.wait_for_tip_of(&node).await;
    assert!(came.elapsed() < Duration::from_secs(10), "told after {:?}, with the next greeting", came.elapsed());
    for node in [miner, friend, node] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_strangers_are_banned_and_blocks_go_on() {
    let node = node().await;
    let friend = TestNode::connected(&node.params, &[&node]).await;
    friend.wait_for_tip_of(&node).await;
    let mut strangers = Vec::new();
    for number in 1..=50 {
        strangers.push(Stranger::connected(&node, number).await);
    }
    let began = Instant::now();
    let flood = strangers.into_iter().zip(1u8..).map(|(mut stranger, number)| {
        tokio::spawn(async move {
            for message in 0..100u8 {
                stranger.publish_block(vec![number, message, 1, 2, 3]);
            }
            stranger.until_parted_from().await;
        })
    });
    let flood: Vec<_> = flood.collect();
    node.mine(1).await;
    let mined = Instant::now();
    friend.wait_for_tip_of(&node).await;
    let relayed = mined.elapsed();
    for stranger in flood {
        stranger.await.unwrap();
    }
    println!("fifty strangers banned within {:?}, a block relayed in {relayed:?}", began.elapsed());
    assert_eq!(bans(&node).await.len(), 50);
    let peers: Vec<PeerInfo> = node.call("getpeerinfo", json!([])).await;
    assert_eq!(peers.len(), 1, "the friend alone");
    friend.stop().await;
    // Written fifty times at once, it lacked some.
    let folder = node.stop().await;
    let saved = std::fs::read_to_string(folder.path().join("bans.json")).unwrap();
    assert_eq!(saved.matches("subject").count(), 50);
}

//! What one question, and all together, may cost upstreams and this machine.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;

use futures::future::join_all;
use tokio::net::UdpSocket;
use tokio::task::yield_now;

use super::*;
use crate::fake::domain;
use crate::forward::config::SOCKETS;
use crate::forward::upstream::Upstream;

fn outside(name: &str) -> Outside {
    Outside::of(domain(name), 1)
}

/// Does `work`, which must not go round without anything having happened.
async fn in_few_steps<T>(work: impl Future<Output = T>) -> T {
    let (mut work, mut steps) = (pin!(work), 0);
    poll_fn(move |context| {
        steps += 1;
        assert!(steps < 1_000, "it goes round and round");
        work.as_mut().poll(context)
    })
    .await
}

#[tokio::test]
async fn nine_upstreams_of_which_one_fails_make_no_busy_loop() {
    let (failing, silent) = (FakeUpstream::saying(2, [""; 3]).await, FakeUpstream::silent().await);
    let world = World::new(&Config::default());
    let forwarder = world.forwarder.unwrap();
    let upstream = |fake: &FakeUpstream| {
        let server = Server::new(fake.addr.to_string().parse::<Upstream>().unwrap(), None);
        server.answered(Duration::from_millis(1));
        Arc::new(server)
    };
    let servers = [vec![upstream(&failing)], (0..8).map(|_| upstream(&silent)).collect()].concat();
    let before = Instant::now();
    let question = outside("a.example");
    let got = in_few_steps(forwarder.race(|| servers, &question, "p2p", race::DEADLINE)).await.unwrap();
    assert_eq!((got.rcode, before.elapsed() < Duration::from_secs(3)), (ResponseCode::ServFail, true));
    assert_eq!((failing.came().len(), silent.came().len()), (1, 7));
}

#[tokio::test]
async fn an_upstream_is_asked_three_times_at_most() {
    let silent = FakeUpstream::silent().await;
    let world = World::new(&to(&[&silent]));
    let before = Instant::now();
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=23");
    assert_eq!((silent.came().len(), world.counts().sent), (3, 3));
    assert!(before.elapsed() < Duration::from_secs(5));
    let others = [FakeUpstream::silent().await, FakeUpstream::silent().await];
    let world = World::new(&to(&[&others[0], &others[1]]));
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=23");
    assert!(others.iter().all(|other| (2..=3).contains(&other.came().len())));
    // One that is gone leaves its turns to nobody.
    let (closed, silent) = (FakeUpstream::closed().await, FakeUpstream::silent().await);
    let world = World::new(&to(&[&closed, &silent]));
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=23");
    assert!(silent.came().len() <= 3 && world.counts().sent <= 4, "{} {:?}", silent.came().len(), world.counts());
}

#[tokio::test]
async fn a_repeat_is_the_same_packet_from_the_same_socket() {
    let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = Config { to: upstream.local_addr().unwrap().to_string().parse().unwrap(), ..Config::default() };
    let world = World::new(&config);
    let (line, ()) = tokio::join!(world.line("a.example A", "r"), async {
        let (mut buffer, mut came) = ([0; 512], Vec::new());
        for _ in 0..3 {
            let (len, from) = upstream.recv_from(&mut buffer).await.unwrap();
            came.push((buffer[..len].to_vec(), from));
        }
        assert!(came[0] == came[1] && came[1] == came[2], "{came:?}");
        let (query, from) = &came[0];
        upstream.send_to(&reply(query, 0, ["a.example 60 A 192.0.2.1", "", ""]), from).await.unwrap();
    });
    assert_eq!(line, "NOERROR rd ra | a.example. 60 IN A 192.0.2.1");
}

#[tokio::test]
async fn a_failure_is_kept_for_a_second() {
    let closed = FakeUpstream::closed().await;
    let world = World::new(&to(&[&closed]));
    for _ in 0..3 {
        assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=23");
    }
    assert_eq!(world.line("out.alice.p2p A", "r").await, "SERVFAIL rd ra ede=23");
    assert_eq!(world.line("deep.alice.p2p A", "r").await, "SERVFAIL rd ra ede=23");
    assert_eq!(world.counts().sent, 2, "once each name");
    world.pass(1);
    assert_eq!(world.line("a.example A", "r").await, "SERVFAIL rd ra ede=23");
    assert_eq!(world.counts().sent, 3);
}

/// 300 questions, and an upstream that says nothing before it has seen all that come.
#[tokio::test]
async fn questions_wait_for_a_socket_and_are_answered() {
    let upstream = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = Config { to: upstream.local_addr().unwrap().to_string().parse().unwrap(), ..Config::default() };
    let world = World::new(&config);
    let packets: Vec<Vec<u8>> = (0..300).map(|at| query(&format!("n{at}.example A"), "r")).collect();
    let clients = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    let all = join_all(
        packets.iter().zip(clients.iter().cycle()).map(|(packet, client)| world.packet(packet, client, Protocol::Udp)),
    );
    let (replies, ()) = tokio::join!(all, async {
        // One that is sent again is the same to the byte.
        let (mut seen, mut buffer, mut answered) = (HashSet::new(), [0; 512], 0);
        while answered < packets.len() {
            let mut waiting = Vec::new();
            // Everybody has had a turn many times over before it is called all.
            for _ in 0..2_000 {
                yield_now().await;
                while let Ok((len, from)) = upstream.try_recv_from(&mut buffer) {
                    if seen.insert(buffer[..len].to_vec()) {
                        waiting.push((buffer[..len].to_vec(), from));
                    }
                }
            }
            assert!(waiting.len() <= SOCKETS, "{} sockets at once", waiting.len());
            answered += waiting.len();
            for (query, from) in waiting {
                let name = Message::from_vec(&query).unwrap().queries[0].name().to_lowercase().to_string();
                let line = format!("{} 60 A 192.0.2.1", name.trim_end_matches('.'));
                upstream.send_to(&reply(&query, 0, [&line, "", ""]), from).await.unwrap();
            }
        }
    });
    assert!(replies.iter().all(|reply| line(reply).starts_with("NOERROR rd ra | n")));
}

#[tokio::test]
async fn who_gets_no_socket_in_time_is_told_so_and_no_upstream_is_blamed() {
    let upstreams = [FakeUpstream::saying(0, ["b.example 60 A 192.0.2.1", "", ""]).await, FakeUpstream::silent().await];
    let world = World::new(&to(&[&upstreams[0], &upstreams[1]]));
    let sockets = &world.forwarder.as_ref().unwrap().sockets;
    let all = sockets.acquire_many(u32::try_from(SOCKETS).unwrap()).await.unwrap();
    let got = world.ask("a.example A", "r").await;
    assert_eq!(errors(&got), [(0, "too many questions wait for upstream resolvers".to_owned())]);
    assert_eq!(world.counts().sent, 0);
    drop(all);
    assert_eq!(world.line("b.example A", "r").await, "NOERROR rd ra | b.example. 60 IN A 192.0.2.1");
    assert_eq!((upstreams[0].came().len(), upstreams[1].came().len()), (1, 0));
}

/// Both have to do with one socket, and the upstream that is first says nothing.
#[tokio::test]
async fn without_sockets_to_spare_the_next_upstream_gets_that_of_the_silent_one() {
    let good = FakeUpstream::saying(0, ["a.example 60 A 192.0.2.1\nb.example 60 A 192.0.2.1", "", ""]).await;
    let silent = FakeUpstream::silent().await;
    let world = World::new(&to(&[&silent, &good]));
    let forwarder = world.forwarder.as_ref().unwrap();
    let others = forwarder.sockets.acquire_many(u32::try_from(SOCKETS - 1).unwrap()).await.unwrap();
    let before = Instant::now();
    let (first, second) = tokio::join!(world.line("a.example A", "r"), world.line("b.example A", "r"));
    assert_eq!(first, "NOERROR rd ra | a.example. 60 IN A 192.0.2.1");
    assert_eq!(second, "NOERROR rd ra | b.example. 60 IN A 192.0.2.1");
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    assert_eq!(silent.came().len(), 1, "who waited for the socket knows who is silent");
    drop(others);
    assert_eq!(forwarder.sockets.available_permits(), SOCKETS);
}

#[tokio::test]
async fn a_client_whose_questions_nobody_answers_leaves_sockets_to_others() {
    let (asks, free) = (Arc::new(OnceLock::<Arc<Forwarder>>::new()), Arc::new(AtomicUsize::new(SOCKETS)));
    let silent = || {
        let (asks, free) = (asks.clone(), free.clone());
        FakeUpstream::start(move |_, _| {
            free.fetch_min(asks.get().unwrap().sockets.available_permits(), Ordering::SeqCst);
            Vec::new()
        })
    };
    let silent = [silent().await, silent().await, silent().await];
    let world = World::new(&to(&[&silent[0], &silent[1], &silent[2]]));
    assert!(asks.set(world.forwarder.clone().unwrap()).is_ok());
    let questions: Vec<String> = (0..WAITING_PER_CLIENT).map(|at| format!("n{at}.example A")).collect();
    let lines = join_all(questions.iter().map(|question| world.line(question, "r"))).await;
    assert!(lines.iter().all(|line| line == "SERVFAIL rd ra ede=23"), "{lines:?}");
    let names: HashSet<String> = silent[2].names().into_iter().collect();
    assert_eq!(names.len(), WAITING_PER_CLIENT, "all have been asked");
    // Each question has one, and some have a second until half are in use.
    let least = free.load(Ordering::SeqCst);
    assert!((SOCKETS / 2 - WAITING_PER_CLIENT..SOCKETS).contains(&least), "{least} free");
}

#[tokio::test]
async fn an_upstream_that_had_no_time_to_answer_has_not_failed() {
    let silent = FakeUpstream::silent().await;
    let world = World::new(&to(&[&silent]));
    let forwarder = world.forwarder.as_ref().unwrap();
    let servers = forwarder.servers();
    for (patient, failure) in [(false, Failure::TooMany), (true, Failure::Unreachable)] {
        let within = if patient { servers[0].patience() } else { Duration::ZERO };
        let got = forwarder.race(|| servers.clone(), &outside("a.example"), "p2p", within).await;
        assert_eq!((got, servers[0].is_away(Instant::now())), (Err(failure), patient));
    }
}

#[tokio::test]
async fn what_has_come_since_it_was_looked_for_is_not_asked_again() {
    let upstream = FakeUpstream::saying(0, ["a.example 60 A 192.0.2.1", "", ""]).await;
    let world = World::new(&to(&[&upstream]));
    world.ask("a.example A", "rd").await;
    let question = Outside { dnssec_ok: true, ..outside("a.example") };
    let got = world.forwarder.as_ref().unwrap().ask(&question, "p2p").await;
    assert_eq!((got.unwrap().answer.len(), upstream.came().len()), (1, 1));
}

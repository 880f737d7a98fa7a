//! A driver that asks as fast as it is answered, and a bare echo: packets by the batch on both sides.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};
use socket2::SockRef;

/// Packets by one call, and under way at a time.
const BATCH: usize = 64;
const WINDOW: usize = 1_024;
const BUFFER: usize = 2_048;
/// Different questions, asked over and over.
const QUESTIONS: usize = 200_000;
/// How long nothing may come before what is under way counts as lost.
const LOST_AFTER: Duration = Duration::from_millis(200);

/// A question, and the code of its answer; `None`: any.
#[derive(Clone)]
pub struct Question {
    /// Its message, with 0 for the id.
    pub packet: Vec<u8>,
    /// What the answer is to say.
    pub rcode: Option<u8>,
}

/// What was measured in a round.
pub struct Load {
    pub rate: f64,
    /// The server's CPU time an answer.
    pub cpu_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Share of the questions without an answer.
    pub lost: f64,
    pub memory_mb: f64,
}

impl Question {
    /// A question for the address of `name`.
    pub fn of(name: &str, exists: bool) -> Self {
        let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(label.len() as u8);
            packet.extend_from_slice(label.as_bytes());
        }
        packet.extend_from_slice(&[0, 0, 1, 0, 1]);
        Self { packet, rcode: Some(if exists { 0 } else { 3 }) }
    }

    /// Four of five for one of so many names, by Zipf's law, one for a name that nobody has.
    pub fn mix(names: u32) -> Vec<Self> {
        let mut rng = fastrand::Rng::with_seed(7);
        let harmonic = f64::from(names).ln();
        let one = |_| match rng.u8(..) % 5 {
            0 => Self::of(&format!("nobody-{}.p2p", rng.u32(..)), false),
            // Rank r comes with a chance that falls as 1/r; the ranks are scattered over the names.
            _ => {
                let rank = (rng.f64() * harmonic).exp() as u64;
                let number = rank * 1_000_003 % u64::from(names);
                let www = if rng.bool() { "www." } else { "" };
                Self::of(&format!("{www}name-{number}.p2p"), true)
            }
        };
        (0..QUESTIONS).map(one).collect()
    }

    /// The same question with its signatures wanted (DO), in up to 1,232 bytes.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.packet[11] = 1;
        self.packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
        self
    }

    /// Asks once, and waits a moment.
    pub fn is_answered_by(&self, addr: SocketAddr) -> bool {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(addr).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut answer = [0; BUFFER];
        let _ = socket.send(&self.packet);
        let came = socket.recv(&mut answer).is_ok_and(|len| len >= self.packet.len());
        if !came {
            std::thread::sleep(Duration::from_millis(20));
        }
        came && self.rcode.is_none_or(|rcode| answer[3] & 15 == rcode)
    }
}

/// Asks for so long; `is_echo`: what comes back are the questions.
pub fn run(addr: SocketAddr, pid: u32, questions: &[Question], seconds: Duration, is_echo: bool) -> Load {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(addr).unwrap();
    socket.set_nonblocking(true).unwrap();
    SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    let fd = socket.as_raw_fd();
    let mut packets: Vec<Vec<u8>> = vec![Vec::new(); BATCH];
    let mut buffers = vec![[0u8; BUFFER]; BATCH];
    let mut received = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut sending = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    // By the id of a question: which it was, and when it went out.
    let mut under_way: Vec<Option<(usize, Instant)>> = vec![None; 1 << 16];
    let (mut next, mut waiting, mut answered, mut lost) = (0usize, 0usize, 0u64, 0u64);
    let mut latencies = Vec::new();
    let (began, cpu_before) = (Instant::now(), cpu_s(pid));
    let mut heard = began;
    while began.elapsed() < seconds {
        while waiting + BATCH <= WINDOW {
            let now = Instant::now();
            for packet in &mut packets {
                let (id, question) = ((next & 0xffff) as u16, next % questions.len());
                packet.clear();
                packet.extend_from_slice(&questions[question].packet);
                packet[..2].copy_from_slice(&id.to_be_bytes());
                lost += u64::from(under_way[usize::from(id)].replace((question, now)).is_some());
                next += 1;
            }
            waiting += send(fd, &mut sending, &packets);
        }
        let came = receive(fd, &mut received, &mut buffers);
        let now = Instant::now();
        for (len, buffer) in came.into_iter().flatten().zip(&buffers) {
            let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
            let Some((question, sent)) = under_way[id].take() else { continue };
            let question = &questions[question];
            assert!(len >= question.packet.len(), "an answer of {len} bytes");
            assert!(is_echo || question.rcode == Some(buffer[3] & 15), "another code than expected");
            answered += 1;
            waiting = waiting.saturating_sub(1);
            heard = now;
            if answered.is_multiple_of(64) {
                latencies.push((now - sent).as_secs_f64() * 1e6);
            }
        }
        if heard.elapsed() > LOST_AFTER {
            (waiting, heard) = (0, Instant::now());
        }
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_s(pid) - cpu_before);
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Load {
        rate: answered as f64 / took,
        cpu_us: cpu * 1e6 / answered as f64,
        p50_us: at(0.5),
        p99_us: at(0.99),
        lost: lost as f64 / next as f64,
        memory_mb: memory_mb(pid),
    }
}

fn send(fd: RawFd, headers: &mut MultiHeaders<SockaddrIn>, packets: &[Vec<u8>]) -> usize {
    let slices: [_; BATCH] = std::array::from_fn(|at| [IoSlice::new(&packets[at])]);
    sendmmsg(fd, headers, slices.iter(), [None; BATCH], [], MsgFlags::empty()).map_or(0, Iterator::count)
}

/// The lengths of what came.
fn receive(fd: RawFd, headers: &mut MultiHeaders<SockaddrIn>, buffers: &mut [[u8; BUFFER]]) -> [Option<usize>; BATCH] {
    let mut each = buffers.iter_mut();
    let mut slices: [_; BATCH] = std::array::from_fn(|_| [IoSliceMut::new(each.next().unwrap())]);
    let mut lens = [None; BATCH];
    if let Ok(all) = recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
        lens.iter_mut().zip(all).for_each(|(len, packet)| *len = Some(packet.bytes));
    }
    lens
}

/// Sends back whatever comes, for ever: what the system's calls alone cost.
pub fn echo(addr: SocketAddr) {
    let socket = UdpSocket::bind(addr).unwrap();
    SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    let fd = socket.as_raw_fd();
    let mut buffers = vec![[0u8; BUFFER]; BATCH];
    let mut received = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut sending = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    loop {
        let (mut lens, mut from) = ([0; BATCH], [None; BATCH]);
        let mut count = 0;
        {
            let mut each = buffers.iter_mut();
            let mut slices: [_; BATCH] = std::array::from_fn(|_| [IoSliceMut::new(each.next().unwrap())]);
            let all = recvmmsg(fd, &mut received, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None);
            for packet in all.into_iter().flatten() {
                (lens[count], from[count]) = (packet.bytes, packet.address);
                count += 1;
            }
        }
        let slices: [_; BATCH] = std::array::from_fn(|at| [IoSlice::new(&buffers[at][..lens[at]])]);
        let _ = sendmmsg(fd, &mut sending, slices.iter().take(count), &from[..count], [], MsgFlags::empty());
    }
}

/// Keeps this process on a core.
pub fn pin(core: u32) {
    let pid = std::process::id().to_string();
    assert!(Command::new("taskset").args(["-p", "-c", &core.to_string(), &pid]).output().unwrap().status.success());
}

fn cpu_s(pid: u32) -> f64 {
    children(pid).iter().map(|pid| cpu_of(*pid)).sum()
}

fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// The process and those that it started: NSD has several.
fn children(pid: u32) -> Vec<u32> {
    let below = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let below = below.split_whitespace().filter_map(|pid| pid.parse().ok());
    [pid].into_iter().chain(below.flat_map(children)).collect()
}

fn memory_mb(pid: u32) -> f64 {
    let of = |pid: u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    children(pid).into_iter().filter_map(of).sum::<f64>() / 1e3
}

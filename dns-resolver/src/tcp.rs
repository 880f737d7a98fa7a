//! DNS over TCP (RFC 7766): connections are bounded in number, in time and in what they hold.
//!
//! - `places`: who is connected, and who has to go when there is no place left.
//! - A query is to be whole within the timeout of the one before, however its bytes trickle in; an answer is to be taken within it.
//! - Answers may overtake one another; so many are under way at most, and the next query is read when one is done.
//!
//! Memory a connection: the bytes that came of a query, one answer, and what is under way.

mod places;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use hickory_server::net::xfer::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::full::{Full, Outcome};
use places::{Place, Places};

/// Bytes of a message's header.
const HEADER_LEN: usize = 12;

/// Queries of a connection that are being answered at a time.
const UNDER_WAY_MAX: usize = 8;

/// For so long an answer may still be taken when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// For so long nothing is accepted where the system has no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The tasks that listen, and those of their connections. Dropping it ends them at once.
pub(crate) struct Listeners {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Listeners {
    /// A task for each listener.
    pub fn start(listeners: Vec<TcpListener>, full: &Full) -> Self {
        let (stop, stopped) = watch::channel(false);
        let config = full.config();
        let places = Places::new(config.tcp_max, config.tcp_max_per_network);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(listen(listener, full.clone(), places.clone(), stopped.clone()));
        }
        Self { stop, tasks }
    }

    /// Stops listening; connections end when the answers that are under way have gone out.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn listen(listener: TcpListener, full: Full, places: Arc<Places>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = told_to_stop(&mut stopped) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                let place = Places::take(&places, from.ip());
                connections.spawn(Connection { full: full.clone(), from, place }.serve(stream, stopped.clone()));
            }
            // Connections that ended before they were taken, or files that are used up: those who are here go on.
            Err(error) => {
                tracing::debug!(%error, "a DNS connection could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// One connection.
struct Connection {
    full: Full,
    from: SocketAddr,
    place: Place,
}

impl Connection {
    async fn serve(self, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
        let limit = Duration::from_secs(self.full.config().tcp_timeout_s);
        let (reader, mut writer) = stream.into_split();
        let mut queries = Queries { reader, bytes: Vec::new() };
        let mut under_way: FuturesUnordered<BoxFuture<'_, Option<Vec<u8>>>> = FuturesUnordered::new();
        let (mut deadline, mut is_open) = (Instant::now() + limit, true);
        while is_open || !under_way.is_empty() {
            tokio::select! {
                () = told_to_stop(&mut stopped), if is_open => is_open = false,
                () = self.place.lost() => return,
                () = sleep_until(deadline), if is_open && under_way.is_empty() => return,
                query = queries.next(), if is_open && under_way.len() < UNDER_WAY_MAX => match query {
                    Ok(Some(query)) => {
                        deadline = Instant::now() + limit;
                        self.place.touch(true);
                        under_way.push(self.answer(query).boxed());
                    }
                    Ok(None) | Err(_) => is_open = false,
                },
                Some(answer) = under_way.next(), if !under_way.is_empty() => {
                    self.place.touch(!under_way.is_empty());
                    let Some(answer) = answer.as_deref().and_then(framed) else { continue };
                    // Whoever does not read is not waited for once its place is another's, and not long at the end.
                    let is_written = tokio::select! {
                        written = timeout(limit, writer.write_all(&answer)) => matches!(written, Ok(Ok(()))),
                        () = self.place.lost() => false,
                        () = told_to_stop(&mut stopped).then(|()| sleep(LAST_WORDS)) => false,
                    };
                    if !is_written {
                        return;
                    }
                    deadline = Instant::now() + limit;
                }
            }
        }
    }

    async fn answer(&self, query: Vec<u8>) -> Option<Vec<u8>> {
        match self.full.answer(&query, self.from, Protocol::Tcp) {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Silence => None,
            Outcome::Forward(forwarding) => {
                // By a task, which holds the client's place for as long as upstreams are asked, whatever becomes of the
                // connection.
                let full = self.full.clone();
                tokio::spawn(async move { full.forward(forwarding).await }).await.ok().flatten()
            }
        }
    }
}

/// A message with its length before it, in one piece.
fn framed(message: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(message.len()).ok()?;
    Some([&len.to_be_bytes(), message].concat())
}

/// The queries that come over a connection.
struct Queries {
    reader: OwnedReadHalf,
    /// What has come of the next ones.
    bytes: Vec<u8>,
}

impl Queries {
    /// The next one; `None` at the end, and where a message has not even a header: such ones would keep a place for ever.
    /// Whoever drops the future loses nothing.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some((len, rest)) = self.bytes.split_first_chunk() {
                let len = usize::from(u16::from_be_bytes(*len));
                if len < HEADER_LEN {
                    return Ok(None);
                }
                if let Some(query) = rest.get(..len) {
                    let query = query.to_vec();
                    self.bytes.drain(..2 + query.len());
                    return Ok(Some(query));
                }
            }
            // Room is made for what comes, not for what is announced.
            if self.reader.read_buf(&mut self.bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

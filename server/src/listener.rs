//! The TCP listener. Limits how long and how large an HTTP request head may be, because
//! `axum::serve` sets no time limit and a client could hold a connection open for ever with half a
//! head. Also enforces the connection limits of `descriptors` and `addresses`. Started by
//! [`crate::run`].
//!
//! - `answers`: the answers that no route produces
//! - `stream`: the bytes of one connection; ends the connections of slow readers

mod answers;
mod stream;

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::client_ip;
use crate::log_once::Throttle;
use crate::router;
use crate::state::AppState;

pub(crate) use answers::Answers;
use stream::Stream;

const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// Pause after a failed `accept`, for example when the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Minimum interval between two log lines about refused or failed connections.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// A running listener. [`HttpListener::stop`] ends the accept task at once and each connection's
/// task after the response to its current request.
pub(crate) struct HttpListener {
    end: CancellationToken,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
}

impl HttpListener {
    pub(crate) fn start(listener: TcpListener, state: AppState) -> Self {
        let (end, connections) = (CancellationToken::new(), TaskTracker::new());
        let accepting =
            connections.spawn(accept(listener, state, connections.clone(), end.clone()));
        Self { end, connections, accepting }
    }

    /// Waits for the accept task to end. Before [`HttpListener::stop`] only a bug in Duet can end
    /// that task.
    pub(crate) async fn ended(&mut self) {
        // The panic hook has already logged a panic of the task.
        let _ = (&mut self.accepting).await;
    }

    /// Stops accepting connections and waits for requests in progress.
    pub(crate) async fn stop(self) {
        self.end.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    state: AppState,
    connections: TaskTracker,
    end: CancellationToken,
) {
    static LOG_LIMIT: Throttle = Throttle::new(LOG_EVERY);
    let mut spare = Spare::new();
    let router = router::router(state.clone());
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(stream) = admit(stream, peer, &state) {
                    connections.spawn(serve(stream, peer, router.clone(), end.clone()));
                }
            }
            Err(error) => {
                if LOG_LIMIT.is_due() {
                    tracing::warn!(%error, "could not accept a connection");
                }
                if !is_out_of_files(&error) || !spare.shed(&listener, &state.answers) {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Takes a share of the connection limits for a connection, or refuses the connection.
fn admit(stream: TcpStream, peer: SocketAddr, state: &AppState) -> Option<Stream> {
    static LOG_LIMIT: Throttle = Throttle::new(LOG_EVERY);
    let Some(connection) = state.connections.acquire() else {
        if LOG_LIMIT.is_due() {
            tracing::warn!(
                "the connection limit, which follows from the limit of open files, is reached: new \
                 connections are refused"
            );
        }
        refuse(&stream, &state.answers);
        return None;
    };
    match state.peers.acquire(peer.ip()) {
        Ok(address) => {
            let slots = (connection, address);
            Some(Stream::new(stream, state.time_limits, state.answers.clone(), slots))
        }
        Err(limit) => {
            log_full_address(peer.ip(), limit);
            refuse(&stream, &state.answers);
            None
        }
    }
}

/// Logs that an address has reached its connection limit.
pub(crate) fn log_full_address(address: IpAddr, limit: usize) {
    static LOG_LIMIT: Throttle = Throttle::new(LOG_EVERY);
    if LOG_LIMIT.is_due() {
        tracing::warn!(
            client.ip = %address.to_canonical(),
            "one address has {limit} connections, its limit: further ones are refused. If the \
             address is your proxy, list it in DUET_TRUSTED_PROXIES; if many people share the \
             address, raise DUET_MAX_CONNECTIONS_PER_ADDRESS"
        );
    }
}

/// Sends the 503 answer. The client may not receive it, because closing the socket with unread
/// request data resets the connection.
fn refuse(stream: &TcpStream, answers: &Answers) {
    let _ = stream.try_write(&answers.full);
}

fn is_out_of_files(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno == Some(Errno::MFILE) || errno == Some(Errno::NFILE)
}

/// A reserve file descriptor. When the process has no other descriptor left, the listener closes
/// this one, accepts a waiting connection with it and refuses that connection, which would
/// otherwise wait for ever.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Accepts and refuses one waiting connection. Returns whether there was one.
    fn shed(&mut self, listener: &TcpListener, answers: &Answers) -> bool {
        self.0 = None;
        let accepted = listener.accept().now_or_never();
        let shed = match accepted {
            Some(Ok((stream, _))) => {
                refuse(&stream, answers);
                true
            }
            _ => false,
        };
        *self = Self::new();
        shed
    }
}

async fn serve(stream: Stream, peer: SocketAddr, router: Router, end: CancellationToken) {
    let head_within = stream.limits().head;
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, client.ip = %client_ip::peer_ip(peer), "a connection failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_refused_without_a_free_file_descriptor() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let _first = std::net::TcpStream::connect(address).expect("it is in the backlog");
        let client = std::net::TcpStream::connect(address).expect("it is in the backlog");
        let _accepted = listener.accept().await.expect("the first one");
        assert!(Spare::new().shed(&listener, &Answers::new(None)));
        let mut answer = String::new();
        io::Read::read_to_string(&mut &client, &mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}

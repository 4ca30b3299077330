//! The TCP listener. Limits how long and how large an HTTP request head may be, because
//! `axum::serve` sets no time limit and a client could hold a connection open for ever with half a
//! head. Also enforces the connection limit of `descriptors`. Started by [`crate::run`].

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::client_ip;
use crate::descriptors::{ConnectionSlot, Connections};
use crate::log_once::Throttle;

/// Time limit for a complete request head. The same limit applies to the pause between two requests
/// on one connection.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// Pause after a failed `accept`, for example when the process has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Minimum interval between two log lines about refused or failed connections.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// Response to a connection beyond the connection limit.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n\
    content-length: 44\r\nretry-after: 5\r\nconnection: close\r\n\r\n\
    Too many connections. Please try again soon.";

/// A running listener. [`HttpListener::stop`] ends the accept task at once and each connection's
/// task after the response to its current request.
pub struct HttpListener {
    end: CancellationToken,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
}

impl HttpListener {
    pub fn start(listener: TcpListener, router: Router, open: Connections) -> Self {
        let (end, connections) = (CancellationToken::new(), TaskTracker::new());
        let accepting =
            connections.spawn(accept(listener, router, open, connections.clone(), end.clone()));
        Self { end, connections, accepting }
    }

    /// Waits for the accept task to end. Before [`HttpListener::stop`] only a bug in Duet can end
    /// that task.
    pub async fn ended(&mut self) {
        // The panic hook has already logged a panic of the task.
        let _ = (&mut self.accepting).await;
    }

    /// Stops accepting connections and waits for requests in progress.
    pub async fn stop(self) {
        self.end.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    open: Connections,
    connections: TaskTracker,
    end: CancellationToken,
) {
    static LOG_LIMIT: Throttle = Throttle::new(LOG_EVERY);
    let mut spare = Spare::new();
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match open.acquire() {
                Some(slot) => {
                    let stream = Stream { stream, _slot: slot };
                    connections.spawn(serve(stream, peer, router.clone(), end.clone()));
                }
                None => {
                    if LOG_LIMIT.is_due() {
                        tracing::warn!(
                            "the connection limit, which follows from the limit of open files, is \
                             reached: new connections are refused"
                        );
                    }
                    refuse(&stream);
                }
            },
            Err(error) => {
                if LOG_LIMIT.is_due() {
                    tracing::warn!(%error, "could not accept a connection");
                }
                if !is_out_of_files(&error) || !spare.shed(&listener) {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Sends the 503 response. The client may not receive it, because closing the socket with unread
/// request data resets the connection.
fn refuse(stream: &TcpStream) {
    let _ = stream.try_write(FULL);
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
    fn shed(&mut self, listener: &TcpListener) -> bool {
        self.0 = None;
        let accepted = listener.accept().now_or_never();
        let shed = match accepted {
            Some(Ok((stream, _))) => {
                refuse(&stream);
                true
            }
            _ => false,
        };
        *self = Self::new();
        shed
    }
}

/// A connection and its share of the connection limit. Both stay together after a WebSocket
/// upgrade.
struct Stream {
    stream: TcpStream,
    _slot: ConnectionSlot,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn serve(stream: Stream, peer: SocketAddr, router: Router, end: CancellationToken) {
    // Sends small frames at once, without Nagle's delay.
    let _ = stream.stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
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

    #[test]
    fn the_content_length_of_the_refusal_is_correct() {
        let text = String::from_utf8_lossy(FULL);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }

    #[tokio::test]
    async fn a_connection_is_refused_without_a_free_file_descriptor() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let _first = std::net::TcpStream::connect(address).expect("it is in the backlog");
        let client = std::net::TcpStream::connect(address).expect("it is in the backlog");
        let _accepted = listener.accept().await.expect("the first one");
        assert!(Spare::new().shed(&listener));
        let mut answer = String::new();
        io::Read::read_to_string(&mut &client, &mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}

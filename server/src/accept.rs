//! The listener: accepts connections and limits how slowly and how much a client may say before
//! its request is understood. `axum::serve` sets no time limit on request heads, so a client could
//! hold a connection open for ever with half of one.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// A whole request head, and the pause before the next request on the same connection.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// A request head.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Fields of a request head.
const MAX_HEADERS: usize = 64;
/// After a failed accept (too many open files, say) before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener at work. Its tasks end with [`Server::stop`]: the accepting one at once, each
/// connection's when its request is answered.
pub struct Server {
    end: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Starts accepting.
    pub fn start(listener: TcpListener, router: Router) -> Self {
        let server = Self { end: CancellationToken::new(), connections: TaskTracker::new() };
        let (end, connections) = (server.end.clone(), server.connections.clone());
        server.connections.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = end.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(serve(stream, peer, router.clone(), end.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
        server
    }

    /// Accepts nothing more and waits for the requests under way.
    pub async fn stop(self) {
        self.end.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, end: CancellationToken) {
    // Small frames must not wait for more to come.
    let _ = stream.set_nodelay(true);
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
        tracing::debug!(%error, client.ip = %peer.ip(), "a connection ended badly");
    }
}

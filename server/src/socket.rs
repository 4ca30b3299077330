//! The route `/ws`: transfers frames between a browser's WebSocket and its [`Connection`].
//!
//! This module contains no chat logic. It handles the handshake (origin, session, subprotocol), the
//! frame size limit, the heartbeat and the deadline of every write. Each socket has one task, which
//! ends with the client, the session, the heartbeat or the process.

use std::error::Error as _;
use std::time::Duration;

use app::client::ClientIp;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{self, CloseFrame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::header::{RETRY_AFTER, SEC_WEBSOCKET_KEY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chat::{Connection, FrameText, Outgoing, Session};
use futures::{SinkExt, StreamExt};
use protocol::limits::MAX_FRAME_BYTES;
use protocol::{CloseCode, SOCKET_PATH, SUBPROTOCOL};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};

use crate::heartbeat::{Heartbeat, HeartbeatAction};
use crate::listener;
use crate::origin_check;
use crate::state::AppState;

/// Small, because thousands of sockets are idle and the library's default is 128 KiB each. Several
/// messages of usual length fit; a longer one gets a temporary buffer.
const READ_BUFFER_BYTES: usize = 2 * 1024;
/// Maximum size of one write to the network. The buffer exists only during the write.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// Maximum number of buffered bytes that the client has not accepted yet.
const MAX_WRITE_BUFFER_BYTES: usize = 256 * 1024;
/// Time limit for a write. A client that accepts no data for this long counts as gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Time limit for the client's close frame, and the delay of the end of a socket that cannot be read.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Rate at which clients may reconnect after a restart.
const RECONNECTS_PER_SECOND: usize = 500;

/// Checks the handshake and starts the socket.
pub(crate) async fn upgrade(
    State(state): State<AppState>,
    session: Option<Extension<Session>>,
    Extension(ClientIp(client)): Extension<ClientIp>,
    headers: HeaderMap,
    request: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !state.origins.accepts(&headers) {
        // A browser that opens this address as a page sends no handshake and no `Origin`.
        if headers.contains_key(SEC_WEBSOCKET_KEY) {
            state.misconfigurations.log_foreign_request(&state.origins, &headers);
        }
        return origin_check::refuse(&state.origins, SOCKET_PATH, &headers);
    }
    if origin_check::lost_upgrade(&headers) {
        state.misconfigurations.log_missing_upgrade();
        let text =
            "A proxy in front of Duet removed the header Upgrade. It must forward WebSockets.";
        return (StatusCode::UPGRADE_REQUIRED, text).into_response();
    }
    if state.draining.has_begun() && state.chat.has_other_nodes() {
        let retry = [(RETRY_AFTER, HeaderValue::from_static("1"))];
        return (StatusCode::SERVICE_UNAVAILABLE, retry, "Connect to another node.")
            .into_response();
    }
    let Some(Extension(session)) = session else {
        return (StatusCode::UNAUTHORIZED, "Sign in first.").into_response();
    };
    let request = match request {
        Ok(request) => request,
        Err(rejection) => {
            if matches!(rejection, WebSocketUpgradeRejection::ConnectionNotUpgradable(_)) {
                state.misconfigurations.log_missing_upgrade();
            }
            return rejection.into_response();
        }
    };
    let request = request.protocols([SUBPROTOCOL]);
    if headers.contains_key("sec-websocket-protocol") && request.selected_protocol().is_none() {
        let text = format!("This server speaks {SUBPROTOCOL}.");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    // The last free connections are reserved for page requests, which are short.
    if !state.connections.allow_socket() {
        return full();
    }
    let slot = match state.clients.acquire(client) {
        Ok(slot) => slot,
        Err(limit) => {
            listener::log_full_address(client, limit);
            return full();
        }
    };
    let sockets = state.sockets.clone();
    request
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .on_upgrade(move |socket| {
            sockets.track_future(async move {
                serve(state, session, socket).await;
                drop(slot);
            })
        })
}

/// Response to a handshake beyond a connection limit.
fn full() -> Response {
    let retry = [(RETRY_AFTER, HeaderValue::from_static("5"))];
    let text = "Too many connections. Please try again soon.";
    (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response()
}

/// The reason why a socket ends.
enum End {
    /// The server closes with this code.
    Close(CloseCode),
    /// The client closed, or is gone.
    Gone,
}

async fn serve(state: AppState, session: Session, mut socket: WebSocket) {
    let end = match state.chat.connect(session).await {
        Ok(mut connection) => run(&mut socket, &mut connection).await,
        Err(code) => End::Close(code),
    };
    if let End::Close(code) = end {
        // With other nodes in the cluster, `chat` already closes connections one after the other.
        let at_once = if state.chat.has_other_nodes() { 0 } else { state.chat.connections() };
        close(&mut socket, code, at_once).await;
    }
}

async fn run(socket: &mut WebSocket, connection: &mut Connection) -> End {
    let mut heartbeat = Heartbeat::start(random());
    loop {
        tokio::select! {
            outgoing = connection.next() => match outgoing {
                Outgoing::Frame(frame) => {
                    if !write(socket, connection, frame).await {
                        return End::Gone;
                    }
                }
                Outgoing::Close(code) => return End::Close(code),
            },
            incoming = socket.recv() => {
                heartbeat.received();
                match incoming {
                    Some(Ok(ws::Message::Text(text))) => connection.on_text(&text).await,
                    Some(Ok(ws::Message::Binary(_))) => return End::Close(CloseCode::Binary),
                    Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_))) => {}
                    Some(Err(error)) => return broken(&error).map_or(End::Gone, End::Close),
                    Some(Ok(ws::Message::Close(_))) | None => return End::Gone,
                }
            },
            action = heartbeat.next_action() => match action {
                HeartbeatAction::Ping => {
                    let ping = socket.send(ws::Message::Ping(Bytes::new()));
                    if !matches!(timeout(WRITE_WITHIN, ping).await, Ok(Ok(()))) {
                        return End::Gone;
                    }
                }
                HeartbeatAction::Dead => return End::Close(CloseCode::Silent),
            },
        }
    }
}

/// Writes a frame and all frames queued behind it, then flushes once.
async fn write(socket: &mut WebSocket, connection: &mut Connection, first: FrameText) -> bool {
    let writing = async {
        let mut next = Some(first);
        while let Some(frame) = next {
            // Cannot fail, because a frame is UTF-8 by construction; axum has no way to skip the check.
            let text = Utf8Bytes::try_from(frame.into_bytes()).map_err(axum::Error::new)?;
            socket.feed(ws::Message::Text(text)).await?;
            next = connection.try_next();
        }
        socket.flush().await
    };
    matches!(timeout(WRITE_WITHIN, writing).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, code: CloseCode, at_once: usize) {
    let reason = match code {
        CloseCode::Restart => reconnect_delay_ms(at_once).to_string().into(),
        other => Utf8Bytes::from_static(other.reason()),
    };
    let frame = CloseFrame { code: code.code(), reason };
    let closing = async {
        socket.send(ws::Message::Close(Some(frame))).await?;
        // Reads until the client has answered. Otherwise its unread frames would reset the
        // connection before the client has received the close reason.
        while let Some(Ok(_)) = socket.next().await {}
        if is_unreadable(code) {
            // The rest of a broken frame cannot be read, so only time can delay the reset.
            tokio::time::sleep(CLOSE_WITHIN).await;
        }
        Ok::<_, axum::Error>(())
    };
    // The socket ends here, whether or not the close handshake succeeded.
    let _ = timeout(CLOSE_WITHIN, closing).await;
}

/// Whether the socket can read nothing more after this reason for its end.
fn is_unreadable(code: CloseCode) -> bool {
    matches!(code, CloseCode::Protocol | CloseCode::NotUtf8 | CloseCode::TooLarge)
}

/// Returns a random delay in milliseconds before a client reconnects, so that clients that are
/// disconnected together reconnect spread over time.
fn reconnect_delay_ms(at_once: usize) -> u32 {
    let spread = at_once.saturating_mul(1_000) / RECONNECTS_PER_SECOND;
    let spread = u32::try_from(spread).unwrap_or(u32::MAX).max(250);
    random() % spread
}

fn random() -> u32 {
    // Without randomness, only the load spreads badly.
    getrandom::u32().unwrap_or_default()
}

/// Returns the close code for a frame that cannot be read; `None` if the connection itself has
/// ended.
fn broken(error: &axum::Error) -> Option<CloseCode> {
    match error.source().and_then(|error| error.downcast_ref())? {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Some(CloseCode::TooLarge)
        }
        tungstenite::Error::Utf8(_) => Some(CloseCode::NotUtf8),
        tungstenite::Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::ReceivedAfterClosing
            | ProtocolError::SendAfterClosing,
        ) => None,
        tungstenite::Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}

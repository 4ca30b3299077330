//! `/ws`: moves text between a browser's WebSocket and its [`Connection`].
//!
//! Decides nothing about chat. Sees to the handshake (origin, session, subprotocol), the size of
//! frames, the heartbeat, and a deadline on every write. One task a socket; it ends with the
//! client, the session, the heartbeat or the process.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{self, CloseFrame, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::header::{RETRY_AFTER, SEC_WEBSOCKET_KEY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chat::{Connection, Outgoing, Session};
use futures::{SinkExt, StreamExt};
use protocol::limits::MAX_FRAME_BYTES;
use protocol::{CloseCode, SOCKET_PATH, SUBPROTOCOL};
use tokio::time::timeout;

use crate::foreign;
use crate::heartbeat::{Beat, Heartbeat};
use crate::state::AppState;

/// Small, because thousands of sockets are idle: the library's own would be 128 KiB each. Room for
/// several messages of the usual length; a longer one gets its own for the time it takes.
const READ_BUFFER_BYTES: usize = 2 * 1024;
/// What is written together at most; taken only while something is written.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// Written but not yet taken by the client.
const MAX_WRITE_BUFFER_BYTES: usize = 256 * 1024;
/// A client that takes nothing for this long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait for the client's side of a close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Connections that may come back in a second after a restart.
const COMING_BACK_PER_SECOND: usize = 500;

/// Checks the handshake and begins the socket.
pub async fn upgrade(
    State(state): State<AppState>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
    request: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !state.origins.is_ours(&headers) {
        // Somebody who looks at this address in a browser makes no handshake, and says no origin.
        if headers.contains_key(SEC_WEBSOCKET_KEY) {
            state.mistakes.tell_foreign(&state.origins, &headers);
        }
        return foreign::refuse(&state.origins, SOCKET_PATH, &headers);
    }
    if foreign::lost_upgrade(&headers) {
        state.mistakes.tell_no_upgrade();
        let text =
            "A proxy in front of Duet removed the header Upgrade: it must pass WebSockets on.";
        return (StatusCode::UPGRADE_REQUIRED, text).into_response();
    }
    if state.draining.has_begun() && state.chat.has_other_nodes() {
        let retry = [(RETRY_AFTER, HeaderValue::from_static("1"))];
        return (StatusCode::SERVICE_UNAVAILABLE, retry, "Come to another node.").into_response();
    }
    let Some(Extension(session)) = session else {
        return (StatusCode::UNAUTHORIZED, "Sign in first.").into_response();
    };
    let request = match request {
        Ok(request) => request,
        Err(rejection) => {
            if matches!(rejection, WebSocketUpgradeRejection::ConnectionNotUpgradable(_)) {
                state.mistakes.tell_no_upgrade();
            }
            return rejection.into_response();
        }
    };
    let request = request.protocols([SUBPROTOCOL]);
    if headers.contains_key("sec-websocket-protocol") && request.selected_protocol().is_none() {
        let text = format!("This server speaks {SUBPROTOCOL}.");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    // The last places are kept for pages, which come and go.
    if !state.connections.have_room_for_socket() {
        let retry = [(RETRY_AFTER, HeaderValue::from_static("5"))];
        let text = "Too many people are connected. Please try again soon.";
        return (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response();
    }
    let sockets = state.sockets.clone();
    request
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .on_upgrade(move |socket| sockets.track_future(serve(state, session, socket)))
}

/// Why a socket ends.
enum End {
    /// We say so.
    Say(CloseCode),
    /// The client said so, or is gone.
    Gone,
}

async fn serve(state: AppState, session: Session, mut socket: WebSocket) {
    let end = match state.chat.connect(session).await {
        Ok(mut connection) => converse(&mut socket, &mut connection).await,
        Err(code) => End::Say(code),
    };
    if let End::Say(code) = end {
        // Those who have other nodes to come to are sent there one after the other as it is.
        let at_once = if state.chat.has_other_nodes() { 0 } else { state.chat.connections() };
        close(&mut socket, code, at_once).await;
    }
}

async fn converse(socket: &mut WebSocket, connection: &mut Connection) -> End {
    let mut heartbeat = Heartbeat::start(random());
    loop {
        tokio::select! {
            outgoing = connection.next() => match outgoing {
                Outgoing::Frame(frame) => {
                    if !write(socket, connection, frame).await {
                        return End::Gone;
                    }
                }
                Outgoing::Close(code) => return End::Say(code),
            },
            incoming = socket.recv() => {
                heartbeat.heard();
                match incoming {
                    Some(Ok(ws::Message::Text(text))) => connection.on_text(&text).await,
                    Some(Ok(ws::Message::Binary(_))) => return End::Say(CloseCode::Binary),
                    Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_))) => {}
                    Some(Err(error)) if is_too_large(&error) => return End::Say(CloseCode::TooLarge),
                    Some(Ok(ws::Message::Close(_)) | Err(_)) | None => return End::Gone,
                }
            },
            beat = heartbeat.beat() => match beat {
                Beat::Ping => {
                    let ping = socket.send(ws::Message::Ping(Bytes::new()));
                    if !matches!(timeout(WRITE_WITHIN, ping).await, Ok(Ok(()))) {
                        return End::Gone;
                    }
                }
                Beat::Dead => return End::Say(CloseCode::Silent),
            },
        }
    }
}

/// Writes a frame and all that wait behind it, and flushes once.
async fn write(socket: &mut WebSocket, connection: &mut Connection, first: Bytes) -> bool {
    let writing = async {
        let mut next = Some(first);
        while let Some(frame) = next {
            // A frame is JSON, which is UTF-8.
            let text = Utf8Bytes::try_from(frame).unwrap_or_default();
            socket.feed(ws::Message::Text(text)).await?;
            next = connection.try_next();
        }
        socket.flush().await
    };
    matches!(timeout(WRITE_WITHIN, writing).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, code: CloseCode, at_once: usize) {
    let reason = match code {
        CloseCode::Restart => coming_back(at_once).to_string().into(),
        other => Utf8Bytes::from_static(other.reason()),
    };
    let frame = CloseFrame { code: code.code(), reason };
    let closing = async {
        socket.send(ws::Message::Close(Some(frame))).await?;
        // Read on until the client has answered, or its last frames would reset the line before
        // it has read our reason.
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, axum::Error>(())
    };
    // Whether it went well or not, this was the last of it.
    let _ = timeout(CLOSE_WITHIN, closing).await;
}

/// Milliseconds to wait before coming back, so that those who are sent away at once come back
/// spread over time.
fn coming_back(at_once: usize) -> u32 {
    let spread = at_once.saturating_mul(1_000) / COMING_BACK_PER_SECOND;
    let spread = u32::try_from(spread).unwrap_or(u32::MAX).max(250);
    random() % spread
}

fn random() -> u32 {
    // Only spreads load: a machine without randomness spreads badly, and nothing else.
    getrandom::u32().unwrap_or_default()
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.to_string().contains("too long") || error.to_string().contains("too large") {
            return true;
        }
        source = error.source();
    }
    false
}

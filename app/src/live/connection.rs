//! The task that owns the socket: connects, detects a dead connection, and reconnects.
//!
//! `start` spawns the task; it runs as long as the page. It applies each frame to the state in the
//! order of arrival. Browser only.

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, select};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, WebSocketError};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{
    ClientFrame, CloseCode, Epoch, ErrorCode, FOR_SUBPROTOCOL, Marks, Reconnect, SOCKET_PATH,
    SUBPROTOCOL, ServerFrame, User,
};
use wasm_bindgen::JsValue;

use super::activity::{self, interest};
use super::backoff::Backoff;
use super::heartbeat::{Beat, Heartbeat, Interest};
use super::wake::Wake;
use super::{frames, marks, polling, resync, sender, session_watch, today, writing};
use crate::browser::{dom, page_script};
use crate::notifications;
use crate::state::{Connection, State};

/// Capacity of the outbound queue. The socket takes frames at once, so a full queue means that the
/// socket is stuck. Frames that do not fit are dropped and sent again after reconnecting.
const OUTGOING: usize = 128;
/// Timeout for the first frame. A socket without a `hello` by then is not a Duet server.
const HELLO_MS: u32 = 10_000;
/// Bounds of the longest reconnect delay while a user is active on the page. Within them the
/// longest delay equals the length of the outage. Few pages are active at a time.
const WATCHED_WAIT_MS: (i64, i64) = (2_000, 10_000);
/// Longest reconnect delay of a page without an active user. All such pages reconnect after a
/// server failure.
const UNWATCHED_WAIT_MS: f64 = 30_000.0;

/// Why a connection ended, and when to reconnect.
enum End {
    /// Reconnect, after this many milliseconds if the server named a delay.
    Lost(Option<u32>),
    /// Reconnect after the user has signed in.
    SignedOut,
    /// Reconnect when the user returns to this tab.
    TooManyTabs,
    /// Do not reconnect: the server rejected this page's frames, so the page is too old.
    Outdated,
    /// Load the page again: another user signed in in this browser.
    OtherPerson,
}

/// Starts the connection task.
pub fn start(state: State) -> Wake {
    let (wake, mut woken) = Wake::new();
    activity::listen(state, &wake);
    let own_wake = wake.clone();
    spawn_local(async move {
        page_script::address_is_known().await;
        // The server refuses every request from this address; `page.js` shows the notice.
        if dom::is_wrong_address() {
            return state.connection.set(Connection::WrongAddress);
        }
        let mut backoff = Backoff::default();
        let mut epoch = None;
        state.client.down_since.set_value(Some(dom::uptime_ms()));
        loop {
            if is_signed_out(state) {
                wait_for_sign_in(state, &mut woken).await;
                backoff.reset();
            }
            polling::begin(state, &own_wake);
            let end = connect(state, &mut backoff, &mut epoch, &mut woken).await;
            disconnected(state);
            match end {
                // An HTTP response may have ended the session; a refused socket carries no reason.
                End::Lost(_) if is_signed_out(state) => {}
                End::Lost(wait) => pause(state, &mut backoff, wait, &mut woken).await,
                End::TooManyTabs => {
                    state.connection.set(Connection::TooManyTabs);
                    _ = woken.next().await;
                    if !is_signed_out(state) {
                        state.connection.set(Connection::Connecting);
                    }
                }
                End::SignedOut => state.connection.set(Connection::SignedOut),
                End::Outdated => return state.connection.set(Connection::Outdated),
                End::OtherPerson => return session_watch::leave(),
            }
        }
    });
    wake
}

/// Returns since when there is no socket, on the clock of [`dom::uptime_ms`].
pub fn down_since(state: State) -> Option<i64> {
    state.client.down_since.get_value()
}

fn is_signed_out(state: State) -> bool {
    state.connection.get_untracked() == Connection::SignedOut
}

/// Waits until the user has signed in again in another tab; the page then uses the new session.
/// Checks at each wake-up: a return to this tab, or a page that starts in another tab.
async fn wait_for_sign_in(state: State, woken: &mut mpsc::Receiver<()>) {
    loop {
        _ = woken.next().await;
        if session_watch::is_signed_in().await {
            break;
        }
    }
    state.connection.set(Connection::Connecting);
    state.client.down_since.set_value(Some(dom::uptime_ms()));
}

fn disconnected(state: State) {
    state.client.link.set_value(None);
    if state.connection.get_untracked() == Connection::Live {
        state.connection.set(Connection::Connecting);
    }
    if state.client.down_since.get_value().is_none() {
        state.client.down_since.set_value(Some(dom::uptime_ms()));
    }
    state.with_outbox(|outbox| outbox.disconnected());
    // Messages go over HTTP once the socket has been away for long enough.
    sender::pump(state);
}

async fn pause(
    state: State,
    backoff: &mut Backoff,
    wait: Option<u32>,
    woken: &mut mpsc::Receiver<()>,
) {
    let now = dom::uptime_ms();
    #[expect(clippy::cast_precision_loss, reason = "some seconds")]
    let longest = if matches!(interest(state), Interest::There | Interest::Waiting) {
        let down = now - state.client.down_since.get_value().unwrap_or(now);
        down.clamp(WATCHED_WAIT_MS.0, WATCHED_WAIT_MS.1) as f64
    } else {
        UNWATCHED_WAIT_MS
    };
    let delay = backoff.closed(now, longest, js_sys::Math::random());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a minute")]
    let delay = wait.unwrap_or(delay as u32).min(60_000);
    select! {
        () = TimeoutFuture::new(delay).fuse() => {}
        // While a proxy blocks sockets, a returning user does not reset the backoff.
        _ = woken.next() => if state.connection.get_untracked() != Connection::Polling {
            backoff.reset();
        },
    }
}

/// Runs one connection from the attempt to its end.
async fn connect(
    state: State,
    backoff: &mut Backoff,
    epoch: &mut Option<Epoch>,
    woken: &mut mpsc::Receiver<()>,
) -> End {
    state.client.opening_since.set_value(Some(dom::uptime_ms()));
    let opened = open(state).await;
    state.client.opening_since.set_value(None);
    let (to_server, mut from_server, hello) = match opened {
        Ok(opened) => opened,
        Err(end) => {
            // A close code from the server proves that sockets are not blocked on the way.
            if matches!(end, End::Lost(None)) {
                polling::refused(state);
            }
            return end;
        }
    };
    if let ServerFrame::Hello { user, epoch: now, build, time, .. } = hello {
        if !is_same_person(state, &user) {
            return End::OtherPerson;
        }
        today::note_server_time(state, time, 0);
        // Compared on each connection: after a rollback to this page's build the notice must go
        // away.
        let page = dom::page_build();
        state.newer_build.set(page.is_some() && build.is_some() && page != build);
        if epoch.replace(now).is_some_and(|before| before != now) {
            state.forget();
        }
    }
    backoff.opened(dom::uptime_ms());
    state.begin_connection();
    let (link, outgoing) = mpsc::channel(OUTGOING);
    state.client.link.set_value(Some(link));
    state.client.down_since.set_value(None);
    state.client.calls_work.set_value(false);
    writing::resend_typing(state);
    spawn_local(async move {
        // The subscription is active now, so a resync leaves no gap. The outbox is sent after it.
        resync::resync(state).await;
        if state.client.link.with_value(Option::is_some) && !is_signed_out(state) {
            state.connection.set(Connection::Live);
            sender::pump(state);
        }
    });
    exchange_frames(state, &to_server, &mut from_server, outgoing, woken).await
}

/// Opens a socket for this page's user and waits for the first frame.
async fn open(state: State) -> Result<(web_sys::WebSocket, WebSocket, ServerFrame), End> {
    let address = address().ok_or(End::Outdated)?;
    let me = state.me().map(|me| JsValue::from(format!("{FOR_SUBPROTOCOL}{}", me.id)));
    let protocols: js_sys::Array = [JsValue::from(SUBPROTOCOL)].into_iter().chain(me).collect();
    let to_server = web_sys::WebSocket::new_with_str_sequence(&address, &protocols)
        .map_err(|_| End::Lost(None))?;
    let mut from_server = WebSocket::try_from(to_server.clone()).map_err(|_| End::Lost(None))?;
    let hello = select! {
        frame = next_frame(&mut from_server).fuse() => frame?,
        () = TimeoutFuture::new(HELLO_MS).fuse() => None,
    };
    match hello {
        Some(hello @ ServerFrame::Hello { .. }) => Ok((to_server, from_server, hello)),
        _ => Err(End::Lost(None)),
    }
}

fn is_same_person(state: State, user: &User) -> bool {
    state.me().is_some_and(|me| me.id == user.id)
}

fn address() -> Option<String> {
    let location = window().location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    Some(format!("{scheme}://{}{SOCKET_PATH}", location.host().ok()?))
}

/// Transfers frames in both directions until the connection ends.
async fn exchange_frames(
    state: State,
    to_server: &web_sys::WebSocket,
    from_server: &mut WebSocket,
    mut outgoing: mpsc::Receiver<ClientFrame>,
    woken: &mut mpsc::Receiver<()>,
) -> End {
    let mut heartbeat = Heartbeat::new(dom::uptime_ms());
    loop {
        let wait = heartbeat.wait_ms(dom::uptime_ms(), interest(state));
        let frame = select! {
            frame = next_frame(from_server).fuse() => {
                heartbeat = Heartbeat::new(dom::uptime_ms());
                match frame {
                    Ok(Some(frame)) => on_frame(state, frame),
                    Ok(None) => {}
                    Err(end) => return end,
                }
                continue;
            }
            frame = outgoing.next() => match frame {
                Some(frame) => frame,
                None => return End::Lost(None),
            },
            () = TimeoutFuture::new(u32::try_from(wait).unwrap_or(0)).fuse() => {
                match heartbeat.check(dom::uptime_ms(), interest(state)) {
                    Beat::Quiet => continue,
                    Beat::Ask if !sender::is_stuck(state) => ClientFrame::Ping,
                    Beat::Ask => return End::Lost(None),
                    Beat::Lost => {
                        state.client.down_since.set_value(Some(heartbeat.received_ms()));
                        return End::Lost(None);
                    }
                }
            }
            _ = woken.next() => {
                if is_signed_out(state) {
                    return End::SignedOut;
                }
                // The browser is offline. If the server is reachable anyway, for example on the
                // same machine, the next attempt succeeds.
                let is_away = state.connection.get_untracked() == Connection::Connecting;
                if is_away && !dom::is_online() {
                    return End::Lost(None);
                }
                // After a sleep the socket may only appear open.
                heartbeat.ask(dom::uptime_ms());
                ClientFrame::Ping
            }
        };
        // A closing socket drops frames and logs an error. The close event comes next, and dropped
        // frames are sent again on the next connection.
        if to_server.ready_state() != web_sys::WebSocket::OPEN {
            continue;
        }
        let Ok(json) = serde_json::to_string(&frame) else { continue };
        if to_server.send_with_str(&json).is_err() {
            return End::Lost(None);
        }
    }
}

/// Returns the next frame; `None` for a frame type that this page does not support.
async fn next_frame(from_server: &mut WebSocket) -> Result<Option<ServerFrame>, End> {
    match from_server.next().await {
        Some(Ok(Message::Text(json))) => Ok(frames::read(&json).ok()),
        Some(Ok(Message::Bytes(_))) => Ok(None),
        Some(Err(WebSocketError::ConnectionClose(close))) => {
            let code = CloseCode::from_code(close.code);
            Err(match code.map_or(Reconnect::Yes, CloseCode::reconnect) {
                Reconnect::Yes => End::Lost(
                    (code == Some(CloseCode::Restart)).then(|| close.reason.parse().ok()).flatten(),
                ),
                Reconnect::WhenAsked => End::TooManyTabs,
                Reconnect::AfterSignIn => End::SignedOut,
                Reconnect::No => End::Outdated,
            })
        }
        Some(Err(_)) | None => Err(End::Lost(None)),
    }
}

/// Applies a server frame to the state.
fn on_frame(state: State, frame: ServerFrame) {
    match frame {
        ServerFrame::Sent(sent) => sender::on_sent(state, sent),
        ServerFrame::Refused { client_id: Some(client_id), refusal, .. } => {
            sender::on_refused(state, client_id, refusal);
        }
        ServerFrame::Refused { refusal, .. } if refusal.code == ErrorCode::Unauthenticated => {
            state.connection.set(Connection::SignedOut);
        }
        ServerFrame::Refused { re, conversation: Some(conversation), refusal, .. } => {
            if re.is_some_and(|re| re == "delivered" || re == "read") {
                marks::on_refused(state, conversation, refusal);
            }
        }
        ServerFrame::Refused { .. } => {}
        ServerFrame::Message(message) => {
            let applied = state.apply_message(&message);
            if applied.is_news {
                notifications::arrived(state, &message);
            }
            sender::on_applied(state, message.conversation, applied);
        }
        ServerFrame::Receipt { conversation, user, delivered, read } => {
            let freshness = state.apply_receipt(conversation, user, Marks { delivered, read });
            resync::after_event(state, conversation, freshness);
        }
        ServerFrame::Presence { user, presence } => state.apply_presence(user, presence),
        ServerFrame::User(user) => state.apply_user(&user),
        ServerFrame::Changed { conversation } => resync::on_changed(state, conversation),
        ServerFrame::SignedIn { device } => state.signed_in_elsewhere.set(Some(device)),
        ServerFrame::Typing { conversation, user, active } => {
            if !state.is_me(user) {
                show_typing(state, conversation, active);
            }
        }
        // A second `hello` requests a resync: events from another node may have been lost.
        ServerFrame::Hello { .. } => spawn_local(resync::resync(state)),
        ServerFrame::Pong => {}
    }
}

/// Shows the typing indicator and hides it after six seconds, because the frame that ends typing
/// can be lost.
fn show_typing(state: State, conversation: protocol::ConversationId, active: bool) {
    let Some(entry) = state.entry(conversation) else { return };
    entry.typing.set(active);
    let turn = entry.typing_turn.get_value().wrapping_add(1);
    entry.typing_turn.set_value(turn);
    if active {
        spawn_local(async move {
            TimeoutFuture::new(6_000).await;
            if entry.typing_turn.get_value() == turn {
                entry.typing.set(false);
            }
        });
    }
}

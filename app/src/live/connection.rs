//! The one task that owns the socket: opens it, keeps it alive, comes back when it is lost.
//!
//! It lives as long as the page and ends never; `App` starts it. Each frame is applied to the
//! store here, directly, in the order of arrival. Browser only.

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, select};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, WebSocketError};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{
    ClientFrame, CloseCode, Epoch, ErrorCode, Marks, Reconnect, SOCKET_PATH, SUBPROTOCOL,
    ServerFrame, User,
};

use super::backoff::Backoff;
use super::{catch_up, marks, sender};
use crate::attention;
use crate::dom::{self, Listener};
use crate::json;
use crate::state::{Connection, State};

/// Frames on their way to the socket. It takes them at once, so more than a screenful of sends
/// waiting means that it is stuck; then a frame is not taken, and repeated after reconnecting.
const OUTGOING: usize = 128;
/// A socket that says nothing for this long after opening is not one of ours.
const HELLO_MS: u32 = 10_000;
/// How long an answer to a ping may take when the network or the person came back.
const PROBE_MS: u32 = 5_000;
/// How often a living connection is asked whether it lives.
const PING_MS: u32 = 25_000;
/// Pings without an answer after which the connection counts as dead.
const MISSED_PINGS: u32 = 2;

/// Why a connection is over.
enum End {
    /// Come back; after this time, if the server named one.
    Lost(Option<u32>),
    /// Sign in first.
    SignedOut,
    /// Come back when the person looks at this tab again.
    TooManyTabs,
    /// This page cannot talk to this server.
    Outdated,
    /// Another person signed in in this browser: this page is not theirs.
    OtherPerson,
}

/// Starts the task.
pub fn start(state: State) {
    // One slot: that something woke us is all there is to know.
    let (wake, mut woken) = mpsc::channel::<()>(1);
    listen(&wake);
    spawn_local(async move {
        let mut backoff = Backoff::default();
        let mut epoch = None;
        state.down_since.set_value(Some(dom::now_ms()));
        loop {
            let end = connect(state, &mut backoff, &mut epoch, &mut woken).await;
            disconnected(state);
            match end {
                End::Lost(wait) => pause(&mut backoff, wait, &mut woken).await,
                End::TooManyTabs => {
                    state.connection.set(Connection::TooManyTabs);
                    _ = woken.next().await;
                    state.connection.set(Connection::Connecting);
                }
                End::SignedOut => return state.connection.set(Connection::SignedOut),
                End::Outdated => return state.connection.set(Connection::Outdated),
                End::OtherPerson => {
                    _ = window().location().reload();
                    return;
                }
            }
        }
    });
}

/// The signs that it is worth trying at once.
fn listen(wake: &mpsc::Sender<()>) {
    let events: [(&web_sys::EventTarget, &'static str); 4] = [
        (&window(), "online"),
        (&window(), "pageshow"),
        (&window(), "focus"),
        (&document(), "visibilitychange"),
    ];
    for (target, event) in events {
        let mut wake = wake.clone();
        Listener::new(target, event, move |_| {
            // Full means that the task was told already.
            _ = wake.try_send(());
        })
        .forget();
    }
}

fn disconnected(state: State) {
    state.link.set_value(None);
    if state.connection.get_untracked() == Connection::Live {
        state.connection.set(Connection::Connecting);
        state.down_since.set_value(Some(dom::now_ms()));
    }
    state.with_outbox(|outbox| outbox.disconnected());
    // Over HTTP, once the socket has been away for long enough.
    sender::pump(state);
}

async fn pause(backoff: &mut Backoff, wait: Option<u32>, woken: &mut mpsc::Receiver<()>) {
    let delay = backoff.closed(dom::now_ms(), js_sys::Math::random());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a minute")]
    let delay = wait.unwrap_or(delay as u32).min(60_000);
    select! {
        () = TimeoutFuture::new(delay).fuse() => {}
        _ = woken.next() => backoff.reset(),
    }
}

/// One connection, from opening to its end.
async fn connect(
    state: State,
    backoff: &mut Backoff,
    epoch: &mut Option<Epoch>,
    woken: &mut mpsc::Receiver<()>,
) -> End {
    let Some(address) = address() else { return End::Outdated };
    let Ok(to_server) = web_sys::WebSocket::new_with_str(&address, SUBPROTOCOL) else {
        return End::Lost(None);
    };
    let Ok(mut from_server) = WebSocket::try_from(to_server.clone()) else {
        return End::Lost(None);
    };
    let hello = select! {
        frame = next_frame(&mut from_server).fuse() => frame,
        () = TimeoutFuture::new(HELLO_MS).fuse() => Err(End::Lost(None)),
    };
    match hello {
        Ok(Some(ServerFrame::Hello { user, epoch: now, build, .. })) => {
            if !is_same_person(state, &user) {
                return End::OtherPerson;
            }
            // Said by each connection anew: after a return to the old build nothing is newer.
            let page = dom::page_build();
            state.newer_build.set(page.is_some() && build.is_some() && page != build);
            if epoch.replace(now).is_some_and(|before| before != now) {
                state.forget();
            }
        }
        Ok(_) => return End::Lost(None),
        Err(end) => return end,
    }
    backoff.opened(dom::now_ms());
    state.begin_connection();
    let (link, outgoing) = mpsc::channel(OUTGOING);
    state.link.set_value(Some(link));
    state.down_since.set_value(None);
    spawn_local(async move {
        // Events arrive from here on, so what is read now leaves no gap; then the outbox goes.
        catch_up::catch_up(state).await;
        if state.link.with_value(Option::is_some) {
            state.connection.set(Connection::Live);
            sender::pump(state);
        }
    });
    talk(state, &to_server, &mut from_server, outgoing, woken).await
}

fn is_same_person(state: State, user: &User) -> bool {
    state.me().is_some_and(|me| me.id == user.id)
}

fn address() -> Option<String> {
    let location = window().location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    Some(format!("{scheme}://{}{SOCKET_PATH}", location.host().ok()?))
}

/// Carries frames both ways until the connection is over.
async fn talk(
    state: State,
    to_server: &web_sys::WebSocket,
    from_server: &mut WebSocket,
    mut outgoing: mpsc::Receiver<ClientFrame>,
    woken: &mut mpsc::Receiver<()>,
) -> End {
    let mut unanswered = 0;
    let mut tick = TimeoutFuture::new(PING_MS).fuse();
    loop {
        let frame = select! {
            frame = next_frame(from_server).fuse() => {
                unanswered = 0;
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
            () = tick => {
                if unanswered >= MISSED_PINGS || sender::is_stuck(state) {
                    return End::Lost(None);
                }
                unanswered += 1;
                tick = TimeoutFuture::new(PING_MS).fuse();
                ClientFrame::Ping
            }
            _ = woken.next() => {
                // A socket can look alive after a sleep: ask, and do not wait long.
                unanswered = MISSED_PINGS;
                tick = TimeoutFuture::new(PROBE_MS).fuse();
                ClientFrame::Ping
            }
        };
        // One that is closing takes nothing and complains; how it ended is the next that is heard, and
        // what was not taken is repeated on the connection after it.
        if to_server.ready_state() != web_sys::WebSocket::OPEN {
            continue;
        }
        let Ok(json) = serde_json::to_string(&frame) else { continue };
        if to_server.send_with_str(&json).is_err() {
            return End::Lost(None);
        }
    }
}

/// The next frame; `None` for one that a newer server may send and this page does not know.
async fn next_frame(from_server: &mut WebSocket) -> Result<Option<ServerFrame>, End> {
    match from_server.next().await {
        Some(Ok(Message::Text(json))) => Ok(json::read(&json).ok()),
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

/// Applies what the server says.
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
                attention::arrived(state, &message);
            }
            sender::on_applied(state, message.conversation, applied);
        }
        ServerFrame::Receipt { conversation, user, delivered, read } => {
            let known = state.apply_receipt(conversation, user, Marks { delivered, read });
            catch_up::after_event(state, conversation, known);
        }
        ServerFrame::Presence { user, presence } => state.apply_presence(user, presence),
        ServerFrame::User(user) => state.apply_user(&user),
        ServerFrame::Typing { conversation, user, active } => {
            if !state.is_me(user) {
                show_typing(state, conversation, active);
            }
        }
        // Events may have been lost on their way from another node.
        ServerFrame::Hello { .. } => spawn_local(catch_up::catch_up(state)),
        ServerFrame::Pong => {}
    }
}

/// Shows that the peer types, and forgets it after a while: the word that they stopped can be lost.
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

//! Polling over HTTP while there is no socket. It also finds out whether the server answers at all,
//! whether a proxy blocks sockets, and whether the session is over. A browser does not report why a
//! socket was refused, so only an HTTP request reveals the cause.
//!
//! One task at a time. `connection` starts it before each attempt; it ends once a socket is open or
//! none is wanted. Browser only.

use futures::{FutureExt, select};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::wake::Wake;
use super::{resync, sender};
use crate::browser::dom::uptime_ms;
use crate::error::AppError;
use crate::state::{Connection, State};

/// Delay before the first request. Most sockets to a restarted server are open again before that.
const FIRST_MS: u32 = 1_500;
/// Interval while the cause of the outage is unclear.
const SOON_MS: u32 = 2_000;
/// Polling interval; the banner shows this number.
const POLL_MS: u32 = 30_000;
/// Interval while the server does not answer, and its random spread.
const AWAY_MS: f64 = 5_000.0;
const AWAY_SPREAD_MS: f64 = 10_000.0;
/// Timeout of a request.
const ANSWER_MS: u32 = 20_000;
/// A socket that takes longer to open counts as blocked.
const HANGS_MS: i64 = 3_000;

/// Starts the task unless it runs. `wake` is called when the server answers again, because a socket
/// may then succeed.
pub fn begin(state: State, wake: &Wake) {
    if state.client.polling.get_value() {
        return;
    }
    state.client.polling.set_value(true);
    state.client.calls_work.set_value(false);
    let wake = wake.clone();
    spawn_local(async move {
        let mut wait = FIRST_MS;
        loop {
            TimeoutFuture::new(wait).await;
            if !is_wanted(state) {
                break;
            }
            wait = match until_first(state) {
                // The task was started in an earlier outage.
                Some(rest) => rest,
                None => read(state, &wake).await,
            };
        }
        state.client.polling.set_value(false);
    });
}

/// Returns the time until the socket has been away for `FIRST_MS`; `None` if that time has passed.
fn until_first(state: State) -> Option<u32> {
    let down = uptime_ms() - state.client.down_since.get_value()?;
    u32::try_from(i64::from(FIRST_MS) - down).ok().filter(|rest| *rest > 0)
}

fn is_wanted(state: State) -> bool {
    let away =
        matches!(state.connection.get_untracked(), Connection::Connecting | Connection::Polling);
    away && state.client.link.with_value(Option::is_none)
}

/// Polls once. Returns the delay before the next poll, in milliseconds.
async fn read(state: State, wake: &Wake) -> u32 {
    let answer = select! {
        answer = resync::over_http(state).fuse() => answer,
        () = TimeoutFuture::new(ANSWER_MS).fuse() => Err(AppError::Unreached),
    };
    // A socket was opened meanwhile.
    if !is_wanted(state) {
        return FIRST_MS;
    }
    // A refusal also proves that the server answers.
    let answered = !matches!(answer, Err(AppError::Unreached));
    let answered_before = state.client.calls_work.get_value();
    state.client.calls_work.set_value(answered);
    match (state.connection.get_untracked(), answered) {
        (Connection::Polling, true) => POLL_MS,
        (Connection::Polling, false) => {
            state.connection.set(Connection::Connecting);
            away_ms()
        }
        (Connection::Connecting, true) => {
            let since = state.client.opening_since.get_value();
            if since.is_some_and(|since| uptime_ms() - since >= HANGS_MS) {
                begin_polling(state);
                return POLL_MS;
            }
            if !answered_before {
                wake.wake();
            }
            SOON_MS
        }
        (Connection::Connecting, false) => away_ms(),
        _ => FIRST_MS,
    }
}

/// Handles a failed attempt to open a socket. If HTTP requests succeed, sockets are blocked and
/// polling begins.
pub fn refused(state: State) {
    let connecting = state.connection.get_untracked() == Connection::Connecting;
    if connecting && state.client.calls_work.get_value() {
        begin_polling(state);
    }
}

fn begin_polling(state: State) {
    state.connection.set(Connection::Polling);
    // Queued messages go over HTTP from now on.
    sender::pump(state);
}

fn away_ms() -> u32 {
    let wait = AWAY_MS + AWAY_SPREAD_MS * js_sys::Math::random();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
    let wait = wait as u32;
    wait
}

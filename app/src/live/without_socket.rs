//! Reading by calls while there is no socket, and what it tells: whether the server answers at all,
//! whether sockets are refused on the way to it, and whether the session is over. A browser does not
//! tell a page why a socket was refused, so a call is the only way to know.
//!
//! One task at a time, begun by `connection` before each attempt; it ends once a socket is open, or
//! none is wanted. Browser only.

use futures::{FutureExt, select};
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::connection::Wake;
use super::{catch_up, sender};
use crate::dom::uptime_ms;
use crate::error::AppError;
use crate::state::{Connection, State};

/// How long a socket may be away, or take to open, before the server is asked by a call: a restarted
/// server is back on most sockets before that.
const FIRST_MS: u32 = 1_500;
/// Between two looks while it is not yet clear how things are.
const SOON_MS: u32 = 2_000;
/// Between two readings; the banner says this number.
const POLL_MS: u32 = 30_000;
/// Between two attempts while the server does not answer, and by how much they are spread.
const AWAY_MS: f64 = 5_000.0;
const AWAY_SPREAD_MS: f64 = 10_000.0;
/// A call that takes longer is not answered.
const ANSWER_MS: u32 = 20_000;
/// A socket that takes longer to open is held up on the way.
const HANGS_MS: i64 = 3_000;

/// Begins the task, unless it runs. `wake` is told when the server answers again: then a socket is
/// worth a try.
pub fn begin(state: State, wake: &Wake) {
    if state.reading.get_value() {
        return;
    }
    state.reading.set_value(true);
    state.calls_work.set_value(false);
    let wake = wake.clone();
    spawn_local(async move {
        let mut wait = FIRST_MS;
        loop {
            TimeoutFuture::new(wait).await;
            if !is_wanted(state) {
                break;
            }
            wait = match until_first(state) {
                // The task was begun in an outage before this one.
                Some(rest) => rest,
                None => read(state, &wake).await,
            };
        }
        state.reading.set_value(false);
    });
}

/// How long the socket must still be away before the server is asked by a call.
fn until_first(state: State) -> Option<u32> {
    let down = uptime_ms() - state.down_since.get_value()?;
    u32::try_from(i64::from(FIRST_MS) - down).ok().filter(|rest| *rest > 0)
}

fn is_wanted(state: State) -> bool {
    let away =
        matches!(state.connection.get_untracked(), Connection::Connecting | Connection::Polling);
    away && state.link.with_value(Option::is_none)
}

/// Reads once, and says when to read again.
async fn read(state: State, wake: &Wake) -> u32 {
    let answer = select! {
        answer = catch_up::without_socket(state).fuse() => answer,
        () = TimeoutFuture::new(ANSWER_MS).fuse() => Err(AppError::Unreached),
    };
    // A socket came meanwhile.
    if !is_wanted(state) {
        return FIRST_MS;
    }
    // A refusal is an answer as well.
    let answered = !matches!(answer, Err(AppError::Unreached));
    let answered_before = state.calls_work.get_value();
    state.calls_work.set_value(answered);
    match (state.connection.get_untracked(), answered) {
        (Connection::Polling, true) => POLL_MS,
        (Connection::Polling, false) => {
            state.connection.set(Connection::Connecting);
            away_ms()
        }
        (Connection::Connecting, true) => {
            let since = state.opening_since.get_value();
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

/// An attempt to open a socket failed. Where the server answers calls, sockets are refused on the way.
pub fn refused(state: State) {
    let connecting = state.connection.get_untracked() == Connection::Connecting;
    if connecting && state.calls_work.get_value() {
        begin_polling(state);
    }
}

fn begin_polling(state: State) {
    state.connection.set(Connection::Polling);
    // What waits goes by calls from now on.
    sender::pump(state);
}

fn away_ms() -> u32 {
    let wait = AWAY_MS + AWAY_SPREAD_MS * js_sys::Math::random();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
    let wait = wait as u32;
    wait
}

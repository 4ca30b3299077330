//! Keeps displayed dates and times correct: "Today" after midnight, clock times after a change of
//! the time zone. The server's clock is used if the device's clock is wrong.
//!
//! A timer fires late after a sleep, and events never reach a page that stays in view. Both
//! therefore trigger a check, and only a change renders again. Browser only; `start` starts it, and
//! it runs as long as the page.

use std::time::Duration;

use leptos::prelude::*;
use protocol::Timestamp;

use crate::browser::dom::{self, Listener};
use crate::state::State;
use crate::time;

/// Longest time between two checks.
const LOOK_EVERY_MS: i64 = 60_000;
/// Shortest time between two checks, so that a clock that stops at midnight causes no busy loop.
const SHORTEST_MS: i64 = 500;

/// Starts the checks. The page still shows the times that the server rendered.
pub fn start(state: State) {
    let written_at = state.time_context.with_untracked(|local| local.written_at());
    note_server_time(state, written_at, dom::uptime_ms());
    for (target, event) in [
        (web_sys::EventTarget::from(document()), "visibilitychange"),
        (window().into(), "pageshow"),
        (window().into(), "focus"),
    ] {
        Listener::new(&target, event, move |_| look(state)).forget();
    }
    look_later(state);
}

/// Records the server's time, which is at most `ago_ms` old. It replaces a wrong device clock.
pub fn note_server_time(state: State, server: Timestamp, ago_ms: i64) {
    time::note_server_time(server, ago_ms);
    look(state);
}

fn look_later(state: State) {
    let wait = time::until_midnight_ms().clamp(SHORTEST_MS, LOOK_EVERY_MS);
    set_timeout(
        move || {
            look(state);
            look_later(state);
        },
        Duration::from_millis(u64::try_from(wait).unwrap_or(1_000)),
    );
}

fn look(state: State) {
    if let Some(renewed) = state.time_context.with_untracked(|local| local.renewed()) {
        // All displayed times depend on this signal.
        state.time_context.set(renewed);
        state.project_open();
    }
}

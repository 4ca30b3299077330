//! Keeps words about time true: "Today" after midnight, clocks after a change of zone, both by the server's
//! clock where the device's is wrong.
//!
//! A timer alone would be late after a sleep, and events alone never come to a page that stays in
//! view. So both look whether something changed, and only then is anything written anew. Browser
//! only; `start` begins it, and it lives as long as the page.

use std::time::Duration;

use leptos::prelude::*;
use protocol::Timestamp;

use crate::dom::{self, Listener};
use crate::state::State;
use crate::time;

/// The longest time between two looks.
const LOOK_EVERY_MS: i64 = 60_000;
/// The shortest: a clock that stands still at midnight is not asked without a pause.
const SHORTEST_MS: i64 = 500;

/// Begins, when the words on the page are as the server wrote them.
pub fn start(state: State) {
    let written_at = state.local_time.with_untracked(|local| local.written_at());
    told(state, written_at, dom::uptime_ms());
    for (target, event) in [
        (web_sys::EventTarget::from(document()), "visibilitychange"),
        (window().into(), "pageshow"),
        (window().into(), "focus"),
    ] {
        Listener::new(&target, event, move |_| look(state)).forget();
    }
    look_later(state);
}

/// The server told its time, so long ago at most. Where this device's clock is wrong, that one counts.
pub fn told(state: State, server: Timestamp, ago_ms: i64) {
    time::heard(server, ago_ms);
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
    if let Some(renewed) = state.local_time.with_untracked(|local| local.renewed()) {
        // Whatever shows a time listens to this.
        state.local_time.set(renewed);
        state.project_open();
    }
}

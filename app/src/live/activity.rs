//! Browser events about the network and the user: reasons to reconnect at once, loss of the
//! network, and user activity. Browser only; `connection` listens.

use std::cell::Cell;

use leptos::prelude::*;

use super::heartbeat::Interest;
use super::wake::Wake;
use crate::browser::dom::{self, Listener};
use crate::state::{Connection, State};

/// The user counts as inactive after this long without input.
const THERE_MS: i64 = 120_000;

thread_local! {
    /// Time of the last user activity.
    static SIGN_MS: Cell<i64> = const { Cell::new(0) };
}

/// Listens for events that wake the connection task, report a lost network, or show user activity.
pub fn listen(state: State, wake: &Wake) {
    let events: [(&web_sys::EventTarget, &'static str); 5] = [
        (&window(), "online"),
        (&window(), "offline"),
        (&window(), "pageshow"),
        (&window(), "focus"),
        (&document(), "visibilitychange"),
    ];
    for (target, event) in events {
        let wake = wake.clone();
        Listener::new(target, event, move |_| {
            SIGN_MS.set(dom::uptime_ms());
            // Set here and not by the task, which may be in the middle of an attempt.
            let connection = state.connection.get_untracked();
            let is_trying = connection == Connection::Connecting;
            if event == "offline" && (is_trying || connection.brings_news()) {
                state.connection.set(Connection::Connecting);
            }
            wake.wake();
        })
        .forget();
    }
    for event in ["pointermove", "pointerdown", "keydown"] {
        Listener::new(&window(), event, |_| SIGN_MS.set(dom::uptime_ms())).forget();
    }
}

/// Returns who would notice a dead connection now.
pub fn interest(state: State) -> Interest {
    if state.read_outbox(|outbox| outbox.is_under_way()) {
        Interest::Waiting
    } else if document().hidden() {
        Interest::Hidden
    } else if dom::uptime_ms() - SIGN_MS.get() < THERE_MS {
        Interest::There
    } else {
        Interest::Idle
    }
}

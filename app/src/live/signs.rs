//! What the browser tells of the network and of the person: that a line is worth a try at once, that there is
//! no network, and whether somebody is there. Browser only; `connection` listens.

use std::cell::Cell;

use leptos::prelude::*;

use super::connection::Wake;
use super::pulse::Interest;
use crate::dom::{self, Listener};
use crate::state::{Connection, State};

/// Whoever has not touched the page for this long is not there any more.
const THERE_MS: i64 = 120_000;

thread_local! {
    /// When the person gave the last sign of being there.
    static SIGN_MS: Cell<i64> = const { Cell::new(0) };
}

/// The signs that it is worth trying at once, that there is no network, and that somebody is there.
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
            // Said at once: the task may be in the midst of an attempt.
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

/// Who would notice now that the line is dead.
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

//! Entry points of `arrival`, whose code is loaded lazily. Browser only.

use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::Message;

use super::{arrival, worker};
use crate::language::use_texts;
use crate::lazy::{lazy_functions, soon};
use crate::state::State;

/// The functions of the loaded code.
#[derive(Clone, Copy)]
struct NotificationCode {
    start: fn(State),
    arrived: fn(State, &Message),
}

lazy_functions! {
    fn load_notifications() -> NotificationCode {
        NotificationCode { start: arrival::start, arrived: arrival::arrived }
    }
}

thread_local! {
    /// The page's owner, under which the listeners and effects of `arrival` live. Taken by the
    /// first load.
    static PAGE: Cell<Option<Owner>> = const { Cell::new(None) };
}

/// Starts the service worker, then loads the rest a moment later. `live::start` calls it once.
pub fn start(state: State) {
    state.notifications.wordless.set_value(use_texts().new_message);
    // The worker may hold a click on a notification of an earlier page.
    worker::start(state.notifications);
    PAGE.set(Owner::current());
    soon(async move { _ = load_and_start(state).await });
}

/// Handles a message, live or caught up after an absence. Ignores the user's own messages.
pub fn arrived(state: State, message: &Message) {
    if state.is_me(message.sender) {
        return;
    }
    let message = message.clone();
    spawn_local(async move {
        // A message arrived, so the network works; loading fails only if the server no longer has
        // the build of this page.
        if let Some(code) = load_and_start(state).await {
            (code.arrived)(state, &message);
        }
    });
}

/// Loads the code and starts it on the first call.
async fn load_and_start(state: State) -> Option<NotificationCode> {
    let code = load_notifications().await.ok()?;
    if let Some(page) = PAGE.take() {
        page.with(|| (code.start)(state));
    }
    Some(code)
}

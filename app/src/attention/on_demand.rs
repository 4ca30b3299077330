//! The way to `arrival`, whose code is loaded when it is wanted. Browser only.

use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::Message;

use super::{arrival, worker};
use crate::language::use_texts;
use crate::on_demand::{on_demand, soon};
use crate::state::State;

/// What the loaded code does.
#[derive(Clone, Copy)]
struct Code {
    start: fn(State),
    arrived: fn(State, &Message),
}

on_demand! {
    fn load_attention() -> Code {
        Code { start: arrival::start, arrived: arrival::arrived }
    }
}

thread_local! {
    /// What the listeners and effects of `arrival` live in: the page.
    static PAGE: Cell<Option<Owner>> = const { Cell::new(None) };
}

/// Listens to the worker, and begins the rest a moment later. `live::start` calls it once.
pub fn start(state: State) {
    state.attention.wordless.set_value(use_texts().new_message);
    // A click on a notification of before may be waiting.
    worker::start(state.attention);
    PAGE.set(Owner::current());
    soon(async move { _ = begun(state).await });
}

/// A message was heard of, live or after an absence.
pub fn arrived(state: State, message: &Message) {
    if state.is_me(message.sender) {
        return;
    }
    let message = message.clone();
    spawn_local(async move {
        // Without network nothing came, so this is a page whose build the server has no more.
        if let Some(code) = begun(state).await {
            (code.arrived)(state, &message);
        }
    });
}

/// The code, at work.
async fn begun(state: State) -> Option<Code> {
    let code = load_attention().await.ok()?;
    if let Some(page) = PAGE.take() {
        page.with(|| (code.start)(state));
    }
    Some(code)
}

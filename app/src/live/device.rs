//! Messages on this device, for whoever chose that: the newest rows of the conversations that were opened
//! last, and the list. They are read where the server cannot be, and go when the person signs out, deletes
//! the account, or thinks better of it, and when somebody else signs in in this browser.
//!
//! What keeps and reads them ([`rows`]) is loaded for whoever chose it. The service worker (`public/sw.js`)
//! keeps the page itself, so that it opens without a network. Browser only.

mod rows;

use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, UserId};

use super::storage;
use crate::attention::worker;
use crate::on_demand::{on_demand, soon};
use crate::state::State;

/// What the loaded code does.
#[derive(Clone, Copy)]
struct Code {
    begin: fn(State),
    save_all: fn(State),
    bring: fn(State, ConversationId),
}

on_demand! {
    fn load_device() -> Code {
        Code { begin: rows::begin, save_all: rows::save_all, bring: rows::bring }
    }
}

thread_local! {
    /// What the listeners and effects of `rows` live in: the page.
    static PAGE: Cell<Option<Owner>> = const { Cell::new(None) };
}

/// Begins to keep, if that is wanted. Nothing of anybody else stays.
pub fn start(state: State, me: Option<UserId>) {
    if storage::forget_rows_of_others(me) {
        worker::keep_page(&[]);
    }
    PAGE.set(Owner::current());
    if is_chosen(state) {
        soon(async move { _ = begun(state).await });
    }
}

/// Whether the person wants messages on this device.
pub fn is_chosen(state: State) -> bool {
    state.me().is_some_and(|me| storage::kept_rows(me.id, CHOICE).is_some())
}

/// The key of the choice itself.
const CHOICE: &str = "on";

/// The person chose. Answers what holds now: a browser that keeps nothing cannot keep that.
pub fn choose(state: State, keeps: bool) -> bool {
    if !keeps {
        forget(state);
        return false;
    }
    let done = state.me().is_some_and(|me| storage::keep_rows(me.id, CHOICE, "1"));
    if done {
        spawn_local(async move {
            if let Some(code) = begun(state).await {
                (code.save_all)(state);
            }
        });
    }
    done
}

/// Deletes what is kept.
pub fn forget(state: State) {
    if let Some(me) = state.me() {
        storage::forget_rows(me.id);
    }
    worker::keep_page(&[]);
}

/// Takes what is kept of a conversation into the state.
pub async fn bring(state: State, id: ConversationId) {
    if is_chosen(state)
        && let Some(code) = begun(state).await
    {
        (code.bring)(state, id);
    }
}

/// The code, at work.
async fn begun(state: State) -> Option<Code> {
    let code = load_device().await.ok()?;
    if let Some(page) = PAGE.take() {
        page.with(|| (code.begin)(state));
    }
    Some(code)
}

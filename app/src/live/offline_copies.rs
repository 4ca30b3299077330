//! Offline copies of messages for users who enabled them: the newest messages of recently opened
//! conversations, and the list. The page shows them while the server is unreachable. They are
//! deleted when the user signs out, deletes the account or disables the setting, and when another
//! user signs in in this browser.
//!
//! The code that stores and loads them ([`rows`]) is loaded lazily. The service worker
//! (`public/sw.js`) caches the page itself, so that it opens without a network. Browser only.

mod rows;

use std::cell::Cell;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, UserId};

use super::storage;
use crate::lazy::{lazy_functions, soon};
use crate::notifications::worker;
use crate::state::State;

/// The functions of the lazily loaded code.
#[derive(Clone, Copy)]
struct OfflineCopyCode {
    begin: fn(State),
    save_all: fn(State),
    bring: fn(State, ConversationId),
}

lazy_functions! {
    fn load_offline_copies() -> OfflineCopyCode {
        OfflineCopyCode { begin: rows::begin, save_all: rows::save_all, bring: rows::bring }
    }
}

thread_local! {
    /// Owner of the listeners and effects of `rows`, which live as long as the page.
    static PAGE: Cell<Option<Owner>> = const { Cell::new(None) };
}

/// Starts storing if the user enabled it. Deletes copies that belong to other users.
pub fn start(state: State, me: Option<UserId>) {
    if storage::forget_rows_of_others(me) {
        worker::keep_page(&[]);
    }
    PAGE.set(Owner::current());
    if is_chosen(state) {
        soon(async move { _ = begun(state).await });
    }
}

/// Returns whether the user enabled offline copies.
pub fn is_chosen(state: State) -> bool {
    state.me().is_some_and(|me| storage::kept_rows(me.id, CHOICE).is_some())
}

/// Storage key of the setting.
const CHOICE: &str = "on";

/// Changes the setting. Returns the setting in force: without working storage it stays off.
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

/// Deletes the copies and the setting.
pub fn forget(state: State) {
    if let Some(me) = state.me() {
        storage::forget_rows(me.id);
    }
    worker::keep_page(&[]);
}

/// Loads the copy of a conversation into the state.
pub async fn bring(state: State, id: ConversationId) {
    if is_chosen(state)
        && let Some(code) = begun(state).await
    {
        (code.bring)(state, id);
    }
}

/// Loads the code and starts it on the first call. `None` if loading fails.
async fn begun(state: State) -> Option<OfflineCopyCode> {
    let code = load_offline_copies().await.ok()?;
    if let Some(page) = PAGE.take() {
        page.with(|| (code.begin)(state));
    }
    Some(code)
}

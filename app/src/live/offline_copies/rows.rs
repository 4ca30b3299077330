//! Stores and loads the offline copies. Loaded lazily by
//! `offline_copies`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use leptos::prelude::*;
use protocol::{ConversationId, ConversationPage, Marks, Seq, UserId};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::browser::dom::{Listener, moment};
use crate::json;
use crate::live::{offline_copies, storage};
use crate::notifications::worker;
use crate::state::{Connection, FirstPage, State};

/// Number of conversations stored, the most recently opened ones.
const MOST_CONVERSATIONS: usize = 20;
/// Number of messages stored of each conversation.
const MOST_MESSAGES: i64 = 100;
/// Upper bound of all bodies of one conversation, in bytes. Drafts and unsent messages need the
/// rest of the storage.
const MOST_BYTES: usize = 64 * 1024;
/// Number of list entries stored.
const MOST_ENTRIES: usize = 50;
/// Interval between two checks for changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Delay between connecting and caching the page. By then the page has loaded its lazy code.
const PAGE_AFTER: Duration = Duration::from_secs(3);
/// Storage key of the list.
const LIST: &str = "list";

/// Span and marks of a conversation when it was last stored.
type Mark = ((Seq, Seq), Marks, Marks);

thread_local! {
    static KEPT: RefCell<HashMap<ConversationId, Mark>> = RefCell::default();
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = getEntriesByType)]
    fn entries(kind: &str) -> js_sys::Array;
}

/// Loads the stored list and stores changes from now on, as long as the page lives.
pub fn begin(state: State) {
    if let Some(page) = state
        .me()
        .and_then(|me| storage::kept_rows(me.id, LIST))
        .and_then(|kept| json::read(&kept).ok())
    {
        state.adopt_list(page, true);
    }
    save(state);
    for (target, event) in [
        (web_sys::EventTarget::from(document()), "visibilitychange"),
        (window().into(), "pagehide"),
    ] {
        Listener::new(&target, event, move |_| save(state)).forget();
    }
    // Cannot fail: the interval is a number.
    _ = set_interval_with_handle(move || save(state), LOOK_EVERY);
    Effect::new(move |was_live: Option<bool>| {
        let connection = state.connection.get();
        if connection == Connection::SignedOut {
            offline_copies::forget(state);
        }
        let is_live = connection == Connection::Live;
        if is_live && was_live != Some(true) {
            set_timeout(
                move || {
                    if offline_copies::is_chosen(state) {
                        keep_page();
                    }
                },
                PAGE_AFTER,
            );
        }
        is_live
    });
}

/// Stores everything, including conversations stored before the setting was last disabled.
pub fn save_all(state: State) {
    KEPT.with_borrow_mut(HashMap::clear);
    save(state);
    keep_page();
}

/// Asks the service worker to cache the page and its code.
fn keep_page() {
    let name = |entry| js_sys::Reflect::get(&entry, &"name".into()).ok()?.as_string();
    let loaded = entries("resource");
    let code: Vec<String> =
        loaded.iter().filter_map(name).filter(|address| address.contains("/pkg/")).collect();
    worker::keep_page(&code);
}

/// Stores the conversations that changed, and the list.
fn save(state: State) {
    let Some(me) = state.me().map(|me| me.id) else { return };
    let signed_out = state.connection.get_untracked() == Connection::SignedOut;
    if signed_out || state.client.has_left.get_value() || !offline_copies::is_chosen(state) {
        return;
    }
    let mut is_new = false;
    for (id, (first, last)) in state.cached_runs() {
        let Some(summary) = state.summary(id) else { continue };
        let first = first.max(Seq(last.0 - MOST_MESSAGES + 1));
        let mark = ((first, last), summary.theirs, summary.mine);
        let before = KEPT.with_borrow_mut(|kept| kept.insert(id, mark));
        if before != Some(mark) {
            is_new = true;
            keep(state, me, id);
        }
    }
    if is_new {
        make_room(me);
    }
    keep_list(state, me);
}

/// Stores one conversation with the time when it was last opened.
fn keep(state: State, me: UserId, id: ConversationId) {
    let Some(mut first) = state.newest_rows(id, MOST_MESSAGES) else { return };
    let mut bytes = 0;
    let messages = &mut first.page.messages;
    let fits = messages.iter().rev().take_while(|message| {
        bytes += message.body.len();
        bytes <= MOST_BYTES
    });
    let dropped = messages.len() - fits.count();
    messages.drain(..dropped);
    let key = id.to_string();
    let is_open = state.open_conversation().is_some_and(|open| open.id == id);
    let opened = if is_open {
        moment().wall_ms
    } else {
        storage::kept_rows(me, &key).map_or(0, |kept| opened_at(&kept))
    };
    if let Ok(json) = serde_json::to_string(&first) {
        // If the storage is full, the conversation needs the network to open.
        storage::keep_rows(me, &key, &(opened.to_string() + " " + &json));
    }
}

fn opened_at(kept: &str) -> i64 {
    kept.split(' ').next().and_then(|at| at.parse().ok()).unwrap_or_default()
}

/// Deletes the least recently opened conversations beyond the limit.
fn make_room(me: UserId) {
    let mut kept: Vec<(i64, String)> = storage::all_rows(me)
        .into_iter()
        .filter(|(key, _)| key.parse::<ConversationId>().is_ok())
        .map(|(key, value)| (opened_at(&value), key))
        .collect();
    if kept.len() > MOST_CONVERSATIONS {
        kept.sort_unstable();
        for (_, key) in &kept[..kept.len() - MOST_CONVERSATIONS] {
            storage::drop_rows(me, key);
        }
    }
}

fn keep_list(state: State, me: UserId) {
    let listed = state.list.get_untracked();
    let conversations: Vec<_> =
        listed.iter().take(MOST_ENTRIES).filter_map(|id| state.summary(*id)).collect();
    let has_more = listed.len() > conversations.len() || state.list_has_more.get_untracked();
    let page = ConversationPage { conversations, has_more, ..ConversationPage::default() };
    if let Ok(json) = serde_json::to_string(&page)
        && storage::kept_rows(me, LIST).as_deref() != Some(json.as_str())
    {
        storage::keep_rows(me, LIST, &json);
    }
}

/// Loads the stored messages of a conversation into the state.
pub fn bring(state: State, id: ConversationId) {
    let Some(kept) = state.me().and_then(|me| storage::kept_rows(me.id, &id.to_string())) else {
        return;
    };
    let json = kept.split_once(' ').map_or("", |(_, json)| json);
    let Ok(FirstPage { conversation, page }) = json::read::<FirstPage>(json) else { return };
    if state.entry(id).is_none() {
        state.adopt(conversation);
    }
    // An outdated entry is fetched again once there is a connection.
    _ = state.merge_page(&page);
}

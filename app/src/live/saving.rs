//! Saves unsent messages and drafts in the browser's storage. Texts that the storage refuses, because
//! it is full, disabled or failing, stay in memory.
//!
//! Unsaved text exists only in this page. While there is any, the page shows a warning and retries
//! until the storage accepts the text, and the browser asks before the page is closed. Browser only; `start` starts it.

use std::collections::HashMap;
use std::time::Duration;

use leptos::prelude::*;
use protocol::{ClientId, ConversationId};

use super::drafts::UnsavedDraft;
use super::outbox::UnsentMessage;
use super::{Unsent, offline_copies, storage};
use crate::browser::dom::Listener;
use crate::state::State;

/// Delay between two attempts. Users free storage by hand while they see the warning.
const AGAIN: Duration = Duration::from_secs(2);

/// Makes the browser ask before it closes a page with unstored data.
pub fn start(state: State) {
    let asking = StoredValue::new_local(None::<Listener>);
    Effect::new(move |_| {
        // The listener exists only while needed, because browsers exclude pages with this listener
        // from the back/forward cache.
        let listener = state.has_unsaved.get().then(|| {
            Listener::new(&window(), "beforeunload", move |event| {
                // The effect removes the listener too late for a page that unloads at once.
                if !state.has_unsaved.get_untracked() {
                    return;
                }
                event.prevent_default();
                // Older browsers need `returnValue`.
                _ = js_sys::Reflect::set(&event, &"returnValue".into(), &"unsent".into());
            })
        });
        asking.set_value(listener);
    });
}

/// Saves an unsent message. Returns whether the browser accepted it.
pub fn put(state: State, entry: &UnsentMessage) -> bool {
    let Some(me) = state.me().filter(|_| !state.client.has_left.get_value()) else { return true };
    let done = storage::put(me.id, entry);
    note(state, done);
    done
}

/// Removes a message that was sent or deleted.
pub fn remove(state: State, client_id: ClientId) {
    let Some(me) = state.me() else { return };
    storage::remove(me.id, client_id);
    try_again(state);
}

/// Returns the stored form of a conversation's draft, merged with texts that the browser refused to
/// store.
pub fn draft(state: State, conversation: ConversationId) -> String {
    let kept = kept_draft(state, conversation);
    state.client.unsaved_drafts.with_value(|drafts| match drafts.get(&conversation) {
        Some(draft) => draft.merged(&kept),
        None => kept,
    })
}

fn kept_draft(state: State, conversation: ConversationId) -> String {
    state.me().map(|me| storage::draft(me.id, conversation)).unwrap_or_default()
}

/// Saves a draft in its stored form; an empty one is deleted. A refused draft stays in memory as
/// long as the page lives.
pub fn put_draft(state: State, conversation: ConversationId, kept: &str) {
    let Some(me) = state.me().filter(|_| !state.client.has_left.get_value()) else { return };
    let before = kept_draft(state, conversation);
    let done = storage::put_draft(me.id, conversation, kept);
    state.client.unsaved_drafts.update_value(|drafts| {
        if done {
            drafts.remove(&conversation);
        } else {
            drafts.insert(conversation, UnsavedDraft::new(before, kept.to_owned()));
        }
    });
    if kept.is_empty() {
        try_again(state);
    } else {
        note(state, done);
    }
}

/// Records whether the storage accepted a write.
fn note(state: State, done: bool) {
    if !done {
        set(state.storage_works, false);
        retry_later(state);
    }
    show(state);
}

/// Retries to save everything that was refused.
fn try_again(state: State) {
    let messages = state.read_outbox(|outbox| outbox.unsaved().cloned().collect::<Vec<_>>());
    for entry in messages {
        if put(state, &entry) {
            state.with_outbox(|outbox| outbox.note_saved(entry.client_id, true));
        }
    }
    let drafts: Vec<ConversationId> =
        state.client.unsaved_drafts.with_value(|drafts| drafts.keys().copied().collect());
    for conversation in drafts {
        put_draft(state, conversation, &draft(state, conversation));
    }
    show(state);
}

/// Counts what the user wrote in this browser and did not send.
pub fn unsent(state: State) -> Unsent {
    let Some(me) = state.me() else { return Unsent::default() };
    let kept: Vec<ConversationId> = storage::drafts(me.id).into_iter().map(|(id, _)| id).collect();
    let unsaved = state
        .client
        .unsaved_drafts
        .with_value(|unsaved| unsaved.keys().filter(|id| !kept.contains(id)).count());
    let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let messages = state.read_outbox(|outbox| whole(outbox.len()));
    Unsent { messages, drafts: whole(kept.len() + unsaved) }
}

/// Deletes offline copies when the user signs out and keeps unsent messages and drafts.
pub fn forget_all_but_unsent(state: State) {
    offline_copies::forget(state);
}

/// Deletes all data of this user in this browser after a sign-out or an account deletion. From here
/// on the page stores nothing, so that unloading it does not restore a draft.
pub fn forget_person(state: State) {
    state.client.has_left.set_value(true);
    state.client.unsaved_drafts.update_value(HashMap::clear);
    set(state.has_unsaved, false);
    offline_copies::forget(state);
    if let Some(me) = state.me() {
        storage::forget_person(me.id);
    }
}

/// Deletes all data of a deleted account in this browser, also what other tabs hold.
pub fn forget_deleted_account(state: State) {
    forget_person(state);
    if let Some(me) = state.me() {
        storage::tell_of_deletion(me.id);
    }
}

/// Updates the storage warning.
pub fn show(state: State) {
    let messages = state.read_outbox(|outbox| outbox.unsaved().next().is_some());
    let has_unsaved =
        messages || state.client.unsaved_drafts.with_value(|drafts| !drafts.is_empty());
    set(state.has_unsaved, has_unsaved);
    let works = state.storage_works.get_untracked();
    set(state.storage_works, !has_unsaved && (works || storage::has_room()));
}

fn retry_later(state: State) {
    if state.client.save_retry_pending.get_value() {
        return;
    }
    state.client.save_retry_pending.set_value(true);
    set_timeout(
        move || {
            state.client.save_retry_pending.set_value(false);
            try_again(state);
            if !state.storage_works.get_untracked() {
                retry_later(state);
            }
        },
        AGAIN,
    );
}

fn set(signal: RwSignal<bool>, value: bool) {
    if signal.get_untracked() != value {
        signal.set(value);
    }
}

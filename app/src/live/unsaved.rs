//! Messages and drafts that the browser's storage refused because it is full, disabled or failing.
//!
//! They exist only in this page. While there are any, the page shows a warning, asks before it is
//! closed, and retries until the storage accepts them. Browser only; `storage` reports here, and
//! `start` starts it.

use std::collections::HashMap;
use std::time::Duration;

use leptos::prelude::*;
use protocol::ConversationId;

use super::{Unsent, device, storage};
use crate::dom::Listener;
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

/// Records whether the storage accepted a write.
pub fn note(state: State, done: bool) {
    if !done {
        set(state.storage_works, false);
        retry_later(state);
    }
    show(state);
}

/// Retries to store everything that was refused.
pub fn try_again(state: State) {
    let messages = state.read_outbox(|outbox| outbox.unsaved().cloned().collect::<Vec<_>>());
    for entry in messages {
        if storage::put(state, &entry) {
            state.with_outbox(|outbox| outbox.note_saved(entry.client_id, true));
        }
    }
    let drafts: Vec<ConversationId> =
        state.client.unsaved_drafts.with_value(|drafts| drafts.keys().copied().collect());
    for conversation in drafts {
        let draft = storage::draft(state, conversation);
        storage::put_draft(state, conversation, &draft);
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
    device::forget(state);
}

/// Deletes all data of this user in this browser after a sign-out or an account deletion. From here
/// on the page stores nothing, so that unloading it does not restore a draft.
pub fn forget_person(state: State) {
    state.client.has_left.set_value(true);
    state.client.unsaved_drafts.update_value(HashMap::clear);
    set(state.has_unsaved, false);
    device::forget(state);
    if let Some(me) = state.me() {
        storage::forget_person(me.id);
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

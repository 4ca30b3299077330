//! What the browser's storage refused: it is full, switched off, or fails.
//!
//! Such messages and drafts live in this page alone. The page says so for as long as that is true,
//! asks before it is closed, and tries again until the storage takes them. Browser only; `storage`
//! reports here, `start` begins it.

use std::collections::HashMap;
use std::time::Duration;

use leptos::prelude::*;
use protocol::ConversationId;

use super::{Unsent, device, storage};
use crate::dom::Listener;
use crate::state::State;

/// The time between two attempts. Storage is emptied by people, who look at the warning meanwhile.
const AGAIN: Duration = Duration::from_secs(2);

/// Asks before the page goes while something would be lost with it.
pub fn start(state: State) {
    let asking = StoredValue::new_local(None::<Listener>);
    Effect::new(move |_| {
        // Only then: a page that always listens to this event is not kept for the way back.
        let listener = state.has_unkept.get().then(|| {
            Listener::new(&window(), "beforeunload", move |event| {
                // An effect ends this listener a moment too late for a page that leaves at once.
                if !state.has_unkept.get_untracked() {
                    return;
                }
                event.prevent_default();
                // Older browsers ask for this one.
                _ = js_sys::Reflect::set(&event, &"returnValue".into(), &"unsent".into());
            })
        });
        asking.set_value(listener);
    });
}

/// The storage took something, or refused it.
pub fn note(state: State, done: bool) {
    if !done {
        set(state.storage_works, false);
        look_again(state);
    }
    show(state);
}

/// There may be room now.
pub fn try_again(state: State) {
    let messages = state.read_outbox(|outbox| outbox.unkept().cloned().collect::<Vec<_>>());
    for entry in messages {
        if storage::put(state, &entry) {
            state.with_outbox(|outbox| outbox.note_kept(entry.client_id, true));
        }
    }
    let drafts: Vec<ConversationId> =
        state.unkept_drafts.with_value(|drafts| drafts.keys().copied().collect());
    for conversation in drafts {
        let draft = storage::draft(state, conversation);
        storage::put_draft(state, conversation, &draft);
    }
    show(state);
}

/// What the person wrote in this browser and did not send.
pub fn unsent(state: State) -> Unsent {
    let Some(me) = state.me() else { return Unsent::default() };
    let kept: Vec<ConversationId> = storage::drafts(me.id).into_iter().map(|(id, _)| id).collect();
    let unkept = state
        .unkept_drafts
        .with_value(|unkept| unkept.keys().filter(|id| !kept.contains(id)).count());
    let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let messages = state.read_outbox(|outbox| whole(outbox.len()));
    Unsent { messages, drafts: whole(kept.len() + unkept) }
}

/// The person signed out, and keeps what is not sent for the next time.
pub fn forget_all_but_unsent(state: State) {
    device::forget(state);
}

/// The person signed out, or deleted the account: nothing of it stays in this browser. From here on this
/// page keeps nothing, so that its end brings no draft back.
pub fn forget_person(state: State) {
    state.has_left.set_value(true);
    state.unkept_drafts.update_value(HashMap::clear);
    set(state.has_unkept, false);
    device::forget(state);
    if let Some(me) = state.me() {
        storage::forget_person(me.id);
    }
}

/// Brings what the page says of it up to date.
pub fn show(state: State) {
    let messages = state.read_outbox(|outbox| outbox.unkept().next().is_some());
    let has_unkept = messages || state.unkept_drafts.with_value(|drafts| !drafts.is_empty());
    set(state.has_unkept, has_unkept);
    let works = state.storage_works.get_untracked();
    set(state.storage_works, !has_unkept && (works || storage::has_room()));
}

fn look_again(state: State) {
    if state.keeping_again.get_value() {
        return;
    }
    state.keeping_again.set_value(true);
    set_timeout(
        move || {
            state.keeping_again.set_value(false);
            try_again(state);
            if !state.storage_works.get_untracked() {
                look_again(state);
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

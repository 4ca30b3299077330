//! What survives a reload: unsent messages, drafts and places, per person, in the browser's storage.
//!
//! Each entry has its own key, so that several tabs write beside each other and never over each
//! other. Browser only.

use leptos::prelude::{GetUntracked, Set, window};
use protocol::{ClientId, ConversationId, Seq, UserId};
use web_sys::Storage;

use super::outbox::Entry;
use crate::json;
use crate::state::State;

/// The storage, where the browser grants one.
fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

fn outbox_prefix(user: UserId) -> String {
    format!("duet:{user}:outbox:")
}

fn draft_key(user: UserId, conversation: ConversationId) -> String {
    format!("duet:{user}:draft:{conversation}")
}

/// A change that another tab made.
pub enum Change {
    /// It wrote or changed an unsent message.
    Put(Entry),
    /// It sent or deleted one.
    Gone(ClientId),
    /// It changed a draft.
    Draft(ConversationId, String),
}

/// Reads a change from a storage event; `None` for what is not this person's.
pub fn change(user: UserId, key: &str, value: Option<String>) -> Option<Change> {
    if let Some(id) = key.strip_prefix(&outbox_prefix(user)) {
        return match value {
            Some(value) => json::read(&value).ok().map(Change::Put),
            None => id.parse().ok().map(Change::Gone),
        };
    }
    let id = key.strip_prefix(&format!("duet:{user}:draft:"))?.parse().ok()?;
    Some(Change::Draft(id, value.unwrap_or_default()))
}

/// All unsent messages of a person.
pub fn unsent(user: UserId) -> Vec<Entry> {
    values(&outbox_prefix(user))
        .into_iter()
        .filter_map(|(_, json)| json::read(&json).ok())
        .collect()
}

/// All drafts of a person.
pub fn drafts(user: UserId) -> Vec<(ConversationId, String)> {
    values(&format!("duet:{user}:draft:"))
        .into_iter()
        .filter_map(|(id, draft)| Some((id.parse().ok()?, draft)))
        .collect()
}

/// The entries under a prefix, with the rest of their keys.
fn values(prefix: &str) -> Vec<(String, String)> {
    let Some(storage) = storage() else { return Vec::new() };
    let keys =
        (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok().flatten());
    keys.filter_map(|key| {
        let rest = key.strip_prefix(prefix)?.to_owned();
        Some((rest, storage.get_item(&key).ok().flatten()?))
    })
    .collect()
}

/// Keeps an unsent message.
pub fn put(state: State, entry: &Entry) {
    let Some(me) = state.me() else { return };
    if let Ok(json) = serde_json::to_string(entry) {
        write(state, &(outbox_prefix(me.id) + &entry.client_id.to_string()), Some(&json));
    }
}

/// Drops a message that was sent or deleted.
pub fn remove(state: State, client_id: ClientId) {
    let Some(me) = state.me() else { return };
    write(state, &(outbox_prefix(me.id) + &client_id.to_string()), None);
}

/// The draft of a conversation.
pub fn draft(user: UserId, conversation: ConversationId) -> Option<String> {
    storage()?.get_item(&draft_key(user, conversation)).ok().flatten()
}

/// Keeps a draft; an empty one is dropped.
pub fn put_draft(state: State, conversation: ConversationId, text: &str) {
    let Some(me) = state.me() else { return };
    write(state, &draft_key(me.id, conversation), (!text.is_empty()).then_some(text));
}

/// Where one was in a conversation when one left it: a message and how far its top stood below the
/// top of the view, never pixels alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeptPlace {
    /// The message.
    pub seq: Seq,
    /// Its distance from the top of the view, in sixty-fourths of a pixel: layout knows no finer ones.
    pub offset: i32,
    /// The newest message then.
    pub last: Seq,
}

fn place_key(user: UserId, conversation: ConversationId) -> String {
    format!("duet:{user}:place:{conversation}")
}

/// Where one was, unless messages came since that one has not read: then those are more important.
/// It is kept for this tab only, and over a reload.
pub fn place(state: State, conversation: ConversationId) -> Option<KeptPlace> {
    let key = place_key(state.me()?.id, conversation);
    let text = window().session_storage().ok()??.get_item(&key).ok()??;
    let mut parts = text.split(' ');
    let mut seq = || parts.next()?.parse().ok().map(Seq);
    let (seq, last) = (seq()?, seq()?);
    let kept = KeptPlace { seq, last, offset: parts.next()?.parse().ok()? };
    let summary = state.summary(conversation)?;
    let exists = kept.seq <= summary.last_seq;
    (exists && (summary.unread == 0 || summary.last_seq <= kept.last)).then_some(kept)
}

/// Keeps where one is; at the newest message there is nothing to keep.
pub fn put_place(state: State, conversation: ConversationId, place: Option<KeptPlace>) {
    let Some(me) = state.me() else { return };
    let Some(storage) = window().session_storage().ok().flatten() else { return };
    let key = place_key(me.id, conversation);
    // A browser that refuses opens the conversation at its end.
    _ = match place {
        Some(place) => {
            storage.set_item(&key, &format!("{} {} {}", place.seq, place.last, place.offset))
        }
        None => storage.remove_item(&key),
    };
}

/// A choice that this browser keeps, whoever is signed in.
pub fn kept(name: &str) -> Option<String> {
    storage()?.get_item(&format!("duet:{name}")).ok().flatten()
}

/// Keeps a choice. Without storage it holds until the page goes.
pub fn keep(name: &str, value: &str) {
    if let Some(storage) = storage() {
        _ = storage.set_item(&format!("duet:{name}"), value);
    }
}

/// Whether no tab has told of this message yet; then this one does. Without storage each does.
pub fn first_to_tell(user: UserId, conversation: ConversationId, seq: Seq) -> bool {
    let name = format!("{user}:told:{conversation}");
    let told = kept(&name).and_then(|told| told.parse().ok()).unwrap_or(0);
    let first = seq.0 > told;
    if first {
        keep(&name, &seq.0.to_string());
    }
    first
}

/// Writes, and says so when the browser does not.
fn write(state: State, key: &str, value: Option<&str>) {
    let done = storage().is_some_and(|storage| match value {
        Some(value) => storage.set_item(key, value).is_ok(),
        None => storage.remove_item(key).is_ok(),
    });
    if state.storage_works.get_untracked() != done {
        state.storage_works.set(done);
    }
}

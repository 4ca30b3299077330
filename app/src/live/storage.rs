//! Data that survives a reload, per user: unsent messages, drafts and scroll positions; and offline
//! copies of messages for users who enabled them.
//!
//! Each entry has its own key, so that tabs do not overwrite each other. [`super::saving`] handles
//! messages and drafts that the storage refuses. Browser only.

use leptos::prelude::{GetValue, window};
use protocol::{ClientId, ConversationId, Seq, UserId};
use web_sys::Storage;

use super::outbox::UnsentMessage;
use crate::json;
use crate::state::State;

/// Returns the local storage, if the browser grants it.
fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Returns the storage of this tab, if the browser grants it.
pub fn of_tab() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

fn outbox_prefix(user: UserId) -> String {
    format!("duet:{user}:outbox:")
}

fn draft_prefix(user: UserId) -> String {
    format!("duet:{user}:draft:")
}

fn draft_key(user: UserId, conversation: ConversationId) -> String {
    format!("{}{conversation}", draft_prefix(user))
}

/// A change made by another tab.
pub enum StorageChange {
    /// An unsent message was added or changed.
    Put(UnsentMessage),
    /// An unsent message was sent or deleted.
    Gone(ClientId),
    /// A draft changed, from the first stored form to the second.
    Draft(ConversationId, String, String),
}

/// Decodes a storage event. Returns `None` for keys that are not of this user's messages and
/// drafts.
pub fn change(
    user: UserId,
    key: &str,
    before: Option<String>,
    after: Option<String>,
) -> Option<StorageChange> {
    if let Some(id) = key.strip_prefix(&outbox_prefix(user)) {
        return match after {
            Some(value) => json::read(&value).ok().map(StorageChange::Put),
            None => id.parse().ok().map(StorageChange::Gone),
        };
    }
    let id = key.strip_prefix(&draft_prefix(user))?.parse().ok()?;
    Some(StorageChange::Draft(id, before.unwrap_or_default(), after.unwrap_or_default()))
}

/// Returns all unsent messages of a user.
pub fn unsent(user: UserId) -> Vec<UnsentMessage> {
    values(&outbox_prefix(user))
        .into_iter()
        .filter_map(|(_, json)| json::read(&json).ok())
        .collect()
}

/// Returns all drafts of a user, in their stored form.
pub fn drafts(user: UserId) -> Vec<(ConversationId, String)> {
    values(&draft_prefix(user))
        .into_iter()
        .filter_map(|(id, draft)| Some((id.parse().ok()?, draft)))
        .collect()
}

/// Returns the entries under a prefix, keyed by the rest of their keys.
fn values(prefix: &str) -> Vec<(String, String)> {
    let Some(storage) = storage() else { return Vec::new() };
    keys(&storage)
        .filter_map(|key| {
            let rest = key.strip_prefix(prefix)?.to_owned();
            Some((rest, storage.get_item(&key).ok().flatten()?))
        })
        .collect()
}

fn keys(storage: &Storage) -> impl Iterator<Item = String> + use<'_> {
    (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok().flatten())
}

/// Stores an unsent message. Returns whether the browser accepted it.
pub fn put(user: UserId, entry: &UnsentMessage) -> bool {
    let key = outbox_prefix(user) + &entry.client_id.to_string();
    serde_json::to_string(entry).is_ok_and(|json| write(&key, Some(&json)))
}

/// Removes an unsent message. A storage that refuses the removal has never accepted the message.
pub fn remove(user: UserId, client_id: ClientId) {
    write(&(outbox_prefix(user) + &client_id.to_string()), None);
}

/// Returns the stored form of a conversation's draft.
pub fn draft(user: UserId, conversation: ConversationId) -> String {
    let kept = || storage()?.get_item(&draft_key(user, conversation)).ok().flatten();
    kept().unwrap_or_default()
}

/// Stores a draft in its stored form; an empty one is deleted. Returns whether the browser accepted
/// it.
pub fn put_draft(user: UserId, conversation: ConversationId, kept: &str) -> bool {
    let value = (!kept.is_empty()).then_some(kept);
    write(&draft_key(user, conversation), value) || kept.is_empty()
}

/// Returns whether the storage would accept a message of usual length.
pub fn has_room() -> bool {
    const KEY: &str = "duet:room";
    const LENGTH: usize = 4_096;
    let done = write(KEY, Some(&" ".repeat(LENGTH)));
    write(KEY, None);
    done
}

/// Deletes all data of a user from this browser.
pub fn forget_person(user: UserId) {
    forget(&format!("duet:{user}:"));
}

/// The key by which a tab tells the others that an account was deleted. Also in `page.js`.
const DELETED: &str = "duet:deleted";

/// Tells the other tabs that the user's account was deleted.
pub fn tell_of_deletion(user: UserId) {
    write(DELETED, Some(&user.to_string()));
    write(DELETED, None);
}

/// Whether a storage event of another tab tells that this user's account was deleted.
pub fn tells_of_deletion(user: UserId, key: &str, value: Option<&str>) -> bool {
    key == DELETED && value == Some(&user.to_string())
}

fn forget(prefix: &str) {
    for storage in storage().into_iter().chain(of_tab()) {
        remove_all(&storage, &|key| key.starts_with(prefix));
    }
}

/// The scroll position in a conversation that was left: a message and its distance from the top of
/// the view, because a pixel offset alone loses its meaning when rows change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SavedPosition {
    pub seq: Seq,
    /// Distance from the top of the view in 1/64 pixel, the resolution of browser layout.
    pub offset: i32,
    /// The newest message at that time.
    pub last: Seq,
}

fn position_key(user: UserId, conversation: ConversationId) -> String {
    format!("duet:{user}:place:{conversation}")
}

/// Returns the stored scroll position, unless unread messages arrived since; these take precedence.
/// It is stored per tab and survives a reload.
pub fn position(state: State, conversation: ConversationId) -> Option<SavedPosition> {
    let key = position_key(state.me()?.id, conversation);
    let text = of_tab()?.get_item(&key).ok()??;
    let mut parts = text.split(' ');
    let mut seq = || parts.next()?.parse().ok().map(Seq);
    let (seq, last) = (seq()?, seq()?);
    let kept = SavedPosition { seq, last, offset: parts.next()?.parse().ok()? };
    let summary = state.summary(conversation)?;
    let exists = kept.seq <= summary.last_seq;
    (exists && (summary.unread == 0 || summary.last_seq <= kept.last)).then_some(kept)
}

/// Returns the message at which the user left a conversation; see [`position`].
pub fn left_at(state: State, conversation: ConversationId) -> Option<Seq> {
    position(state, conversation).map(|position| position.seq)
}

/// Stores the scroll position; `None`, at the newest message, deletes it.
pub fn put_position(state: State, conversation: ConversationId, position: Option<SavedPosition>) {
    let Some(me) = state.me().filter(|_| !state.client.has_left.get_value()) else { return };
    let Some(storage) = of_tab() else { return };
    let key = position_key(me.id, conversation);
    // If the browser refuses, the conversation opens at its end.
    _ = match position {
        Some(position) => storage
            .set_item(&key, &format!("{} {} {}", position.seq, position.last, position.offset)),
        None => storage.remove_item(&key),
    };
}

/// Returns a setting of this browser that does not depend on the user.
pub fn kept(name: &str) -> Option<String> {
    storage()?.get_item(&format!("duet:{name}")).ok().flatten()
}

/// Stores a setting. Without storage the setting lasts as long as the page.
pub fn keep(name: &str, value: &str) {
    if let Some(storage) = storage() {
        _ = storage.set_item(&format!("duet:{name}"), value);
    }
}

fn rows_prefix(user: UserId) -> String {
    format!("duet:{user}:{ROWS}")
}

/// Key part of offline copies; see [`super::offline_copies`].
const ROWS: &str = "rows:";

/// Returns a stored item of the offline copies.
pub fn kept_rows(user: UserId, name: &str) -> Option<String> {
    storage()?.get_item(&(rows_prefix(user) + name)).ok().flatten()
}

/// Returns all stored items of the offline copies.
pub fn all_rows(user: UserId) -> Vec<(String, String)> {
    values(&rows_prefix(user))
}

/// Stores an item of the offline copies. Returns whether there was room.
pub fn keep_rows(user: UserId, name: &str, value: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(&(rows_prefix(user) + name), value).is_ok())
}

pub fn drop_rows(user: UserId, name: &str) {
    write(&(rows_prefix(user) + name), None);
}

/// Deletes a user's offline copies and the setting that enabled them.
pub fn forget_rows(user: UserId) {
    forget(&rows_prefix(user));
}

/// Deletes the offline copies of all other users. Returns whether there were any.
pub fn forget_rows_of_others(me: Option<UserId>) -> bool {
    let mine = me.map(rows_prefix).unwrap_or_default();
    let is_theirs = |key: &str| key.contains(ROWS) && (mine.is_empty() || !key.starts_with(&mine));
    storage().is_some_and(|storage| remove_all(&storage, &is_theirs))
}

/// Deletes offline copies to make room for the user's own writing, because the server has the
/// copies.
fn make_room(storage: &Storage) -> bool {
    remove_all(storage, &|key| key.contains(ROWS) && !key.ends_with("rows:on"))
}

/// Returns whether any key matched.
fn remove_all(storage: &Storage, is_meant: &dyn Fn(&str) -> bool) -> bool {
    // Collect the keys first, because a removal shifts the indices of the rest.
    let keys: Vec<String> = keys(storage).filter(|key| is_meant(key)).collect();
    for key in &keys {
        _ = storage.remove_item(key);
    }
    !keys.is_empty()
}

/// Returns whether no tab has announced this message yet, and records that this tab does. Without
/// storage every tab announces it.
pub fn first_to_notify(user: UserId, conversation: ConversationId, seq: Seq) -> bool {
    let name = format!("{user}:told:{conversation}");
    let newest = kept(&name).and_then(|newest| newest.parse().ok()).unwrap_or(0);
    let first = seq.0 > newest;
    if first {
        keep(&name, &seq.0.to_string());
    }
    first
}

/// Writes or removes a key. Returns whether the browser did.
fn write(key: &str, value: Option<&str>) -> bool {
    storage().is_some_and(|storage| match value {
        Some(value) => {
            let write = || storage.set_item(key, value).is_ok();
            write() || (make_room(&storage) && write())
        }
        None => storage.remove_item(key).is_ok(),
    })
}

//! What survives a reload: unsent messages, drafts and places, per person, in the browser's storage; and
//! the messages on this device, for whoever wants them there.
//!
//! Each entry has its own key, so that several tabs write beside each other and never over each
//! other. What the storage refuses is held in memory, and [`super::keeping`] tries again. Browser only.

use leptos::prelude::{GetValue, UpdateValue, WithValue, window};
use protocol::{ClientId, ConversationId, Seq, UserId};
use web_sys::Storage;

use super::outbox::Entry;
use super::{drafts, keeping};
use crate::json;
use crate::state::State;

/// The storage, where the browser grants one.
fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
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

/// A change that another tab made.
pub enum Change {
    /// It wrote or changed an unsent message.
    Put(Entry),
    /// It sent or deleted one.
    Gone(ClientId),
    /// It changed a draft, from one kept form to another.
    Draft(ConversationId, String, String),
}

/// Reads a change from the key and the values of a storage event; `None` for what is not this
/// person's.
pub fn change(
    user: UserId,
    key: &str,
    before: Option<String>,
    after: Option<String>,
) -> Option<Change> {
    if let Some(id) = key.strip_prefix(&outbox_prefix(user)) {
        return match after {
            Some(value) => json::read(&value).ok().map(Change::Put),
            None => id.parse().ok().map(Change::Gone),
        };
    }
    let id = key.strip_prefix(&draft_prefix(user))?.parse().ok()?;
    Some(Change::Draft(id, before.unwrap_or_default(), after.unwrap_or_default()))
}

/// All unsent messages of a person.
pub fn unsent(user: UserId) -> Vec<Entry> {
    values(&outbox_prefix(user))
        .into_iter()
        .filter_map(|(_, json)| json::read(&json).ok())
        .collect()
}

/// All drafts of a person, in their kept form.
pub fn drafts(user: UserId) -> Vec<(ConversationId, String)> {
    values(&draft_prefix(user))
        .into_iter()
        .filter_map(|(id, draft)| Some((id.parse().ok()?, draft)))
        .collect()
}

/// The entries under a prefix, with the rest of their keys.
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

/// Keeps an unsent message; answers whether the browser did.
pub fn put(state: State, entry: &Entry) -> bool {
    let Some(me) = state.me().filter(|_| !state.has_left.get_value()) else { return true };
    let key = outbox_prefix(me.id) + &entry.client_id.to_string();
    let done = serde_json::to_string(entry).is_ok_and(|json| write(&key, Some(&json)));
    keeping::note(state, done);
    done
}

/// Drops a message that was sent or deleted.
pub fn remove(state: State, client_id: ClientId) {
    let Some(me) = state.me() else { return };
    // A storage that refuses this as well has refused the message before.
    write(&(outbox_prefix(me.id) + &client_id.to_string()), None);
    keeping::try_again(state);
}

/// The draft of a conversation, in its kept form, with what the browser refused to keep.
pub fn draft(state: State, conversation: ConversationId) -> String {
    let kept = kept_draft(state, conversation);
    state.unkept_drafts.with_value(|drafts| match drafts.get(&conversation) {
        Some(Unkept { before, draft }) => drafts::merged(before, draft, &kept),
        None => kept,
    })
}

fn kept_draft(state: State, conversation: ConversationId) -> String {
    let kept = || {
        let key = draft_key(state.me()?.id, conversation);
        storage()?.get_item(&key).ok().flatten()
    };
    kept().unwrap_or_default()
}

/// A draft that the browser refused to keep, in the form in which it is kept.
pub struct Unkept {
    /// What was kept then, and still is unless another tab changed that.
    before: String,
    draft: String,
}

/// Keeps a draft, in its kept form; an empty one is dropped. What the browser refuses is held until
/// the page goes.
pub fn put_draft(state: State, conversation: ConversationId, kept: &str) {
    let Some(me) = state.me().filter(|_| !state.has_left.get_value()) else { return };
    let value = (!kept.is_empty()).then_some(kept);
    let before = kept_draft(state, conversation);
    let done = write(&draft_key(me.id, conversation), value) || kept.is_empty();
    state.unkept_drafts.update_value(|drafts| {
        if done {
            drafts.remove(&conversation);
        } else {
            drafts.insert(conversation, Unkept { before, draft: kept.to_owned() });
        }
    });
    if kept.is_empty() {
        keeping::try_again(state);
    } else {
        keeping::note(state, done);
    }
}

/// Whether the storage would take a message of a usual length.
pub fn has_room() -> bool {
    const KEY: &str = "duet:room";
    const LENGTH: usize = 4_096;
    let done = write(KEY, Some(&" ".repeat(LENGTH)));
    write(KEY, None);
    done
}

/// Deletes everything of a person from this browser.
pub fn forget_person(user: UserId) {
    forget(&format!("duet:{user}:"));
}

fn forget(prefix: &str) {
    let in_tab = window().session_storage().ok().flatten();
    for storage in storage().into_iter().chain(in_tab) {
        remove_all(&storage, &|key| key.starts_with(prefix));
    }
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
    let Some(me) = state.me().filter(|_| !state.has_left.get_value()) else { return };
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

fn rows_prefix(user: UserId) -> String {
    format!("duet:{user}:{ROWS}")
}

/// The part of a key that says what it is for: messages on this device; see [`super::device`].
const ROWS: &str = "rows:";

/// Something that is kept of the messages on this device.
pub fn kept_rows(user: UserId, name: &str) -> Option<String> {
    storage()?.get_item(&(rows_prefix(user) + name)).ok().flatten()
}

/// All that is kept of them.
pub fn all_rows(user: UserId) -> Vec<(String, String)> {
    values(&rows_prefix(user))
}

/// Keeps something of them, if there is room; answers whether there was.
pub fn keep_rows(user: UserId, name: &str, value: &str) -> bool {
    storage().is_some_and(|storage| storage.set_item(&(rows_prefix(user) + name), value).is_ok())
}

/// Drops something of them.
pub fn drop_rows(user: UserId, name: &str) {
    write(&(rows_prefix(user) + name), None);
}

/// Deletes the messages of a person from this device, and that they were wanted there.
pub fn forget_rows(user: UserId) {
    forget(&rows_prefix(user));
}

/// Deletes the messages of everybody but this person from this device; answers whether there were any.
pub fn forget_rows_of_others(me: Option<UserId>) -> bool {
    let mine = me.map(rows_prefix).unwrap_or_default();
    let is_theirs = |key: &str| key.contains(ROWS) && (mine.is_empty() || !key.starts_with(&mine));
    storage().is_some_and(|storage| remove_all(&storage, &is_theirs))
}

/// Messages on this device give way to what the person writes: the server has them.
fn make_room(storage: &Storage) -> bool {
    remove_all(storage, &|key| key.contains(ROWS) && !key.ends_with("rows:on"))
}

/// Answers whether there were any.
fn remove_all(storage: &Storage, is_meant: &dyn Fn(&str) -> bool) -> bool {
    // Collected first: removing one changes the places of the others.
    let keys: Vec<String> = keys(storage).filter(|key| is_meant(key)).collect();
    for key in &keys {
        _ = storage.remove_item(key);
    }
    !keys.is_empty()
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

/// Writes, or removes; answers whether the browser did.
fn write(key: &str, value: Option<&str>) -> bool {
    storage().is_some_and(|storage| match value {
        Some(value) => {
            let write = || storage.set_item(key, value).is_ok();
            write() || (make_room(&storage) && write())
        }
        None => storage.remove_item(key).is_ok(),
    })
}

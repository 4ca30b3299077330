//! Handles a message that arrived: decides, claims and shows notifications. Browser only;
//! `loader` loads this module and calls it.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{Conversation, ConversationId, Message, Timestamp};

use super::PromptView;
use super::due::{Looking, due, may_ask};
use super::{badge, claim, install, notices, prompts, sound, stored_choices};
use crate::browser::dom::{self, Listener};
use crate::state::State;
use crate::text;

/// Delay before a hidden tab claims a message, so that a visible tab claims first.
const AFTER_YOU_MS: u32 = 300;
/// Number of [`AFTER_YOU_MS`] intervals to wait until a new conversation is in the state.
const KNOWN_AFTER: u32 = 20;

/// Installs the unread effect and the listeners, and shows a prompt if one is due. Called once.
pub fn start(state: State) {
    let notifications = state.notifications;
    stored_choices::read(notifications);
    install::count_visit();
    ask(state);
    let unread = state.unread_counter();
    Effect::new(move |before: Option<u32>| {
        let now = unread();
        if before != Some(now) {
            badge::show(now);
        }
        if before.is_none_or(|before| now < before) {
            spawn_local(notices::close_read(state));
        }
        now
    });
    Listener::new(&window(), "beforeinstallprompt", move |_| ask(state)).forget();
    for target in [window().into(), document().into()] as [web_sys::EventTarget; 2] {
        for event in ["focus", "visibilitychange"] {
            Listener::new(&target, event, move |_| back(state)).forget();
        }
    }
}

/// Reads settings again when the page gains focus, because another tab may have changed them.
fn back(state: State) {
    if dom::is_watched() {
        stored_choices::read(state.notifications);
        ask(state);
    }
}

/// Shows at most one prompt: the notification prompt after an unseen message, else the install
/// offer.
fn ask(state: State) {
    let notifications = state.notifications;
    let may =
        may_ask(notifications.choices.get_untracked(), notifications.permission.get_untracked());
    let prompt = match may && notifications.missed.get_value() {
        true => Some(prompts::notices as PromptView),
        false => install::due(state).map(prompts::installation),
    };
    // A prompt that is already shown stays.
    if notifications.prompt.with_untracked(Option::is_some) != prompt.is_some() {
        notifications.prompt.set(prompt);
    }
}

/// Handles a message from the peer, live or caught up after an absence.
pub fn arrived(state: State, message: &Message) {
    let message = message.clone();
    spawn_local(async move {
        if !dom::is_watched() {
            TimeoutFuture::new(AFTER_YOU_MS).await;
        }
        notify(state, message).await;
    });
}

async fn notify(state: State, message: Message) {
    let (id, notifications) = (message.conversation, state.notifications);
    let Some(me) = state.me() else { return };
    // Another tab or another device has already read the message.
    if state.summary(id).is_some_and(|entry| entry.mine.read >= message.seq) {
        return;
    }
    let open = state.open_conversation().is_some_and(|open| open.id == id);
    let looking = match (dom::is_watched(), open) {
        (true, true) => Looking::AtIt,
        (true, false) => Looking::Elsewhere,
        (false, _) => Looking::Away,
    };
    // A message of a stranger must not even make a sound, so the entry must be known first.
    let is_quiet = match entry_of(state, id).await {
        Some(entry) => entry.standing.is_quiet(Timestamp(now_ms())),
        None => return,
    };
    if is_quiet || message.is_withheld() {
        return;
    }
    if looking == Looking::Away {
        notifications.missed.set_value(true);
    }
    if !claim::claim(me.id, id, message.seq).await {
        return;
    }
    stored_choices::read(notifications);
    let choices = notifications.choices.get_untracked();
    let due = due(looking, choices, notifications.permission.get_untracked());
    if due.sound {
        sound::play();
    }
    if due.notice
        && let Some(entry) = entry_of(state, id).await
    {
        let name = entry.peer.user.display_name;
        let body = choices.text.then(|| text::preview(&message.body));
        let body = body.unwrap_or_else(|| notifications.wordless.get_value().to_owned());
        notices::show(state, id, &name, &body).await;
    }
}

/// The time by this device's clock.
fn now_ms() -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit")]
    let now = js_sys::Date::now() as i64;
    now
}

/// The conversation. Waits if the message starts a conversation that is still being fetched.
async fn entry_of(state: State, id: ConversationId) -> Option<Conversation> {
    for _ in 0..KNOWN_AFTER {
        if let Some(entry) = state.summary(id) {
            return Some(entry);
        }
        TimeoutFuture::new(AFTER_YOU_MS).await;
    }
    None
}

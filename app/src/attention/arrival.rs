//! From a message that came to whoever is to be told. Browser only; `on_demand` leads here.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Message};

use super::Ask;
use super::due::{Looking, due, may_ask};
use super::{badge, choices, claim, install, notices, questions, tone};
use crate::dom::{self, Listener};
use crate::state::State;
use crate::text;

/// How long a tab that nobody looks at leaves the word to one that somebody may look at.
const AFTER_YOU_MS: u32 = 300;
/// How many times as long it may take until a new conversation is known.
const KNOWN_AFTER: u32 = 20;

/// Begins: counts, asks if it is the moment, and waits for the person to come back. Called once.
pub fn start(state: State) {
    let attention = state.attention;
    choices::read(attention);
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

/// The person is back: what they chose elsewhere is learnt.
fn back(state: State) {
    if dom::is_watched() {
        choices::read(state.attention);
        ask(state);
    }
}

/// Asks one thing at most: after a message that the person did not see, whether they want to be told.
fn ask(state: State) {
    let attention = state.attention;
    let may = may_ask(attention.choices.get_untracked(), attention.permission.get_untracked());
    let question = match may && attention.missed.get_value() {
        true => Some(questions::notices as Ask),
        false => install::question(state),
    };
    // A question that stands is not put anew.
    if attention.asking.with_untracked(Option::is_some) != question.is_some() {
        attention.asking.set(question);
    }
}

/// A message of somebody else's was heard of, live or after an absence.
pub fn arrived(state: State, message: &Message) {
    let message = message.clone();
    spawn_local(async move {
        if !dom::is_watched() {
            TimeoutFuture::new(AFTER_YOU_MS).await;
        }
        tell(state, message).await;
    });
}

async fn tell(state: State, message: Message) {
    let (id, attention) = (message.conversation, state.attention);
    let Some(me) = state.me() else { return };
    // Read already, in another tab or on another device.
    if state.summary(id).is_some_and(|entry| entry.mine.read >= message.seq) {
        return;
    }
    let open = state.open_conversation().is_some_and(|open| open.id == id);
    let looking = match (dom::is_watched(), open) {
        (true, true) => Looking::AtIt,
        (true, false) => Looking::Elsewhere,
        (false, _) => Looking::Away,
    };
    if looking == Looking::Away {
        attention.missed.set_value(true);
    }
    if !claim::claim(me.id, id, message.seq).await {
        return;
    }
    choices::read(attention);
    let choices = attention.choices.get_untracked();
    let due = due(looking, choices, attention.permission.get_untracked());
    if due.sound {
        tone::play();
    }
    if due.notice
        && let Some(name) = name_of_peer(state, id).await
    {
        let body = choices.text.then(|| text::preview(&message.body));
        let body = body.unwrap_or_else(|| attention.wordless.get_value().to_owned());
        notices::show(state, id, &name, &body).await;
    }
}

/// Who writes there. A conversation that begins with this message is only just being read.
async fn name_of_peer(state: State, id: ConversationId) -> Option<String> {
    for _ in 0..KNOWN_AFTER {
        if let Some(entry) = state.summary(id) {
            return Some(entry.peer.user.display_name);
        }
        TimeoutFuture::new(AFTER_YOU_MS).await;
    }
    None
}

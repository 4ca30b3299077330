//! The content of menu and note: the menu's entries, and the tick of a message in words. Loaded
//! lazily by [`crate::components::overlays`].

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, TickTimes, Timestamp};

use super::MenuParts;
use crate::browser::sender::{delete, retry};
use crate::browser::{address_of, copy_text, has_keyboard};
use crate::error_messages::error_message;
use crate::language::{Texts, use_texts};
use crate::live::rows::{Row, Tick};
use crate::paths;
use crate::state::{OpenConversation, State, use_state};
use crate::time::{self, TimeContext};

/// The menu entries for a message.
pub fn items(parts: MenuParts, row: Row) -> AnyView {
    view! { <Items parts=parts row=row /> }.into_any()
}

/// The note on the chosen message.
pub fn note(open: OpenConversation, parts: MenuParts) -> AnyView {
    let (t, state) = (use_texts(), use_state());
    let lines = move || {
        parts.chosen.get().map(|chosen| {
            // Read inside the closure, because the tick may change while the note is open.
            let row = open.row(chosen.key).map_or(chosen, |row| row.get());
            // Formatted inside the closure, because the day may change.
            let lines = tick_in_words(t, state, open.id, &row, parts.times.get());
            lines.into_iter().map(|line| view! { <p>{line}</p> }).collect_view()
        })
    };
    lines.into_any()
}

#[component]
fn Items(parts: MenuParts, row: Row) -> impl IntoView {
    let (t, state, key) = (use_texts(), use_state(), row.key);
    let refused = matches!(row.tick, Some(Tick::NotSent(_)));
    let (body, conversation) = (row.body, parts.conversation);
    let link = move |seq| address_of(&paths::message(conversation, seq));
    let copy = move |text: String| {
        spawn_local(async move {
            if copy_text(&text).await {
                parts.show_toast(t.copied);
            }
        });
    };
    view! {
        <Item parts=parts words=t.copy_text act=Callback::new(move |()| copy(body.clone())) />
        {(!has_keyboard()).then(|| view! {
            <Item parts=parts words=t.select_text act=Callback::new(move |()| parts.select_text()) />
        })}
        {row.seq.map(|seq| view! {
            <Item parts=parts words=t.copy_link act=Callback::new(move |()| copy(link(seq))) />
        })}
        {key.mine.then(|| view! {
            <Item parts=parts words=t.details act=Callback::new(move |()| parts.show_note()) />
        })}
        {refused.then(|| view! {
            <Item parts=parts words=t.retry act=Callback::new(move |()| retry(state, key)) />
            <Item parts=parts words=t.delete act=Callback::new(move |()| delete(state, key)) />
        })}
    }
}

#[component]
fn Item(parts: MenuParts, words: &'static str, act: Callback<()>) -> impl IntoView {
    view! {
        <button
            type="button"
            role="menuitem"
            tabindex="-1"
            on:click=move |_| {
                parts.close();
                act.run(());
            }
        >
            {words}
        </button>
    }
}

/// The tick of the user's own message, and what it waits for, as sentences.
fn tick_in_words(
    t: &Texts,
    state: State,
    id: ConversationId,
    row: &Row,
    times: Option<TickTimes>,
) -> Vec<String> {
    let local = state.time_context.get();
    let at = |sentence: &str, at: Timestamp| sentence.replace("{}", &moment(t, at, local));
    let marked = |moved: Option<Timestamp>, by: &str, plain: &str| {
        moved.map_or_else(|| plain.to_owned(), |moved| at(by, moved))
    };
    let delivered = || {
        let moved = times.and_then(|times| times.delivered.at);
        marked(moved, t.delivered_by, t.delivered_to_device)
    };
    let sent = at(t.sent_at, row.at);
    match row.tick {
        None => vec![sent],
        Some(Tick::NotSent(code)) => {
            vec![
                at(t.written_at, row.at),
                t.not_sent_because.to_owned() + &error_message(t, code.into()),
            ]
        }
        Some(Tick::Sending) => {
            let live = state.connection.get().brings_news();
            let why = if live { t.waits_in_line } else { t.waits_for_connection };
            let unsaved = row.unsaved.then(|| t.not_kept.to_owned());
            [at(t.written_at, row.at), why.to_owned()].into_iter().chain(unsaved).collect()
        }
        Some(Tick::Sent) => {
            let presence = state.summary(id).map(|summary| summary.peer.presence);
            let why = match presence.map(|presence| (presence.online, presence.last_seen)) {
                // Presence stays online for a while after the peer's last connection closes.
                Some((true, _)) => t.waits_in_line.to_owned(),
                Some((_, Some(seen))) => {
                    t.no_device_since.replace("{}", &time::last_seen(t, seen, local))
                }
                _ => t.waits_for_device.to_owned(),
            };
            vec![sent, why]
        }
        Some(Tick::Delivered) => vec![sent, delivered(), t.not_read_yet.to_owned()],
        Some(Tick::Read) => {
            let read = marked(times.and_then(|times| times.read.at), t.read_by, t.was_read);
            vec![sent, delivered(), read]
        }
    }
}

/// The full date and time; the time alone for today.
fn moment(t: &Texts, at: Timestamp, local: TimeContext) -> String {
    let clock = time::clock(at, local);
    if time::short(t, at, local) == clock { clock } else { time::moment(t, at, local) }
}

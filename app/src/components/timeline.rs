//! The messages of the open conversation.
//!
//! The list grows from its end upwards (`column-reverse`). The newest message is in view before any
//! script runs, and rows prepended above do not move the view. `scroll` takes over after hydration.
//! The log is no live region, because history and the user's own messages enter it as well;
//! [`super::announcer`] makes the announcements.

use leptos::html::{Div, Ol};
use leptos::prelude::*;
use protocol::{ConversationId, Seq};

use super::announcer::Announcer;
use super::message_menu::MessageMenu;
use super::scroll::{self, ScrollSignals};
use super::{Icon, MessageRow};
use crate::language::use_texts;
use crate::paths;
use crate::state::{OpenConversation, use_state};
use crate::text;
use crate::time;

/// The log of a conversation.
#[component]
pub fn Timeline(
    open: OpenConversation,
    /// The peer's name.
    name: String,
    /// A linked message to scroll to.
    target: Option<Seq>,
    /// Shown above the rows in place of the beginning, while the history is not loaded.
    instead: Option<AnyView>,
) -> impl IntoView {
    let t = use_texts();
    let scroller = NodeRef::<Div>::new();
    let list = NodeRef::<Ol>::new();
    let view = ScrollSignals::new(open.id);
    let jump = scroll::start(&open, scroller, list, view, target);
    let keys = open.keys.clone();
    let is_empty = {
        let keys = keys.clone();
        Memo::new(move |_| keys.with(Vec::is_empty))
    };
    let peer = Oco::from(name.clone());
    let rows = open.clone();
    let label = t.fill(t.conversation_with, &name);
    view! {
        <div class="timeline-frame">
            <div
                node_ref=scroller
                class="timeline"
                role="log"
                aria-live="off"
                aria-label=label
                tabindex="0"
            >
                <div class="timeline-inner">
                    {instead.unwrap_or_else(|| view! { <Beginning open=open.clone() name=name.clone() /> }.into_any())}
                    <ol node_ref=list class:hidden=move || is_empty.get()>
                        <For each=move || keys.get() key=|key| *key let:key>
                            <MessageRow open=rows.clone() key=key author=if key.mine { t.you.into() } else { peer.clone() } />
                        </For>
                    </ol>
                    <Ending open=open.clone() />
                    <TypingRow id=open.id at_end=view.at_end />
                </div>
            </div>
            <DayChip view=view />
            <MessageMenu open=open.clone() parts=view.menu />
            <Announcer open=open.clone() name=name announce=view.announce />
            <JumpToLatest open=open away=view.away jump=jump />
        </div>
    }
}

/// Above the first row: older messages, or the beginning.
#[component]
fn Beginning(
    open: OpenConversation,
    /// The peer's name.
    name: String,
) -> impl IntoView {
    let t = use_texts();
    let (id, keys, has_older) = (open.id, open.keys.clone(), open.has_older.clone());
    let hidden_link = has_older.clone();
    let empty = {
        let keys = open.keys.clone();
        Memo::new(move |_| keys.with(Vec::is_empty))
    };
    let shown = open.clone();
    let first = Memo::new(move |_| {
        keys.track();
        shown.first_seq()
    });
    view! {
        <div class="edge" data-edge="older" aria-hidden="true"></div>
        <noscript class:hidden=move || !hidden_link.get() inner_html=move || page_link(id, "before", first.get(), t.older_messages)></noscript>
        <p class="loading-older" class:hidden=move || !has_older.get() aria-hidden="true">{t.loading_older}</p>
        <div class="beginning" class:hidden=move || open.has_older.get()>
            <p class="text-lg font-semibold" class:hidden=move || !empty.get()>{t.say_hello_to}<bdi>{name.clone()}</bdi></p>
            <p>{move || if empty.get() { t.nothing_said_yet } else { t.beginning }}</p>
        </div>
    }
}

/// Below the last row: newer messages that are not on the page.
#[component]
fn Ending(open: OpenConversation) -> impl IntoView {
    let t = use_texts();
    let (id, keys, has_newer) = (open.id, open.keys.clone(), open.has_newer.clone());
    let last = Memo::new(move |_| {
        keys.track();
        open.last_seq()
    });
    view! {
        <noscript class:hidden=move || !has_newer.get() inner_html=move || page_link(id, "after", last.get(), t.newer_messages)></noscript>
        <div class="edge" data-edge="newer" aria-hidden="true"></div>
    }
}

/// A link for pages without scripts. A string, because browsers that run scripts do not parse
/// `noscript`, so hydration would not find elements in it. Unescaped: only ids, numbers and the
/// page's own texts may go in.
fn page_link(id: ConversationId, to: &str, seq: Seq, words: &str) -> String {
    format!("<a class=\"page-link\" href=\"{}?{to}={seq}\">{words}</a>", paths::conversation(id))
}

/// Three dots below the last row while the peer types. Shown only at the end of the log, where the
/// view is anchored; elsewhere only the header shows it, so that no row moves.
#[component]
fn TypingRow(
    id: ConversationId,
    /// Whether the newest message is in view.
    at_end: RwSignal<bool>,
) -> impl IntoView {
    let typing = use_state().entry(id).map(|entry| entry.typing);
    let shown = Memo::new(move |_| at_end.get() && typing.as_ref().is_some_and(Get::get));
    move || {
        shown.get().then(|| {
            view! {
                <p class="typing-row" aria-hidden="true"><span></span><span></span><span></span></p>
            }
        })
    }
}

/// The day in view, above the rows while the user scrolls. Hidden from screen readers, because each
/// day's separator is announced.
#[component]
fn DayChip(view: ScrollSignals) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    view! {
        <div class="day-chip" class:is-shown=view.day_shown aria-hidden="true">
            <span inner_html=move || view.day.get().map(|at| text::as_html(&time::day(t, at, local.get()))).unwrap_or_default()></span>
        </div>
    }
}

/// The button to the newest message, with the number of messages that arrived meanwhile.
#[component]
fn JumpToLatest(
    open: OpenConversation,
    /// Whether the newest message is more than a screen away.
    away: RwSignal<bool>,
    /// Scrolls to the newest message.
    jump: Callback<()>,
) -> impl IntoView {
    let t = use_texts();
    let unread = use_state().entry(open.id).map(|entry| entry.summary);
    let (has_newer, below) = (open.has_newer, open.below);
    let shown = {
        let has_newer = has_newer.clone();
        Memo::new(move |_| away.get() || has_newer.get())
    };
    let count = Memo::new(move |_| {
        let waiting = unread.as_ref().map_or(0, |summary| summary.with(|summary| summary.unread));
        if has_newer.get() { waiting } else { below.get() }
    });
    view! {
        <button class="jump" type="button" class:hidden=move || !shown.get() on:click=move |_| jump.run(())>
            {Icon::Down.draw("size-5")}
            <span class="sr-only">{t.jump_to_latest}</span>
            <span class="badge" class:hidden=move || count.get() == 0>
                <span aria-hidden="true" inner_html=move || count.get().to_string()></span>
                <span class="sr-only" inner_html=move || format!(", {}", text::as_html(&t.count(t.new_messages, count.get())))></span>
            </span>
        </button>
    }
}

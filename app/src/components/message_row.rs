//! One message. The row lives from the keystroke on: the same element goes from sending to read.

use leptos::prelude::*;

use super::Icon;
use crate::language::{Texts, use_texts};
use crate::live::rows::{Key, Progress, Row};
use crate::state::{OpenConversation, use_state};
use crate::text::{self, Piece};
use crate::time;
use crate::words;

impl Progress {
    /// The word for it.
    pub fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Sending => t.sending,
            Self::Sent => t.sent,
            Self::Delivered => t.delivered,
            Self::Read => t.read,
            Self::NotSent(_) => t.not_sent,
        }
    }
}

/// One message with what stands above it: a new day, the unread divider.
#[component]
pub fn MessageRow(
    /// Where it is.
    open: OpenConversation,
    /// Which.
    key: Key,
    /// Who wrote it.
    #[prop(into)]
    author: Oco<'static, str>,
) -> impl IntoView {
    let row = open.row(key)?;
    let (t, local) = (use_texts(), use_state().local_time);
    let first = row.get_untracked();
    let large = text::is_few_emoji(&first.body);
    let long = text::is_long(&first.body);
    let folded = RwSignal::new(long);
    let shape = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| (row.opens_group, row.closes_group)))
    };
    let progress = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.progress))
    };
    let at = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.at))
    };
    let seq = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.seq))
    };
    // The time is always there for screen readers; for the eye it ends a group.
    let quiet = Memo::new(move |_| {
        !shape.get().1 && !matches!(progress.get(), Some(Progress::Sending | Progress::NotSent(_)))
    });
    Some(view! {
        <li
            class="row"
            class:is-mine=key.mine
            class:opens-group=move || shape.get().0
            data-seq=move || seq.get().map(|seq| seq.to_string())
        >
            <Separators row=row.clone() />
            <article
                class:is-large=large
                class:is-folded=folded
                class:is-not-sent=move || matches!(progress.get(), Some(Progress::NotSent(_)))
            >
                <span class="sr-only"><bdi>{author}</bdi>": "</span>
                <div class="bubble">
                    <div class="body" dir="auto">{body(t, local, &first)}</div>
                    {long.then(|| view! { <Fold folded=folded /> })}
                </div>
                <p class="meta" class:sr-only=move || quiet.get()>
                    <time datetime=move || time::machine(at.get()) title=move || time::moment(t, at.get(), local.get())>
                        {move || time::clock(at.get(), local.get())}
                    </time>
                    {key.mine.then(|| view! { <Ticks progress=progress /> })}
                </p>
                {key.mine.then(|| view! { <NotSent key=key progress=progress /> })}
            </article>
        </li>
    })
}

/// The day and the unread divider above a message.
#[component]
fn Separators(
    /// The message.
    row: ArcRwSignal<Row>,
) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().local_time);
    let day = {
        let row = row.clone();
        Memo::new(move |_| {
            row.with(|row| row.new_day.then_some(row.at)).map(|at| time::day(t, at, local.get()))
        })
    };
    let unread = Memo::new(move |_| row.with(|row| row.unread_above));
    view! {
        {move || day.get().map(|day| view! {
            <div class="day" role="separator" aria-label=day.clone()><span aria-hidden="true">{day.clone()}</span></div>
        })}
        {move || unread.get().map(|unread| {
            let words = t.count(t.new_messages, unread);
            view! {
                <div class="unread-divider" role="separator" aria-label=words.clone()>
                    <span aria-hidden="true">{words.clone()}</span>
                </div>
            }
        })}
    }
}

/// Unfolds and folds a long message. `scroll` keeps in place what one looks at.
#[component]
fn Fold(
    /// Whether it is folded.
    folded: RwSignal<bool>,
) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().local_time);
    view! {
        <button
            class="fold"
            type="button"
            tabindex=move || one_stop(local.get())
            aria-expanded=move || (!folded.get()).to_string()
            on:click=move |_| folded.update(|folded| *folded = !*folded)
        >
            {move || if folded.get() { t.read_more } else { t.show_less }}
        </button>
    }
}

/// How far a message of mine has come: a small drawing, and the word for those who do not see it.
/// Pressed, it tells more; with the keyboard, the message's menu does.
#[component]
fn Ticks(
    /// How far.
    progress: Memo<Option<Progress>>,
) -> impl IntoView {
    let t = use_texts();
    move || {
        progress.get().map(|progress| {
            let (icon, class) = match progress {
                Progress::Sending => (Icon::Clock, "tick"),
                Progress::Sent => (Icon::Tick, "tick"),
                Progress::Delivered => (Icon::TwoTicks, "tick"),
                Progress::Read => (Icon::TwoTicks, "tick is-read"),
                Progress::NotSent(_) => (Icon::Alert, "tick is-bad"),
            };
            view! {
                <button class="ticks" type="button" tabindex="-1">
                    <span class="sr-only">", " {progress.word(t)}</span>
                    {icon.draw(class)}
                </button>
            }
        })
    }
}

/// What can be done with a message that was refused for good.
#[component]
fn NotSent(
    /// Which.
    key: Key,
    /// How far it has come.
    progress: Memo<Option<Progress>>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    move || match progress.get() {
        Some(Progress::NotSent(code)) => Some(view! {
            <div class="not-sent">
                <p role="alert">{t.not_sent_because} {words::sentence(t, code.into())}</p>
                <button class="link" type="button" on:click=move |_| retry(state, key)>{t.retry}</button>
                <button class="link" type="button" on:click=move |_| delete(state, key)>{t.delete}</button>
            </div>
        }),
        _ => None,
    }
}

#[cfg(feature = "hydrate")]
use crate::live::sender::{delete, retry};

#[cfg(not(feature = "hydrate"))]
fn retry(_: crate::state::State, _: Key) {}
#[cfg(not(feature = "hydrate"))]
fn delete(_: crate::state::State, _: Key) {}

/// Once the page is live the log is one stop for Tab: what is in a message is reached from it.
fn one_stop(live: bool) -> Option<&'static str> {
    live.then_some("-1")
}

/// The text as text nodes and links, never as HTML.
fn body(t: &Texts, live: RwSignal<bool>, row: &Row) -> impl IntoView + use<> {
    let link = move |to: String, text: String, real_host: Option<String>| {
        let warning = real_host.as_ref().map(|host| t.link_warning.replace("{}", host));
        view! {
            <a
                href=to
                target="_blank"
                rel="noopener noreferrer nofollow"
                title=warning
                tabindex=move || one_stop(live.get())
            >
                {text}
            </a>
            {real_host.map(|host| view! { <bdi class="real-host" dir="ltr">" (" {host} ")"</bdi> })}
        }
    };
    text::pieces(&row.body)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.into_any(),
            Piece::Link { to, text, real_host } => link(to, text, real_host).into_any(),
        })
        .collect_view()
}

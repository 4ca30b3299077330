//! One message. The row exists from sending on: the same element shows every tick up to "read".

use leptos::prelude::*;

use super::Icon;
use crate::browser::sender::{delete, retry};
use crate::error_messages::error_message;
use crate::language::{Texts, use_texts};
use crate::live::rows::{Key, Row, Tick};
use crate::state::{OpenConversation, use_state};
use crate::text::{self, Piece};
use crate::time;

impl Tick {
    /// The label.
    pub fn label(self, t: &Texts) -> &'static str {
        match self {
            Self::Sending => t.sending,
            Self::Sent => t.sent,
            Self::Delivered => t.delivered,
            Self::Read => t.read,
            Self::NotSent(_) => t.not_sent,
        }
    }

    /// The icon.
    pub fn draw(self) -> impl IntoView {
        let (icon, class) = match self {
            Self::Sending => (Icon::Clock, "tick"),
            Self::Sent => (Icon::Tick, "tick"),
            Self::Delivered => (Icon::TwoTicks, "tick"),
            Self::Read => (Icon::TwoTicks, "tick is-read"),
            Self::NotSent(_) => (Icon::Alert, "tick is-bad"),
        };
        icon.draw(class)
    }
}

/// A message, with the day and the unread divider above it.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "a component owns its properties")]
pub fn MessageRow(
    open: OpenConversation,
    key: Key,
    /// The author's name.
    #[prop(into)]
    author: Oco<'static, str>,
) -> impl IntoView {
    let row = open.row(key)?;
    let (t, local) = (use_texts(), use_state().time_context);
    let first = row.get_untracked();
    let large = text::is_few_emoji(&first.body);
    let long = text::is_long(&first.body);
    let folded = RwSignal::new(long);
    let opens_group = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.opens_group))
    };
    let tick = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.tick))
    };
    let at = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.at))
    };
    let seq = {
        let row = row.clone();
        Memo::new(move |_| row.with(|row| row.seq))
    };
    let meta = view! {
        <p class="meta" dir=t.language.direction()>
            " "
            <time
                datetime=move || time::machine(at.get())
                title=move || time::moment(t, at.get(), local.get())
                inner_html=move || text::as_html(&time::clock(at.get(), local.get()))
            ></time>
            {key.mine.then(|| view! { <Ticks tick=tick /> })}
        </p>
    };
    // Inside the last line of the text if there is room. A folded text has no last line, so its
    // time and ticks are below it.
    let (inside, below) = if long { (None, Some(meta)) } else { (Some(meta), None) };
    Some(view! {
        <li
            class="row"
            class:is-mine=key.mine
            class:opens-group=opens_group
            data-seq=move || seq.get().map(|seq| seq.to_string())
        >
            <Separators row=row.clone() />
            <article
                class:is-large=large
                class:is-folded=folded
                class:is-not-sent=move || matches!(tick.get(), Some(Tick::NotSent(_)))
            >
                <span class="sr-only"><bdi>{author}</bdi>": "</span>
                <div class="bubble">
                    <div class="body" dir="auto">{body(t, &first)} {inside}</div>
                    {long.then(|| view! { <Fold folded=folded /> })}
                    {below}
                </div>
                {key.mine.then(|| view! { <NotSent key=key row=row tick=tick /> })}
            </article>
        </li>
    })
}

/// The day and the unread divider above a message.
#[component]
fn Separators(row: ArcRwSignal<Row>) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let day = {
        let row = row.clone();
        Memo::new(move |_| {
            row.with(|row| row.new_day.then_some(row.at)).map(|at| time::day(t, at, local.get()))
        })
    };
    let unread = Memo::new(move |_| row.with(|row| row.unread_above));
    view! {
        {move || day.get().map(|day| view! {
            <div class="day" role="separator" aria-label=day.clone()>
                <span aria-hidden="true" inner_html=text::as_html(&day)></span>
            </div>
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

/// Folds and unfolds a long message. `scroll` keeps the visible part in place.
#[component]
fn Fold(folded: RwSignal<bool>) -> impl IntoView {
    let (t, live) = (use_texts(), use_state().live);
    view! {
        <button
            class="fold"
            type="button"
            tabindex=move || one_stop(live.get())
            aria-expanded=move || (!folded.get()).to_string()
            on:click=move |_| folded.update(|folded| *folded = !*folded)
            inner_html=move || text::as_html(if folded.get() { t.read_more } else { t.show_less })
        >
        </button>
    }
}

/// The tick of the user's own message: an icon, and a label for screen readers. A click opens
/// the note; by keyboard, the message menu does.
#[component]
fn Ticks(tick: Memo<Option<Tick>>) -> impl IntoView {
    let t = use_texts();
    move || {
        tick.get().map(|tick| {
            let label = tick.label(t);
            view! {
                <button
                    class="ticks"
                    type="button"
                    tabindex="-1"
                    aria-label=label.to_owned() + ". " + t.details
                >
                    <span class="sr-only" inner_html=format!(". {}", text::as_html(label))></span>
                    {tick.draw()}
                </button>
            }
        })
    }
}

/// The actions for a refused message, and the warning that a reload would lose an unsent one.
#[component]
fn NotSent(key: Key, row: ArcRwSignal<Row>, tick: Memo<Option<Tick>>) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let unsaved = Memo::new(move |_| row.with(|row| row.unsaved));
    let lost = move || unsaved.get().then(|| view! { <p class="not-kept">{t.not_kept}</p> });
    let refused = move || match tick.get() {
        Some(Tick::NotSent(code)) => Some(view! {
            <div class="not-sent">
                <p role="alert">{t.not_sent_because} {error_message(t, code.into())}</p>
                <button class="link" type="button" on:click=move |_| retry(state, key)>{t.retry}</button>
                <button class="link" type="button" on:click=move |_| delete(state, key)>{t.delete}</button>
            </div>
        }),
        _ => None,
    };
    (lost, refused)
}

/// Returns the data of a rendered row. Rows are rendered in the order of the conversation's keys.
#[cfg(feature = "hydrate")]
pub(super) fn row_of(
    open: &OpenConversation,
    list: &web_sys::Element,
    row: &web_sys::Element,
) -> Option<crate::live::rows::Row> {
    let rows = list.children();
    let index = (0..rows.length())
        .find(|index| rows.item(*index).is_some_and(|other| other.is_same_node(Some(row))))?;
    let key = open.keys.with_untracked(|keys| keys.get(index as usize).copied())?;
    open.row(key).map(|row| row.get_untracked())
}

/// After hydration the log is one tab stop: links and buttons are reached from their message.
fn one_stop(live: bool) -> Option<&'static str> {
    live.then_some("-1")
}

/// The text as text nodes and links, never as HTML.
fn body(t: &Texts, row: &Row) -> impl IntoView + use<> {
    let live = use_state().live;
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
    // Withheld: the peer sent the message during a block.
    if row.body.is_empty() {
        return vec![view! { <em class="text-muted">{t.withheld}</em> }.into_any()];
    }
    text::pieces(&row.body)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.into_any(),
            Piece::Link { to, text, real_host } => link(to, text, real_host).into_any(),
        })
        .collect_view()
}

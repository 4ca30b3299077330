//! Live region of a conversation for screen readers. Announces each new message of the peer once,
//! that older messages were loaded, and that the peer is typing. The user's own messages and pages
//! of history are not announced, which is why the log itself is no live region. The banner
//! announces the state of the connection.

use std::time::Duration;

use leptos::prelude::*;

use crate::language::use_texts;
use crate::state::{OpenConversation, use_state};

/// A line is removed after this time, so that a screen reader does not find it again in the page.
const LINE_FOR: Duration = Duration::from_secs(3);
/// Of a burst only the last lines are announced, because more cannot be followed.
const MOST_LINES: usize = 5;
/// Minimum interval between two announcements that the peer is typing.
const TYPING_EVERY: Duration = Duration::from_secs(10);

/// The lines in the live region, oldest first.
#[derive(Clone, Copy)]
struct Lines(RwSignal<Vec<(u32, String)>>);

impl Lines {
    fn add(self, text: String) {
        let turn = self.0.with_untracked(|lines| lines.last().map_or(0, |line| line.0 + 1));
        self.0.update(|lines| {
            lines.push((turn, text));
            let surplus = lines.len().saturating_sub(MOST_LINES);
            lines.drain(..surplus);
        });
        set_timeout(
            move || {
                self.0.try_update(|lines| lines.retain(|line| line.0 != turn));
            },
            LINE_FOR,
        );
    }
}

/// The live region, visually hidden.
#[component]
pub fn Announcer(
    open: OpenConversation,
    /// The peer's name.
    name: String,
    /// Further texts to announce.
    announce: RwSignal<Option<String>>,
) -> impl IntoView {
    let t = use_texts();
    let lines = Lines(RwSignal::new(Vec::new()));
    let typing = use_state().entry(open.id).map(|entry| entry.typing);
    let is_typing = t.fill(t.is_typing, &name);
    Effect::new(move |_| {
        if let Some(message) = open.received.get() {
            lines.add(format!("{name}: {}", message.body));
        }
    });
    Effect::new(move |_| announce.get().into_iter().for_each(|text| lines.add(text)));
    let quiet = StoredValue::new(false);
    Effect::new(move |_| {
        if typing.as_ref().is_some_and(Get::get) && !quiet.get_value() {
            lines.add(is_typing.clone());
            quiet.set_value(true);
            set_timeout(
                move || {
                    quiet.try_set_value(false);
                },
                TYPING_EVERY,
            );
        }
    });
    view! {
        <div class="sr-only" role="status" aria-atomic="false">
            <For each=move || lines.0.get() key=|line| line.0 let:line>
                <p dir="auto">{line.1}</p>
            </For>
        </div>
    }
}

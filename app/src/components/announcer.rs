//! What is said aloud in a conversation: the peer's new message once, that older ones came, that
//! the peer types. Not one's own messages, and not a page of history, which the log would read out
//! whole if it were a live region itself. The banner speaks for the connection.

use std::time::Duration;

use leptos::prelude::*;

use crate::language::use_texts;
use crate::state::{OpenConversation, use_state};

/// A line stays for this long: then it is not found a second time by those who read on.
const LINE_FOR: Duration = Duration::from_secs(3);
/// Of a flood only the last are said: nobody could listen to more.
const MOST_LINES: usize = 5;
/// That the peer types is said at most this often.
const TYPING_EVERY: Duration = Duration::from_secs(10);

/// The lines that are being said, oldest first.
#[derive(Clone, Copy)]
struct Lines(RwSignal<Vec<(u32, String)>>);

impl Lines {
    fn say(self, text: String) {
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

/// The place where it is said, out of sight.
#[component]
pub fn Announcer(
    /// What is open.
    open: OpenConversation,
    /// The peer's name.
    name: String,
    /// What else is to be said.
    say: RwSignal<Option<String>>,
) -> impl IntoView {
    let t = use_texts();
    let lines = Lines(RwSignal::new(Vec::new()));
    let typing = use_state().entry(open.id).map(|entry| entry.typing);
    let is_typing = t.fill(t.is_typing, &name);
    Effect::new(move |_| {
        if let Some(message) = open.heard.get() {
            lines.say(format!("{name}: {}", message.body));
        }
    });
    Effect::new(move |_| say.get().into_iter().for_each(|text| lines.say(text)));
    let quiet = StoredValue::new(false);
    Effect::new(move |_| {
        if typing.as_ref().is_some_and(Get::get) && !quiet.get_value() {
            lines.say(is_typing.clone());
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

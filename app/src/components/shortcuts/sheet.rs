//! The list of shortcuts, in a native dialog, which traps the focus and returns it on closing.

use leptos::html::Dialog;
use leptos::prelude::*;

use crate::browser::is_mac;
use crate::components::Icon;
use crate::language::{KeyTexts, use_texts};

/// The open dialog.
pub(in crate::components) fn sheet(open: RwSignal<bool>) -> AnyView {
    view! { <Sheet open=open /> }.into_any()
}

#[component]
fn Sheet(
    /// Whether the list is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    let k = &use_texts().keys;
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            // Fails only if the dialog is already open.
            _ = dialog.show_modal();
        }
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let groups = [(k.everywhere, EVERYWHERE), (k.writing, WRITING), (k.reading, READING)];
    view! {
        <dialog
            node_ref=dialog
            class="sheet"
            aria-labelledby="shortcuts-title"
            // A click on the backdrop has the dialog itself as its target.
            on:click=move |event| if event.target() == event.current_target() { close() }
            on:close=move |_| open.set(false)
        >
            <header class="sheet-header">
                <h2 id="shortcuts-title" class="text-lg font-semibold">{k.title}</h2>
                <button class="icon-button" type="button" aria-label=k.close_this on:click=move |_| close()>
                    {Icon::Close.draw("size-5")}
                </button>
            </header>
            // This region has the focus, not the close button, so that arrow keys scroll.
            <div class="sheet-body" role="region" aria-labelledby="shortcuts-title" tabindex="0" autofocus=true>
                {groups.map(|(title, rows)| view! {
                    <section>
                        <h3 class="shortcut-group">{title}</h3>
                        <dl>{rows.iter().map(|row| shown(k, row)).collect_view()}</dl>
                    </section>
                })}
            </div>
        </dialog>
    }
}

/// The label of a key.
#[derive(Clone, Copy)]
enum KeyLabel {
    /// Ctrl, or Cmd on a Mac.
    Command,
    Ctrl,
    Alt,
    Shift,
    Enter,
    Escape,
    PageUp,
    PageDown,
    Home,
    End,
    /// A key with the same label everywhere.
    Plain(&'static str),
}

impl KeyLabel {
    fn name(self, k: &KeyTexts) -> &'static str {
        match self {
            Self::Command if is_mac() => "\u{2318}",
            Self::Command | Self::Ctrl => k.ctrl,
            Self::Alt if is_mac() => "\u{2325}",
            Self::Alt => "Alt",
            Self::Shift => k.shift,
            Self::Enter => k.enter,
            Self::Escape => "Esc",
            Self::PageUp => k.page_up,
            Self::PageDown => k.page_down,
            Self::Home => k.home,
            Self::End => k.end,
            Self::Plain(name) => name,
        }
    }
}

/// An action and its alternative key combinations.
type ShortcutRow = (fn(&KeyTexts) -> &'static str, &'static [&'static [KeyLabel]]);

const UP: KeyLabel = KeyLabel::Plain("\u{2191}");
const DOWN: KeyLabel = KeyLabel::Plain("\u{2193}");

const EVERYWHERE: &[ShortcutRow] = &[
    (|k| k.find, &[&[KeyLabel::Command, KeyLabel::Plain("K")]]),
    (|k| k.neighbours, &[&[KeyLabel::Alt, UP], &[KeyLabel::Alt, DOWN]]),
    (
        |k| k.unread_neighbours,
        &[&[KeyLabel::Alt, KeyLabel::Shift, UP], &[KeyLabel::Alt, KeyLabel::Shift, DOWN]],
    ),
    (|k| k.next_part, &[&[KeyLabel::Ctrl, KeyLabel::Plain("F6")]]),
    (|k| k.close, &[&[KeyLabel::Escape]]),
    (|k| k.this_list, &[&[KeyLabel::Command, KeyLabel::Plain("/")]]),
];

const WRITING: &[ShortcutRow] = &[
    (|k| k.send, &[&[KeyLabel::Enter]]),
    (|k| k.new_line, &[&[KeyLabel::Shift, KeyLabel::Enter]]),
    (|k| k.emoji, &[&[KeyLabel::Plain(":")]]),
    (|k| k.last_own, &[&[UP]]),
];

const READING: &[ShortcutRow] = &[
    (|k| k.scroll, &[&[KeyLabel::PageUp], &[KeyLabel::PageDown]]),
    (|k| k.walk, &[&[UP], &[DOWN]]),
    (|k| k.menu, &[&[KeyLabel::Shift, KeyLabel::Plain("F10")]]),
    (|k| k.first_unread, &[&[KeyLabel::Shift, KeyLabel::PageUp]]),
    (|k| k.ends, &[&[KeyLabel::Ctrl, KeyLabel::Home], &[KeyLabel::Ctrl, KeyLabel::End]]),
    (|k| k.latest, &[&[KeyLabel::Escape]]),
];

fn shown(k: &'static KeyTexts, (what, combinations): &ShortcutRow) -> impl IntoView {
    let combination = |keys: &'static [KeyLabel]| {
        let caps = keys.iter().map(|key| view! { <kbd>{key.name(k)}</kbd> });
        view! { <span class="keys" dir="ltr">{caps.collect_view()}</span> }
    };
    let all = combinations.iter().map(|keys| combination(keys)).collect_view();
    view! {
        <div class="shortcut">
            <dt>{what(k)}</dt>
            <dd>{all}</dd>
        </div>
    }
}

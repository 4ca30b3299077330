//! The person's own typing: drafts, the sign "typing", and the field's height. Browser only; the
//! composer calls it.

use std::time::Duration;

use leptos::html::Textarea;
use leptos::prelude::*;
use protocol::{Body, ClientFrame, ConversationId};
use web_sys::HtmlTextAreaElement;

use super::{sender, storage};
use crate::dom::{Listener, has_keyboard, now_ms};
use crate::state::{State, use_state};

/// A draft is kept after this pause, so that not every key is a write.
const DRAFT_PAUSE: Duration = Duration::from_millis(250);
/// "Typing" is said at most this often.
const TYPING_EVERY_MS: i64 = 3_000;

/// Adopts what stands in the field when the page comes to life, or brings the draft back.
pub fn start(conversation: ConversationId, field: NodeRef<Textarea>, length: RwSignal<usize>) {
    let state = use_state();
    Effect::new(move |_| {
        let (Some(element), Some(me)) = (field.get(), state.me()) else { return };
        // What was typed before the page was live wins over an older draft.
        if element.value().is_empty() {
            element.set_value(&storage::draft(me.id, conversation).unwrap_or_default());
        } else {
            typed(state, conversation, &element);
        }
        length.set(element.value().chars().count());
        fit(&element);
        if has_keyboard() {
            _ = element.focus();
        }
        // A page that goes away does not wait for the pause.
        let leaving = Listener::new(&window(), "pagehide", move |_| {
            keep_draft(state, conversation, &element.value());
        });
        let leaving = StoredValue::new_local(leaving);
        on_cleanup(move || leaving.dispose());
    });
    on_cleanup(move || {
        // The other conversation's page is coming: do not lose the last quarter of a second.
        if let Some(element) = field.try_get_untracked().flatten() {
            keep_draft(state, conversation, &element.value());
            say_typing(state, conversation, false);
        }
    });
}

/// Something was typed.
pub fn typed(state: State, conversation: ConversationId, element: &HtmlTextAreaElement) {
    fit(element);
    let text = element.value();
    say_typing(state, conversation, !text.is_empty());
    if let Some(handle) = state.draft_timer.get_value() {
        handle.clear();
    }
    let handle =
        set_timeout_with_handle(move || keep_draft(state, conversation, &text), DRAFT_PAUSE);
    state.draft_timer.set_value(handle.ok());
}

/// The message was sent: the field is empty again.
pub fn sent(state: State, conversation: ConversationId, element: &HtmlTextAreaElement, body: Body) {
    if let Some(handle) = state.draft_timer.get_value() {
        handle.clear();
    }
    // The message is kept before the draft goes: a crash between the two doubles nothing, since
    // the draft would only stand in the field.
    sender::send(state, conversation, body);
    keep_draft(state, conversation, "");
    say_typing(state, conversation, false);
    fit(element);
    state.own_message_written();
}

fn keep_draft(state: State, conversation: ConversationId, text: &str) {
    storage::put_draft(state, conversation, text);
    show_draft(state, conversation, text.to_owned());
}

/// Shows a draft in the list; not while one writes it, which is on the screen already.
pub fn show_draft(state: State, conversation: ConversationId, text: String) {
    if let Some(entry) = state.entry(conversation)
        && entry.draft.with_untracked(|draft| *draft != text)
    {
        entry.draft.set(text);
    }
}

fn say_typing(state: State, conversation: ConversationId, active: bool) {
    let now = now_ms();
    let said = state.typing_said_ms.get_value();
    let due = if active { now - said >= TYPING_EVERY_MS } else { said > 0 };
    if due && state.say(ClientFrame::Typing { conversation, active }) {
        state.typing_said_ms.set_value(if active { now } else { 0 });
    }
}

/// Grows the field with its text, in browsers whose style sheets cannot (`field-sizing`).
fn fit(element: &HtmlTextAreaElement) {
    if web_sys::css::supports_with_value("field-sizing", "content").unwrap_or(false) {
        return;
    }
    let style = web_sys::HtmlElement::style(element);
    _ = style.set_property("height", "auto");
    _ = style.set_property("height", &format!("{}px", element.scroll_height()));
}

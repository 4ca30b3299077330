//! The person's own typing: drafts, the sign "typing", and the field's height. Browser only; the
//! composer calls it.

use std::time::Duration;

use leptos::html::Textarea;
use leptos::prelude::*;
use protocol::{Body, ClientFrame, ConversationId};
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, DataTransfer, DragEvent, Event, HtmlTextAreaElement};

use super::{sender, storage};
use crate::dom::{Listener, has_keyboard, now_ms};
use crate::state::{State, use_state};

/// A draft is kept after this pause, so that not every key is a write.
const DRAFT_PAUSE: Duration = Duration::from_millis(250);
/// "Typing" is said at most this often.
const TYPING_EVERY_MS: i64 = 3_000;

/// Adopts what stands in the field when the page comes to life, or brings the draft back.
/// `refuse_files` is told when somebody tries to paste or drop a file.
pub fn start(
    conversation: ConversationId,
    field: NodeRef<Textarea>,
    written: RwSignal<String>,
    refuse_files: Callback<()>,
) {
    let state = use_state();
    Effect::new(move |_| {
        let (Some(element), Some(me)) = (field.get(), state.me()) else { return };
        // What was typed before the page was live wins over an older draft.
        if element.value().is_empty() {
            let draft = storage::draft(me.id, conversation).unwrap_or_default();
            element.set_value(&draft);
            show_draft(state, conversation, draft);
        } else {
            typed(state, conversation, &element);
        }
        written.set(element.value());
        // Opened from another page it is in the document one turn later.
        let shown = element.clone();
        request_animation_frame(move || {
            fit(&shown);
            if has_keyboard() {
                _ = shown.focus();
            }
        });
        let [paste, over, drop] = watch_files(&element, refuse_files);
        // A page that goes away does not wait for the pause.
        let leaving = Listener::new(&window(), "pagehide", move |_| {
            keep_draft(state, conversation, &element.value());
        });
        let listeners = StoredValue::new_local([paste, over, drop, leaving]);
        on_cleanup(move || listeners.dispose());
    });
    on_cleanup(move || {
        // The other conversation's page is coming: do not lose the last quarter of a second.
        if let Some(element) = field.try_get_untracked().flatten() {
            keep_draft(state, conversation, &element.value());
            say_typing(state, conversation, false);
        }
    });
}

/// Files are not text: pasted ones are refused in words, and dropped ones too, which the browser
/// would otherwise show in the place of this page.
fn watch_files(element: &HtmlTextAreaElement, refuse: Callback<()>) -> [Listener; 3] {
    let paste = Listener::new(element, "paste", move |event| {
        let pasted = event.dyn_ref::<ClipboardEvent>().and_then(ClipboardEvent::clipboard_data);
        // A copied paragraph may come with a picture of itself: then the text is what is meant.
        let text = |data: &DataTransfer| data.get_data("text/plain").unwrap_or_default();
        if pasted.is_some_and(|data| holds_files(&data) && text(&data).is_empty()) {
            event.prevent_default();
            refuse.run(());
        }
    });
    let dragged = |event: &Event| {
        let data = event.dyn_ref::<DragEvent>().and_then(DragEvent::data_transfer);
        data.is_some_and(|data| holds_files(&data))
    };
    let over = Listener::new(&window(), "dragover", move |event| {
        if dragged(&event) {
            event.prevent_default();
        }
    });
    let drop = Listener::new(&window(), "drop", move |event| {
        if dragged(&event) {
            event.prevent_default();
            refuse.run(());
        }
    });
    [paste, over, drop]
}

fn holds_files(data: &DataTransfer) -> bool {
    data.types().iter().any(|kind| kind == "Files")
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

/// Shows all drafts that are kept, also of conversations that the list has only now.
pub fn show_drafts(state: State) {
    let Some(me) = state.me() else { return };
    for (conversation, draft) in storage::drafts(me.id) {
        show_draft(state, conversation, draft);
    }
}

/// Shows a draft in the list.
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

//! The user's typing: drafts, typing events, and the height of the composer field. Browser only;
//! the composer calls it.

use std::time::Duration;

use leptos::html::Textarea;
use leptos::prelude::*;
use protocol::{Body, ClientFrame, ConversationId, UserId};
use wasm_bindgen::JsCast;
use web_sys::{ClipboardEvent, DataTransfer, DragEvent, Event, HtmlTextAreaElement, StorageEvent};

use super::drafts::{self, Draft, Follow};
use super::storage::{self, StorageChange};
use super::{saving, sender};
use crate::browser::dom::{Listener, has_keyboard, is_live, uptime_ms};
use crate::state::{State, use_state};
use crate::text::{self, TextStats};

/// Pause after which a draft is stored, so that not every key causes a write.
const DRAFT_PAUSE: Duration = Duration::from_millis(250);
/// The same pause for long texts, which are slow to write.
const LONG_DRAFT_PAUSE: Duration = Duration::from_secs(1);
/// Far beyond the longest message, in UTF-16 units.
const VERY_LONG: u32 = 20_000;
/// Number of UTF-16 units searched for the first letter, which decides the text direction.
const DIRECTION_WITHIN: u32 = 4_000;
/// Shortest interval between two typing events.
const TYPING_EVERY_MS: i64 = 3_000;
/// A user who pressed no key for this long no longer counts as typing.
const TYPES_FOR_MS: i64 = 5_000;

/// The draft of one composer. A cheap copy of handles.
#[derive(Clone, Copy)]
pub struct DraftKeeper {
    state: State,
    conversation: ConversationId,
    draft: StoredValue<Draft>,
    /// The pending write of the draft.
    pause: StoredValue<Option<TimeoutHandle>>,
    /// Properties of the text that the composer shows.
    written: RwSignal<TextStats>,
}

/// Adopts text typed before the page was live, or restores the draft. `refuse_files` is called when
/// the user pastes or drops a file.
pub fn start(
    conversation: ConversationId,
    field: NodeRef<Textarea>,
    written: RwSignal<TextStats>,
    refuse_files: Callback<()>,
) -> DraftKeeper {
    let state = use_state();
    let keeper = DraftKeeper {
        state,
        conversation,
        draft: StoredValue::new(Draft::default()),
        pause: StoredValue::new(None),
        written,
    };
    Effect::new(move |_| {
        let (Some(element), Some(me)) = (field.get(), state.me()) else { return };
        set_direction(&element);
        keeper.begin(&element);
        let is_taken = !is_live() && is_typing_elsewhere(&element);
        // After a client-side navigation the field is in the document one turn later.
        let shown = element.clone();
        request_animation_frame(move || {
            fit(&shown);
            if has_keyboard() && !is_taken {
                _ = shown.focus();
            }
        });
        let files = watch_files(&element, refuse_files);
        let long = watch_long_input(&element);
        let listeners = (files, keeper.watch(&element, me.id), long);
        let listeners = StoredValue::new_local(listeners);
        on_cleanup(move || listeners.dispose());
    });
    on_cleanup(move || {
        // Another conversation is opening: store the text typed during the last pause.
        if let Some(element) = field.try_get_untracked().flatten() {
            keeper.keep_now(&element);
            send_typing(state, conversation, false);
        }
    });
    keeper
}

impl DraftKeeper {
    /// Sets the field's first text: the stored draft and the text typed before the page was live.
    fn begin(self, element: &HtmlTextAreaElement) {
        let early = element.value();
        let kept = saving::draft(self.state, self.conversation);
        let draft = self.with(|draft| draft.adopt(&kept)).unwrap_or_default();
        let text = match (early.is_empty(), draft.is_empty() || early.contains(&draft)) {
            (true, _) => draft,
            (false, true) => early.clone(),
            // The user began to type before the draft was shown.
            (false, false) => format!("{draft}\n\n{early}"),
        };
        self.show(element, &text);
        show_draft(self.state, self.conversation, &text);
        if !early.is_empty() {
            self.changed(element);
        }
    }

    /// Listens for events that may precede unloading, to store the draft, and for changes of other
    /// tabs.
    fn watch(self, element: &HtmlTextAreaElement, me: UserId) -> [Listener; 5] {
        let (leaving, hidden, left) = (element.clone(), element.clone(), element.clone());
        let (back, follower) = (element.clone(), element.clone());
        [
            Listener::new(element, "blur", move |_| self.keep_now(&left)),
            // Phones end hidden pages without another event.
            Listener::new(&document(), "visibilitychange", move |_| self.keep_now(&hidden)),
            Listener::new(&window(), "pagehide", move |_| self.keep_now(&leaving)),
            Listener::new(&window(), "pageshow", move |_| {
                let known = self.with(|draft| draft.kept()).unwrap_or_default();
                self.follow(&back, &known, &saving::draft(self.state, self.conversation));
            }),
            Listener::new(&window(), "storage", move |event| {
                let Ok(event) = event.dyn_into::<StorageEvent>() else { return };
                let Some(key) = event.key() else { return };
                match storage::change(me, &key, event.old_value(), event.new_value()) {
                    Some(StorageChange::Draft(of, before, after)) if of == self.conversation => {
                        self.follow(&follower, &before, &after);
                    }
                    _ => {}
                }
            }),
        ]
    }

    fn follow(self, element: &HtmlTextAreaElement, before: &str, after: &str) {
        let text = element.value();
        match self.with(|draft| draft.changed(before, after, &text)) {
            Some(Follow::Show(text)) => {
                self.show(element, &text);
                fit(element);
            }
            Some(Follow::KeepAgain) => self.keep(&text),
            Some(Follow::Stay) | None => {}
        }
    }

    fn show(self, element: &HtmlTextAreaElement, text: &str) {
        set_direction_for(element, &text[..text.floor_char_boundary(DIRECTION_WITHIN as usize)]);
        if element.value() != text {
            element.set_value(text);
        }
        self.written.try_set(written_in(element));
    }

    fn changed(self, element: &HtmlTextAreaElement) {
        self.with(Draft::touch);
        self.stop_pause();
        let text = element.clone();
        let pause = if is_very_long(element) { LONG_DRAFT_PAUSE } else { DRAFT_PAUSE };
        let handle = set_timeout_with_handle(move || self.keep_now(&text), pause);
        self.pause.try_set_value(handle.ok());
    }

    fn stop_pause(self) {
        if let Some(handle) = self.pause.try_get_value().flatten() {
            handle.clear();
        }
    }

    /// Stores the field's text if the user changed it here and it is not stored yet.
    fn keep_now(self, element: &HtmlTextAreaElement) {
        let text = element.value();
        if self.with(|draft| draft.is_kept(&text)) == Some(false) {
            self.keep(&text);
        }
    }

    fn keep(self, text: &str) {
        let before = saving::draft(self.state, self.conversation);
        if let Some(kept) = self.with(|draft| draft.keep(&before, text)) {
            saving::put_draft(self.state, self.conversation, &kept);
            show_draft(self.state, self.conversation, &drafts::shown(&kept));
        }
    }

    /// Returns `None` once the composer is gone.
    fn with<T>(self, work: impl FnOnce(&mut Draft) -> T) -> Option<T> {
        self.draft.try_update_value(work)
    }
}

/// Returns whether the user is typing in another field, such as the search.
fn is_typing_elsewhere(element: &HtmlTextAreaElement) -> bool {
    document().active_element().is_some_and(|active| {
        active != ***element && matches!(active.tag_name().as_str(), "INPUT" | "TEXTAREA")
    })
}

/// Refuses pasted and dropped files with a message. Otherwise the browser would open a dropped file
/// in place of this page.
fn watch_files(element: &HtmlTextAreaElement, refuse: Callback<()>) -> [Listener; 3] {
    let paste = Listener::new(element, "paste", move |event| {
        let pasted = event.dyn_ref::<ClipboardEvent>().and_then(ClipboardEvent::clipboard_data);
        // A copied paragraph may include a picture of itself; then the text is pasted.
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

/// Properties of the field's text for the composer.
pub fn written_in(element: &HtmlTextAreaElement) -> TextStats {
    if is_very_long(element) {
        TextStats::long(usize::try_from(element.text_length()).unwrap_or(usize::MAX))
    } else {
        TextStats::of(&element.value())
    }
}

/// Handles an input event.
pub fn typed(keeper: DraftKeeper, element: &HtmlTextAreaElement) {
    set_direction(element);
    fit(element);
    send_typing(keeper.state, keeper.conversation, element.text_length() > 0);
    keeper.changed(element);
}

/// Handles a message being sent; the field is empty already.
pub fn sent(keeper: DraftKeeper, element: &HtmlTextAreaElement, body: Body) {
    keeper.stop_pause();
    if keeper.with(|draft| draft.replaces_another(body.as_str())) == Some(true) {
        keeper.keep(body.as_str());
    }
    // The message is stored before the draft is deleted. A crash between the two only leaves the
    // draft in the field.
    sender::send(keeper.state, keeper.conversation, body);
    keeper.keep("");
    send_typing(keeper.state, keeper.conversation, false);
    set_direction(element);
    fit(element);
    keeper.state.own_message_written();
}

/// Shows all stored drafts in the list, also for entries that were just added.
pub fn show_drafts(state: State) {
    let Some(me) = state.me() else { return };
    for (conversation, kept) in storage::drafts(me.id) {
        show_draft(state, conversation, &drafts::shown(&kept));
    }
}

/// Shows the beginning of a draft in the list.
pub fn show_draft(state: State, conversation: ConversationId, text: &str) {
    let text = text::preview(text);
    if let Some(entry) = state.entry(conversation)
        && entry.draft.with_untracked(|draft| *draft != text)
    {
        entry.draft.set(text);
    }
}

/// Sends the typing event again on a new connection, which has not received it.
pub fn resend_typing(state: State) {
    state.client.typing_sent_ms.set_value(None);
    if let Some((conversation, at)) = state.client.typed.get_value()
        && uptime_ms() - at < TYPES_FOR_MS
    {
        send_typing(state, conversation, true);
    }
}

fn send_typing(state: State, conversation: ConversationId, active: bool) {
    let now = uptime_ms();
    state.client.typed.set_value(active.then_some((conversation, now)));
    let sent_ms = state.client.typing_sent_ms.get_value();
    let due = match sent_ms {
        Some(sent_ms) => !active || now - sent_ms >= TYPING_EVERY_MS,
        None => active,
    };
    if due && state.client.send_frame(ClientFrame::Typing { conversation, active }) {
        state.client.typing_sent_ms.set_value(active.then_some(now));
    }
}

/// Sets the field's direction to that of its first letter, or to the page's if there is no letter.
///
/// A live page must not use `dir=auto`: browsers scan the whole text for its direction and lay it
/// out again, so pasting a megabyte blocks the page for seconds.
fn set_direction(element: &HtmlTextAreaElement) {
    set_direction_for(element, &beginning(element));
}

fn set_direction_for(element: &HtmlTextAreaElement, beginning: &str) {
    let of_page = || document().document_element().and_then(|root| root.get_attribute("dir"));
    let direction =
        text::direction(beginning).map(str::to_owned).or_else(of_page).unwrap_or("ltr".to_owned());
    if element.get_attribute("dir").as_deref() != Some(direction.as_str()) {
        _ = element.set_attribute("dir", &direction);
    }
}

/// Returns the beginning of the field's text, without copying all of it.
fn beginning(element: &HtmlTextAreaElement) -> String {
    let text = js_sys::Reflect::get(element, &"value".into()).unwrap_or_default();
    text.dyn_into::<js_sys::JsString>()
        .map(|text| String::from(text.slice(0, DIRECTION_WITHIN)))
        .unwrap_or_default()
}

/// Sets the direction before a long text is inserted, because the browser would scan all of it.
fn watch_long_input(element: &HtmlTextAreaElement) -> Listener {
    let field = element.clone();
    Listener::new(element, "beforeinput", move |event| {
        let data = js_sys::Reflect::get(&event, &"data".into()).ok();
        let Some(data) = data.and_then(|data| data.dyn_into::<js_sys::JsString>().ok()) else {
            return;
        };
        if data.length() > VERY_LONG {
            set_direction_for(&field, &String::from(data.slice(0, DIRECTION_WITHIN)));
        }
    })
}

/// Returns whether a text is long enough to make work on all of it noticeable.
fn is_very_long(element: &HtmlTextAreaElement) -> bool {
    element.text_length() > VERY_LONG
}

/// Fits the field's height to its text in browsers without `field-sizing`.
fn fit(element: &HtmlTextAreaElement) {
    if web_sys::css::supports_with_value("field-sizing", "content").unwrap_or(false) {
        return;
    }
    let style = web_sys::HtmlElement::style(element);
    if is_very_long(element) {
        // Measuring a long text is slow, and the style sheet limits the height anyway.
        _ = style.set_property("height", "100vh");
        return;
    }
    _ = style.set_property("height", "auto");
    _ = style.set_property("height", &format!("{}px", element.scroll_height()));
}

//! The composer. The server renders a plain form, so text that is typed or sent before hydration is
//! not lost. After hydration the same elements send through the outbox.

use leptos::ev::{KeyboardEvent, MouseEvent, SubmitEvent};
use leptos::html::Textarea;
use leptos::prelude::*;
use protocol::limits::MAX_BODY_CHARS;
use protocol::{Body, BodyError, ConversationId, ErrorCode, Seq, UserId};

use super::emoji::EmojiButton;
use super::{ForWhom, Icon};
use crate::bootstrap::use_bootstrap;
use crate::browser::writing::{DraftKeeper, sent, start, typed, written_in};
use crate::browser::{fetch_emoji, has_keyboard};
use crate::error_messages::error_message;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::state::use_state;
use crate::text::{self, TextStats};

/// The counter appears when this many characters are left.
const COUNTER_FROM: usize = 200;
/// Screen readers announce the counter once per this many characters, not at every key.
const SPOKEN_EVERY: usize = 50;

#[component]
#[expect(clippy::needless_pass_by_value, reason = "a component owns its properties")]
pub fn Composer(
    conversation: ConversationId,
    /// The peer's name.
    name: String,
    /// The newest message on the page. A reply sent as a plain form marks it as read.
    seen: Seq,
) -> impl IntoView {
    let t = use_texts();
    let bootstrap = use_bootstrap();
    let me = bootstrap.me.map(|me| me.id);
    let echo = bootstrap.echo.message;
    let client_id = echo.as_ref().map_or(bootstrap.client_id, |(client_id, _)| *client_id);
    let refused = bootstrap.echo.error.filter(|_| echo.is_some());
    let echoed = echo.map(|(_, text)| text).unwrap_or_default();
    let notice = RwSignal::new(None);
    let (field, written) = (NodeRef::new(), RwSignal::new(TextStats::default()));
    let no_files = Callback::new(move |()| notice.set(Some(t.no_files)));
    let writing = ComposerState {
        t,
        keeper: start(conversation, field, written, no_files),
        field,
        written,
        problem: RwSignal::new(refused.map(|error| error_message(t, error))),
        notice,
        no_emoji: Callback::new(move |()| notice.set(Some(t.emoji.failed))),
    };
    let (problem, label) = (writing.problem, t.fill(t.message_to, &name));
    view! {
        <div class="composer-frame">
            <p
                class="composer-problem"
                id="message-problem"
                role="alert"
                class:hidden=move || problem.with(Option::is_none)
                inner_html=move || text::as_html(&problem.get().unwrap_or_default())
            ></p>
            <p
                class="composer-notice"
                role="status"
                class:sr-only=move || notice.with(Option::is_none)
                inner_html=move || text::as_html(notice.get().unwrap_or_default())
            ></p>
            <form
                class="composer"
                method="post"
                action=paths::conversation(conversation)
                aria-label=t.write_a_message
                on:submit=move |event: SubmitEvent| {
                    event.prevent_default();
                    writing.submit();
                }
            >
                <input type="hidden" name="client_id" value=client_id.to_string() />
                <ForWhom />
                <input type="hidden" name="seen" value=seen.to_string() />
                <div class="composer-box">
                    <EmojiButton on_failure=writing.no_emoji />
                    {message_field(writing, label, &echoed)}
                </div>
                <SendButton written=written />
            </form>
            <Counter written=written />
            <noscript inner_html=without_scripts(t, conversation, seen, me)></noscript>
        </div>
    }
}

/// The field of the text, with the text of a refused form.
fn message_field(writing: ComposerState, label: String, echoed: &str) -> impl IntoView + use<> {
    let (live, problem) = (use_state().live, writing.problem);
    view! {
        <textarea
            node_ref=writing.field
            name="body"
            rows="1"
            aria-label=label.clone()
            placeholder=label
            required=true
            dir="auto"
            autocomplete="off"
            enterkeyhint=move || if live.get() && has_keyboard() { "send" } else { "enter" }
            aria-invalid=move || problem.with(Option::is_some).then_some("true")
            aria-describedby="message-problem"
            on:input=move |_| writing.changed()
            on:keydown=move |event: KeyboardEvent| {
                if is_send_key(&event) {
                    event.prevent_default();
                    writing.submit();
                }
            }
            inner_html=escaped(echoed)
        ></textarea>
    }
}

/// The state of one composer.
#[derive(Clone, Copy)]
struct ComposerState {
    t: &'static Texts,
    /// Saves the draft.
    keeper: DraftKeeper,
    field: NodeRef<Textarea>,
    /// The text in the box.
    written: RwSignal<TextStats>,
    /// Why the text was not sent.
    problem: RwSignal<Option<String>>,
    /// Another notice, such as that files cannot be sent.
    notice: RwSignal<Option<&'static str>>,
    /// Reports that the emoji scripts could not be fetched.
    no_emoji: Callback<()>,
}

impl ComposerState {
    /// Sends the text, or shows why it cannot be sent.
    fn submit(self) {
        let Some(element) = self.field.get_untracked() else { return };
        self.notice.set(None);
        match Body::parse(&sendable(&element.value())) {
            Ok(body) => {
                self.problem.set(None);
                element.set_value("");
                self.written.set(TextStats::default());
                sent(self.keeper, &element, body);
            }
            Err(error) => self.problem.set(why_not(self.t, error)),
        }
        // On a touch screen the focus is left alone, because focusing would reopen a keyboard that
        // the user has closed.
        if has_keyboard() {
            _ = element.focus();
        }
    }

    /// Handles an edit of the text.
    fn changed(self) {
        let Some(element) = self.field.get_untracked() else { return };
        let written = written_in(&element);
        self.written.set(written);
        self.problem.set(None);
        self.notice.set(None);
        typed(self.keeper, &element);
        if written.has_colon() {
            fetch_emoji(&self.t.emoji, false, self.no_emoji);
        }
    }
}

/// The error for a text that cannot be sent; none for a blank text.
fn why_not(t: &Texts, error: BodyError) -> Option<String> {
    let code = match error {
        BodyError::Blank => return None,
        BodyError::TooLong => ErrorCode::BodyTooLong,
        BodyError::ControlCharacter => ErrorCode::BodyControlCharacter,
    };
    Some(error_message(t, code.into()))
}

/// The send button. Dimmed while the box is empty, but never disabled, because a disabled button
/// would lose the focus.
#[component]
fn SendButton(
    /// The text in the box.
    written: RwSignal<TextStats>,
) -> impl IntoView {
    let (t, live) = (use_texts(), use_state().live);
    let idle = Memo::new(move |_| live.get() && written.get().is_blank());
    view! {
        <button
            class="send"
            class:is-idle=idle
            type="submit"
            aria-label=t.send
            // The box keeps the focus, so a touch screen keeps its keyboard open.
            on:mousedown=|event: MouseEvent| event.prevent_default()
        >
            {Icon::Send.draw("size-5")}
        </button>
    }
}

/// The number of characters left, shown near the limit.
#[component]
fn Counter(
    /// The text in the box.
    written: RwSignal<TextStats>,
) -> impl IntoView {
    let t = use_texts();
    let length = Memo::new(move |_| written.get().length());
    let left = move |length: usize| match MAX_BODY_CHARS.checked_sub(length) {
        Some(left) => t.count(t.characters_left, whole(left)),
        None => t.count(t.characters_too_many, whole(length - MAX_BODY_CHARS)),
    };
    let near = move || length.get() + COUNTER_FROM >= MAX_BODY_CHARS;
    let spoken = Memo::new(move |_| length.get().next_multiple_of(SPOKEN_EVERY));
    view! {
        <p
            class="counter"
            class:hidden=move || !near()
            class:text-danger=move || MAX_BODY_CHARS < length.get()
            aria-hidden="true"
            inner_html=move || text::as_html(&left(length.get()))
        ></p>
        <p
            class="sr-only"
            role="status"
            inner_html=move || if near() { text::as_html(&left(spoken.get())) } else { String::new() }
        ></p>
    }
}

/// Removes control characters that a user may paste unknowingly, for example from a terminal. The
/// line separators of word processors become line breaks.
fn sendable(text: &str) -> String {
    let kept = |sign: char| match sign {
        '\u{b}' | '\u{c}' | '\u{85}' => Some('\n'),
        '\n' | '\r' | '\t' => Some(sign),
        _ => (!sign.is_control()).then_some(sign),
    };
    text.chars().filter_map(kept).collect()
}

/// Converts a number of characters for [`Texts::count`].
fn whole(characters: usize) -> u32 {
    u32::try_from(characters).unwrap_or(u32::MAX)
}

/// Whether a key sends the message: Enter alone if the primary pointer is a mouse, Ctrl or Cmd with
/// Enter always, because a touch screen may have a keyboard as well. Never during input method
/// composition; some browsers end the composition before the key event and then report key code
/// 229.
fn is_send_key(event: &KeyboardEvent) -> bool {
    let enter = event.key() == "Enter" && !event.shift_key() && !event.alt_key();
    let sends = event.ctrl_key() || event.meta_key() || has_keyboard();
    enter && sends && !event.is_composing() && event.key_code() != 229
}

/// The actions that need a click on a page without scripts: refresh, and mark as read.
fn without_scripts(
    t: &Texts,
    conversation: ConversationId,
    seen: Seq,
    me: Option<UserId>,
) -> String {
    let me = me.map(|me| me.to_string()).unwrap_or_default();
    format!(
        "<div class=\"plain-actions\"><a class=\"link\" href=\"{}\">{}</a>\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"seen\" value=\"{seen}\">\
         <input type=\"hidden\" name=\"for\" value=\"{me}\">\
         <button class=\"link\" type=\"submit\">{}</button></form></div>",
        paths::conversation(conversation),
        t.refresh,
        paths::mark_read(conversation),
        t.mark_as_read,
    )
}

/// Escapes a text as the content of a `textarea`. Returned as HTML, because Leptos renders an empty
/// text node as a space, which would appear in the field. The parser drops the leading line break.
pub(crate) fn escaped(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("\n{}", text::as_html(text))
}

#[cfg(test)]
mod tests {
    use super::{escaped, sendable};

    #[test]
    fn control_characters_are_removed_and_line_breaks_kept() {
        assert_eq!(
            sendable("one\u{b}two\u{c}three\u{85}four\r\n\tfive"),
            "one\ntwo\nthree\nfour\r\n\tfive"
        );
        assert_eq!(sendable("\u{1b}[31mred\u{0}"), "[31mred");
        assert_eq!(sendable("\u{200d}\u{202e}ü👍🏽"), "\u{200d}\u{202e}ü👍🏽");
    }

    #[test]
    fn typed_text_cannot_close_its_textarea() {
        assert_eq!(escaped(""), "");
        assert_eq!(escaped("a</textarea><b>&"), "\na&lt;/textarea&gt;&lt;b&gt;&amp;");
    }
}

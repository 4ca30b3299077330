//! Writing a message. A plain form first: what is typed, or sent, before the page is live is
//! kept and works. Then the same element sends through the outbox.

use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::html::Textarea;
use leptos::prelude::*;
use protocol::limits::MAX_BODY_CHARS;
use protocol::{Body, BodyError, ConversationId, ErrorCode, Seq};

use super::Icon;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::session::use_session;
use crate::state::use_state;
use crate::words;

/// The counter appears when this many characters are left.
const COUNTER_FROM: usize = 200;

/// The composer of a conversation.
#[component]
pub fn Composer(
    /// Which.
    conversation: ConversationId,
    /// The peer's name.
    name: String,
    /// The newest message on the page: answering it says that it was read.
    seen: Seq,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let session = use_session();
    let echo = session.echo.message;
    let client_id = echo.as_ref().map_or(session.client_id, |(client_id, _)| *client_id);
    let refused = session.echo.error.filter(|_| echo.is_some());
    let text = echo.map(|(_, text)| text).unwrap_or_default();
    let field = NodeRef::<Textarea>::new();
    let length = RwSignal::new(0_usize);
    let problem = RwSignal::new(refused.map(|error| words::sentence(t, error)));
    start(conversation, field, length);
    let submit = move || {
        let Some(element) = field.get_untracked() else { return };
        match Body::parse(&element.value()) {
            Ok(body) => {
                problem.set(None);
                element.set_value("");
                length.set(0);
                sent(state, conversation, &element, body);
            }
            Err(BodyError::Blank) => problem.set(None),
            Err(BodyError::TooLong) => {
                problem.set(Some(words::sentence(t, ErrorCode::BodyTooLong.into())))
            }
            Err(BodyError::ControlCharacter) => {
                problem.set(Some(words::sentence(t, ErrorCode::BodyControlCharacter.into())));
            }
        }
        _ = element.focus();
    };
    let left = move || MAX_BODY_CHARS.checked_sub(length.get());
    view! {
        <div class="composer-frame">
            <p class="composer-problem" id="message-problem" role="alert" class:hidden=move || problem.with(Option::is_none)>
                {move || problem.get().unwrap_or_default()}
            </p>
            <form
                class="composer"
                method="post"
                action=paths::conversation(conversation)
                aria-label=t.write_a_message
                on:submit=move |event: SubmitEvent| {
                    event.prevent_default();
                    submit();
                }
            >
                <input type="hidden" name="client_id" value=client_id.to_string() />
                <input type="hidden" name="sender" value=session.me.map(|me| me.id.to_string()) />
                <input type="hidden" name="seen" value=seen.to_string() />
                <textarea
                    node_ref=field
                    name="body"
                    rows="1"
                    aria-label=t.message
                    placeholder=t.fill(t.message_to, &name)
                    required=true
                    dir="auto"
                    autocomplete="off"
                    aria-invalid=move || problem.with(Option::is_some).then_some("true")
                    aria-describedby="message-problem"
                    enterkeyhint="send"
                    on:input=move |_| {
                        if let Some(element) = field.get_untracked() {
                            length.set(element.value().chars().count());
                            problem.set(None);
                            typed(state, conversation, &element);
                        }
                    }
                    on:keydown=move |event: KeyboardEvent| {
                        if is_send_key(&event) {
                            event.prevent_default();
                            submit();
                        }
                    }
                    inner_html=escaped(&text)
                ></textarea>
                <span class="counter" class:hidden=move || left().is_some_and(|left| left > COUNTER_FROM)
                    class:text-danger=move || left().is_none()>
                    {move || left().map_or_else(
                        || t.count(t.characters_too_many, whole(length.get() - MAX_BODY_CHARS)),
                        |left| t.count(t.characters_left, whole(left)),
                    )}
                </span>
                <button class="send" type="submit" aria-label=t.send>{Icon::Send.draw("size-5")}</button>
            </form>
            <noscript inner_html=without_scripts(t, conversation, seen)></noscript>
        </div>
    }
}

/// A number of characters, for a count.
fn whole(characters: usize) -> u32 {
    u32::try_from(characters).unwrap_or(u32::MAX)
}

/// Whether a key sends: Enter alone, where there is a keyboard, and never while an input method
/// is composing (some browsers end the composition before the key comes, and say so by 229).
fn is_send_key(event: &KeyboardEvent) -> bool {
    let plain = event.key() == "Enter" && !event.shift_key() && !event.alt_key();
    plain && !event.is_composing() && event.key_code() != 229 && has_keyboard()
}

/// The two things that a page without scripts needs a click for.
fn without_scripts(t: &Texts, conversation: ConversationId, seen: Seq) -> String {
    format!(
        "<div class=\"plain-actions\"><a class=\"link\" href=\"{}\">{}</a>\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"seen\" value=\"{seen}\">\
         <button class=\"link\" type=\"submit\">{}</button></form></div>",
        paths::conversation(conversation),
        t.refresh,
        paths::mark_read(conversation),
        t.mark_as_read,
    )
}

/// Text as the content of a `textarea`. Written as HTML because an empty text node is rendered as
/// a blank, which would be a blank in the field; the first line break is the parser's.
fn escaped(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

#[cfg(feature = "hydrate")]
use crate::dom::has_keyboard;
#[cfg(feature = "hydrate")]
use crate::live::writing::{sent, start, typed};

#[cfg(not(feature = "hydrate"))]
use plain::{has_keyboard, sent, start, typed};

/// On the server nobody types.
#[cfg(not(feature = "hydrate"))]
mod plain {
    use leptos::html::Textarea;
    use leptos::prelude::*;
    use leptos::web_sys::HtmlTextAreaElement;
    use protocol::{Body, ConversationId};

    use crate::state::State;

    pub fn has_keyboard() -> bool {
        true
    }
    pub fn start(_: ConversationId, _: NodeRef<Textarea>, _: RwSignal<usize>) {}
    pub fn typed(_: State, _: ConversationId, _: &HtmlTextAreaElement) {}
    pub fn sent(_: State, _: ConversationId, _: &HtmlTextAreaElement, _: Body) {}
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_was_typed_cannot_leave_its_field() {
        assert_eq!(escaped(""), "");
        assert_eq!(escaped("a</textarea><b>&"), "\na&lt;/textarea&gt;&lt;b&gt;&amp;");
    }
}

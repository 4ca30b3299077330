//! The report of a peer to the operator, with the messages that the user chooses. The form works
//! without scripts; each message has a checkbox named after its seq.

use leptos::ev::SubmitEvent;
use leptos::html::{Form, Textarea};
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Cursor, Message, UserId};

use crate::browser::is_checked;
use crate::components::settings::{Outcome, SaveButton, SettingsSection, ask};
use crate::components::{ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::{load_history, report};
use crate::state::use_state;
use crate::{text, time};

/// The section, folded.
#[component]
pub fn ReportSection(
    id: ConversationId,
    /// The peer, whose messages can be reported.
    peer: UserId,
    /// The newest messages, if the page has them.
    messages: Option<Vec<Message>>,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.people();
    let (outcome, form) = (RwSignal::new(Outcome::Untouched), NodeRef::<Form>::new());
    let reason = NodeRef::<Textarea>::new();
    let of_peer = move |messages: Vec<Message>| {
        let theirs = messages.into_iter().filter(|m| m.sender == peer && !m.is_withheld());
        theirs.collect::<Vec<_>>()
    };
    let has_them = messages.is_some();
    let shown = RwSignal::new(of_peer(messages.unwrap_or_default()));
    let fetch = move |_| {
        if !has_them {
            spawn_local(async move {
                if let Ok(page) = load_history(id, Cursor::Latest).await {
                    // The page may have been left meanwhile.
                    _ = shown.try_set(of_peer(page.messages));
                }
            });
        }
    };
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (Some(form), Some(reason)) = (form.get_untracked(), reason.get_untracked()) else {
            return;
        };
        let seqs = shown.with_untracked(|messages| {
            let chosen = messages.iter().filter(|m| is_checked(&form, &name_of(m)));
            chosen.map(|m| m.seq.to_string()).collect::<Vec<_>>().join(" ")
        });
        ask(outcome, report(id, seqs, reason.value()), |()| {});
    };
    view! {
        <SettingsSection id="report" title=texts.report help=texts.report_help>
            <details class="folded" on:toggle=fetch>
                <summary>{texts.choose_messages}</summary>
                <form node_ref=form class="choices" method="post" action=paths::report(id) on:submit=on_submit>
                    <ForWhom />
                    <Show when=move || shown.with(Vec::is_empty)>
                        <p class="text-muted">{texts.nothing_to_report}</p>
                    </Show>
                    <For each=move || shown.get() key=|message| message.seq let:message>
                        <Choice message=message />
                    </For>
                    <label class="block">
                        <span class="font-medium">{texts.reason}</span>
                        <textarea node_ref=reason class="report-reason" name="reason" rows="3" dir="auto" maxlength="1000" aria-describedby="reason-help"></textarea>
                    </label>
                    <p class="field-help" id="reason-help">{texts.reason_help}</p>
                    <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
                    <SaveButton outcome=outcome label=texts.send_report busy=texts.sending done=texts.reported danger=true />
                </form>
            </details>
        </SettingsSection>
    }
}

/// The name of a message's checkbox.
fn name_of(message: &Message) -> String {
    format!("m{}", message.seq)
}

/// A message with its checkbox.
#[component]
fn Choice(message: Message) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let at = message.sent_at;
    view! {
        <label class="report-choice">
            <input type="checkbox" name=name_of(&message) value="true" />
            <span class="min-w-0">
                <bdi class="block truncate">{text::preview(&message.body)}</bdi>
                <span class="block text-sm text-muted">{move || time::moment(t, at, local.get())}</span>
            </span>
        </label>
    }
}

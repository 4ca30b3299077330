//! The user's sessions, and ending them.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use protocol::SessionInfo;

use super::device_link::SignInAnother;
use super::{Outcome, SettingsSection, ask};
use crate::components::{ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::{end_other_sessions, end_session};
use crate::state::use_state;
use crate::time;

/// The list of sessions, the current one first.
#[component]
pub fn Devices(sessions: Vec<SessionInfo>) -> impl IntoView {
    let t = use_texts();
    let outcome = RwSignal::new(Outcome::Untouched);
    let sessions = RwSignal::new(sessions);
    let on_others = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, end_other_sessions(), move |()| {
            sessions.update(|sessions| sessions.retain(|session| session.current));
        });
    };
    view! {
        <SettingsSection id="devices" title=t.account().devices help=t.account().devices_help>
            <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
            <ul class="devices">
                <For each=move || sessions.get() key=|session| session.id let:session>
                    <Device session=session sessions=sessions outcome=outcome />
                </For>
            </ul>
            <SignInAnother sessions=sessions />
            <form
                method="post"
                action=paths::END_OTHER_SESSIONS
                on:submit=on_others
                class:hidden=move || sessions.with(|sessions| sessions.len() < 2)
            >
                <ForWhom />
                <button class="button-quiet is-edged" type="submit">{t.account().sign_out_others}</button>
            </form>
        </SettingsSection>
    }
}

#[component]
fn Device(
    session: SessionInfo,
    sessions: RwSignal<Vec<SessionInfo>>,
    /// The outcome of ending a session.
    outcome: RwSignal<Outcome>,
) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let id = session.id;
    let name = if session.device.is_empty() {
        t.account().unknown_device.to_owned()
    } else {
        session.device
    };
    let label = t.fill(t.account().sign_out_of, &name);
    let when = move || {
        let (sentence, at) = match session.current {
            true => (t.account().signed_in_since, session.created_at),
            false => (t.account().last_used, session.seen_at),
        };
        sentence.replace("{}", &time::short(t, at, local.get()))
    };
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, end_session(id), move |()| {
            sessions.update(|sessions| sessions.retain(|session| session.id != id));
        });
    };
    view! {
        <li class="device">
            <span class="min-w-0 flex-1">
                <span class="flex flex-wrap items-center gap-x-2">
                    <bdi class="font-medium">{name}</bdi>
                    {session.current.then(|| view! { <span class="tag">{t.account().this_device}</span> })}
                </span>
                <span class="block text-sm text-muted">{when}</span>
            </span>
            {(!session.current).then(|| view! {
                <form method="post" action=paths::END_SESSION on:submit=on_submit>
                    <ForWhom />
                    <input type="hidden" name="id" value=id.to_string() />
                    <button class="button-quiet" type="submit" aria-label=label>{t.sign_out}</button>
                </form>
            })}
        </li>
    }
}

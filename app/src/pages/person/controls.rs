//! Mute and block, on the page about a peer. The forms work without scripts.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use protocol::{ConversationId, Standing, Timestamp};

use crate::components::settings::{Outcome, SettingsSection, ask};
use crate::components::{BlockForm, ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::{get_conversation, mute_conversation};
use crate::state::use_state;
use crate::time;

const HOUR: u32 = 60;
const WEEK: u32 = 7 * 24 * HOUR;

/// How long nothing notifies of the conversation.
#[component]
pub fn MuteSection(
    id: ConversationId,
    /// How the user stands to the conversation.
    standing: Memo<Standing>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let (texts, local) = (t.language.people(), state.time_context);
    let outcome = RwSignal::new(Outcome::Untouched);
    let until = Memo::new(move |_| {
        let until = standing.with(|standing| standing.muted_until);
        until.filter(|until| *until > local.with(time::TimeContext::now))
    });
    let state_of_it = move || match until.get() {
        None => texts.mute_help.to_owned(),
        Some(Timestamp::FOREVER) => texts.is_muted.to_owned(),
        Some(until) => t.fill(texts.muted_until, &time::moment(t, until, local.get())),
    };
    let set = move |minutes: Option<u32>| {
        ask(
            outcome,
            async move {
                mute_conversation(id, minutes).await?;
                get_conversation(id).await
            },
            move |read| state.adopt(read),
        );
    };
    let choice = move |label: &'static str, minutes: Option<u32>| {
        let on_submit = move |event: SubmitEvent| {
            event.prevent_default();
            set(minutes);
        };
        view! {
            <form method="post" action=paths::mute(id) on:submit=on_submit>
                <ForWhom />
                {minutes.map(|minutes| view! { <input type="hidden" name="minutes" value=minutes.to_string() /> })}
                <button class="button-quiet is-edged" type="submit">{label}</button>
            </form>
        }
    };
    view! {
        <SettingsSection id="mute" title=texts.mute>
            <p class="text-muted" role="status">{state_of_it}</p>
            <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
            <div class="standing-answers">
                {move || match until.get() {
                    Some(_) => choice(texts.unmute, Some(0)).into_any(),
                    None => view! {
                        {choice(texts.for_an_hour, Some(HOUR))}
                        {choice(texts.for_eight_hours, Some(8 * HOUR))}
                        {choice(texts.for_a_week, Some(WEEK))}
                        {choice(texts.always, None)}
                    }
                    .into_any(),
                }}
            </div>
        </SettingsSection>
    }
}

/// Whether the peer is blocked.
#[component]
pub fn BlockSection(
    id: ConversationId,
    /// How the user stands to the conversation.
    standing: Memo<Standing>,
    /// The peer's name.
    name: String,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.people();
    let blocked = Memo::new(move |_| standing.with(|standing| standing.blocked));
    let about = {
        let name = name.clone();
        move || match blocked.get() {
            true => t.fill(texts.is_blocked, &name),
            false => texts.block_help.to_owned(),
        }
    };
    view! {
        <SettingsSection id="block" title=texts.block>
            <p class="text-muted" role="status">{about}</p>
            {move || view! { <BlockForm id=id name=name.clone() blocked=blocked.get() /> }}
        </SettingsSection>
    }
}

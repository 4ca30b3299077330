//! The users whom the user has blocked, and the ends of the blocks.

use leptos::prelude::*;
use protocol::BlockedUser;

use super::SettingsSection;
use crate::components::BlockForm;
use crate::language::use_texts;
use crate::state::use_state;
use crate::{text, time};

/// The list of blocked users, the most recently blocked first.
#[component]
pub fn BlockedPeople(people: Vec<BlockedUser>) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.people();
    let people = RwSignal::new(people);
    view! {
        <SettingsSection id="blocked" title=texts.blocked help=texts.blocked_help>
            <Show when=move || people.with(Vec::is_empty)>
                <p class="text-muted">{texts.nobody_blocked}</p>
            </Show>
            <ul class="devices">
                <For each=move || people.get() key=|blocked| blocked.conversation let:blocked>
                    <Blocked blocked=blocked people=people />
                </For>
            </ul>
        </SettingsSection>
    }
}

#[component]
fn Blocked(blocked: BlockedUser, people: RwSignal<Vec<BlockedUser>>) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let (id, at) = (blocked.conversation, blocked.blocked_at);
    let name = t.name(&blocked.user).to_owned();
    let then = Callback::new(move |()| {
        people.update(|people| people.retain(|one| one.conversation != id));
    });
    let since = move || t.fill(t.language.people().blocked_since, &time::short(t, at, local.get()));
    view! {
        <li class="device">
            <span class="min-w-0 flex-1">
                <bdi class="block truncate font-medium">{name.clone()}</bdi>
                <span class="block text-sm text-muted">
                    {text::handle(&blocked.user.username)} " · " {since}
                </span>
            </span>
            <BlockForm id=id name=name blocked=true then=Some(then) />
        </li>
    }
}

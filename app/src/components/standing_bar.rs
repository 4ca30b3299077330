//! What a conversation's page shows because of the user's standing: the answers to a request above
//! the composer, and the end of a block in its place. The forms work without scripts. Shown through
//! [`super::LazyOverlays`], which loads the code.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::ConversationId;

use super::settings::{Outcome, ask};
use super::{ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::{accept_request, delete_request, set_blocked};
use crate::state::use_state;

/// The kind of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// Accept, delete or block a request.
    Request,
    /// The end of a block.
    Blocked,
}

/// The `id` of a bar. Before hydration, the page checks for this element, because a bar needs its
/// code loaded first.
pub(super) const ID: &str = "standing-bar";

/// Renders the bar of a conversation with the peer of this name.
pub(super) fn draw(bar: Bar, id: ConversationId, name: String) -> AnyView {
    match bar {
        Bar::Request => view! { <RequestBar id=id name=name /> }.into_any(),
        Bar::Blocked => view! { <BlockedBar id=id name=name /> }.into_any(),
    }
}

#[component]
fn RequestBar(
    id: ConversationId,
    /// The peer's name.
    name: String,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let texts = t.language.people();
    let outcome = RwSignal::new(Outcome::Untouched);
    let leave = Callback::new({
        let navigate = use_navigate();
        move |()| navigate(paths::REQUESTS, NavigateOptions::default())
    });
    let on_accept = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, accept_request(id), move |()| {
            state.change_standing(id, |it| it.request = false);
        });
    };
    let leaves = move || {
        state.change_standing(id, |it| (it.request, it.unlisted) = (false, true));
        leave.run(());
    };
    let on_delete = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, delete_request(id), move |()| leaves());
    };
    let on_block = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, set_blocked(id, true), move |()| {
            state.change_standing(id, |it| it.blocked = true);
            leaves();
        });
    };
    view! {
        <section id=ID class="standing-bar" aria-label=t.requests>
            <p>{t.fill(texts.wants_to_talk, &name)}</p>
            <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
            <div class="standing-answers">
                <form method="post" action=paths::accept_request(id) on:submit=on_accept>
                    <ForWhom />
                    <button class="button-primary" type="submit">{texts.accept}</button>
                </form>
                <form method="post" action=paths::delete_request(id) on:submit=on_delete>
                    <ForWhom />
                    <button class="button-quiet is-edged" type="submit">{texts.delete}</button>
                </form>
                <form method="post" action=paths::block(id) on:submit=on_block>
                    <ForWhom />
                    <input type="hidden" name="blocked" value="true" />
                    <button class="button-danger" type="submit">{texts.block}</button>
                </form>
            </div>
        </section>
    }
}

#[component]
fn BlockedBar(
    id: ConversationId,
    /// The peer's name.
    name: String,
) -> impl IntoView {
    let t = use_texts();
    view! {
        <div id=ID class="composer-gone">
            <p>{t.fill(t.language.people().is_blocked, &name)}</p>
            <BlockForm id=id name=name blocked=true />
        </div>
    }
}

/// The button that blocks the peer, or ends the block.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "a component owns its properties")]
pub fn BlockForm(
    id: ConversationId,
    /// The peer's name.
    name: String,
    /// Whether the peer is blocked.
    blocked: bool,
    /// What to do after a change, besides noting it.
    #[prop(optional_no_strip)]
    then: Option<Callback<()>>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let texts = t.language.people();
    let outcome = RwSignal::new(Outcome::Untouched);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        ask(outcome, set_blocked(id, !blocked), move |()| {
            state.change_standing(id, |it| it.blocked = !blocked);
            if let Some(then) = then {
                then.run(());
            }
        });
    };
    let label = t.fill(texts.unblock_someone, &name);
    view! {
        <form method="post" action=paths::block(id) on:submit=on_submit>
            <ForWhom />
            <input type="hidden" name="blocked" value=(!blocked).to_string() />
            <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
            {match blocked {
                true => view! { <button class="button-quiet is-edged" type="submit" aria-label=label>{texts.unblock}</button> }.into_any(),
                false => view! { <button class="button-danger" type="submit">{texts.block}</button> }.into_any(),
            }}
        </form>
    }
}

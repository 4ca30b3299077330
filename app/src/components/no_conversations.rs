//! What somebody who talks with nobody yet is told: one thing, and how to do it.

use leptos::prelude::*;

use crate::language::use_texts;
use crate::paths;
use crate::session::use_session;
use crate::state::use_state;

/// The way to the first conversation. On a wide screen it stands beside the list, on a phone in it.
#[component]
pub fn NoConversations() -> impl IntoView {
    let t = use_texts();
    // Who is here already stands under the search.
    let others = use_state().others.get_value();
    let invitations_open = use_session().invitations_open;
    let how = match (others, invitations_open) {
        (true, _) => t.begin_by_finding,
        (_, true) => t.begin_by_link,
        _ => t.nobody_else,
    };
    view! {
        <p class="mt-2 text-muted">{how}</p>
        {(invitations_open && !others).then(|| view! {
            <a class="button-primary mt-4 inline-flex" href=paths::INVITE>{t.invite}</a>
        })}
    }
}

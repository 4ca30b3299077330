//! The hint for a user without conversations.

use leptos::prelude::*;

use crate::bootstrap::use_bootstrap;
use crate::language::use_texts;
use crate::paths;
use crate::state::use_state;

/// How to start the first conversation. Beside the list on a wide screen, in the list on a phone.
#[component]
pub fn NoConversations() -> impl IntoView {
    let t = use_texts();
    // The search already lists the users of this server.
    let others = use_state().others.get_value();
    let invitations_open = use_bootstrap().invitations_open;
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

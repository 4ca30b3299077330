//! Deleting the account.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;

use super::{Outcome, SaveButton, SettingsSection, ask};
use crate::browser::saving;
use crate::components::{FieldKind, ForWhom, TextField};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::delete_account;
use crate::state::use_state;

/// The consequences and the form, in a collapsed section.
#[component]
pub fn DeleteAccount() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let outcome = RwSignal::new(Outcome::Untouched);
    let password = NodeRef::<Input>::new();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(field) = password.get_untracked() else { return };
        ask(outcome, delete_account(field.value()), move |()| {
            saving::forget_deleted_account(state);
            // A full page load clears the memory of this user.
            _ = window().location().assign(paths::SIGN_IN);
        });
    };
    view! {
        <SettingsSection id="delete-account" title=t.delete_account>
            <details class="folded">
                <summary class="link">{t.delete_account}"…"</summary>
                <p class="mt-3">{t.delete_account_help}</p>
                <form class="mt-4 flex flex-col gap-4" method="post" action=paths::DELETE_ACCOUNT on:submit=on_submit>
                    <ForWhom />
                    <TextField
                        kind=FieldKind::CurrentPassword
                        node_ref=password
                        value=String::new()
                        error=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error)))
                    />
                    <SaveButton outcome=outcome label=t.delete_for_ever busy=t.deleting done="" danger=true />
                </form>
            </details>
        </SettingsSection>
    }
}

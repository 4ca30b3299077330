//! Deleting the account.

use leptos::prelude::*;

use super::confirmation::{ConfirmForm, Confirmed, proof};
use super::{SaveButton, SettingsSection};
use crate::browser::saving;
use crate::language::use_texts;
use crate::passkeys::PasskeyError;
use crate::paths;
use crate::server_fns::delete_account;
use crate::state::use_state;

/// The consequences and the form, in a collapsed section.
#[component]
pub fn DeleteAccount() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let confirmed = Confirmed::new();
    let submit = Callback::new(move |password| {
        let deleted = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(delete_account(proof.password, proof.passkey).await?)
        };
        confirmed.ask(deleted, move |()| {
            saving::forget_deleted_account(state);
            // A full page load clears the memory of this user.
            _ = window().location().assign(paths::SIGN_IN);
        });
    });
    view! {
        <SettingsSection id="delete-account" title=t.account().delete_account>
            <details class="folded">
                <summary class="link">{t.account().delete_account}"…"</summary>
                <p class="mt-3">{t.account().delete_account_help}</p>
                <ConfirmForm id="password" action=paths::DELETE_ACCOUNT confirmed=confirmed submit=submit>
                    <SaveButton outcome=confirmed.outcome label=t.account().delete_for_ever busy=t.account().deleting done="" danger=true />
                </ConfirmForm>
            </details>
        </SettingsSection>
    }
}

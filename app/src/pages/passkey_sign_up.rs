//! Signing up with a passkey in place of a password, where the operator allows it. A part of the
//! sign-up form, whose names it uses. Works only with scripts, so the part is hidden without.

use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::sign_in::leave_for;
use crate::browser::has_passkeys;
use crate::components::FormAlert;
use crate::error::AppError;
use crate::language::use_texts;
use crate::passkeys::{PasskeyCall, PasskeyError, PasskeyFailure, answer};
use crate::paths;
use crate::server_fns::{begin_passkey_sign_up, sign_up_with_passkey};

/// The button.
#[component]
pub(super) fn PasskeySignUp(
    /// The path to open after signing up.
    next: String,
    /// The invitation token.
    invitation: Option<String>,
    /// The fields for the name and for the username.
    names: (NodeRef<Input>, NodeRef<Input>),
    /// Receives a refusal of the server, which the form shows.
    refused: Callback<AppError>,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.passkeys();
    let failure = RwSignal::new(None::<PasskeyFailure>);
    let busy = RwSignal::new(false);
    // Known after hydration only.
    let lacks_passkeys = RwSignal::new(false);
    Effect::new(move |_| lacks_passkeys.set(!has_passkeys()));
    let begin = move |_| {
        let (Some(name), Some(username)) = (names.0.get_untracked(), names.1.get_untracked())
        else {
            return;
        };
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        failure.set(None);
        let (next, invitation) = (next.clone(), invitation.clone());
        spawn_local(async move {
            match sign_up(username.value(), name.value(), invitation, next).await {
                Ok(path) => return leave_for(&path),
                Err(PasskeyError::Server(error)) => refused.run(error),
                Err(PasskeyError::Authenticator(why)) => _ = failure.try_set(Some(why)),
            }
            _ = busy.try_set(false);
        });
    };
    view! {
        <div class="needs-scripts mt-4 flex flex-col gap-2" class:hidden=move || lacks_passkeys.get()>
            <FormAlert text=Signal::derive(move || failure.get().map(|why| why.text(t).to_owned())) />
            <button
                class="button-quiet is-edged"
                type="button"
                aria-disabled=move || busy.get().then_some("true")
                on:click=begin
            >
                {move || if busy.get() { texts.waiting } else { texts.sign_up }}
            </button>
            <p class="field-help text-center">{texts.sign_up_help}</p>
        </div>
    }
}

/// Signs up; returns the path of the conversation with the inviter, or `next`.
async fn sign_up(
    username: String,
    name: String,
    invitation: Option<String>,
    next: String,
) -> Result<String, PasskeyError> {
    let begun = begin_passkey_sign_up(username, name, invitation.clone()).await?;
    let made = answer(PasskeyCall::Create, begun).await?;
    let opened = sign_up_with_passkey(made, invitation).await?;
    Ok(opened.map_or(next, paths::conversation))
}

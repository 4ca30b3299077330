//! Changing the password, or setting the first one of an account without a password.

use leptos::ev::SubmitEvent;
use leptos::html::{Form, Input};
use leptos::prelude::*;
use protocol::ErrorCode;

use super::confirmation::{
    ConfirmHelp, Confirmed, proof, typed_password, use_by_provider, use_has_password,
};
use super::{SaveButton, SettingsSection, Switch};
use crate::browser::is_checked;
use crate::components::{FieldKind, ForWhom, FormAlert, TextField};
use crate::error::AppError;
use crate::error_messages::{FormField, error_message, field_of};
use crate::language::use_texts;
use crate::passkeys::{PasskeyError, TypedProof};
use crate::paths;
use crate::server_fns::change_password;
use crate::state::use_state;

/// The name of the switch in the form.
const WITHDRAW_INVITATIONS: &str = "withdraw_invitations";

/// The form. On success the server ends every other session, and withdraws the open invitations if
/// the user wishes; their links may be on the way to people, so the switch is off at first.
#[component]
pub fn ChangePassword() -> impl IntoView {
    let (t, me) = (use_texts(), use_state().me());
    let (confirmed, has_password) = (Confirmed::new(), use_has_password());
    let Confirmed { outcome, failure, .. } = confirmed;
    let by_provider = use_by_provider();
    let (current, new) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let form = NodeRef::<Form>::new();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(field) = new.get_untracked() else { return };
        let old = current.get_untracked();
        let withdraws =
            form.get_untracked().is_some_and(|form| is_checked(&form, WITHDRAW_INVITATIONS));
        let (typed, next) = (typed_password(current, by_provider), field.value());
        let changed = async move {
            let TypedProof { password, passkey } = proof(typed).await?;
            Ok::<_, PasskeyError>(change_password(password, next, withdraws, passkey).await?)
        };
        confirmed.ask(changed, move |()| match old {
            Some(old) => {
                old.set_value("");
                field.set_value("");
            }
            // Every form of the page asks for the password from now on.
            None => _ = window().location().reload(),
        });
    };
    let at = move |wanted: FormPart| {
        Signal::derive(move || {
            if let Some(failure) = failure.get() {
                return (wanted == FormPart::Form).then(|| failure.text(t).to_owned());
            }
            let error = outcome.get().error().filter(|error| part_of(*error) == wanted)?;
            Some(error_message(t, error))
        })
    };
    view! {
        <SettingsSection id="change-password" title=t.account().change_password help=t.account().change_password_help>
            <form node_ref=form class="flex flex-col gap-4" method="post" action=paths::SET_PASSWORD on:submit=on_submit>
                <ForWhom />
                // Tells password managers which account the password belongs to.
                <input type="text" name="username" autocomplete="username" value=me.map(|me| me.username) hidden=true />
                <FormAlert text=at(FormPart::Form) />
                {match has_password {
                    true => view! {
                        <TextField kind=FieldKind::PresentPassword node_ref=current value=String::new() error=at(FormPart::Current) />
                    }.into_any(),
                    false if by_provider => view! { <ConfirmHelp error=Signal::derive(|| None) /> }.into_any(),
                    false => view! { <p>{t.language.passkeys().no_password}</p> }.into_any(),
                }}
                <TextField kind=FieldKind::NextPassword node_ref=new value=String::new() error=at(FormPart::New) />
                <Switch
                    name=WITHDRAW_INVITATIONS
                    label=t.account().withdraw_invitations
                    help=t.account().withdraw_invitations_help
                    on=false
                />
                <SaveButton outcome=outcome label=t.account().change_password busy=t.saving done=t.account().password_changed />
            </form>
        </SettingsSection>
    }
}

/// The part of the form that shows an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FormPart {
    Current,
    New,
    Form,
}

fn part_of(error: AppError) -> FormPart {
    match (error.code(), field_of(error)) {
        (Some(ErrorCode::WrongPassword), _) => FormPart::Current,
        (_, Some(FormField::Password)) => FormPart::New,
        _ => FormPart::Form,
    }
}

//! Changing the password.

use leptos::ev::SubmitEvent;
use leptos::html::{Form, Input};
use leptos::prelude::*;
use protocol::ErrorCode;

use super::{Outcome, SaveButton, SettingsSection, Switch, ask};
use crate::browser::is_checked;
use crate::components::{FieldKind, ForWhom, FormAlert, TextField};
use crate::error::AppError;
use crate::error_messages::{FormField, error_message, field_of};
use crate::language::use_texts;
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
    let outcome = RwSignal::new(Outcome::Untouched);
    let (current, new) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let form = NodeRef::<Form>::new();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (Some(old), Some(field)) = (current.get_untracked(), new.get_untracked()) else {
            return;
        };
        let withdraws =
            form.get_untracked().is_some_and(|form| is_checked(&form, WITHDRAW_INVITATIONS));
        ask(outcome, change_password(old.value(), field.value(), withdraws), move |()| {
            old.set_value("");
            field.set_value("");
        });
    };
    let at = move |wanted: FormPart| {
        Signal::derive(move || {
            let error = outcome.get().error().filter(|error| part_of(*error) == wanted)?;
            Some(error_message(t, error))
        })
    };
    view! {
        <SettingsSection id="change-password" title=t.change_password help=t.change_password_help>
            <form node_ref=form class="flex flex-col gap-4" method="post" action=paths::SET_PASSWORD on:submit=on_submit>
                <ForWhom />
                // Tells password managers which account the password belongs to.
                <input type="text" name="username" autocomplete="username" value=me.map(|me| me.username) hidden=true />
                <FormAlert text=at(FormPart::Form) />
                <TextField kind=FieldKind::PresentPassword node_ref=current value=String::new() error=at(FormPart::Current) />
                <TextField kind=FieldKind::NextPassword node_ref=new value=String::new() error=at(FormPart::New) />
                <Switch
                    name=WITHDRAW_INVITATIONS
                    label=t.withdraw_invitations
                    help=t.withdraw_invitations_help
                    on=false
                />
                <SaveButton outcome=outcome label=t.change_password busy=t.saving done=t.password_changed />
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

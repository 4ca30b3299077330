//! Forms whose user confirms who they are: with the password; with a passkey for an account without a
//! password; at the sign-in provider for an account without either.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Outcome;
use crate::components::{FieldKind, ForWhom, TextField};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::passkeys::{PasskeyError, PasskeyFailure, TypedProof, prove_with_passkey};
use crate::paths;

/// Whether the account has a password. A context of the settings page; a page without it shows the
/// field.
#[derive(Clone, Copy)]
pub struct HasPassword(pub bool);

/// Returns whether the account has a password.
pub fn use_has_password() -> bool {
    use_context::<HasPassword>().is_none_or(|HasPassword(has)| has)
}

/// Where the user confirms changes of an account without a password and without a passkey. A context of
/// the settings page.
#[derive(Clone)]
pub struct ConfirmsAt {
    /// The provider's name.
    pub name: String,
    /// Whether the next change is confirmed already. Each change uses the confirmation up.
    pub confirmed: RwSignal<bool>,
}

/// Returns the password of a field. Without a field, `None` asks for a passkey, and an empty password
/// stands for the provider's confirmation.
pub fn typed_password(field: NodeRef<Input>, by_provider: bool) -> Option<String> {
    match field.get_untracked() {
        Some(field) => Some(field.value()),
        None => by_provider.then(String::new),
    }
}

/// Whether the provider confirms changes.
pub fn use_by_provider() -> bool {
    use_context::<ConfirmsAt>().is_some()
}

/// The state of a request in which an authenticator may take part.
#[derive(Clone, Copy)]
pub struct Confirmed {
    pub outcome: RwSignal<Outcome>,
    /// Why the authenticator gave no answer.
    pub failure: RwSignal<Option<PasskeyFailure>>,
    /// Whether the provider has confirmed the next change; nothing if the provider confirms none.
    by_provider: Option<RwSignal<bool>>,
}

impl Confirmed {
    pub fn new() -> Self {
        Self {
            outcome: RwSignal::new(Outcome::Untouched),
            failure: RwSignal::new(None),
            by_provider: use_context::<ConfirmsAt>().map(|at| at.confirmed),
        }
    }

    /// Returns the error as a sentence.
    pub fn error(self) -> Signal<Option<String>> {
        let t = use_texts();
        Signal::derive(move || {
            let failed = self.failure.get().map(|failure| failure.text(t).to_owned());
            failed.or_else(|| self.outcome.get().error().map(|error| error_message(t, error)))
        })
    }

    /// Sends a request, as [`super::ask`].
    pub fn ask<T: 'static>(
        self,
        call: impl Future<Output = Result<T, PasskeyError>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        let Self { outcome, failure, by_provider } = self;
        if outcome.get_untracked() == Outcome::Busy {
            return;
        }
        outcome.set(Outcome::Busy);
        failure.set(None);
        spawn_local(async move {
            let answer = call.await;
            let (ended, failed) = match &answer {
                Ok(_) => (Outcome::Done, None),
                Err(PasskeyError::Server(error)) => (Outcome::Refused(*error), None),
                Err(PasskeyError::Authenticator(failure)) => (Outcome::Untouched, Some(*failure)),
            };
            // The page may have been left meanwhile.
            _ = outcome.try_set(ended);
            _ = failure.try_set(failed);
            // Also after a refusal, because the server has deleted the proof.
            _ = by_provider.and_then(|confirmed| confirmed.try_set(false));
            if let Ok(answer) = answer {
                then(answer);
            }
        });
    }
}

/// Takes a typed password as proof, or lets the user prove themselves with a passkey.
///
/// # Errors
/// When the server refuses, the user cancels, or the browser cannot.
pub async fn proof(password: Option<String>) -> Result<TypedProof, PasskeyError> {
    match password {
        Some(password) => Ok(TypedProof { password, passkey: String::new() }),
        None => prove_with_passkey().await,
    }
}

/// A form that asks for the password, or says that a passkey confirms.
#[component]
pub fn ConfirmForm(
    /// The id of the password field, because the page has several.
    #[prop(into)]
    id: String,
    action: &'static str,
    confirmed: Confirmed,
    /// Receives the password, or nothing from an account without one. Passes it to [`proof`].
    submit: Callback<Option<String>>,
    /// The other fields, and the button.
    children: Children,
) -> impl IntoView {
    let password = NodeRef::<Input>::new();
    let by_provider = use_by_provider();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        submit.run(typed_password(password, by_provider));
    };
    // The form may stay open, and the next change needs a proof of its own.
    Effect::new(move |_| {
        if confirmed.outcome.get() == Outcome::Done
            && let Some(field) = password.get_untracked()
        {
            field.set_value("");
        }
    });
    let error = confirmed.error();
    view! {
        <form class="mt-4 flex flex-col gap-4" method="post" action=action on:submit=on_submit>
            <ForWhom />
            {match use_has_password() {
                true => view! {
                    <TextField
                        kind=FieldKind::CurrentPassword
                        id=id
                        node_ref=password
                        value=String::new()
                        error=error
                    />
                }.into_any(),
                false => view! { <ConfirmHelp error=error /> }.into_any(),
            }}
            {children()}
        </form>
    }
}

/// Takes the place of the password field for an account without a password: how the user confirms.
#[component]
pub fn ConfirmHelp(error: Signal<Option<String>>) -> impl IntoView {
    let t = use_texts();
    let help = match use_context::<ConfirmsAt>() {
        None => view! { <p class="field-help">{t.language.passkeys().confirm_help}</p> }.into_any(),
        Some(ConfirmsAt { name, confirmed }) => {
            let texts = t.language.identities();
            let help = move || {
                match confirmed.get() {
                true => {
                    let confirmed = t.fill(texts.confirmed, &name);
                    view! { <p class="field-help">{confirmed}</p> }.into_any()
                }
                false => view! {
                    <p class="field-help">{t.fill(texts.confirm_help, &name)}</p>
                    <a class="link self-start" rel="external" href=paths::PROVIDER_CONFIRM>{t.fill(texts.confirm, &name)}</a>
                }
                .into_any(),
            }
            };
            help.into_any()
        }
    };
    view! {
        {help}
        <p class="field-error" role="alert" class:hidden=move || error.with(Option::is_none)>
            {move || error.get().unwrap_or_default()}
        </p>
    }
}

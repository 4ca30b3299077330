//! Signing in. The form works without scripts; after hydration it calls the server function.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use protocol::ErrorCode;

use super::passkey_sign_in::PasskeySignIn;
use crate::bootstrap::{Bootstrap, use_bootstrap};
use crate::components::{CodeField, FieldKind, FormAlert, Greeting, TextField, Wordmark, begin_in};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::server_fns::sign_in;

/// The page `/sign-in`.
#[component]
pub fn SignIn() -> impl IntoView {
    let (t, bootstrap) = (use_texts(), use_bootstrap());
    let next = use_query_map()
        .with_untracked(|query| query.get("next").map(|next| paths::safe(&next).to_owned()))
        .unwrap_or_else(|| paths::HOME.to_owned());
    #[cfg(feature = "ssr")]
    if bootstrap.me.is_some() {
        crate::response::redirect(&next);
    }
    let action =
        if next == paths::HOME { paths::SIGN_IN.to_owned() } else { paths::sign_in_then(&next) };
    let has_passkeys = bootstrap.passkeys;
    let passkey_next = next.clone();
    let provider = provider_link(t, &bootstrap.provider, &next);
    let hint = account_hint(t, &bootstrap, &next);
    let echo = bootstrap.echo;
    // A refused plain form comes back without the password, which must be typed again.
    let is_code_needed = echo.error.is_some_and(is_about_code);
    let form = SignInState {
        username: NodeRef::new(),
        password: NodeRef::new(),
        code: NodeRef::new(),
        has_code: RwSignal::new(is_code_needed),
        error: RwSignal::new(echo.error),
        busy: RwSignal::new(false),
    };
    let SignInState { username, password, code, has_code, error, busy } = form;
    begin_in(if is_code_needed { password } else { username });
    form.begin_in_code();
    let elsewhere = move || error.get().filter(|error| !is_about_code(*error));
    let in_code = move || error.get().filter(|error| error.code() == Some(ErrorCode::WrongCode));
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        form.submit(next.clone());
    };
    view! {
        <Title text=t.sign_in />
        <main class="card-page">
            <div class="card">
                <Wordmark />
                <Greeting />
                <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.sign_in}</h1>
                <form class="mt-4 flex flex-col gap-4" method="post" action=action on:submit=on_submit>
                    <FormAlert text=Signal::derive(move || elsewhere().map(|error| error_message(t, error))) />
                    {is_code_needed.then(|| view! { <p>{t.language.two_step().password_again}</p> })}
                    <TextField
                        kind=FieldKind::Username
                        node_ref=username
                        value=echo.username
                        error=Signal::derive(|| None)
                    />
                    <TextField
                        kind=FieldKind::CurrentPassword
                        node_ref=password
                        value=String::new()
                        error=Signal::derive(|| None)
                    />
                    {move || has_code.get().then(|| view! {
                        <CodeField
                            kind=FieldKind::Code
                            node_ref=code
                            error=Signal::derive(move || in_code().map(|error| error_message(t, error)))
                        />
                    })}
                    <button class="button-primary" type="submit" aria-disabled=move || busy.get().then_some("true")>
                        {move || if busy.get() { t.account().signing_in } else { t.sign_in }}
                    </button>
                </form>
                {has_passkeys.then(|| view! { <PasskeySignIn next=passkey_next /> })}
                {provider}
                {hint}
            </div>
        </main>
    }
}

/// The state of the form.
#[derive(Clone, Copy)]
struct SignInState {
    username: NodeRef<Input>,
    password: NodeRef<Input>,
    code: NodeRef<Input>,
    /// Whether the form has a field for a code.
    has_code: RwSignal<bool>,
    error: RwSignal<Option<AppError>>,
    busy: RwSignal<bool>,
}

/// Whether a refusal accepts the password and is about the code alone.
fn is_about_code(error: AppError) -> bool {
    matches!(error.code(), Some(ErrorCode::CodeNeeded | ErrorCode::WrongCode))
}

impl SignInState {
    /// Focuses the field for a code when a call adds the field to the form.
    fn begin_in_code(self) {
        let Self { code, has_code, .. } = self;
        let is_first_view = has_code.get_untracked();
        Effect::new(move |_| {
            if let Some(field) = code.get().filter(|_| !is_first_view) {
                _ = field.focus();
            }
        });
    }

    /// Signs in, then opens `next`.
    fn submit(self, next: String) {
        let Self { username, password, code, has_code, error, busy } = self;
        let (Some(username), Some(password)) = (username.get_untracked(), password.get_untracked())
        else {
            return;
        };
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        error.set(None);
        spawn_local(async move {
            let typed = code.get_untracked().map(|code| code.value()).unwrap_or_default();
            match sign_in(username.value(), password.value(), typed).await {
                Ok(()) => leave_for(&next),
                Err(refused) if is_about_code(refused) => {
                    busy.set(false);
                    error.set(Some(refused));
                    has_code.set(true);
                    if let Some(code) = code.get_untracked() {
                        code.set_value("");
                        _ = code.focus();
                    }
                }
                Err(refused) => {
                    busy.set(false);
                    error.set(Some(refused));
                    password.set_value("");
                    _ = password.focus();
                }
            }
        });
    }
}

/// The link to the sign-in provider, if there is one.
fn provider_link(t: &'static Texts, name: &str, next: &str) -> Option<AnyView> {
    (!name.is_empty()).then(|| {
        let href = format!("{}?next={}", paths::PROVIDER_SIGN_IN, paths::encode(next));
        let label = t.fill(t.account().sign_in_with, name);
        view! { <a class="button-quiet is-edged mt-4 justify-center" rel="external" href=href>{label}</a> }
            .into_any()
    })
}

/// How to get an account: a link to sign up, or why signing up is not possible.
fn account_hint(t: &'static Texts, bootstrap: &Bootstrap, next: &str) -> AnyView {
    if !bootstrap.registration_open {
        let invited = bootstrap.invitations_open;
        let closed = if invited {
            t.account().registration_invited
        } else {
            t.account().registration_closed
        };
        return view! { <p class="mt-6 text-center text-muted">{closed}</p> }.into_any();
    }
    let sign_up = match next {
        paths::HOME => paths::SIGN_UP.to_owned(),
        next => format!("{}?next={}", paths::SIGN_UP, paths::encode(next)),
    };
    view! {
        <p class="mt-6 text-center text-muted">
            {t.account().new_here}<a class="link" href=sign_up rel="external">{t.account().create_an_account}</a>
        </p>
    }
    .into_any()
}

/// Navigates by a full page load, so that the memory holds nothing of a previous user.
pub(super) fn leave_for(path: &str) {
    // Fails only for invalid addresses.
    _ = window().location().assign(path);
}

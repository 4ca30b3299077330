//! Creating an account.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::sign_in::leave_for;
use crate::components::{FieldKind, FormAlert, TextField, Wordmark};
use crate::error::AppError;
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::server_fns::sign_up;
use crate::session::use_session;
use crate::words::{self, Field};

/// The page `/sign-up`.
#[component]
pub fn SignUp() -> impl IntoView {
    let (t, session) = (use_texts(), use_session());
    let query = use_query_map().get_untracked();
    let next = query.get("next").map(|next| paths::safe(&next).to_owned());
    let next = next.unwrap_or_else(|| paths::HOME.to_owned());
    #[cfg(feature = "ssr")]
    if session.me.is_some() {
        crate::context::redirect(&next);
    }
    let sign_in = paths::sign_in_then(&next);
    let invitation = query.get("invitation").filter(|_| session.invitations_open);
    let open = session.registration_open || invitation.is_some();
    let closed = match session.invitations_open {
        true => t.registration_invited,
        false => t.registration_closed,
    };
    view! {
        <Title text=t.create_an_account />
        <main class="card-page">
            <div class="card">
                <Wordmark />
                {if open {
                    view! { <SignUpForm next=next invitation=invitation /> }.into_any()
                } else {
                    view! {
                        <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.registration_closed_title}</h1>
                        <p class="mt-2 text-muted">{closed}</p>
                    }.into_any()
                }}
                <p class="mt-6 text-center text-muted">
                    {t.have_an_account}<a class="link" href=sign_in rel="external">{t.sign_in}</a>
                </p>
            </div>
        </main>
    }
}

/// The form itself.
#[component]
pub(super) fn SignUpForm(
    /// Where to go with the new account.
    next: String,
    /// The invitation it comes by; then it leads into the conversation with who invited.
    invitation: Option<String>,
) -> impl IntoView {
    let (t, echo) = (use_texts(), use_session().echo);
    let action = match next.as_str() {
        paths::HOME => paths::SIGN_UP.to_owned(),
        next => format!("{}?next={}", paths::SIGN_UP, paths::encode(next)),
    };
    let action = match &invitation {
        Some(token) => format!("{}?invitation={}", paths::SIGN_UP, paths::encode(token)),
        None => action,
    };
    let (invited, token) = (invitation.is_some(), invitation.clone());
    let username = NodeRef::<Input>::new();
    let display_name = NodeRef::<Input>::new();
    let password = NodeRef::<Input>::new();
    let error = RwSignal::new(echo.error);
    let busy = RwSignal::new(false);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let value = |field: NodeRef<Input>| field.get_untracked().map(|field| field.value());
        let (Some(name), Some(shown), Some(secret)) =
            (value(username), value(display_name), value(password))
        else {
            return;
        };
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        error.set(None);
        let (next, token) = (next.clone(), token.clone());
        spawn_local(async move {
            match sign_up(name, shown, secret, token).await {
                Ok(opened) => leave_for(&opened.map_or(next, paths::conversation)),
                Err(refused) => {
                    busy.set(false);
                    error.set(Some(refused));
                    let wrong = match words::field(refused) {
                        Some(Field::Password) => password,
                        Some(Field::DisplayName) => display_name,
                        _ => username,
                    };
                    if let Some(field) = wrong.get_untracked() {
                        _ = field.focus();
                    }
                }
            }
        });
    };
    let at = move |field: Field| {
        Signal::derive(move || error.get().and_then(|error| at_field(t, error, field)))
    };
    let elsewhere = Signal::derive(move || {
        error
            .get()
            .filter(|error| words::field(*error).is_none())
            .map(|error| words::sentence(t, error))
    });
    view! {
        {(!invited).then(|| view! {
            <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.create_your_account}</h1>
            <p class="mt-1 text-muted">{t.all_it_takes}</p>
        })}
        <form class="mt-6 flex flex-col gap-4" method="post" action=action on:submit=on_submit>
            <FormAlert text=elsewhere />
            {invitation.map(|token| view! { <input type="hidden" name="invitation" value=token /> })}
            <TextField kind=FieldKind::NewUsername node_ref=username value=echo.username error=at(Field::Username) />
            <TextField kind=FieldKind::DisplayName node_ref=display_name value=echo.display_name error=at(Field::DisplayName) />
            <TextField kind=FieldKind::NewPassword node_ref=password value=String::new() error=at(Field::Password) />
            <button class="button-primary" type="submit" aria-disabled=move || busy.get().then_some("true")>
                {move || if busy.get() { t.creating } else { t.create_account }}
            </button>
        </form>
    }
}

fn at_field(t: &Texts, error: AppError, field: Field) -> Option<String> {
    (words::field(error) == Some(field)).then(|| words::sentence(t, error))
}

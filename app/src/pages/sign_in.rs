//! Signing in. The form works without scripts; after hydration it calls the server function.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::bootstrap::use_bootstrap;
use crate::components::{FieldKind, FormAlert, Greeting, TextField, Wordmark, begin_in};
use crate::error_messages::error_message;
use crate::language::use_texts;
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
    let sign_up = match next.as_str() {
        paths::HOME => paths::SIGN_UP.to_owned(),
        next => format!("{}?next={}", paths::SIGN_UP, paths::encode(next)),
    };
    let (username, password) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    begin_in(username);
    let error = RwSignal::new(bootstrap.echo.error);
    let busy = RwSignal::new(false);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (Some(username), Some(field)) = (username.get_untracked(), password.get_untracked())
        else {
            return;
        };
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        error.set(None);
        let next = next.clone();
        spawn_local(async move {
            match sign_in(username.value(), field.value()).await {
                Ok(()) => leave_for(&next),
                Err(refused) => {
                    busy.set(false);
                    error.set(Some(refused));
                    field.set_value("");
                    _ = field.focus();
                }
            }
        });
    };
    view! {
        <Title text=t.sign_in />
        <main class="card-page">
            <div class="card">
                <Wordmark />
                <Greeting />
                <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.sign_in}</h1>
                <form class="mt-4 flex flex-col gap-4" method="post" action=action on:submit=on_submit>
                    <FormAlert text=Signal::derive(move || error.get().map(|error| error_message(t, error))) />
                    <TextField
                        kind=FieldKind::Username
                        node_ref=username
                        value=bootstrap.echo.username
                        error=Signal::derive(|| None)
                    />
                    <TextField
                        kind=FieldKind::CurrentPassword
                        node_ref=password
                        value=String::new()
                        error=Signal::derive(|| None)
                    />
                    <button class="button-primary" type="submit" aria-disabled=move || busy.get().then_some("true")>
                        {move || if busy.get() { t.signing_in } else { t.sign_in }}
                    </button>
                </form>
                {if bootstrap.registration_open {
                    view! {
                        <p class="mt-6 text-center text-muted">
                            {t.new_here}<a class="link" href=sign_up rel="external">{t.create_an_account}</a>
                        </p>
                    }.into_any()
                } else {
                    let closed = if bootstrap.invitations_open { t.registration_invited } else { t.registration_closed };
                    view! { <p class="mt-6 text-center text-muted">{closed}</p> }.into_any()
                }}
            </div>
        </main>
    }
}

/// Navigates by a full page load, so that the memory holds nothing of a previous user.
pub(super) fn leave_for(path: &str) {
    // Fails only for invalid addresses.
    _ = window().location().assign(path);
}

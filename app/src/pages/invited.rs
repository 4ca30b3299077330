//! `/invite/{token}`: shows who sent the invitation, and accepts it.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use protocol::{ErrorCode, InvitationInfo, User};

use super::leave_for;
use super::sign_up::SignUpForm;
use crate::bootstrap::use_bootstrap;
use crate::components::{Avatar, ForWhom, FormAlert, Greeting, Wordmark};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::preload::use_preloaded;
use crate::server_fns::accept_invitation;

/// The page: a sign-up form for new users, a button for signed-in users.
#[component]
pub fn Invited() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    view! {
        <main class="card-page">
            <div class="card">
                <Wordmark />
                {match use_preloaded().lazy_page() {
                    Some(Ok(info)) => view! { <Welcome info=info token=token /> }.into_any(),
                    Some(Err(error)) => view! { <Gone error=error /> }.into_any(),
                    // Unreachable: every link here loads the page, and the server reads the
                    // invitation before rendering.
                    None => view! { <Gone error=ErrorCode::InvitationInvalid.into() /> }.into_any(),
                }}
            </div>
        </main>
    }
}

/// A valid invitation.
#[component]
fn Welcome(
    info: InvitationInfo,
    /// The secret token of the link.
    token: String,
) -> impl IntoView {
    let (t, bootstrap) = (use_texts(), use_bootstrap());
    let name = info.inviter.display_name.clone();
    let title = t.fill(t.account().invited_by, &name);
    let sign_in = paths::sign_in_then(&paths::invitation(&token));
    view! {
        <Title text=title.clone() />
        <div class="mt-6 flex flex-col items-center text-center">
            <Avatar user=info.inviter.clone() class="avatar-large" />
            <h1 class="mt-4 text-2xl font-semibold tracking-tight">{title}</h1>
        </div>
        {match bootstrap.me {
            Some(me) => view! { <Accept me=me name=name token=token /> }.into_any(),
            None => view! {
                <div class="text-center">
                    <Greeting />
                    <p class="mt-2 text-muted">{t.account().invited_help}</p>
                </div>
                <SignUpForm next=paths::HOME.to_owned() invitation=Some(token) />
                <p class="mt-6 text-center text-muted">
                    {t.account().have_an_account}<a class="link" href=sign_in rel="external">{t.sign_in}</a>
                </p>
            }.into_any(),
        }}
    }
}

/// The button for a signed-in user.
#[component]
fn Accept(
    /// The signed-in user.
    me: User,
    /// The name of the inviter.
    name: String,
    /// The secret token of the link.
    token: String,
) -> impl IntoView {
    let t = use_texts();
    let refused = RwSignal::new(use_bootstrap().echo.error);
    let busy = RwSignal::new(false);
    let action = paths::invitation(&token);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let token = token.clone();
        spawn_local(async move {
            match accept_invitation(token).await {
                Ok(conversation) => leave_for(&paths::conversation(conversation)),
                Err(error) => {
                    busy.set(false);
                    refused.set(Some(error));
                }
            }
        });
    };
    view! {
        <form class="mt-6 flex flex-col gap-4" method="post" action=action on:submit=on_submit>
            <ForWhom />
            <FormAlert text=Signal::derive(move || refused.get().map(|error| error_message(t, error))) />
            <p class="text-center text-muted">{t.fill(t.account().already_signed_in_as, &me.display_name)}</p>
            <button class="button-primary" type="submit" aria-disabled=move || busy.get().then_some("true")>
                {t.fill(t.account().talk_with, &name)}
            </button>
        </form>
    }
}

/// An invitation that is no longer valid.
#[component]
fn Gone(error: AppError) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::response::set_error_status(error);
    let t = use_texts();
    view! {
        <Title text=t.account().invitation_gone />
        <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.account().invitation_gone}</h1>
        <p class="mt-2 text-muted">{error_message(t, error)}</p>
        <a class="button-primary mt-6 inline-flex" href=paths::HOME rel="external">{t.go_to_conversations}</a>
    }
}

//! `/link/{token}`: names the account of a link from a signed-in device, and signs in by it.
//!
//! The page itself must not use the link up, because previews and prefetches load pages; only its
//! form does. A browser that is signed in keeps its session, because a link must not replace an
//! account without the user's notice.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use protocol::{ErrorCode, User};

use crate::bootstrap::use_bootstrap;
use crate::components::{Avatar, FormAlert, Wordmark};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::preload::use_preloaded;
use crate::server_fns::sign_in_by_link;
use crate::text;

/// The page: the question, or why the link cannot be used here.
#[component]
pub fn Linked() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    let me = use_bootstrap().me;
    view! {
        <main class="card-page">
            <div class="card">
                <Wordmark />
                {match (use_preloaded().lazy_page(), me) {
                    (Some(Ok(user)), None) => view! { <Question user=user token=token /> }.into_any(),
                    (Some(Ok(user)), Some(me)) => view! { <SignedInHere user=user me=me /> }.into_any(),
                    (Some(Err(error)), _) => view! { <Invalid error=error /> }.into_any(),
                    // Unreachable: no page links here, and the server reads the link before
                    // rendering.
                    (None, _) => view! { <Invalid error=ErrorCode::DeviceLinkInvalid.into() /> }.into_any(),
                }}
            </div>
        </main>
    }
}

/// The account, and the button that signs in.
#[component]
fn Question(
    user: User,
    /// The secret token of the link.
    token: String,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.device_link();
    let title = t.fill(texts.question, &user.display_name);
    let label = t.fill(texts.sign_in_as, &user.display_name);
    let refused = RwSignal::new(use_bootstrap().echo.error);
    let busy = RwSignal::new(false);
    let action = paths::device_link(&token);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        let token = token.clone();
        spawn_local(async move {
            match sign_in_by_link(token).await {
                // The address of the link leaves the history of the tab.
                Ok(()) => _ = window().location().replace(paths::HOME),
                Err(error) => {
                    busy.set(false);
                    refused.set(Some(error));
                }
            }
        });
    };
    view! {
        <Title text=t.sign_in />
        <div class="mt-6 flex flex-col items-center text-center">
            <Avatar user=user.clone() class="avatar-large" />
            <h1 class="mt-4 text-2xl font-semibold tracking-tight">{title}</h1>
            <p class="text-muted">{text::handle(&user.username)}</p>
            <p class="mt-2 text-muted">{texts.explain}</p>
        </div>
        <form class="mt-6 flex flex-col gap-4" method="post" action=action on:submit=on_submit>
            <FormAlert text=Signal::derive(move || refused.get().map(|error| error_message(t, error))) />
            <button class="button-primary" type="submit" aria-disabled=move || busy.get().then_some("true")>
                {move || if busy.get() { t.account().signing_in.to_owned() } else { label.clone() }}
            </button>
        </form>
    }
}

/// The link in a browser that is signed in.
#[component]
fn SignedInHere(
    /// The user of the link.
    user: User,
    /// The signed-in user.
    me: User,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.device_link();
    let sentence = if user.id == me.id { texts.already_here } else { texts.sign_out_first };
    view! {
        <Title text=t.sign_in />
        <h1 class="mt-6 text-2xl font-semibold tracking-tight">{t.fill(sentence, &me.display_name)}</h1>
        <a class="button-primary mt-6 inline-flex" href=paths::HOME rel="external">{t.go_to_conversations}</a>
    }
}

/// A link that cannot be used.
#[component]
fn Invalid(error: AppError) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::response::set_error_status(error);
    let t = use_texts();
    let title = t.language.device_link().invalid_title;
    view! {
        <Title text=title />
        <h1 class="mt-6 text-2xl font-semibold tracking-tight">{title}</h1>
        <p class="mt-2 text-muted">{error_message(t, error)}</p>
        <a class="button-primary mt-6 inline-flex" href=paths::SIGN_IN rel="external">{t.sign_in}</a>
    }
}

//! Pages whose code is loaded lazily.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;
use leptos_router::{Lazy, LazyRoute};

use super::{InvitePage, Invited, Linked, PersonPage, RequestsPage, SettingsPage, SignIn, SignUp};
use crate::components::NotRead;
use crate::error::AppError;
use crate::language::use_texts;
use crate::lazy::{NotLoaded, lazy_functions};
use crate::paths;
use crate::state::use_state;

macro_rules! lazy_pages {
    ($($(#[$doc:meta])* $route:ident, $open:ident, $view:ident, $load:ident => $page:ident;)*) => {$(
        $(#[$doc])*
        pub fn $open() -> Lazy<$route> {
            Lazy::new()
        }

        $(#[$doc])*
        pub struct $route;

        lazy_functions! {
            fn $view() -> AnyView {
                view! { <$page /> }.into_any()
            } by $load
        }

        impl LazyRoute for $route {
            fn data() -> Self {
                Self
            }

            async fn view(_: Self) -> AnyView {
                let address = use_location();
                match $view().await {
                    Ok(view) => view,
                    Err(_) => ask_the_server(address.pathname),
                }
            }
        }
    )*};
}

lazy_pages! {
    /// `/settings`.
    SettingsRoute, settings, settings_view, load_settings => SettingsPage;
    /// `/c/{conversation}/about`.
    PersonRoute, person, person_view, load_person => PersonPage;
    /// `/requests`.
    RequestsRoute, requests, requests_view, load_requests => RequestsPage;
    /// `/invite`.
    InviteRoute, invite, invite_view, load_invite => InvitePage;
    /// `/invite/{token}`.
    InvitedRoute, invited, invited_view, load_invited => Invited;
    /// `/link/{token}`.
    LinkedRoute, linked, linked_view, load_linked => Linked;
    /// `/sign-in`.
    SignInRoute, sign_in, sign_in_view, load_sign_in => SignIn;
    /// `/sign-up`.
    SignUpRoute, sign_up, sign_up_view, load_sign_up => SignUp;
}

/// Loads the code of the page at a path, if the page is lazy. Called before hydration, because
/// hydration cannot be suspended half-way.
///
/// # Errors
/// The code could not be loaded.
pub async fn load(path: &str) -> Result<(), NotLoaded> {
    match path {
        _ if path.starts_with(paths::SETTINGS) => load_settings().await?,
        paths::REQUESTS => load_requests().await?,
        paths::INVITE => load_invite().await?,
        paths::SIGN_IN => load_sign_in().await?,
        paths::SIGN_UP => load_sign_up().await?,
        _ if paths::is_about(path) => load_person().await?,
        _ if paths::invited(path).is_some() => load_invited().await?,
        _ if paths::linked(path).is_some() => load_linked().await?,
        _ => {}
    }
    Ok(())
}

/// Loads the page from the server if its code cannot be loaded, because the server may have a newer
/// build. Without a network the reload would lose the present page, so the view waits for the
/// connection.
fn ask_the_server(path: Memo<String>) -> AnyView {
    let state = use_state();
    let ask = move || {
        if let Some(path) = path.try_get_untracked() {
            _ = window().location().assign(&path);
        }
    };
    if state.me().is_some() && !state.connection.get_untracked().brings_news() {
        Effect::new(move |_| {
            if state.connection.get().brings_news() {
                ask();
            }
        });
        let again = Callback::new(move |()| {
            spawn_local(async move {
                if load(&path.get_untracked()).await.is_ok() {
                    ask();
                }
            });
        });
        return view! {
            <main class="pane-conversation" id="content">
                <div class="m-auto max-w-sm px-8 text-center">
                    <NotRead error=AppError::Unreached again=again />
                    <a class="button-quiet mt-6 inline-flex" href=paths::HOME>{use_texts().back_to_your_conversations}</a>
                </div>
            </main>
        }
        .into_any();
    }
    ask();
    ().into_any()
}

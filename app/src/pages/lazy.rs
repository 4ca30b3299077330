//! Pages whose code is loaded when they are wanted.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use leptos_router::{Lazy, LazyRoute};

use super::{InvitePage, Invited, SettingsPage, SignIn, SignUp};
use crate::on_demand::{NotLoaded, on_demand};
use crate::paths;

macro_rules! lazy_pages {
    ($($(#[$doc:meta])* $route:ident, $open:ident, $view:ident, $load:ident => $page:ident;)*) => {$(
        $(#[$doc])*
        pub fn $open() -> Lazy<$route> {
            Lazy::new()
        }

        $(#[$doc])*
        pub struct $route;

        on_demand! {
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
    /// `/invite`.
    InviteRoute, invite, invite_view, load_invite => InvitePage;
    /// `/invite/{token}`.
    InvitedRoute, invited, invited_view, load_invited => Invited;
    /// `/sign-in`.
    SignInRoute, sign_in, sign_in_view, load_sign_in => SignIn;
    /// `/sign-up`.
    SignUpRoute, sign_up, sign_up_view, load_sign_up => SignUp;
}

/// Loads the code of the page at a path, if it is one of these. Hydration cannot wait in its midst:
/// the entry calls this before it begins.
///
/// # Errors
/// It could not be loaded.
pub async fn load(path: &str) -> Result<(), NotLoaded> {
    match path {
        _ if path.starts_with(paths::SETTINGS) => load_settings().await?,
        paths::INVITE => load_invite().await?,
        paths::SIGN_IN => load_sign_in().await?,
        paths::SIGN_UP => load_sign_up().await?,
        _ if paths::invited(path).is_some() => load_invited().await?,
        _ => {}
    }
    Ok(())
}

/// Without the code of a page the browser goes there by itself: another build's page comes, or the
/// one that says there is no network.
fn ask_the_server(path: Memo<String>) -> AnyView {
    #[cfg(feature = "hydrate")]
    if let Some(path) = path.try_get_untracked() {
        _ = window().location().assign(&path);
    }
    _ = path;
    ().into_any()
}

//! Pages whose code is loaded when they are wanted, so that a conversation does not carry them.
//!
//! The release build cuts them out of the WebAssembly (feature `split`, with cargo-leptos'
//! `--split`); any other build, `cargo leptos watch` too, has them in one piece. On the server,
//! and for who looks at the page, there is no difference.

use leptos::prelude::*;
use leptos_router::{Lazy, LazyRoute};

use super::{InvitePage, Invited, SettingsPage, SignIn, SignUp};
use crate::paths;

macro_rules! lazy_pages {
    ($($(#[$doc:meta])* $route:ident, $open:ident, $view:ident, $preload:ident => $page:ident;)*) => {$(
        $(#[$doc])*
        pub fn $open() -> Lazy<$route> {
            Lazy::new()
        }

        $(#[$doc])*
        pub struct $route;

        #[cfg_attr(feature = "split", leptos::lazy)]
        async fn $view() -> AnyView {
            view! { <$page /> }.into_any()
        }

        impl LazyRoute for $route {
            fn data() -> Self {
                Self
            }

            async fn view(_: Self) -> AnyView {
                $view().await
            }

            async fn preload() {
                #[cfg(all(feature = "split", target_arch = "wasm32"))]
                $preload().await;
            }
        }
    )*};
}

lazy_pages! {
    /// `/settings`.
    SettingsRoute, settings, settings_view, __preload_settings_view => SettingsPage;
    /// `/invite`.
    InviteRoute, invite, invite_view, __preload_invite_view => InvitePage;
    /// `/invite/{token}`.
    InvitedRoute, invited, invited_view, __preload_invited_view => Invited;
    /// `/sign-in`.
    SignInRoute, sign_in, sign_in_view, __preload_sign_in_view => SignIn;
    /// `/sign-up`.
    SignUpRoute, sign_up, sign_up_view, __preload_sign_up_view => SignUp;
}

/// Loads the code of the page at a path, if it is one of these. Hydration cannot wait in its midst:
/// the entry calls this before it begins.
pub async fn load(path: &str) {
    match path {
        _ if path.starts_with(paths::SETTINGS) => SettingsRoute::preload().await,
        paths::INVITE => InviteRoute::preload().await,
        paths::SIGN_IN => SignInRoute::preload().await,
        paths::SIGN_UP => SignUpRoute::preload().await,
        _ if paths::invited(path).is_some() => InvitedRoute::preload().await,
        _ => {}
    }
}

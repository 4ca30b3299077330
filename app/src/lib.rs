//! What a person sees of Duet: pages, components, server functions, the browser's live client.
//!
//! Compiled twice: for the server (`ssr`), which renders the pages and answers the server
//! functions, and for the browser (`hydrate`), which brings them to life. `server` and `frontend`
//! call it; it calls `chat` on the server only.
//!
//! # Layout
//! [`language`] what the page says; [`look`] how a person wants it;
//! [`pages`] one route, one file; [`components`] what they share; [`server_fns`] what they may ask
//! of the server; [`first_view`] what they show first; [`state`] what they show; [`live`] how it
//! stays current; [`attention`] what reaches whoever does not look; [`on_demand`] what is loaded when
//! it is wanted; `keyboard` (browser) the page's keys; `layers` (browser) what lies above the page
//! and how Back closes it; `context` and `forms` (server) what a request brings, and the same forms
//! without WebAssembly.

#![cfg_attr(feature = "ssr", recursion_limit = "256")]
#![cfg_attr(feature = "hydrate", recursion_limit = "256")]

pub mod attention;
pub mod components;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "hydrate")]
mod dom;
pub mod error;
pub mod first_view;
#[cfg(feature = "ssr")]
pub mod forms;
pub mod json;
#[cfg(feature = "hydrate")]
mod keyboard;
pub mod language;
#[cfg(feature = "hydrate")]
mod layers;
pub mod live;
pub mod look;
pub mod on_demand;
pub mod pages;
pub mod paths;
pub mod server_fns;
pub mod session;
pub mod state;
pub mod text;
pub mod time;
pub mod words;

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::components::ShortcutsSheet;
#[cfg(feature = "hydrate")]
use crate::on_demand::NotLoaded;
use crate::pages::{ChatShell, ConversationPage, NotFound, Welcome, lazy};
use crate::state::State;

/// The id of the element that holds the application.
pub const ROOT_ID: &str = "app";

/// The document around the application. Server only in effect; it also sets the page's policy.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(nonce) = leptos::nonce::use_nonce() {
        let watched = std::env::var_os("LEPTOS_WATCH").is_some();
        let port = options.reload_external_port.unwrap_or(options.reload_port);
        context::set_content_security_policy(&nonce, watched.then_some(port));
    }
    #[cfg(feature = "ssr")]
    let (look, language, build) = (context::look(), context::language(), context::build());
    #[cfg(not(feature = "ssr"))]
    let (look, language, build) =
        (look::Look::default(), language::Language::default(), String::new());
    view! {
        <!DOCTYPE html>
        <html
            lang=language.tag()
            dir=language.direction()
            data-theme=look.theme.map(look::Theme::name)
            data-hours=look.hours.map(look::Hours::cycle)
        >
            <head>
                <meta charset="utf-8" />
                <meta
                    name="viewport"
                    content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"
                />
                <meta name="color-scheme" content="light dark" />
                {theme_colours(look.theme)}
                <meta name="build" content=build />
                <meta name="description" content="Duet, a private chat for two." />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="apple-touch-icon" href="/icons/apple-touch-icon.png" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <HashedStylesheet options=options.clone() id="leptos" />
                <AutoReload options=options.clone() />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <div id=ROOT_ID>
                    <App />
                </div>
            </body>
        </html>
    }
}

/// Loads what the page that the browser shows needs beside its main part: hydration cannot wait in
/// its midst.
///
/// # Errors
/// Something of it could not be loaded.
#[cfg(feature = "hydrate")]
pub async fn load() -> Result<(), NotLoaded> {
    let root = document().document_element();
    let tag = root.and_then(|root| root.get_attribute("lang")).unwrap_or_default();
    let path = window().location().pathname().unwrap_or_default();
    let language = language::Language::from_tag(&tag).unwrap_or_default();
    // The browser fetches both already: the server's page names them.
    lazy::load(&path).await?;
    language.load().await
}

/// The application: the store of this page and the table of routes.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let session = session::provide();
    first_view::provide();
    let state = State::new(session.me);
    provide_context(state);
    #[cfg(feature = "hydrate")]
    {
        live::start(state);
        layers::start();
    }
    provide_context(components::Shortcuts::new());
    provide_context(components::LayersOnDemand::new());
    let unread = state.unread_counter();
    view! {
        <Title formatter=move |title: String| page_title(&title, unread()) />
        <Router>
            <ShortcutsSheet />
            <Routes fallback=NotFound>
                <ParentRoute path=path!("") view=ChatShell ssr=SsrMode::Async>
                    <Route path=path!("") view=Welcome />
                    <Route path=path!("c/:conversation") view=ConversationPage />
                    <Route path=path!("settings") view=lazy::settings() />
                    // A plain form that was refused is answered at its own address.
                    <Route path=path!("settings/:form") view=lazy::settings() />
                    <Route path=path!("invite") view=lazy::invite() />
                </ParentRoute>
                <Route path=path!("invite/:token") view=lazy::invited() ssr=SsrMode::Async />
                <Route path=path!("sign-in") view=lazy::sign_in() ssr=SsrMode::Async />
                <Route path=path!("sign-up") view=lazy::sign_up() ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}

/// The colour of the browser's own bars: that of the theme in force.
fn theme_colours(chosen: Option<look::Theme>) -> impl IntoView {
    use look::Theme::{Dark, Light};
    let colour = |theme, colour| {
        let meta = leptos::html::meta().name("theme-color").content(colour);
        let system = format!("(prefers-color-scheme: {})", look::Theme::name(theme));
        match chosen {
            None => Some(meta.attr("media", Some(system))),
            Some(chosen) => (chosen == theme).then(|| meta.attr("media", None::<String>)),
        }
    };
    (colour(Light, "#fffdf9"), colour(Dark, "#201b18"))
}

fn page_title(title: &str, unread: u32) -> String {
    let count = if unread > 0 { format!("({unread}) ") } else { String::new() };
    let name = if title.is_empty() { "Duet".to_owned() } else { format!("{title} · Duet") };
    count + &name
}

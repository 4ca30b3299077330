//! The user interface of Duet: pages, components, server functions, and the browser's live client.
//!
//! Compiled twice: for the server (`ssr`), which renders the pages and answers the server
//! functions, and for the browser (`hydrate`), which hydrates them. `server` and `frontend` call
//! this crate; this crate calls `chat` on the server only.
//!
//! # Layout
//! [`language`] the texts; [`preferences`] theme, language and clock; [`pages`] one file per route;
//! [`components`] the parts shared by pages; [`server_fns`] the server functions; [`preload`] the
//! data loaded before the first render; [`bootstrap`] the user and the settings embedded in a page;
//! [`state`] the reactive state; [`live`] the live client that updates the state;
//! [`notifications`] notices, sound and unread count; [`error_messages`] the sentences for error
//! codes; [`mod@lazy`] lazily loaded code; `keyboard` (browser) the global shortcuts; `history_layers`
//! (browser) closing popovers and dialogs with Back; `start` (browser), `structure` (server) and
//! `page.js` the start of the page. On the server only: `request` and `response` (what pages and
//! server functions read and set), `client`, `cookies`, `content_security_policy`, and
//! `plain_forms`.

#![cfg_attr(feature = "ssr", recursion_limit = "256")]
#![cfg_attr(feature = "hydrate", recursion_limit = "256")]

pub mod bootstrap;
pub mod calls;
#[cfg(feature = "ssr")]
pub mod client;
pub mod components;
#[cfg(feature = "ssr")]
pub mod content_security_policy;
#[cfg(feature = "ssr")]
pub mod cookies;
#[cfg(feature = "hydrate")]
mod dom;
pub mod error;
pub mod error_messages;
#[cfg(feature = "hydrate")]
mod history_layers;
pub mod json;
#[cfg(feature = "hydrate")]
mod keyboard;
pub mod language;
pub mod lazy;
pub mod live;
pub mod notifications;
pub mod pages;
pub mod paths;
#[cfg(feature = "ssr")]
pub mod plain_forms;
pub mod preferences;
pub mod preload;
#[cfg(feature = "ssr")]
pub mod request;
#[cfg(feature = "ssr")]
pub mod response;
pub mod server_fns;
#[cfg(feature = "hydrate")]
pub mod start;
pub mod state;
#[cfg(feature = "ssr")]
pub mod structure;
pub mod text;
pub mod time;

#[cfg(feature = "ssr")]
use std::sync::LazyLock;

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::components::ShortcutsSheet;
#[cfg(feature = "hydrate")]
use crate::lazy::NotLoaded;
use crate::pages::{ChatShell, ConversationPage, NotFound, Welcome, lazy_pages};
use crate::state::State;

/// The id of the element that contains the application.
pub const ROOT_ID: &str = "app";

/// The inline script that supervises the start of the page, without comments and indentation.
#[cfg(feature = "ssr")]
static PAGE_SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("page.js").lines().map(str::trim);
    lines.filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n")
});

/// The document around the application. Also sets the page's content security policy. Only the
/// server renders the document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(nonce) = leptos::nonce::use_nonce() {
        let watched = std::env::var_os("LEPTOS_WATCH").is_some();
        let port = options.reload_external_port.unwrap_or(options.reload_port);
        content_security_policy::set(&nonce, watched.then_some(port));
    }
    #[cfg(feature = "ssr")]
    let (preferences, language, build, addresses) =
        (request::preferences(), request::language(), request::build(), request::addresses());
    #[cfg(feature = "ssr")]
    let zone = request::zone();
    #[cfg(not(feature = "ssr"))]
    let (preferences, language, build, addresses) = (
        preferences::Preferences::default(),
        language::Language::default(),
        String::new(),
        String::new(),
    );
    #[cfg(not(feature = "ssr"))]
    let zone = None::<String>;
    view! {
        <!DOCTYPE html>
        <html
            lang=language.tag()
            dir=language.direction()
            data-theme=preferences.theme.map(preferences::Theme::name)
            data-language=language.tag()
            data-zone=zone
        >
            <head>
                <meta charset="utf-8" />
                <meta
                    name="viewport"
                    content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"
                />
                <meta name="color-scheme" content="light dark" />
                // Blocks rendering until the page is complete and the script has set the scroll
                // position.
                <link rel="expect" href="#page-script" blocking="render" />
                {theme_colours(preferences.theme)}
                <meta name="build" content=build />
                <meta name="addresses" content=addresses.to_string() />
                <meta name="description" content="Duet, a private chat for two." />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="apple-touch-icon" href="/icons/apple-touch-icon.png" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <HashedStylesheet options=options.clone() id="leptos" />
                <AutoReload options=options.clone() />
                {program(options)}
                <MetaTags />
            </head>
            <body>
                <div id=ROOT_ID>
                    <App />
                </div>
                {wrong_address(language, &addresses)}
                {page_script()}
            </body>
        </html>
    }
}

/// The notice with the right address, on a page opened under a wrong one. `page.js` shows the
/// notice once the server has refused a call. The server cannot decide: only the browser has the
/// address in use, and a working proxy may rewrite `Host` and `Origin`.
fn wrong_address(language: language::Language, addresses: &str) -> impl IntoView + use<> {
    let t = language.texts();
    let address = addresses.split(' ').next().unwrap_or_default().to_owned();
    let (before, after) = t.wrong_address.split_once("{}").unwrap_or((t.wrong_address, ""));
    view! {
        <div id="wrong-address" class="banners" role="alert" hidden=true>
            <p class="banner is-bad">
                <span>{before}<a class="link" href=address.clone()>{address.clone()}</a>{after}" "{t.wrong_address_owner}</span>
            </p>
        </div>
    }
}

/// The tags that fetch and start the program, once the browser is idle.
///
/// Leptos' tags also preload the WebAssembly, which is thirty times as large as the styles and
/// would take the bandwidth that the first picture needs. The page can be read and used before.
fn program(options: LeptosOptions) -> impl IntoView {
    #[cfg(feature = "ssr")]
    {
        let tags = view! { <HydrationScripts options defer=true /> }.to_html();
        leptos::tachys::html::InertElement::new(without_wasm_preload(&tags))
    }
    #[cfg(not(feature = "ssr"))]
    view! { <HydrationScripts options defer=true /> }
}

/// Leaves the preload of the WebAssembly out of tags.
#[cfg(feature = "ssr")]
fn without_wasm_preload(tags: &str) -> String {
    let is_preload = |tag: &str| tag.starts_with("<link ") && tag.contains(".wasm");
    tags.split_inclusive('>').filter(|tag| !is_preload(tag)).collect()
}

/// The script that decides how the page starts. Inline, because the script must watch the page from
/// the beginning of parsing, and react if the WebAssembly does not load.
#[cfg(feature = "ssr")]
fn page_script() -> impl IntoView {
    view! { <script id="page-script" nonce=leptos::nonce::use_nonce()>{PAGE_SCRIPT.as_str()}</script> }
}

#[cfg(not(feature = "ssr"))]
fn page_script() -> impl IntoView {}

/// Loads all lazy code that the present page needs. Called before hydration, because hydration
/// cannot be suspended half-way.
///
/// # Errors
/// Some of the code could not be loaded.
#[cfg(feature = "hydrate")]
pub(crate) async fn load() -> Result<(), NotLoaded> {
    let root = document().document_element();
    // Not `lang`, because translation tools change that attribute.
    let tag = root.and_then(|root| root.get_attribute("data-language")).unwrap_or_default();
    let path = window().location().pathname().unwrap_or_default();
    let language = language::Language::from_tag(&tag).unwrap_or_default();
    // The rendered page has prefetch links for this code, so the browser is fetching it already.
    lazy_pages::load(&path).await?;
    components::load_what_is_shown().await?;
    language.load().await
}

/// The application: the state of this page and the routes.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let bootstrap = bootstrap::provide();
    preload::provide();
    let state = State::new(bootstrap.me);
    state.time_context.set(use_context().unwrap_or_default());
    provide_context(state);
    #[cfg(feature = "hydrate")]
    {
        live::start(state);
        history_layers::start();
    }
    provide_context(components::Shortcuts::new());
    provide_context(components::LazyOverlays::new());
    let unread = state.unread_counter();
    view! {
        <Title formatter=move |title: String| page_title(&title, unread()) />
        <Router>
            <ShortcutsSheet />
            <Routes fallback=NotFound>
                <ParentRoute path=path!("") view=ChatShell ssr=SsrMode::Async>
                    <Route path=path!("") view=Welcome />
                    <Route path=path!("c/:conversation") view=ConversationPage />
                    <Route path=path!("c/:conversation/about") view=lazy_pages::person() />
                    <Route path=path!("settings") view=lazy_pages::settings() />
                    // The server answers a refused plain form at the form's own address.
                    <Route path=path!("settings/:form") view=lazy_pages::settings() />
                    <Route path=path!("invite") view=lazy_pages::invite() />
                </ParentRoute>
                <Route path=path!("invite/:token") view=lazy_pages::invited() ssr=SsrMode::Async />
                <Route path=path!("sign-in") view=lazy_pages::sign_in() ssr=SsrMode::Async />
                <Route path=path!("sign-up") view=lazy_pages::sign_up() ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}

/// The colour of the browser's own bars, by the theme in force.
fn theme_colours(chosen: Option<preferences::Theme>) -> impl IntoView {
    use preferences::Theme::{Dark, Light};
    let colour = |theme| {
        let meta =
            leptos::html::meta().name("theme-color").content(preferences::Theme::colour(theme));
        let system = format!("(prefers-color-scheme: {})", preferences::Theme::name(theme));
        match chosen {
            None => Some(meta.attr("media", Some(system))),
            Some(chosen) => (chosen == theme).then(|| meta.attr("media", None::<String>)),
        }
    };
    (colour(Light), colour(Dark))
}

fn page_title(title: &str, unread: u32) -> String {
    let count = if unread > 0 { format!("({unread}) ") } else { String::new() };
    let name = if title.is_empty() { "Duet".to_owned() } else { format!("{title} · Duet") };
    count + &name
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_page_does_not_preload_the_webassembly() {
        let owner = Owner::new();
        let tags = owner.with(|| {
            let options = LeptosOptions::builder().output_name("duet").build();
            view! { <HydrationScripts options defer=true /> }.to_html()
        });
        assert!(tags.contains("rel=\"preload\""), "{tags}");
        let kept = without_wasm_preload(&tags);
        assert!(!kept.contains("rel=\"preload\""), "{kept}");
        let rest = [
            "rel=\"modulepreload\"",
            "<script type=\"module\"",
            "requestIdleCallback",
            "</script>",
        ];
        for tag in rest {
            assert!(kept.contains(tag), "{kept}");
        }
    }
}

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
//! codes; [`mod@lazy`] lazily loaded code; `browser` what only a browser can do. In the browser only:
//! `keyboard` the global shortcuts, `history_layers` closing popovers and dialogs with Back, `start`
//! and `page.js` the start of the page. On the server only: `document` the HTML around the
//! application, `structure` the hash with which a page detects changes of its HTML, `request` and
//! `response` (what pages and server functions read and set), `client`, `cookies`,
//! `content_security_policy`, `plain_forms`, and `strict`, which reads request bodies.

#![expect(unreachable_pub, reason = "the macros of Leptos accept no other visibility")]
#![cfg_attr(feature = "ssr", recursion_limit = "256")]
#![cfg_attr(feature = "hydrate", recursion_limit = "256")]

pub mod bootstrap;
mod browser;
pub mod calls;
#[cfg(feature = "ssr")]
pub mod client;
pub mod components;
#[cfg(feature = "ssr")]
pub mod content_security_policy;
#[cfg(feature = "ssr")]
pub mod cookies;
#[cfg(feature = "ssr")]
pub mod document;
pub mod error;
pub mod error_messages;
pub mod form_call;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
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
mod passkeys;
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
mod strict;
#[cfg(feature = "ssr")]
pub mod structure;
pub mod text;
pub mod time;

#[cfg(feature = "ssr")]
pub use document::shell;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::components::ShortcutsSheet;
use crate::pages::{ChatShell, ConversationPage, NotFound, Welcome, lazy_pages};
use crate::state::{Connection, State};

/// The id of the element that contains the application.
pub const ROOT_ID: &str = "app";

/// The application: the state of this page and the routes.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let bootstrap = bootstrap::provide();
    preload::provide();
    let state = State::new(bootstrap.me);
    state.time_context.set(use_context().unwrap_or_default());
    provide_context(state);
    browser::start_live_client(state);
    browser::history_layers::start();
    provide_context(components::Shortcuts::new());
    provide_context(components::LazyOverlays::new());
    let unread = state.unread_counter();
    // The server writes the title when the owner of the page's signals is gone.
    let connection = ArcRwSignal::from(state.connection);
    view! {
        <Title formatter=move |title: String| match connection.get() {
            // The title names the open conversation, which nobody may read after the session.
            Connection::SignedOut => page_title("", 0),
            _ => page_title(&title, unread()),
        } />
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
                    <Route path=path!("requests") view=lazy_pages::requests() />
                    <Route path=path!("invite") view=lazy_pages::invite() />
                </ParentRoute>
                <Route path=path!("invite/:token") view=lazy_pages::invited() ssr=SsrMode::Async />
                <Route path=path!("link/:token") view=lazy_pages::linked() ssr=SsrMode::Async />
                <Route path=path!("sign-in") view=lazy_pages::sign_in() ssr=SsrMode::Async />
                <Route path=path!("sign-up") view=lazy_pages::sign_up() ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}

fn page_title(title: &str, unread: u32) -> String {
    let count = if unread > 0 { format!("({unread}) ") } else { String::new() };
    let name = if title.is_empty() { "Duet".to_owned() } else { format!("{title} · Duet") };
    count + &name
}

//! The two-pane layout: the list of conversations, and the open page beside it.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::components::Outlet;
use leptos_router::hooks::{use_location, use_navigate, use_query_map};
use protocol::SearchResults;

use crate::bootstrap::use_bootstrap;
use crate::components::{
    Banner, ConversationList, Found, Icon, PeopleSearch, ProfileBar, Prompt, RequestsLink, Search,
    Wordmark,
};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::preload::use_preloaded;
use crate::state::{Connection, State, use_state};

/// The layout of all pages for signed-in users.
#[component]
pub fn ChatShell() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    if state.me().is_none() {
        #[cfg(feature = "ssr")]
        crate::response::redirect(&paths::sign_in_then(&crate::request::requested_path()));
        return view! { <SignedOut /> }.into_any();
    }
    let invitations_open = use_bootstrap().invitations_open;
    let typed = use_query_map().with_untracked(|query| query.get("find"));
    let (found, error) = match use_preloaded().pane() {
        Some(Ok(pane)) => {
            state.adopt_list(pane.page, true);
            state.others.set_value(!pane.found.people.is_empty());
            (pane.found, None)
        }
        Some(Err(error)) => {
            #[cfg(feature = "ssr")]
            crate::response::set_error_status(error);
            (SearchResults::default(), Some(error_message(t, error)))
        }
        None => (SearchResults::default(), None),
    };
    let search = Search::new(typed.unwrap_or_default(), found);
    let path = use_location().pathname;
    let navigate = use_navigate();
    // Opens the conversation of a clicked notification.
    Effect::new(move |_| {
        if let Some(id) = state.notifications.wanted.get() {
            state.notifications.wanted.set(None);
            navigate(&paths::conversation(id), NavigateOptions::default());
        }
    });
    let is_list = Memo::new(move |_| path.get() == paths::HOME);
    view! {
        <a class="skip-link" href="#content" rel="external">{t.skip_to_conversation}</a>
        <div
            class="panes"
            data-list=move || if is_list.get() { "true" } else { "false" }
            data-ended=move || session_ended(state)
        >
            <nav class="pane-list" aria-label=t.conversations>
                <header class="pane-list-header">
                    <Wordmark />
                    {invitations_open.then(|| view! {
                        <a class="icon-button ms-auto" href=paths::INVITE title=t.invite>
                            {Icon::Invite.draw("size-5")}
                        </a>
                    })}
                </header>
                <div class="pane-body">
                    <Prompt />
                    <PeopleSearch search=search />
                    <div class="list-frame">
                        // Hidden once connected, because the live client fetches the list and
                        // retries until that succeeds.
                        {error.map(|error| view! {
                            <p class="px-5 py-3 text-danger" role="alert" class:hidden=move || state.connection.get().brings_news()>{error}</p>
                        })}
                        <Found search=search />
                        <RequestsLink />
                        <ConversationList />
                    </div>
                </div>
                <div class="pane-foot"><ProfileBar /></div>
            </nav>
            <Banner />
            <Outlet />
        </div>
    }
    .into_any()
}

/// The attribute by which the style sheet hides the page after the end of its session, because the
/// next user of this browser must not read the page. "unkept" leaves the typed text visible, because
/// the user must copy the text. The page appears again after a sign-in in another tab.
fn session_ended(state: State) -> Option<&'static str> {
    let is_ended = state.connection.get() == Connection::SignedOut;
    is_ended.then(|| if state.storage_works.get() { "" } else { "unkept" })
}

/// Shown if the client did not follow the redirect to the sign-in page.
#[component]
fn SignedOut() -> impl IntoView {
    let t = use_texts();
    view! {
        <main class="card-page">
            <div class="card text-center">
                <h1 class="text-xl font-semibold">{t.signed_out_title}</h1>
                <a class="button-primary mt-6 inline-flex" href=paths::SIGN_IN rel="external">{t.sign_in}</a>
            </div>
        </main>
    }
}

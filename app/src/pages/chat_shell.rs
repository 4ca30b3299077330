//! The two panes: the list of conversations, and beside it what is open.

use leptos::prelude::*;
use leptos_router::components::Outlet;
use leptos_router::hooks::{use_location, use_query_map};
use protocol::{ConversationPage, Person};
use serde::{Deserialize, Serialize};

use crate::components::{
    Banner, ConversationList, ListSkeleton, PeopleSearch, ProfileBar, Wordmark,
};
use crate::error::AppError;
use crate::paths;
use crate::server_fns::{find_people, list_conversations};
use crate::state::use_state;
use crate::words;

/// What the list's pane is rendered from.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ListPane {
    page: ConversationPage,
    /// The answer to `?find=`, or, while there is no conversation yet, people to begin with.
    people: Vec<Person>,
}

/// The layout of `/` and of the conversations; only for those who are signed in.
#[component]
pub fn ChatShell() -> impl IntoView {
    let state = use_state();
    if state.me().is_none() {
        #[cfg(feature = "ssr")]
        crate::context::redirect(&paths::sign_in_then(&crate::context::asked_path()));
        return view! { <SignedOut /> }.into_any();
    }
    let typed = use_query_map().with_untracked(|query| query.get("find"));
    let asked = typed.clone();
    let pane = Resource::new_blocking(|| (), move |()| read_pane(asked.clone()));
    let path = use_location().pathname;
    let is_list = Memo::new(move |_| path.get() == paths::HOME);
    view! {
        <a class="skip-link" href="#content" rel="external">"Skip to the conversation"</a>
        <Banner />
        <div class="panes" data-list=move || if is_list.get() { "true" } else { "false" }>
            <nav class="pane-list" aria-label="Conversations">
                <header class="pane-list-header">
                    <Wordmark />
                </header>
                <Suspense fallback=ListSkeleton>
                    {move || {
                        let typed = typed.clone();
                        Suspend::new(async move {
                            let (people, error) = match pane.await {
                                Ok(pane) => {
                                    state.adopt_list(pane.page, true);
                                    (pane.people, None)
                                }
                                Err(error) => (Vec::new(), Some(words::sentence(error))),
                            };
                            view! {
                                <PeopleSearch typed=typed.unwrap_or_default() people=people />
                                {error.map(|error| view! { <p class="px-5 py-3 text-danger" role="alert">{error}</p> })}
                                <ConversationList />
                            }
                        })
                    }}
                </Suspense>
                <ProfileBar />
            </nav>
            <Outlet />
        </div>
    }
    .into_any()
}

async fn read_pane(typed: Option<String>) -> Result<ListPane, AppError> {
    let page = list_conversations(None).await?;
    let people = match typed {
        Some(typed) => find_people(typed).await?,
        // A throttled or closed directory must not take the list with it.
        None if page.conversations.is_empty() => {
            find_people(String::new()).await.unwrap_or_default()
        }
        None => Vec::new(),
    };
    Ok(ListPane { page, people })
}

/// Shown where the redirect to the sign-in page was not followed.
#[component]
fn SignedOut() -> impl IntoView {
    view! {
        <main class="card-page">
            <div class="card text-center">
                <h1 class="text-xl font-semibold">"You are signed out"</h1>
                <a class="button-primary mt-6 inline-flex" href=paths::SIGN_IN rel="external">"Sign in"</a>
            </div>
        </main>
    }
}

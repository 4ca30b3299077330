//! `/c/{conversation}`: the talk with one person.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use protocol::{ConversationId, ErrorCode, Seq};

use crate::components::{Composer, ConversationHeader, Timeline, TimelineSkeleton};
use crate::error::AppError;
use crate::first_view::{Place, read_conversation, use_read_ahead};
use crate::json::Json;
use crate::language::use_texts;
use crate::paths;
use crate::state::{FirstPage, State, use_state};
use crate::words;

/// The page of a conversation. Another conversation is another view, from the ground up.
#[component]
pub fn ConversationPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let id = params.with(|params| params.get("conversation")?.parse::<ConversationId>().ok());
        (id, Place::named(&|name| query.with(|query| query.get(name))))
    });
    move || match asked.get() {
        (Some(id), place) => view! { <OpenedConversation id=id place=place /> }.into_any(),
        (None, _) => view! { <Unavailable error=ErrorCode::NotFound.into() /> }.into_any(),
    }
}

/// One conversation, read and shown.
#[component]
fn OpenedConversation(
    /// Which.
    id: ConversationId,
    /// Where in it.
    place: Place,
) -> impl IntoView {
    let state = use_state();
    on_cleanup(move || state.close(id));
    let target = match place {
        Place::Message(seq) => Some(seq),
        _ => None,
    };
    if let Some(read) = use_read_ahead().conversation(id, place) {
        return shown(read, target);
    }
    // Opened from another page: read now, unless it is still held.
    let first = Resource::<_, Json>::new_with_options(
        || (),
        move |()| async move {
            let kept = kept_place(state, id).filter(|_| place == Place::Unread);
            let held =
                (place == Place::Unread).then(|| state.first_page_from_memory(id, kept)).flatten();
            match held {
                Some(held) => Ok(held),
                None => read_conversation(id, kept.map_or(place, Place::Message)).await,
            }
        },
        false,
    );
    view! {
        <Suspense fallback=TimelineSkeleton>
            {move || Suspend::new(async move { shown(first.await, target) })}
        </Suspense>
    }
    .into_any()
}

/// The message at which one left the conversation.
#[cfg(feature = "hydrate")]
fn kept_place(state: State, id: ConversationId) -> Option<Seq> {
    crate::live::storage::place(state, id).map(|place| place.seq)
}

#[cfg(not(feature = "hydrate"))]
fn kept_place(_: State, _: ConversationId) -> Option<Seq> {
    None
}

fn shown(read: Result<FirstPage, AppError>, target: Option<Seq>) -> AnyView {
    match read {
        Ok(first) => view! { <Conversation first=first target=target /> }.into_any(),
        Err(error) => view! { <Unavailable error=error /> }.into_any(),
    }
}

/// The opened conversation: header, messages, composer.
#[component]
fn Conversation(
    /// What was read of it.
    first: FirstPage,
    /// A message to turn to.
    target: Option<Seq>,
) -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let open = state.open(&first);
    let id = open.id;
    let name = t.name(&first.conversation.peer.user).to_owned();
    let newest = first.page.messages.last().map_or(Seq::ZERO, |message| message.seq);
    let Some(entry) = state.entry(id) else {
        return view! { <Unavailable error=ErrorCode::NotFound.into() /> }.into_any();
    };
    view! {
        <Title text=name.clone() />
        <main class="pane-conversation" id="content">
            <ConversationHeader entry=entry />
            <Timeline open=open name=name.clone() target=target />
            {match first.conversation.peer.user.username.is_empty() {
                true => view! { <p class="composer-gone">{t.peer_deleted}</p> }.into_any(),
                false => view! { <Composer conversation=id name=name seen=newest /> }.into_any(),
            }}
        </main>
    }
    .into_any()
}

/// What stands in the place of a conversation that cannot be shown.
#[component]
fn Unavailable(
    /// Why.
    error: AppError,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::context::say(error);
    let t = use_texts();
    view! {
        <Title text=t.not_available />
        <main class="pane-conversation" id="content">
            <div class="m-auto max-w-sm px-8 text-center">
                <h1 class="text-xl font-semibold">{t.cannot_be_shown}</h1>
                <p class="mt-2 text-muted">{words::sentence(t, error)}</p>
                <a class="button-primary mt-6 inline-flex" href=paths::HOME>{t.back_to_your_conversations}</a>
            </div>
        </main>
    }
}

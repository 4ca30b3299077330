//! `/c/{conversation}`: the talk with one person.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use protocol::{ConversationId, Cursor, ErrorCode, Seq};

use crate::components::{Composer, ConversationHeader, Timeline, TimelineSkeleton};
use crate::error::AppError;
use crate::paths;
use crate::server_fns::{get_conversation, load_history};
use crate::state::{FirstPage, State, UNREAD_ON_A_PAGE, use_state};
use crate::words;

/// Where a conversation is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the first unread message, or the end.
    Unread,
    /// Around a message that is linked to.
    Message(Seq),
    /// At an older or newer page, by a plain link.
    Page(Cursor),
}

/// The page of a conversation. Another conversation is another view, from the ground up.
#[component]
pub fn ConversationPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let id = params.with(|params| params.get("conversation")?.parse::<ConversationId>().ok());
        (id, place(&|name| query.with(|query| query.get(name))))
    });
    move || match asked.get() {
        (Some(id), place) => view! { <OpenedConversation id=id place=place /> }.into_any(),
        (None, _) => {
            #[cfg(feature = "ssr")]
            crate::context::set_status(axum::http::StatusCode::NOT_FOUND);
            view! { <Unavailable error=ErrorCode::NotFound.into() /> }.into_any()
        }
    }
}

fn place(query: &dyn Fn(&str) -> Option<String>) -> Place {
    let seq = |name: &str| query(name)?.parse().ok().map(Seq).filter(|seq| *seq > Seq::ZERO);
    match (seq("m"), seq("before"), seq("after")) {
        (Some(seq), ..) => Place::Message(seq),
        (_, Some(seq), _) => Place::Page(Cursor::Before(seq)),
        (.., Some(seq)) => Place::Page(Cursor::After(seq)),
        _ => Place::Unread,
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
    let first = Resource::new_blocking(|| (), move |()| read_first(state, id, place));
    on_cleanup(move || state.close(id));
    let target = match place {
        Place::Message(seq) => Some(seq),
        _ => None,
    };
    view! {
        <Suspense fallback=TimelineSkeleton>
            {move || Suspend::new(async move {
                match first.await {
                    Ok(first) => view! { <Conversation first=first target=target /> }.into_any(),
                    Err(error) => view! { <Unavailable error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

async fn read_first(state: State, id: ConversationId, place: Place) -> Result<FirstPage, AppError> {
    if place == Place::Unread
        && let Some(held) = state.first_page_from_memory(id)
    {
        return Ok(held);
    }
    let conversation = get_conversation(id).await?;
    let cursor = match place {
        Place::Message(seq) => Cursor::Around(seq.min(conversation.last_seq)),
        Place::Page(Cursor::Before(seq)) => Cursor::Before(seq.min(conversation.last_seq.next())),
        Place::Page(Cursor::After(seq)) => Cursor::After(seq.min(conversation.last_seq)),
        _ if conversation.unread > UNREAD_ON_A_PAGE => Cursor::Around(first_unread(&conversation)),
        _ => Cursor::Latest,
    };
    let cursor = if conversation.last_seq == Seq::ZERO { Cursor::Latest } else { cursor };
    let page = load_history(id, cursor).await?;
    Ok(FirstPage { conversation, page })
}

/// About where the first unread message is. The read mark alone does not tell: it may be far back,
/// with only one's own messages after it.
fn first_unread(conversation: &protocol::Conversation) -> Seq {
    let by_count = Seq(conversation.last_seq.0 - i64::from(conversation.unread) + 1);
    let after_mark = conversation.mine.read.next();
    if conversation.unread >= protocol::limits::MAX_UNREAD {
        after_mark
    } else {
        by_count.max(after_mark)
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
    let state = use_state();
    let open = state.open(&first);
    let id = open.id;
    let name = first.conversation.peer.user.display_name.clone();
    let newest = first.page.messages.last().map_or(Seq::ZERO, |message| message.seq);
    let Some(entry) = state.entry(id) else {
        return view! { <Unavailable error=ErrorCode::NotFound.into() /> }.into_any();
    };
    view! {
        <Title text=name.clone() />
        <main class="pane-conversation" id="content">
            <ConversationHeader entry=entry />
            <Timeline open=open name=name.clone() target=target />
            <Composer conversation=id name=name seen=newest />
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
    view! {
        <Title text="Conversation not available" />
        <main class="pane-conversation" id="content">
            <div class="m-auto max-w-sm px-8 text-center">
                <h1 class="text-xl font-semibold">"This conversation cannot be shown"</h1>
                <p class="mt-2 text-muted">{words::sentence(error)}</p>
                <a class="button-primary mt-6 inline-flex" href=paths::HOME>"Back to your conversations"</a>
            </div>
        </main>
    }
}

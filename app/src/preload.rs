//! Preloads the data of a page's first view.
//!
//! The server loads the data before it renders a page and embeds the data in the page, so rendering
//! never waits. The browser reads the embedded data and hydrates the same view. Views that are
//! opened later by client-side navigation load their data with the same functions.

use leptos::prelude::*;
use protocol::{
    BlockedUser, ConversationId, ConversationPage, Cursor, PasskeyState, SearchResults,
    SecondFactorState, Seq, SessionInfo, Settings,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::json::{self, Json};
use crate::server_fns::{
    get_conversation, get_second_factor, get_settings, list_blocked, list_conversations,
    list_passkeys, list_sessions, load_history, search,
};
use crate::state::{FirstPage, UNREAD_ON_A_PAGE};

/// First data of the list pane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPane {
    /// The first page of the list.
    pub page: ConversationPage,
    /// The results for `?find=`, or suggested users if there are no conversations.
    pub found: SearchResults,
}

/// The position at which a conversation opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpeningPosition {
    /// The first unread message, or the end.
    Unread,
    /// Around a linked message.
    Message(Seq),
    /// An older or newer page, requested by a plain link.
    Page(Cursor),
}

impl OpeningPosition {
    /// Parses the position from an address. `query` returns a query parameter.
    pub fn from_query(query: &dyn Fn(&str) -> Option<String>) -> Self {
        let seq = |name: &str| query(name)?.parse().ok().map(Seq).filter(|seq| *seq > Seq::ZERO);
        match (seq("m"), seq("before"), seq("after")) {
            (Some(seq), ..) => Self::Message(seq),
            (_, Some(seq), _) => Self::Page(Cursor::Before(seq)),
            (.., Some(seq)) => Self::Page(Cursor::After(seq)),
            _ => Self::Unread,
        }
    }
}

/// The preloaded data. Pages without a user contain at most the data of a lazy page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreloadedData {
    pane: Option<Result<ListPane, AppError>>,
    conversation: Option<(ConversationId, OpeningPosition, Result<FirstPage, AppError>)>,
    /// The data of a lazy page as JSON. Only the page's own code reads it, because the code that
    /// reads a type would otherwise be part of every page.
    lazy_page: Option<String>,
}

/// The user's settings, sessions, two-step sign-in, passkeys and blocked users.
pub type OwnAccount =
    (Settings, Vec<SessionInfo>, SecondFactorState, PasskeyState, Vec<BlockedUser>);

/// A handle to the preloaded data. Each method takes its part out, because later the live client
/// has newer data.
#[derive(Clone, Copy)]
pub struct Preloaded(StoredValue<PreloadedData>);

impl Preloaded {
    /// Takes the data of the list pane. Later calls return `None`.
    pub fn pane(&self) -> Option<Result<ListPane, AppError>> {
        self.0.try_update_value(|first| first.pane.take()).flatten()
    }

    /// Takes the data of the lazy page that the server rendered. `None` if that was another page.
    pub fn lazy_page<T: DeserializeOwned>(&self) -> Option<Result<T, AppError>> {
        let text = self.0.try_update_value(|first| first.lazy_page.take()).flatten()?;
        json::read(&text).ok()
    }

    /// Takes the preloaded conversation if its id and position match.
    pub fn conversation(
        &self,
        id: ConversationId,
        position: OpeningPosition,
    ) -> Option<Result<FirstPage, AppError>> {
        let taken = self.0.try_update_value(|first| {
            first.conversation.take_if(|(other, at, _)| (*other, *at) == (id, position))
        });
        taken.flatten().map(|(_, _, read)| read)
    }
}

/// Takes the data from the request on the server, or from the page in the browser, and provides it
/// as a context.
pub fn provide() {
    let first = SharedValue::<_, Json>::new_with_encoding(embedded).into_inner();
    provide_context(Preloaded(StoredValue::new(first)));
}

/// Returns the preloaded data of this page; empty if none was provided.
pub fn use_preloaded() -> Preloaded {
    use_context().unwrap_or_else(|| Preloaded(StoredValue::new(PreloadedData::default())))
}

#[cfg(feature = "ssr")]
fn embedded() -> PreloadedData {
    use_context::<axum::http::request::Parts>()
        .and_then(|parts| parts.extensions.get::<PreloadedData>().cloned())
        .unwrap_or_default()
}

#[cfg(not(feature = "ssr"))]
fn embedded() -> PreloadedData {
    PreloadedData::default()
}

/// Loads the data of the list pane.
///
/// # Errors
/// When the caller is not signed in, or the store cannot be read.
pub async fn load_pane(typed: Option<String>) -> Result<ListPane, AppError> {
    let page = list_conversations(None).await?;
    let found = match typed {
        // All results at once, for pages without scripts.
        Some(typed) => search(typed, true).await?,
        // A rate limit or a closed directory must not make the list fail.
        None if page.conversations.is_empty() => {
            search(String::new(), false).await.unwrap_or_default()
        }
        None => SearchResults::default(),
    };
    Ok(ListPane { page, found })
}

/// Loads the user's settings, sessions, two-step sign-in, passkeys and blocked users.
///
/// # Errors
/// When the caller is not signed in, or the store cannot be read.
pub async fn load_settings() -> Result<OwnAccount, AppError> {
    let (settings, sessions) = (get_settings().await?, list_sessions().await?);
    let (second_factor, passkeys) = (get_second_factor().await?, list_passkeys().await?);
    Ok((settings, sessions, second_factor, passkeys, list_blocked().await?))
}

/// Loads the part of a conversation that is shown first.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or the store cannot be
/// read.
pub async fn load_conversation(
    id: ConversationId,
    position: OpeningPosition,
) -> Result<FirstPage, AppError> {
    let conversation = get_conversation(id).await?;
    let cursor = match position {
        OpeningPosition::Message(seq) => Cursor::Around(seq.min(conversation.last_seq)),
        OpeningPosition::Page(Cursor::Before(seq)) => {
            Cursor::Before(seq.min(conversation.last_seq.next()))
        }
        OpeningPosition::Page(Cursor::After(seq)) => Cursor::After(seq.min(conversation.last_seq)),
        _ if conversation.unread > UNREAD_ON_A_PAGE => Cursor::Around(first_unread(&conversation)),
        _ => Cursor::Latest,
    };
    let cursor = if conversation.last_seq == Seq::ZERO { Cursor::Latest } else { cursor };
    let page = load_history(id, cursor).await?;
    Ok(FirstPage { conversation, page })
}

/// Loads a conversation's entry and its newest messages, which the user may report.
///
/// # Errors
/// When the caller is not signed in or not a member of the conversation, or the store cannot be
/// read.
pub async fn load_person(id: ConversationId) -> Result<FirstPage, AppError> {
    let conversation = get_conversation(id).await?;
    let page = load_history(id, Cursor::Latest).await?;
    Ok(FirstPage { conversation, page })
}

/// Returns the approximate seq of the first unread message. The read mark alone is not enough: the
/// messages after it may be mostly the user's own.
fn first_unread(conversation: &protocol::Conversation) -> Seq {
    let by_count = Seq(conversation.last_seq.0 - i64::from(conversation.unread) + 1);
    let after_mark = conversation.mine.read.next();
    if conversation.unread >= protocol::limits::MAX_UNREAD {
        after_mark
    } else {
        by_count.max(after_mark)
    }
}

#[cfg(feature = "ssr")]
pub use on_server::{attach, middleware};

/// Preloading on the server.
#[cfg(feature = "ssr")]
mod on_server {
    use axum::extract::{Query, Request};
    use axum::http::Method;
    use axum::http::request::Parts;
    use axum::middleware::Next;
    use axum::response::Response;
    use serde::Serialize;

    use super::{
        OpeningPosition, PreloadedData, load_conversation, load_pane, load_person, load_settings,
    };
    use crate::error::AppError;
    use crate::server_fns::{get_invitation, get_linked_user, list_requests};
    use crate::{paths, response};

    /// Preloads the data of a requested page. `provide` comes from `request::provider`.
    pub async fn middleware(provide: impl Fn(), request: Request, next: Next) -> Response {
        if request.method() != Method::GET {
            return next.run(request).await;
        }
        let (mut parts, body) = request.into_parts();
        attach(&mut parts, provide).await;
        next.run(Request::from_parts(parts, body)).await
    }

    /// Adds the preloaded data for the request's address to the request.
    pub async fn attach(parts: &mut Parts, provide: impl Fn()) {
        let path = parts.uri.path();
        let (opened, about) = (paths::opened(path), paths::is_about(path));
        let settings = path.starts_with(paths::SETTINGS);
        let invited = paths::invited(path).map(str::to_owned);
        let requests = path == paths::REQUESTS;
        let plain = [paths::HOME, paths::INVITE, paths::REQUESTS].contains(&path);
        let has_pane = plain || settings || opened.is_some();
        let signed_in = parts.extensions.get::<chat::Session>().is_some();
        let linked = paths::linked(path).map(str::to_owned);
        if invited.is_none() && linked.is_none() && !(has_pane && signed_in) {
            return;
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let query = query.map(|Query(pairs)| pairs).unwrap_or_default();
        let named =
            |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let (find, position) = (named("find"), OpeningPosition::from_query(&named));
        // `within` discards the status codes that the loads set; the page that shows the data sets
        // its own.
        let read = response::within(parts, provide, || async move {
            if let Some(token) = invited {
                let lazy_page = as_json(&get_invitation(token).await);
                return Ok(PreloadedData { lazy_page, ..PreloadedData::default() });
            }
            if let Some(token) = linked {
                let lazy_page = as_json(&get_linked_user(token).await);
                return Ok(PreloadedData { lazy_page, ..PreloadedData::default() });
            }
            let pane = Some(load_pane(find).await);
            let conversation = match opened {
                Some(id) if about => Some((id, OpeningPosition::Unread, load_person(id).await)),
                Some(id) => Some((id, position, load_conversation(id, position).await)),
                None => None,
            };
            let lazy_page = match (settings, requests) {
                (true, _) => as_json(&load_settings().await),
                (_, true) => as_json(&list_requests(None).await),
                _ => None,
            };
            Ok(PreloadedData { pane, conversation, lazy_page })
        });
        if let Ok(first) = read.await.result {
            parts.extensions.insert(first);
        }
    }

    /// The data of a lazy page. `None` if it cannot be written; the page then fetches the data.
    fn as_json(read: &Result<impl Serialize, AppError>) -> Option<String> {
        serde_json::to_string(read).ok()
    }
}

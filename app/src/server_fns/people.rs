//! Finding someone to talk to.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::{Person, SearchResults};

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// People who have each word of what was typed in a name, those one talks with first; with nothing
/// typed, those one talked with last, then others.
///
/// # Errors
/// When not signed in, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "find_people", input = JsonCall, output = JsonCall)]
pub async fn find_people(typed: String) -> Result<Vec<Person>, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.find_people(me.user.id, &typed).await.map_err(context::fail)
}

/// One's conversations and other people with such names, and how many there are. `all` names as many
/// as there can be.
///
/// # Errors
/// When not signed in, or when to try again.
#[server(client = Calls, prefix = "/api", endpoint = "search", input = JsonCall, output = JsonCall)]
pub async fn search(
    typed: String,
    #[server(default)] all: bool,
) -> Result<SearchResults, AppError> {
    use protocol::limits::{MOST_FOUND, PAGE_PEOPLE};

    use crate::context;
    let me = context::signed_in()?;
    let limit = if all { MOST_FOUND } else { PAGE_PEOPLE };
    context::chat()?.search(&me.user, &typed, limit).await.map_err(context::fail)
}

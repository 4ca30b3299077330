//! Search for users.

use leptos::prelude::*;
use protocol::{Person, SearchResults};

use crate::calls::Calls;
use crate::error::AppError;
use crate::json::JsonCall;

/// Users whose names contain each typed word, peers of the caller first. Without typed words: the
/// caller's most recent peers, then other users.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "find_people", input = JsonCall, output = JsonCall)]
pub async fn find_people(typed: String) -> Result<Vec<Person>, AppError> {
    use crate::{request, response};
    let me = request::signed_in()?;
    request::chat()?.find_people(me.user.id, &typed).await.map_err(response::fail)
}

/// Returns the caller's conversations and other users whose names match, with their total. `all`
/// raises the limit to the maximum.
///
/// # Errors
/// When the caller is not signed in, or a rate limit applies.
#[server(client = Calls, prefix = "/api", endpoint = "search", input = JsonCall, output = JsonCall)]
pub async fn search(
    typed: String,
    #[server(default)] all: bool,
) -> Result<SearchResults, AppError> {
    use protocol::limits::{MOST_FOUND, PAGE_PEOPLE};

    use crate::{request, response};
    let me = request::signed_in()?;
    let limit = if all { MOST_FOUND } else { PAGE_PEOPLE };
    request::chat()?.search(&me.user, &typed, limit).await.map_err(response::fail)
}

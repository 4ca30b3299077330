//! Finding someone to talk to.

#![expect(
    missing_docs,
    reason = "the macro writes structs from the arguments, which cannot be documented"
)]

use leptos::prelude::*;
use protocol::Person;

use crate::error::AppError;
use crate::json::JsonCall;

/// People whose name begins with what was typed; with nothing typed, those one talked with last,
/// then others.
///
/// # Errors
/// When not signed in, or when to try again.
#[server(prefix = "/api", endpoint = "find_people", input = JsonCall, output = JsonCall)]
pub async fn find_people(typed: String) -> Result<Vec<Person>, AppError> {
    use crate::context;
    let me = context::signed_in()?;
    context::chat()?.find_people(me.user.id, &typed).await.map_err(context::fail)
}

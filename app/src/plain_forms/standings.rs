//! The plain forms of requests, blocks, mutes and reports, below the address of a conversation.

use std::collections::HashMap;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::ConversationId;
use serde::Deserialize;

use super::{NoFields, PlainForms, USER_FIELDS, malformed};
use crate::bootstrap::FormEcho;
use crate::paths;
use crate::response::within;
use crate::server_fns::{accept_request, delete_request, mute_conversation, report, set_blocked};

#[derive(Deserialize)]
struct BlockedForm {
    blocked: bool,
}

#[derive(Deserialize)]
struct MuteForm {
    #[serde(default)]
    minutes: Option<u32>,
}

/// The ends of these forms' paths.
pub(super) const FORMS: [&str; 5] = ["/accept", "/delete", "/block", "/mute", "/report"];

pub(super) fn routes<S, P>(forms: &PlainForms<P>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    P: Fn() + Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/c/{conversation}/accept", forms.post_with_path(PlainForms::accept_request))
        .route("/c/{conversation}/delete", forms.post_with_path(PlainForms::delete_request))
        .route("/c/{conversation}/block", forms.post_with_path(PlainForms::block))
        .route("/c/{conversation}/mute", forms.post_with_path(PlainForms::mute))
        .route("/c/{conversation}/report", forms.post_with_path(PlainForms::report))
}

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    async fn accept_request(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse() else { return StatusCode::NOT_FOUND.into_response() };
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || accept_request(id)).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::conversation(id)).await
    }

    async fn delete_request(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse() else { return StatusCode::NOT_FOUND.into_response() };
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || delete_request(id)).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::REQUESTS.to_owned()).await
    }

    async fn block(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse() else { return StatusCode::NOT_FOUND.into_response() };
        let (parts, form) = match self.read::<BlockedForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || set_blocked(id, form.blocked)).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::conversation(id)).await
    }

    async fn mute(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse() else { return StatusCode::NOT_FOUND.into_response() };
        let (parts, form) = match self.read::<MuteForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || mute_conversation(id, form.minutes)).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::about(id)).await
    }

    /// Each chosen message is a field of its own (`m` and the seq), because no field may occur twice.
    async fn report(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse::<ConversationId>() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (parts, mut form) = match self.read::<HashMap<String, String>>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let reason = form.remove("reason").unwrap_or_default();
        form.retain(|name, _| !USER_FIELDS.contains(&name.as_str()));
        let seq = |name: &str| name.strip_prefix('m')?.parse::<u32>().ok();
        let seqs: Option<Vec<_>> = form.keys().map(|name| seq(name)).collect();
        let Some(seqs) = seqs else { return malformed() };
        let seqs = seqs.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        let done = within(&parts, &self.provide, || report(id, seqs, reason)).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::about(id)).await
    }
}

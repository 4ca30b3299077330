//! Health checks for load balancers and supervisors: `/healthz` and `/readyz`. Any client can call
//! them, so the answers must not contain an error text of the store.

use axum::extract::State;
use axum::http::StatusCode;
use chat::Readiness;

use crate::state::AppState;

/// Liveness: reports 503 once an essential background task has ended.
pub(crate) async fn live(State(state): State<AppState>) -> (StatusCode, String) {
    match state.chat.has_failed() {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(task) => (StatusCode::SERVICE_UNAVAILABLE, format!("{task} has ended")),
    }
}

/// Readiness: the store can be written and read now, and the process is not shutting down. Any
/// client can call this, so `chat` checks the store at most once a second for all callers.
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if state.draining.has_begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    let why = match state.chat.readiness().await {
        Readiness::Ready => return (StatusCode::OK, "ready"),
        Readiness::CannotWrite => "the store cannot be written",
        Readiness::CannotRead => "the store cannot be read",
        Readiness::Damaged => "the store is damaged; see the log",
        Readiness::Silent => "the store does not answer",
    };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

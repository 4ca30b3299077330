//! For whoever watches the process: does it live, is it ready.

use axum::extract::State;
use axum::http::StatusCode;
use chat::Readiness;

use crate::state::AppState;

/// The process lives, and nothing has ended in it that everything needs.
pub async fn live(State(state): State<AppState>) -> (StatusCode, String) {
    match state.chat.has_failed() {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("{what} has ended")),
    }
}

/// A message could be stored and read now, and the process is not about to end. Anybody may ask, so
/// the store is asked at most once a second for all of them.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if state.draining.has_begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    let why = match state.chat.readiness().await {
        Readiness::Ready => return (StatusCode::OK, "ready"),
        Readiness::CannotWrite => "the store cannot be written",
        Readiness::CannotRead => "the store cannot be read",
        Readiness::Damaged => "the store is damaged: the log says where it was met",
        Readiness::Silent => "the store does not answer",
    };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

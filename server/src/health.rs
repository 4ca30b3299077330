//! For whoever watches the process: does it live, is it ready.

use axum::extract::State;
use axum::http::StatusCode;

use crate::state::AppState;

/// The process lives.
pub async fn live() -> &'static str {
    "ok"
}

/// A message could be stored now, and the process is not about to end.
pub async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if state.draining.has_begun() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if state.chat.is_writable().await {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be written")
    }
}

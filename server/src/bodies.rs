//! Reads request bodies. Every route needs its whole body, so this middleware reads it in front of
//! them: with one time limit, and with one answer to each kind of broken body. [`crate::router`]
//! puts the middleware behind the limit of size and the origin check.

use std::error::Error;
use std::iter;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError};

use crate::state::AppState;

/// Passes the request on with its complete body.
pub(crate) async fn complete(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    if head.headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
        return refuse(StatusCode::BAD_REQUEST, "The request has two content types.");
    }
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    let body = match tokio::time::timeout(state.time_limits.body, body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if is_too_large(&error) => {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.");
        }
        Ok(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "The request is not complete."),
        Err(_) => {
            let text = "The request did not arrive in time. Nothing was changed.";
            return refuse(StatusCode::REQUEST_TIMEOUT, text);
        }
    };
    if !body.is_empty() && matches!(head.method, Method::GET | Method::HEAD) {
        return refuse(StatusCode::BAD_REQUEST, "A request of this method has no body.");
    }
    next.run(Request::from_parts(head, Body::from(body))).await
}

/// Answers and closes the connection, because the rest of the body may still arrive.
fn refuse(status: StatusCode, text: &'static str) -> Response {
    (status, [(CONNECTION, HeaderValue::from_static("close"))], text).into_response()
}

fn is_too_large(error: &axum::Error) -> bool {
    iter::successors(Some(error as &dyn Error), |error| (*error).source())
        .any(|error| error.is::<LengthLimitError>())
}

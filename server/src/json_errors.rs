//! Makes every answer to an API call, and every refused WebSocket handshake, the JSON of the
//! protocol.
//!
//! Routes already answer in JSON. The layers around them (limits of size and time, origin check,
//! panic handler) and the libraries answer in text or without a body, which an API client would
//! have to parse separately. [`crate::router`] therefore puts this middleware outside all of those
//! layers. Responses to page requests stay as they are, because people read them.

use app::error::AppError;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, REFERER, RETRY_AFTER, TRANSFER_ENCODING,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::{ErrorCode, Refusal, SOCKET_PATH};

/// Path prefix of the API calls.
const CALLS: &str = "/api/";

/// Middleware that replaces the body of a failed API call or handshake with JSON.
pub(crate) async fn as_json(mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_call = path.starts_with(CALLS) || path == SOCKET_PATH;
    if is_call {
        // Leptos would answer the form of a browser with a redirect to the `Referer`, which the
        // client can choose.
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers_mut().remove(REFERER);
    }
    let response = next.run(request).await;
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if !is_call || !failed || is_json(response.headers()) {
        return response;
    }
    let (mut head, _) = response.into_parts();
    let error = error(head.status, retry_after_ms(&head.headers));
    let Ok(json) = serde_json::to_string(&error) else { return head.status.into_response() };
    for body_header in [CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING] {
        head.headers.remove(body_header);
    }
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, json.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(seconds.saturating_mul(1_000))
}

fn error(status: StatusCode, retry_after_ms: Option<u64>) -> AppError {
    let code = match status {
        // The only refusal after which the requested change may have been made.
        StatusCode::REQUEST_TIMEOUT => ErrorCode::TimedOut,
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthenticated,
        StatusCode::FORBIDDEN => ErrorCode::ForeignOrigin,
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Unavailable,
        status if status.is_server_error() => ErrorCode::Internal,
        _ => ErrorCode::Malformed,
    };
    AppError::Refused(Refusal { code, retry_after_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::post;
    use tower::ServiceExt;

    /// Returns status, content type and body after a route answered with this status and a text.
    async fn converted(status: u16, path: &str) -> (u16, String, String) {
        let status = StatusCode::from_u16(status).expect("a status");
        let retry = [(RETRY_AFTER, "5"), (CONTENT_TYPE, "text/plain")];
        let router = Router::new()
            .route(path, post(move || async move { (status, retry, "some text") }))
            .layer(axum::middleware::from_fn(as_json));
        let request = Request::post(path).body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        let kind = response.headers()[CONTENT_TYPE].to_str().expect("visible").to_owned();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1_000).await.expect("a body");
        (status, kind, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn errors_of_calls_are_json_and_errors_of_pages_stay_text() {
        for (status, code) in [
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "foreign_origin"),
            (404, "not_found"),
            (405, "malformed"),
            (408, "timed_out"),
            (413, "malformed"),
            (415, "malformed"),
            (429, "rate_limited"),
            (500, "internal"),
            (503, "unavailable"),
        ] {
            let refusal =
                format!("{{\"refused\":{{\"code\":\"{code}\",\"retry_after_ms\":5000}}}}");
            for path in ["/api/sign_in", "/ws"] {
                let json = (status, "application/json".to_owned(), refusal.clone());
                assert_eq!(converted(status, path).await, json, "{path}");
            }
            let text = (status, "text/plain".to_owned(), "some text".to_owned());
            assert_eq!(converted(status, "/c/x").await, text);
        }
        assert_eq!(converted(200, "/api/sign_in").await.2, "some text");
    }
}

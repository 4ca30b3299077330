//! The response of a page or server function: status, headers, refusals, redirects. Server only.
//!
//! [`fail`] is the only place that turns an error of `chat` into a response. Without a response (at
//! start Leptos runs the application once to list its routes) the setters do nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use chat::Chat;
use leptos::prelude::{Owner, provide_context, use_context};
use leptos::reactive::computed::ScopedFuture;
use leptos_axum::ResponseOptions;
use protocol::{ErrorCode, Refusal};

use crate::client::client;
use crate::error::AppError;
use crate::paths;

/// Turns an error of `chat` into a response. Logs internal errors, and answers every
/// error with its code and HTTP status.
#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` calls")]
pub fn fail(error: chat::Error) -> AppError {
    let refusal = error.refusal();
    if let Some(chat) = use_context::<Chat>() {
        chat.note_failure(&error);
    }
    if refusal.code == ErrorCode::Internal {
        tracing::error!(error = %error, "a request failed");
    }
    refuse(refusal)
}

/// Sets the status and headers of a refusal, and returns the refusal as an error.
pub fn refuse(refusal: Refusal) -> AppError {
    log_refusal(refusal.code);
    set_status(status(refusal.code));
    if let Some(ms) = refusal.retry_after_ms {
        set_header(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    AppError::Refused(refusal)
}

/// Logs refusals that may need the operator's attention at `info`, all others at `debug`. The
/// security log has those of malformed calls, and, by `server`, those of rate limits.
fn log_refusal(code: ErrorCode) {
    match code {
        ErrorCode::Busy | ErrorCode::Unavailable if is_first_in_second() => {
            tracing::info!(client.ip = %client().address, ?code, "a call was refused for now");
        }
        ErrorCode::Malformed => chat::log_refused_request(client().address, "malformed"),
        _ => tracing::debug!(?code, "a call was refused"),
    }
}

/// Limits the log to one line per second. A refused client may retry as fast as the network allows,
/// and must not fill the log.
fn is_first_in_second() -> bool {
    static ASKED_IN: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    ASKED_IN.swap(second, Ordering::Relaxed) != second
}

/// Sets the status and headers for an error that the page shows.
pub fn set_error_status(error: AppError) {
    if let AppError::Refused(refusal) = error {
        refuse(refusal);
    }
}

/// The HTTP status of a refusal.
pub fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Unauthenticated | ErrorCode::WrongCredentials | ErrorCode::CodeNeeded => {
            StatusCode::UNAUTHORIZED
        }
        // Not 401, because the settings send codes too, and there 401 means signed out.
        ErrorCode::WrongCode
        | ErrorCode::PasskeyRefused
        | ErrorCode::IdentityRefused
        | ErrorCode::RegistrationClosed
        | ErrorCode::ForeignOrigin
        | ErrorCode::WrongPassword => StatusCode::FORBIDDEN,
        // No other refusal has this status, so the page can recognise this one by the status alone.
        ErrorCode::OtherPerson => StatusCode::PRECONDITION_FAILED,
        ErrorCode::NotFound | ErrorCode::InvitationInvalid | ErrorCode::DeviceLinkInvalid => {
            StatusCode::NOT_FOUND
        }
        ErrorCode::ClientIdReused
        | ErrorCode::UsernameTaken
        | ErrorCode::TooManyInvitations
        | ErrorCode::SecondFactorChanged
        | ErrorCode::SignedInAlready
        | ErrorCode::PasskeysUnavailable
        | ErrorCode::TooManyPasskeys
        | ErrorCode::LastSignInMethod
        | ErrorCode::IdentityTaken
        | ErrorCode::TooManyIdentities
        | ErrorCode::PeerDeleted
        | ErrorCode::PeerBlocked => StatusCode::CONFLICT,
        ErrorCode::BodyTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::ProviderUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::TimedOut => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Sets the status of the response.
pub fn set_status(status: StatusCode) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(status);
    }
}

pub(crate) fn set_header(name: HeaderName, value: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.insert_header(name, value);
    }
}

/// Adds a `Set-Cookie` header to the response.
pub fn set_cookie(cookie: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(SET_COOKIE, cookie);
    }
}

/// Redirects to a path of this site; any other address becomes the front page.
pub fn redirect(path: &str) {
    let path = paths::safe(path);
    if let Ok(location) = HeaderValue::from_str(path) {
        set_header(LOCATION, location);
        set_status(StatusCode::SEE_OTHER);
    }
}

/// The outcome of a server function, with the response parts that the function set.
pub struct Done<T> {
    pub result: Result<T, AppError>,
    /// The status that the function set.
    pub status: Option<StatusCode>,
    /// The headers that the function set.
    pub headers: HeaderMap,
}

/// Runs server functions outside a page render, as a request of their own, and collects the
/// response parts that they set. `provide` is the
/// result of [`crate::request::provider`].
pub async fn within<T, F>(parts: &Parts, provide: impl Fn(), work: impl FnOnce() -> F) -> Done<T>
where
    F: Future<Output = Result<T, AppError>>,
{
    // A root owner, because the thread's previous owner may belong to another user's page.
    let owner = Owner::new_root(None);
    let options = ResponseOptions::default();
    let work = owner.with(|| {
        provide_context(parts.clone());
        provide_context(options.clone());
        provide();
        ScopedFuture::new(async move { work().await })
    });
    let result = work.await;
    owner.unset_with_forced_cleanup();
    let response =
        options.0.read().map(|parts| (parts.status, parts.headers.clone())).unwrap_or_default();
    Done { result, status: response.0, headers: response.1 }
}

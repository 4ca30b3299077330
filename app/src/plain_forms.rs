//! The plain forms, for pages without WebAssembly: POST requests to the pages' own addresses,
//! because the hydration of an answer expects the address of its page.
//!
//! Each handler calls the server function of its form and redirects. A refused form is answered
//! with the same page, the submitted values and the error, so no typed text is lost and the server
//! stores nothing. Server only; `server` mounts [`routes`] beside the pages, behind the middleware
//! that authenticates the session and checks the origin.

mod device_link;
mod invite;
mod provider;
mod settings;
mod stale;
mod standings;
mod two_step;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use leptos::prelude::*;
use protocol::{ClientId, ConversationId, ErrorCode, Seq, UserId};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bootstrap::FormEcho;
use crate::error::AppError;
use crate::response::{Done, within};
use crate::server_fns::{
    accept_invitation, free_usernames, mark_conversation, open_conversation, send_message, sign_in,
    sign_out, sign_up,
};
use crate::{paths, preload, strict};

pub use provider::refused_page;

#[derive(Deserialize)]
struct AccountForm {
    #[serde(default)]
    username: String,
    #[serde(default)]
    display_name: String,
    password: String,
    #[serde(default)]
    invitation: Option<String>,
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    username: String,
    password: String,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
struct MessageForm {
    client_id: ClientId,
    body: String,
    #[serde(default)]
    seen: Seq,
}

/// The user that the form's page was rendered for. Pages of older builds send `sender`, or nothing.
#[derive(Default, Deserialize)]
struct FormUser {
    #[serde(rename = "for", alias = "sender", default)]
    user: Option<UserId>,
}

/// Names of the fields of [`FormUser`], which every form may have.
const USER_FIELDS: [&str; 2] = ["for", "sender"];

/// A form without fields of its own.
#[derive(Deserialize)]
struct NoFields {}

/// The message text of a form, if present.
#[derive(Deserialize)]
struct MessageText {
    body: String,
}

#[derive(Deserialize)]
struct PeerForm {
    peer: UserId,
}

#[derive(Deserialize)]
struct ReadForm {
    seen: Seq,
}

/// The routes of the plain forms. `provide` is the result of `request::provider`.
pub fn routes<S>(
    provide: impl Fn() + Clone + Send + Sync + 'static,
    options: LeptosOptions,
) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let forms = PlainForms { provide, options };
    Router::new()
        .merge(settings::routes(&forms))
        .merge(two_step::routes(&forms))
        .merge(standings::routes(&forms))
        .merge(device_link::routes(&forms))
        .merge(provider::routes(&forms))
        .route(paths::SIGN_IN, forms.post(PlainForms::sign_in))
        .route(paths::SIGN_UP, forms.post(PlainForms::sign_up))
        .route(paths::SIGN_OUT, forms.post(PlainForms::sign_out))
        .route(paths::OPEN, forms.post(PlainForms::open))
        .route("/c/{conversation}", forms.post_with_path(PlainForms::send))
        .route("/c/{conversation}/read", forms.post_with_path(PlainForms::mark))
        .route(paths::INVITE, forms.post(PlainForms::invite))
        .route("/invite/{token}", forms.post_with_path(PlainForms::accept))
}

#[derive(Clone)]
struct PlainForms<P> {
    provide: P,
    options: LeptosOptions,
}

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    /// Creates the route of a form.
    fn post<S, F>(
        &self,
        handle: impl Fn(Self, Request) -> F + Clone + Send + Sync + 'static,
    ) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let forms = self.clone();
        post(move |request: Request| handle(forms, request))
    }

    /// Creates the route of a form whose path has a parameter.
    fn post_with_path<S, F>(
        &self,
        handle: impl Fn(Self, String, Request) -> F + Clone + Send + Sync + 'static,
    ) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let forms = self.clone();
        post(move |Path(parameter): Path<String>, request: Request| {
            handle(forms, parameter, request)
        })
    }

    async fn sign_in(self, request: Request) -> Response {
        let next = next(&request);
        let (parts, form) = match self.read::<SignInForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let echo = FormEcho { username: form.username.clone(), ..FormEcho::default() };
        let done =
            within(&parts, &self.provide, || sign_in(form.username, form.password, form.code));
        let done = done.await;
        self.answer(parts, done, echo, |()| next).await
    }

    async fn sign_up(self, request: Request) -> Response {
        let next = next(&request);
        let (parts, form) = match self.read::<AccountForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let mut echo = FormEcho {
            username: form.username.clone(),
            display_name: form.display_name.clone(),
            ..FormEcho::default()
        };
        let invitation = form.invitation.clone();
        let done = within(&parts, &self.provide, || {
            sign_up(form.username, form.display_name, form.password, form.invitation)
        })
        .await;
        if done.result.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::UsernameTaken)) {
            let (wanted, ask) = (echo.username.clone(), &self.provide);
            let free = within(&parts, ask, || free_usernames(wanted, invitation)).await;
            // On an error the refusal is shown without suggestions.
            echo.free = free.result.unwrap_or_default().join(" ");
        }
        self.answer(parts, done, echo, |opened| opened.map_or(next, paths::conversation)).await
    }

    async fn sign_out(self, request: Request) -> Response {
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, sign_out).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::SIGN_IN.to_owned()).await
    }

    async fn open(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PeerForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || open_conversation(form.peer)).await;
        self.answer(parts, done, FormEcho::default(), paths::conversation).await
    }

    async fn send(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse::<ConversationId>() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (parts, form) = match self.read::<MessageForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let message = Some((form.client_id, form.body.clone()));
        let echo = FormEcho { message, ..FormEcho::default() };
        let done = within(&parts, &self.provide, || async move {
            send_message(id, form.client_id, form.body, None).await?;
            // A reply marks the earlier messages as read. An error while marking is ignored,
            // because the message is already stored.
            if form.seen > Seq::ZERO {
                _ = mark_conversation(id, form.seen, form.seen).await;
            }
            Ok(id)
        })
        .await;
        self.answer(parts, done, echo, paths::conversation).await
    }

    async fn mark(self, id: String, request: Request) -> Response {
        let Ok(id) = id.parse::<ConversationId>() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (parts, form) = match self.read::<ReadForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || async move {
            mark_conversation(id, form.seen, form.seen).await.map(|()| id)
        })
        .await;
        self.answer(parts, done, FormEcho::default(), paths::conversation).await
    }

    async fn accept(self, token: String, request: Request) -> Response {
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || accept_invitation(token)).await;
        self.answer(parts, done, FormEcho::default(), paths::conversation).await
    }

    /// Reads the head and the bytes of a form. Refuses a form of another user's page, for all forms
    /// at once, so that no form acts in the name of a user who signed in later.
    async fn check(&self, request: Request) -> Result<(Parts, Bytes), Response> {
        let (parts, body) = request.into_parts();
        // The server's request body limit bounds the size.
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        };
        if !strict::is_of_type(&parts.headers, strict::FORM) {
            let text = "This address takes a form of one of Duet's own pages.";
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response());
        }
        let Ok(form) = serde_urlencoded::from_bytes::<FormUser>(&body) else {
            return Err(malformed());
        };
        if let (Some(user), Some(session)) = (form.user, parts.extensions.get::<chat::Session>())
            && session.user.id != user
        {
            let text = serde_urlencoded::from_bytes(&body).ok();
            let text = text.map(|MessageText { body }| body);
            return Err(self.stale(&parts, ErrorCode::OtherPerson, text).await);
        }
        Ok((parts, body))
    }

    /// Parses a form and keeps the head of the request.
    async fn read<T: DeserializeOwned>(&self, request: Request) -> Result<(Parts, T), Response> {
        let (parts, body) = self.check(request).await?;
        match strict::form(&body, &USER_FIELDS) {
            Ok(form) => Ok((parts, form)),
            Err(_) => Err(malformed()),
        }
    }

    /// Redirects after success; otherwise renders the page again with the error.
    async fn answer<T>(
        self,
        parts: Parts,
        done: Done<T>,
        echo: FormEcho,
        to: impl FnOnce(T) -> String,
    ) -> Response {
        let mut response = match done.result {
            Ok(done) => see_other(&to(done)),
            Err(AppError::Refused(refusal)) if refusal.code == ErrorCode::Unauthenticated => {
                match echo.message {
                    // The response contains the typed text, because a redirect to the sign-in page
                    // would lose it.
                    Some((_, text)) => self.stale(&parts, refusal.code, Some(text)).await,
                    None => see_other(&paths::sign_in_then(back_from(parts.uri.path()))),
                }
            }
            Err(error) => {
                let echo = FormEcho { error: Some(error), ..echo };
                let mut page = self.render(parts, echo).await;
                *page.status_mut() = done.status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
                page
            }
        };
        response.headers_mut().extend(done.headers);
        response
    }

    /// Renders the page of the form, as for a GET request.
    async fn render(self, mut parts: Parts, echo: FormEcho) -> Response {
        parts.method = Method::GET;
        if !is_page(parts.uri.path()) {
            let of_settings = parts.uri.path().starts_with(paths::SETTINGS);
            let page = if of_settings { paths::SETTINGS } else { paths::HOME };
            parts.uri = axum::http::Uri::from_static(page);
        }
        preload::attach(&mut parts, &self.provide).await;
        let (provide, options) = (self.provide, self.options);
        let context = move || {
            provide();
            provide_context(echo.clone());
        };
        let render = leptos_axum::render_app_async_with_context(context, move || {
            crate::shell(options.clone())
        });
        render(Request::from_parts(parts, Body::empty())).await.into_response()
    }
}

/// The response to a body that no form of this address sends.
fn malformed() -> Response {
    let text = "The form could not be read. Nothing was changed.";
    (StatusCode::UNPROCESSABLE_ENTITY, text).into_response()
}

/// The redirect target after signing in or up: the `next` parameter of the page.
fn next(request: &Request) -> String {
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let pairs = query.map(|axum::extract::Query(pairs)| pairs).unwrap_or_default();
    let next = pairs.into_iter().find(|(name, _)| name == "next").map(|(_, next)| next);
    next.map_or_else(|| paths::HOME.to_owned(), |next| paths::safe(&next).to_owned())
}

fn see_other(path: &str) -> Response {
    let location =
        HeaderValue::from_str(paths::safe(path)).unwrap_or(HeaderValue::from_static(paths::HOME));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// The ends of the paths of forms below a conversation, besides [`standings::FORMS`].
const FORMS_BELOW: [&str; 1] = ["/read"];

/// The page of a form, to return to after signing in.
fn back_from(path: &str) -> &str {
    let mut forms = FORMS_BELOW.iter().chain(&standings::FORMS);
    let form = forms.find(|form| path.starts_with("/c/") && path.ends_with(**form));
    let path = form.and_then(|form| path.strip_suffix(*form)).unwrap_or(path);
    match path {
        _ if path.starts_with("/c/") || paths::invited(path).is_some() => path,
        _ if path.starts_with(paths::SETTINGS) => paths::SETTINGS,
        _ => paths::HOME,
    }
}

fn is_page(path: &str) -> bool {
    [paths::SIGN_IN, paths::SIGN_UP, paths::INVITE].contains(&path)
        || paths::invited(path).is_some()
        || path == paths::REQUESTS
        || paths::linked(path).is_some()
        || (path.starts_with("/c/") && back_from(path) == path)
}

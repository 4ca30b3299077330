//! The routes that send a browser to the sign-in provider, and the one to which it returns.
//!
//! All are links, not forms: the policy of a page with a form would also apply to the redirect to the
//! provider. The cookie of a round is the only state. A refused answer leaves the cookie, because an answer
//! that another site has made up must not end a round of this browser.

use std::sync::Arc;

use app::error::AppError;
use app::plain_forms::refused_page;
use app::response::{Done, within};
use app::{client, paths, request, response, server_fns};
use axum::Router;
use axum::extract::{Query, Request};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use chat::{ProvenIdentity, Round, Session};
use leptos::config::LeptosOptions;
use protocol::ErrorCode;

use super::log_text::error_code;
use super::{Failure, Provider};
use crate::state::AppState;

/// Mounts the routes. `provide` is the result of `request::provider`.
pub(crate) fn routes(
    provider: Arc<Provider>,
    provide: impl Fn() + Clone + Send + Sync + 'static,
    options: LeptosOptions,
) -> Router<AppState> {
    let rounds = Rounds { provider, provide, options };
    Router::new()
        .route(paths::PROVIDER_SIGN_IN, rounds.get(Rounds::sign_in))
        .route(paths::PROVIDER_LINK, rounds.get(Rounds::link))
        .route(paths::PROVIDER_CONFIRM, rounds.get(Rounds::confirm))
        .route(paths::PROVIDER_CALLBACK, rounds.get(Rounds::callback))
}

#[derive(Clone)]
struct Rounds<P> {
    provider: Arc<Provider>,
    provide: P,
    options: LeptosOptions,
}

/// The parameters of a request to one of the routes.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(parts: &Parts) -> Self {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        Self(query.map(|Query(pairs)| pairs).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl<P: Fn() + Clone + Send + Sync + 'static> Rounds<P> {
    fn get<F>(
        &self,
        handle: impl Fn(Self, Parts) -> F + Clone + Send + Sync + 'static,
    ) -> MethodRouter<AppState>
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let rounds = self.clone();
        get(move |request: Request| async move {
            let (parts, _) = request.into_parts();
            match is_visit(&parts.headers) {
                true => handle(rounds, parts).await,
                false => rounds.refuse(&parts, ErrorCode::IdentityRefused.into()).await,
            }
        })
    }

    async fn sign_in(self, parts: Parts) -> Response {
        let parameters = Parameters::of(&parts);
        let next = paths::safe(parameters.get("next").unwrap_or_default()).to_owned();
        if parts.extensions.get::<Session>().is_some() {
            return see_other(&next);
        }
        let begun = within(&parts, &self.provide, || async move {
            let (chat, from) = (request::chat()?, client::client());
            chat.begin_identity_sign_in(&next, from).await.map_err(response::fail)
        });
        let begun = begun.await;
        self.leave(&parts, begun).await
    }

    async fn link(self, parts: Parts) -> Response {
        let begun = within(&parts, &self.provide, || async move {
            let (chat, me) = (request::chat()?, request::signed_in()?);
            let permission = request::provider_cookie().unwrap_or_default();
            chat.begin_identity_link(&me, &permission).await.map_err(response::fail)
        });
        let begun = begun.await;
        self.leave(&parts, begun).await
    }

    async fn confirm(self, parts: Parts) -> Response {
        let begun = within(&parts, &self.provide, || async move {
            let (chat, me) = (request::chat()?, request::signed_in()?);
            chat.begin_identity_proof(&me).await.map_err(response::fail)
        });
        let begun = begun.await;
        self.leave(&parts, begun).await
    }

    /// Sends the browser to the provider.
    async fn leave(self, parts: &Parts, begun: Done<Round>) -> Response {
        let round = match begun.result {
            Ok(round) => round,
            Err(error) => return self.refuse(parts, error).await,
        };
        let address = match self.provider.address(&round).await {
            Ok(address) => address,
            Err(failure) => return self.fail(parts, &failure).await,
        };
        let cookie = within(parts, &self.provide, || async move {
            Ok(request::server_cookies()?.provider.issue(&round.cookie))
        });
        match (cookie.await.result, HeaderValue::from_str(address.as_str())) {
            (Ok(cookie), Ok(address)) => {
                (StatusCode::SEE_OTHER, [(LOCATION, address), (SET_COOKIE, cookie)]).into_response()
            }
            _ => self.refuse(parts, ErrorCode::Internal.into()).await,
        }
    }

    /// The browser has returned.
    async fn callback(self, parts: Parts) -> Response {
        let parameters = Parameters::of(&parts);
        let value = |name| parameters.get(name).unwrap_or_default().to_owned();
        let (state, code) = (value("state"), value("code"));
        let opened = within(&parts, &self.provide, || async move {
            let (chat, from) = (request::chat()?, client::client());
            let cookie = request::provider_cookie().unwrap_or_default();
            chat.returned_round(&cookie, &state, from).await.map_err(response::fail)
        });
        let round = match opened.await.result {
            Ok(round) => round,
            Err(error) => return self.refuse(&parts, error).await,
        };
        if let Some(error) = parameters.get("error") {
            // The user has cancelled, or the provider does not let the user in.
            let failure = Failure::Refused(error_code(error).to_owned());
            return self.fail(&parts, &failure).await;
        }
        let proven = match self.provider.prove(&round, code).await {
            Ok(proven) => proven,
            Err(failure) => return self.fail(&parts, &failure).await,
        };
        let arrived = within(&parts, &self.provide, || async move {
            let (chat, from, session) = (request::chat()?, client::client(), request::session());
            let proven = ProvenIdentity {
                subject: &proven.subject,
                username: &proven.username,
                authenticated_at: proven.authenticated_at,
            };
            let arrived = chat.finish_round(&round, proven, session.as_ref(), from).await;
            server_fns::leave_round(arrived.map_err(response::fail)?).await
        });
        let arrived = arrived.await;
        let mut answer = match arrived.result {
            Ok(path) => see_other(&path),
            Err(error) => self.refuse(&parts, error).await,
        };
        answer.headers_mut().extend(arrived.headers);
        answer
    }

    async fn fail(self, parts: &Parts, failure: &Failure) -> Response {
        tracing::warn!("{failure}");
        let code = match failure {
            Failure::Unavailable(_) => ErrorCode::ProviderUnavailable,
            Failure::Refused(_) => ErrorCode::IdentityRefused,
        };
        self.refuse(parts, code.into()).await
    }

    async fn refuse(self, parts: &Parts, error: AppError) -> Response {
        refused_page(parts, self.provide, self.options, error).await
    }
}

/// Whether a browser opens the address as a page of its own. Another website can make its visitors' browsers
/// load an address as an image or in a frame, and so use up the sign-ins of their network. Browsers without
/// these headers are let in.
fn is_visit(headers: &HeaderMap) -> bool {
    let said = |name| headers.get(name).map(HeaderValue::as_bytes);
    match said("sec-fetch-dest") {
        None | Some(b"document") => true,
        // The service worker passes a navigation on without its destination. No page can forge this mode.
        Some(b"empty") => said("sec-fetch-mode") == Some(b"navigate"),
        Some(_) => false,
    }
}

fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(paths::safe(path));
    let location = location.unwrap_or(HeaderValue::from_static(paths::HOME));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

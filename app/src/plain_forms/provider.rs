//! The plain forms and pages around the sign-in provider: the permission to link an identity, and the
//! page after the provider that asks for a code or a username.
//!
//! The pages are standalone documents without scripts, because they are seen for a moment and the
//! application need not be loaded for them. The routes to the provider itself are in `server`.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFRESH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use chat::Waiting;
use leptos::prelude::*;
use protocol::{ErrorCode, IdentityId};
use serde::Deserialize;

use super::stale::{POLICY, document};
use super::{PlainForms, see_other, two_step};
use crate::bootstrap::FormEcho;
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::response::{Done, within};
use crate::server_fns::{
    FinishTyped, finish_provider_sign_in, permit_identity_link, unlink_identity,
};
use crate::{paths, request, response};

/// Opens the link of the page by itself. A redirect cannot, because browsers apply the policy of the page
/// with the form to each redirect after the form, and that policy allows no other host.
const CONTINUE: HeaderValue = HeaderValue::from_static("0;url=/oidc/link");

#[derive(Deserialize)]
struct LinkForm {
    /// Absent for an account without a password.
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct UnlinkForm {
    id: IdentityId,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct FinishForm {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    username: Option<String>,
    /// Sent by the button that cancels the sign-in.
    #[serde(default)]
    cancel: Option<String>,
}

pub(super) fn routes<S, P>(forms: &PlainForms<P>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    P: Fn() + Clone + Send + Sync + 'static,
{
    let page = || async { see_other(paths::SETTINGS) };
    let finish = forms.clone();
    let finish = move |request: Request| finish.clone().ask_to_finish(request);
    Router::new()
        .route(paths::LINK_IDENTITY, forms.post(PlainForms::link_identity).get(page))
        .route(paths::UNLINK_IDENTITY, forms.post(PlainForms::unlink_identity).get(page))
        .route(paths::PROVIDER_FINISH, forms.post(PlainForms::finish_provider).get(finish))
}

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    async fn link_identity(self, request: Request) -> Response {
        let (parts, form) = match self.read::<LinkForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let options = self.options.clone();
        let done = within(&parts, &self.provide, || async move {
            permit_identity_link(form.password, String::new()).await?;
            Ok(continue_page(options).to_html())
        });
        match done.await {
            Done { result: Ok(html), headers, .. } => {
                let mut page =
                    ([(CONTENT_SECURITY_POLICY, POLICY), (REFRESH, CONTINUE)], Html(html))
                        .into_response();
                page.headers_mut().extend(headers);
                page
            }
            refused => {
                let to = |_: String| paths::SETTINGS.to_owned();
                self.answer(parts, refused, FormEcho::default(), to).await
            }
        }
    }

    async fn unlink_identity(self, request: Request) -> Response {
        let (parts, form) = match self.read::<UnlinkForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || {
            unlink_identity(form.id, form.password, String::new())
        })
        .await;
        self.answer(parts, done, FormEcho::default(), |_| paths::IDENTITIES.to_owned()).await
    }

    /// Shows what the sign-in waits for. The cookie keeps the sign-in, so the page can be loaded again.
    async fn ask_to_finish(self, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        self.finish_page(&parts, None, String::new()).await
    }

    async fn finish_provider(self, request: Request) -> Response {
        let (parts, form) = match self.read::<FinishForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        if form.cancel.is_some() {
            return self.cancel_provider(&parts).await;
        }
        let typed_name = form.username.clone().unwrap_or_default();
        let typed = match form {
            FinishForm { code: Some(code), .. } => FinishTyped::Code(code),
            FinishForm { username, .. } => FinishTyped::Username(username.unwrap_or_default()),
        };
        let done = within(&parts, &self.provide, || finish_provider_sign_in(typed)).await;
        let mut response = match done.result {
            Ok(next) => see_other(&next),
            Err(error) => self.finish_page(&parts, Some(error), typed_name).await,
        };
        response.headers_mut().extend(done.headers);
        response
    }

    /// Ends a sign-in that waits, so that the next user of the browser cannot finish it.
    async fn cancel_provider(self, parts: &Parts) -> Response {
        let done = within(parts, &self.provide, || async move {
            response::set_cookie(request::server_cookies()?.provider.clear());
            Ok(())
        });
        let mut response = see_other(paths::SIGN_IN);
        response.headers_mut().extend(done.await.headers);
        response
    }

    /// The page with the form, or the refusal if no sign-in waits.
    async fn finish_page(self, parts: &Parts, error: Option<AppError>, typed: String) -> Response {
        let options = self.options.clone();
        let done = within(parts, &self.provide, || async move {
            let cookie = request::provider_cookie().unwrap_or_default();
            let waiting = request::chat()?.waiting_sign_in(&cookie).map_err(response::fail)?;
            if let Some(error) = error {
                response::set_error_status(error);
            }
            Ok(finish_document(options, waiting, error, typed).to_html())
        });
        match done.await {
            Done { result: Ok(html), status, .. } => {
                let status = status.unwrap_or(StatusCode::OK);
                let policy = [(CONTENT_SECURITY_POLICY, two_step::POLICY)];
                (status, policy, Html(html)).into_response()
            }
            Done { result: Err(error), .. } => {
                let code = error.code().unwrap_or(ErrorCode::IdentityRefused);
                refused_page(parts, self.provide, self.options, code.into()).await
            }
        }
    }
}

/// Answers a refused sign-in through the provider with a sentence and a way back.
pub async fn refused_page(
    parts: &Parts,
    provide: impl Fn(),
    options: LeptosOptions,
    error: AppError,
) -> Response {
    let is_signed_in = parts.extensions.get::<chat::Session>().is_some();
    let back = if is_signed_in { paths::SETTINGS } else { paths::SIGN_IN };
    let done = within(parts, provide, || async move {
        response::set_error_status(error);
        let t = request::language().texts();
        let onwards = if is_signed_in { t.language.two_step().back_to_settings } else { t.sign_in };
        let card = view! {
            <h1 class="text-xl font-semibold" role="alert">{sentence(error)}</h1>
            <a class="button-primary mt-6 inline-flex" href=back>{onwards}</a>
        };
        Ok(document(options, "Duet".to_owned(), card.into_any()).to_html())
    })
    .await;
    let status = done.status.unwrap_or(StatusCode::FORBIDDEN);
    let html = Html(done.result.unwrap_or_default());
    let mut page = (status, [(CONTENT_SECURITY_POLICY, POLICY)], html).into_response();
    page.headers_mut().extend(done.headers);
    page
}

fn sentence(error: AppError) -> String {
    let (t, name) = (request::language().texts(), request::provider_name());
    let texts = t.language.identities();
    let sentence = match error.code() {
        Some(ErrorCode::IdentityRefused) => texts.refused,
        Some(ErrorCode::IdentityTaken) => texts.taken,
        Some(ErrorCode::TooManyIdentities) => return texts.too_many.to_owned(),
        Some(ErrorCode::ProviderUnavailable) => texts.unavailable,
        _ => return error_message(t, error),
    };
    t.fill(sentence, &name)
}

fn continue_page(options: LeptosOptions) -> impl IntoView + use<> {
    let t = request::language().texts();
    let label = t.fill(t.language.identities().continue_to, &request::provider_name());
    let card = view! {
        <a class="button-primary inline-flex" href=paths::PROVIDER_LINK>{label.clone()}</a>
    };
    document(options, format!("{label} · Duet"), card.into_any())
}

fn finish_document(
    options: LeptosOptions,
    waiting: Waiting,
    error: Option<AppError>,
    typed: String,
) -> impl IntoView + use<> {
    let t = request::language().texts();
    let (texts, two_step) = (t.language.identities(), t.language.two_step());
    let error = error.map(sentence);
    let is_wrong = error.is_some().then_some("true");
    let note = |help: &'static str| match error.clone() {
        Some(error) => {
            view! { <p class="field-error" id="note" role="alert">{error}</p> }.into_any()
        }
        None => view! { <p class="field-help" id="note">{help}</p> }.into_any(),
    };
    let (title, help, field, button) = match waiting {
        Waiting::Code => {
            let field = view! {
                <label for="code">{two_step.code}</label>
                <input
                    id="code"
                    name="code"
                    type="text"
                    autocomplete="one-time-code"
                    autocapitalize="none"
                    spellcheck="false"
                    required=true
                    autofocus=true
                    aria-invalid=is_wrong
                    aria-describedby="note"
                />
                {note(t.code_needed)}
            };
            (texts.code_title, String::new(), field.into_any(), t.sign_in)
        }
        Waiting::Username(suggested) => {
            let value = if typed.is_empty() { suggested } else { typed };
            let field = view! {
                <label for="username">{t.username}</label>
                <input
                    id="username"
                    name="username"
                    type="text"
                    value=value
                    autocomplete="username"
                    autocapitalize="none"
                    spellcheck="false"
                    required=true
                    dir="auto"
                    aria-invalid=is_wrong
                    aria-describedby="note"
                />
                {note("")}
            };
            let help = t.fill(texts.choose_help, &request::provider_name());
            (texts.choose, help, field.into_any(), texts.create)
        }
    };
    let card = view! {
        <h1 class="text-xl font-semibold">{title}</h1>
        <p class="mt-2">{help}</p>
        <form class="mt-4 flex flex-col gap-4" method="post" action=paths::PROVIDER_FINISH>
            <div class="field">{field}</div>
            <button class="button-primary" type="submit">{button}</button>
            // The second button, because the Enter key presses the first one.
            <button class="button-quiet self-start" type="submit" name="cancel" value="1" formnovalidate=true>
                {t.language.device_link().cancel}
            </button>
        </form>
    };
    document(options, format!("{title} · Duet"), card.into_any())
}

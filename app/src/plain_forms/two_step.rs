//! The plain forms of two-step sign-in. A key and recovery codes are secrets that the server cannot
//! show again, so only the response to a form contains them.
//!
//! Such a response is a standalone document without scripts, for the reason given in
//! [`super::stale`].

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use leptos::prelude::*;
use protocol::{ErrorCode, SecondFactorSetUp};
use serde::Deserialize;

use super::stale::document;
use super::{NoFields, PlainForms, see_other};
use crate::bootstrap::FormEcho;
use crate::components::settings::{grouped, recovery_code_list, recovery_file_link};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::response::{Done, within};
use crate::server_fns::{
    begin_second_factor, confirm_second_factor, renew_recovery_codes, set_up_again,
    turn_off_second_factor,
};
use crate::{paths, request};

/// Allows styles, images and forms of this origin only.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    /// Absent for an account without a password.
    #[serde(default)]
    password: String,
}

pub(super) fn routes<S, P>(forms: &PlainForms<P>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    P: Fn() + Clone + Send + Sync + 'static,
{
    let page = || async { see_other(paths::SETTINGS) };
    Router::new()
        .route(paths::BEGIN_TWO_STEP, forms.post(PlainForms::begin_two_step).get(page))
        .route(paths::CONFIRM_TWO_STEP, forms.post(PlainForms::confirm_two_step).get(page))
        .route(paths::RENEW_RECOVERY_CODES, forms.post(PlainForms::renew_codes).get(page))
        .route(paths::TURN_OFF_TWO_STEP, forms.post(PlainForms::turn_off_two_step).get(page))
}

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    async fn begin_two_step(self, request: Request) -> Response {
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let options = self.options.clone();
        let done = within(&parts, &self.provide, || async move {
            Ok(set_up_page(options, begin_second_factor().await?, None).to_html())
        });
        let done = done.await;
        self.show(parts, done).await
    }

    /// A wrong code is answered with the same key again.
    async fn confirm_two_step(self, request: Request) -> Response {
        let (parts, form) = match self.read::<CodeForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let options = self.options.clone();
        let done = within(&parts, &self.provide, || async move {
            match confirm_second_factor(form.code).await {
                Ok(codes) => Ok(codes_page(options, &codes).to_html()),
                Err(error) if error.code() == Some(ErrorCode::WrongCode) => {
                    Ok(set_up_page(options, set_up_again().await?, Some(error)).to_html())
                }
                Err(error) => Err(error),
            }
        });
        let done = done.await;
        self.show(parts, done).await
    }

    async fn renew_codes(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PasswordForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let options = self.options.clone();
        let done = within(&parts, &self.provide, || async move {
            Ok(codes_page(options, &renew_recovery_codes(form.password, String::new()).await?)
                .to_html())
        });
        let done = done.await;
        self.show(parts, done).await
    }

    async fn turn_off_two_step(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PasswordForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done =
            within(&parts, &self.provide, || turn_off_second_factor(form.password, String::new()))
                .await;
        self.answer(parts, done, FormEcho::default(), |()| paths::SETTINGS.to_owned()).await
    }

    /// Answers with a document, or with the settings page and the error.
    async fn show(self, parts: Parts, done: Done<String>) -> Response {
        match done {
            Done { result: Ok(html), status, .. } => {
                let status = status.unwrap_or(StatusCode::OK);
                (status, [(CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
            }
            refused => {
                let to = |_: String| paths::SETTINGS.to_owned();
                self.answer(parts, refused, FormEcho::default(), to).await
            }
        }
    }
}

fn set_up_page(
    options: LeptosOptions,
    set_up: SecondFactorSetUp,
    refused: Option<AppError>,
) -> impl IntoView + use<> {
    let t = request::language().texts();
    let two_step = t.language.two_step();
    let user = request::session().map(|session| session.user.id.to_string());
    let error = refused.map(|error| error_message(t, error));
    let described_by = if error.is_some() { "code-error" } else { "code-help" };
    let card = view! {
        <h1 class="text-xl font-semibold">{two_step.connect}</h1>
        <p class="mt-4">{two_step.scan}</p>
        <div class="two-step-qr mt-4" inner_html=set_up.qr></div>
        <a class="button-quiet is-edged touch-only mt-4" href=set_up.link>{two_step.open_app}</a>
        <p class="mt-4">{two_step.or_type}" "<code class="two-step-key" dir="ltr">{grouped(&set_up.secret)}</code></p>
        <form class="mt-4 flex flex-col gap-4" method="post" action=paths::CONFIRM_TWO_STEP>
            <input type="hidden" name="for" value=user />
            <div class="field">
                <label for="code">{two_step.code}</label>
                <input
                    id="code"
                    name="code"
                    type="text"
                    inputmode="numeric"
                    autocomplete="one-time-code"
                    spellcheck="false"
                    required=true
                    aria-invalid=error.is_some().then_some("true")
                    aria-describedby=described_by
                />
                {match error {
                    Some(error) => view! { <p class="field-error" id="code-error" role="alert">{error}</p> }.into_any(),
                    None => view! { <p class="field-help" id="code-help">{two_step.app_code_help}</p> }.into_any(),
                }}
            </div>
            <button class="button-primary" type="submit">{two_step.turn_on}</button>
        </form>
        <a class="button-quiet mt-4 inline-flex" href=paths::SETTINGS>{two_step.back_to_settings}</a>
    };
    document(options, format!("{} · Duet", two_step.title), card.into_any())
}

fn codes_page(options: LeptosOptions, codes: &[String]) -> impl IntoView + use<> {
    let two_step = request::language().two_step();
    let username = request::session().map(|session| session.user.username).unwrap_or_default();
    let addresses = request::addresses();
    let owner = format!("{username}, {}", addresses.split(' ').next().unwrap_or_default());
    let card = view! {
        <h1 class="text-xl font-semibold">{two_step.save_codes}</h1>
        <p class="mt-4">{two_step.save_codes_help}</p>
        <p class="print-only">{two_step.codes_of.replace("{}", &owner)}</p>
        <div class="mt-4">{recovery_code_list(codes)}</div>
        <div class="no-print mt-6 flex flex-wrap gap-3">
            {recovery_file_link(two_step, &owner, codes)}
            <a class="button-primary inline-flex" href=paths::SETTINGS>{two_step.saved_them}</a>
        </div>
    };
    document(options, format!("{} · Duet", two_step.title), card.into_any())
}

//! The plain forms of signing in another device. A link is a secret that the server cannot show again,
//! so only the response to the form that makes it contains the link.
//!
//! That response is a standalone document without scripts, for the reason given in [`super::stale`].

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use leptos::prelude::*;
use protocol::DeviceLink;
use serde::Deserialize;

use super::stale::{POLICY, document};
use super::{NoFields, PlainForms, see_other};
use crate::bootstrap::FormEcho;
use crate::response::{Done, within};
use crate::server_fns::{create_device_link, sign_in_by_link};
use crate::{paths, request};

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
    let page = || async { see_other(paths::DEVICES) };
    Router::new()
        .route(paths::CREATE_DEVICE_LINK, forms.post(PlainForms::create_device_link).get(page))
        .route("/link/{token}", forms.post_with_path(PlainForms::sign_in_by_link))
}

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    async fn create_device_link(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PasswordForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let options = self.options.clone();
        let done = within(&parts, &self.provide, || async move {
            Ok(page(options, create_device_link(form.password, String::new()).await?).to_html())
        });
        match done.await {
            Done { result: Ok(html), .. } => {
                ([(CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
            }
            refused => {
                let to = |_: String| paths::SETTINGS.to_owned();
                self.answer(parts, refused, FormEcho::default(), to).await
            }
        }
    }

    async fn sign_in_by_link(self, token: String, request: Request) -> Response {
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || sign_in_by_link(token)).await;
        self.answer(parts, done, FormEcho::default(), |()| paths::HOME.to_owned()).await
    }
}

fn page(options: LeptosOptions, made: DeviceLink) -> impl IntoView + use<> {
    let t = request::language().device_link();
    let back = request::language().two_step().back_to_settings;
    let card = view! {
        <h1 class="text-xl font-semibold">{t.sign_in_another}</h1>
        <p class="mt-2">{t.scan}</p>
        <div class="invitation mt-4">
            <div class="two-step-qr" inner_html=made.qr></div>
            <input class="invitation-link" readonly=true dir="ltr" value=made.link aria-label=t.link />
            <p class="text-sm text-muted">{t.valid_plain}</p>
        </div>
        <a class="button-quiet mt-4 inline-flex" href=paths::DEVICES>{back}</a>
    };
    document(options, format!("{} · Duet", t.sign_in_another), card.into_any())
}

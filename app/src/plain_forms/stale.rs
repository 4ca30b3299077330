//! The response to a plain form whose page is out of date: the user has been signed out, or another
//! user has signed in in the same browser.
//!
//! The response shows nothing of the user who is signed in now. Of the earlier user it shows only
//! the text of this form, which would be lost otherwise. It is a standalone document without
//! scripts, because hydration would expect the application's page at this address.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use leptos::prelude::*;
use leptos_meta::HashedStylesheet;
use protocol::ErrorCode;

use super::{PlainForms, back_from};
use crate::components::escaped;
use crate::error_messages::error_message;
use crate::request;
use crate::response::{self, within};
use crate::{paths, preferences};

/// Allows styles and images of this origin only.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    /// Shows the reason and the text, with a link: to the sign-in page, which leads back, or to the
    /// pages of the user who is signed in now.
    pub(super) async fn stale(
        &self,
        parts: &Parts,
        why: ErrorCode,
        text: Option<String>,
    ) -> Response {
        let options = self.options.clone();
        let way = match why {
            ErrorCode::OtherPerson => paths::HOME.to_owned(),
            _ => paths::sign_in_then(back_from(parts.uri.path())),
        };
        let page =
            within(
                parts,
                &self.provide,
                || async move { Ok(page(options, why, text, way).to_html()) },
            );
        let html = Html(page.await.result.unwrap_or_default());
        (response::status(why), [(CONTENT_SECURITY_POLICY, POLICY)], html).into_response()
    }
}

fn page(
    options: LeptosOptions,
    why: ErrorCode,
    text: Option<String>,
    way: String,
) -> impl IntoView {
    let t = request::language().texts();
    let onwards = match why {
        ErrorCode::OtherPerson => t.go_to_conversations,
        _ => t.sign_in_again,
    };
    let sentence = error_message(t, why.into());
    let card = view! {
            <h1 class="text-xl font-semibold" role="alert">{sentence}</h1>
            {text.map(|text| view! {
                <p class="mt-4">{t.not_sent_here}</p>
                <textarea
                    class="mt-2 w-full rounded-xl border p-3"
                    rows="6"
                    readonly=true
                    dir="auto"
                    aria-label=t.message
                    inner_html=escaped(&text)
                ></textarea>
            })}
            <a class="button-primary mt-6 inline-flex" href=way>{onwards}</a>
    };
    document(options, "Duet".to_owned(), card.into_any())
}

/// The document around the card of a plain response: a style sheet and no scripts.
pub(super) fn document(options: LeptosOptions, title: String, card: AnyView) -> impl IntoView {
    let (preferences, language) = (request::preferences(), request::language());
    view! {
        <!DOCTYPE html>
        <html
            lang=language.tag()
            dir=language.direction()
            data-theme=preferences.theme.map(preferences::Theme::name)
        >
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>{title}</title>
                <HashedStylesheet options=options />
            </head>
            <body>
                <main class="card-page">
                    <div class="card">{card}</div>
                </main>
            </body>
        </html>
    }
}

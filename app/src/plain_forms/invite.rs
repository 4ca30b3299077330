//! The response to the plain form that creates an invitation. The link is a secret that the server
//! cannot show again, so only this response contains the link.
//!
//! The response is a standalone document without scripts, for the reason given in [`super::stale`].

use axum::extract::Request;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use leptos::prelude::*;
use protocol::Invitation;

use super::stale::{POLICY, document};
use super::{NoFields, PlainForms};
use crate::bootstrap::FormEcho;
use crate::components::QrCode;
use crate::request;
use crate::response::{Done, within};
use crate::server_fns::create_invitation;
use crate::{paths, time};

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    pub(super) async fn invite(self, request: Request) -> Response {
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let options = self.options.clone();
        let done = within(&parts, &self.provide, || async move {
            let made = create_invitation().await?;
            Ok(page(options, &made).to_html())
        });
        match done.await {
            Done { result: Ok(html), .. } => {
                ([(CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
            }
            refused => {
                let echo = FormEcho::default();
                self.answer(parts, refused, echo, |_: String| paths::INVITE.to_owned()).await
            }
        }
    }
}

fn page(options: LeptosOptions, made: &Invitation) -> impl IntoView + use<> {
    let t = request::language().texts();
    let origin = request::addresses().split(' ').next().unwrap_or_default().to_owned();
    let address = origin + &paths::invitation(&made.token);
    let until = time::moment(t, made.expires_at, request::time_context());
    let card = view! {
            <h1 class="text-xl font-semibold">{t.invite}</h1>
            <p class="mt-2 text-muted">{t.account().invite_help}</p>
            <div class="invitation mt-4">
                <input class="invitation-link" readonly=true dir="ltr" value=address.clone() aria-label=t.account().invitation_link />
                <p class="text-sm text-muted">{t.account().valid_until.replace("{}", &until)}</p>
                <p class="text-muted">{t.account().or_scan}</p>
                <QrCode text=address label=t.qr_code />
            </div>
            <a class="button-primary mt-6 inline-flex" href=paths::HOME>{t.go_to_conversations}</a>
    };
    document(options, format!("{} · Duet", t.invite), card.into_any())
}

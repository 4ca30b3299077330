//! The plain forms of the settings page. Each has an address below the page's. A successful form
//! and a GET request of its address both redirect to the page.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use protocol::{PasskeyId, SessionId};
use serde::Deserialize;

use super::{NoFields, PlainForms, see_other};
use crate::bootstrap::FormEcho;
use crate::paths;
use crate::preferences::Preferences;
use crate::request;
use crate::response::{self, within};
use crate::server_fns::{
    change_password, delete_account, end_other_sessions, end_session, remove_passkey,
    rename_passkey, set_display_name, set_privacy,
};

#[derive(Deserialize)]
struct NameForm {
    #[serde(default)]
    display_name: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    /// Absent for an account without a password.
    #[serde(default)]
    current: String,
    new: String,
    #[serde(default)]
    withdraw_invitations: bool,
    /// Tells password managers which account the password belongs to.
    #[serde(rename = "username", default)]
    _username: String,
}

#[derive(Deserialize)]
struct DeletionForm {
    /// Absent for an account without a password.
    #[serde(default)]
    password: String,
}

/// Browsers omit unchecked boxes; checked ones send `true`.
#[derive(Deserialize)]
struct PrivacyForm {
    #[serde(default)]
    receipts: bool,
    #[serde(default)]
    last_seen: bool,
}

#[derive(Deserialize)]
struct PreferencesForm {
    #[serde(default)]
    theme: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    hours: String,
}

#[derive(Deserialize)]
struct SessionForm {
    id: SessionId,
}

#[derive(Deserialize)]
struct PasskeyNameForm {
    id: PasskeyId,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct PasskeyForm {
    id: PasskeyId,
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
        .route(paths::SET_NAME, forms.post(PlainForms::set_name).get(page))
        .route(paths::SET_PASSWORD, forms.post(PlainForms::set_password).get(page))
        .route(paths::SET_PRIVACY, forms.post(PlainForms::set_privacy).get(page))
        .route(paths::END_SESSION, forms.post(PlainForms::end_session).get(page))
        .route(paths::END_OTHER_SESSIONS, forms.post(PlainForms::end_other_sessions).get(page))
        .route(paths::SET_PREFERENCES, forms.post(PlainForms::set_preferences).get(page))
        .route(paths::RENAME_PASSKEY, forms.post(PlainForms::rename_passkey).get(page))
        .route(paths::REMOVE_PASSKEY, forms.post(PlainForms::remove_passkey).get(page))
        .route(paths::DELETE_ACCOUNT, forms.post(PlainForms::delete).get(page))
}

fn back<T>(_: T) -> String {
    paths::SETTINGS.to_owned()
}

impl<P: Fn() + Clone + Send + Sync + 'static> PlainForms<P> {
    async fn set_name(self, request: Request) -> Response {
        let (parts, form) = match self.read::<NameForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let echo = FormEcho { display_name: form.display_name.clone(), ..FormEcho::default() };
        let done = within(&parts, &self.provide, || set_display_name(form.display_name)).await;
        self.answer(parts, done, echo, back).await
    }

    async fn set_password(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PasswordForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || {
            change_password(form.current, form.new, form.withdraw_invitations, String::new())
        })
        .await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    async fn set_privacy(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PrivacyForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done =
            within(&parts, &self.provide, || set_privacy(form.receipts, form.last_seen)).await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    /// Stores the settings in a cookie only; the server keeps no copy.
    async fn set_preferences(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PreferencesForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let preferences = Preferences::parse(&[form.theme, form.language, form.hours].join("."));
        let done = within(&parts, &self.provide, || async move {
            let secure = request::session_cookie()?.secure;
            if let Ok(cookie) = HeaderValue::try_from(preferences.cookie(secure)) {
                response::set_cookie(cookie);
            }
            Ok(())
        })
        .await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    async fn end_session(self, request: Request) -> Response {
        let (parts, form) = match self.read::<SessionForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || end_session(form.id)).await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    async fn end_other_sessions(self, request: Request) -> Response {
        let (parts, NoFields {}) = match self.read(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, end_other_sessions).await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    async fn rename_passkey(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PasskeyNameForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done = within(&parts, &self.provide, || rename_passkey(form.id, form.name)).await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    /// Takes the password alone, because an authenticator needs scripts.
    async fn remove_passkey(self, request: Request) -> Response {
        let (parts, form) = match self.read::<PasskeyForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let done =
            within(&parts, &self.provide, || remove_passkey(form.id, form.password, String::new()))
                .await;
        self.answer(parts, done, FormEcho::default(), back).await
    }

    async fn delete(self, request: Request) -> Response {
        let (parts, form) = match self.read::<DeletionForm>(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let me = parts.extensions.get::<chat::Session>().map(|session| session.user.id);
        let done =
            within(&parts, &self.provide, || delete_account(form.password, String::new())).await;
        let gone = me.filter(|_| done.result.is_ok());
        let mut response =
            self.answer(parts, done, FormEcho::default(), |()| paths::SIGN_IN.to_owned()).await;
        if let Some(gone) = gone {
            // The script of the next page (`page.js`) deletes the user's local data.
            let cookie = format!("duet-forget={gone}; Path=/; Max-Age=600; SameSite=Lax");
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        response
    }
}

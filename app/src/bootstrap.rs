//! The context that a page is rendered with, for the server and the browser: the user, the
//! language, the preferences.
//!
//! It is embedded in the page. The user of a page never changes: signing in or out loads a new
//! page, so no data of one user remains in memory for another.

use leptos::prelude::*;
use protocol::{ClientId, User};
use serde::{Deserialize, Serialize};

use crate::browser::provide_time_context;
use crate::error::AppError;
use crate::json::Json;
use crate::language::Language;
use crate::preferences::Preferences;

/// Content of a refused form, to be shown again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormEcho {
    /// The reason of the refusal.
    pub error: Option<AppError>,
    /// The content of "Username".
    pub username: String,
    /// Free usernames if that one is taken, separated by spaces.
    pub free: String,
    /// The content of "Your name".
    pub display_name: String,
    /// The composer's text and its client id.
    pub message: Option<(ClientId, String)>,
}

/// The context of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The user of this page.
    pub me: Option<User>,
    /// Whether an account can be created without an invitation.
    pub registration_open: bool,
    /// Whether an account can be created with an invitation, and users can invite.
    pub invitations_open: bool,
    /// Whether the pages for signed-out users offer passkeys.
    pub passkeys: bool,
    /// Whether an account can be created with a passkey and without a password.
    pub passkey_sign_up: bool,
    /// The name of the sign-in provider. Empty if there is none, and for signed-in users.
    pub provider: String,
    /// The operator of this server, if configured. Empty for signed-in users.
    pub run_by: String,
    /// The operator's welcome text. Empty for signed-in users.
    pub welcome: String,
    /// The user's display preferences.
    pub preferences: Preferences,
    /// The language of this page: the user's choice, else the best match for the browser.
    pub language: Language,
    /// The serialised [`crate::time::TimeContext`]; empty once it is provided as a context.
    pub times: String,
    /// The refused form, if there is one.
    pub echo: FormEcho,
    /// A client id for the one message that this page's plain form can send.
    pub client_id: ClientId,
}

/// Takes the context from the request on the server, or from the page in the browser, and provides
/// it.
pub fn provide() -> Bootstrap {
    #[cfg(feature = "ssr")]
    provide_context(crate::request::time_context());
    let mut bootstrap = SharedValue::<_, Json>::new_with_encoding(read).into_inner();
    provide_time_context(std::mem::take(&mut bootstrap.times));
    provide_context(bootstrap.language);
    provide_context(bootstrap.clone());
    bootstrap
}

/// Returns the context of this page.
pub fn use_bootstrap() -> Bootstrap {
    use_context::<Bootstrap>().unwrap_or_default()
}

#[cfg(feature = "ssr")]
fn read() -> Bootstrap {
    let language = crate::request::language();
    language.foretell();
    let me = crate::request::session().map(|session| session.user);
    // Signed-in users need no greeting; the invitation page shows enough.
    let (run_by, welcome) = match me {
        None => crate::request::greeting(),
        Some(_) => (String::new(), String::new()),
    };
    let provider = if me.is_none() { crate::request::provider_name() } else { String::new() };
    Bootstrap {
        me,
        registration_open: crate::request::registration_open(),
        invitations_open: crate::request::invitations_open(),
        passkeys: crate::request::passkey_support() == protocol::PasskeySupport::Works,
        passkey_sign_up: crate::request::passkey_sign_up_open(),
        provider,
        run_by,
        welcome,
        preferences: crate::request::preferences(),
        language,
        times: use_context::<crate::time::TimeContext>().unwrap_or_default().sent(),
        echo: use_context::<FormEcho>().unwrap_or_default(),
        client_id: ClientId::new(),
    }
}

#[cfg(not(feature = "ssr"))]
fn read() -> Bootstrap {
    Bootstrap::default()
}

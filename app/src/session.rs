//! What the server knows at rendering and the browser must know too: whose page this is.
//!
//! It travels inside the page. The person of a page never changes: signing in and out load a new
//! page, so that nothing of one person's memory can reach another's.

use leptos::prelude::*;
use protocol::{ClientId, User};
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::json::Json;
use crate::language::Language;
use crate::look::Look;

/// What a form held when it was refused, to be shown again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormEcho {
    /// Why it was refused.
    pub error: Option<AppError>,
    /// What stood in "Username".
    pub username: String,
    /// Usernames that are free where that one is taken, separated by blanks.
    pub free: String,
    /// What stood in "Your name".
    pub display_name: String,
    /// What stood in the composer, with the id it was to be sent with.
    pub message: Option<(ClientId, String)>,
}

/// What a page is rendered with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose page this is.
    pub me: Option<User>,
    /// Whether strangers may create an account without an invitation.
    pub registration_open: bool,
    /// Whether an account may be created with an invitation, and so whether one can be made.
    pub invitations_open: bool,
    /// Who runs this Duet, on pages of those who are not signed in, and where somebody says so.
    pub run_by: String,
    /// What they are told as a welcome.
    pub welcome: String,
    /// How they want the page to look.
    pub look: Look,
    /// The language of this page: the one they chose, else the best of the browser's.
    pub language: Language,
    /// By what times are written ([`crate::time::Local`]), until it is provided as a context.
    pub times: String,
    /// A form that was refused.
    pub echo: FormEcho,
    /// An id for the one message that the plain composer of this page can send.
    pub client_id: ClientId,
}

/// Reads it from the request on the server, from the page in the browser; provides it to all pages.
pub fn provide() -> Session {
    #[cfg(feature = "ssr")]
    provide_context(crate::context::local());
    let mut session = SharedValue::<_, Json>::new_with_encoding(read).into_inner();
    let times = std::mem::take(&mut session.times);
    #[cfg(feature = "hydrate")]
    provide_context(crate::time::Local::received(times));
    // The server has what it sends.
    #[cfg(not(feature = "hydrate"))]
    drop(times);
    provide_context(session.language);
    provide_context(session.clone());
    session
}

/// What this page was rendered with.
pub fn use_session() -> Session {
    use_context::<Session>().unwrap_or_default()
}

#[cfg(feature = "ssr")]
fn read() -> Session {
    let language = crate::context::language();
    language.foretell();
    let me = crate::context::session().map(|session| session.user);
    // An invitation is shown to those who are here already as well, and says enough to them.
    let (run_by, welcome) = match me {
        None => crate::context::greeting(),
        Some(_) => (String::new(), String::new()),
    };
    Session {
        me,
        registration_open: crate::context::registration_open(),
        invitations_open: crate::context::invitations_open(),
        run_by,
        welcome,
        look: crate::context::look(),
        language,
        times: use_context::<crate::time::Local>().unwrap_or_default().sent(),
        echo: use_context::<FormEcho>().unwrap_or_default(),
        client_id: ClientId::new(),
    }
}

#[cfg(not(feature = "ssr"))]
fn read() -> Session {
    Session::default()
}

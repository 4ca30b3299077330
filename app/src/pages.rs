//! The pages, one file per route.

mod chat_shell;
mod conversation;
mod invite;
mod invited;
pub mod lazy_pages;
mod linked;
mod not_found;
mod passkey_sign_in;
mod passkey_sign_up;
mod person;
mod requests;
mod settings;
mod sign_in;
mod sign_up;
mod welcome;

pub use chat_shell::ChatShell;
pub use conversation::ConversationPage;
use invite::InvitePage;
use invited::Invited;
use linked::Linked;
pub use not_found::NotFound;
use person::PersonPage;
use requests::RequestsPage;
use settings::SettingsPage;
use sign_in::{SignIn, leave_for};
use sign_up::SignUp;
pub use welcome::Welcome;

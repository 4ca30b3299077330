//! One route, one file.

mod chat_shell;
mod conversation;
mod invite;
mod invited;
mod not_found;
mod settings;
mod sign_in;
mod sign_up;
mod welcome;

pub use chat_shell::ChatShell;
pub use conversation::ConversationPage;
pub use invite::InvitePage;
pub use invited::Invited;
pub use not_found::NotFound;
pub use settings::SettingsPage;
pub use sign_in::SignIn;
use sign_in::leave_for;
pub use sign_up::SignUp;
pub use welcome::Welcome;

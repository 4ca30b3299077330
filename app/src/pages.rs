//! One route, one file.

mod chat_shell;
mod conversation;
mod not_found;
mod settings;
mod sign_in;
mod sign_up;
mod welcome;

pub use chat_shell::ChatShell;
pub use conversation::ConversationPage;
pub use not_found::NotFound;
pub use settings::SettingsPage;
pub use sign_in::SignIn;
pub use sign_up::SignUp;
pub use welcome::Welcome;

//! The user's notification settings in this browser, and the browser's permission. The browser's
//! `stored_choices` reads and changes them.

/// The user's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Show notifications; `None` until the user decides.
    pub notices: Option<bool>,
    /// Show the message text in notifications.
    pub text: bool,
    /// Play a sound.
    pub sound: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self { notices: None, text: true, sound: true }
    }
}

/// The browser's permission for notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// The browser prompts the user first.
    #[default]
    Asks,
    Granted,
    /// Notifications are blocked until the user changes the browser's own settings.
    Denied,
    /// The browser does not support notifications.
    Missing,
}

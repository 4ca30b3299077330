//! Searches users that the page holds, by the same rules as the server's search.

use protocol::User;
use protocol::words::{is_found, words_asked, words_of};

use super::browser::folded;

/// A search query for users.
#[derive(Default)]
pub struct UserQuery(Vec<String>);

impl UserQuery {
    /// Splits the typed text into words.
    pub fn new(typed: &str) -> Self {
        Self(words_asked(&folded(typed)))
    }

    /// Returns whether the query matches this user by either name.
    pub fn finds(&self, user: &User) -> bool {
        let mut words = words_of(&folded(&user.display_name));
        words.extend(words_of(&folded(&user.username)));
        !self.0.is_empty() && is_found(&words, &self.0)
    }
}

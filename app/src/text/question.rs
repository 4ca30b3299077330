//! Looks through people that the page holds in the way in which the server looks through all.

use protocol::User;
use protocol::words::{is_found, words_asked, words_of};

use super::browser::folded;

/// What somebody has typed to find a person.
#[derive(Default)]
pub struct Question(Vec<String>);

impl Question {
    /// Takes it apart.
    pub fn new(typed: &str) -> Self {
        Self(words_asked(&folded(typed)))
    }

    /// Whether it means this person, by either name.
    pub fn finds(&self, user: &User) -> bool {
        let mut words = words_of(&folded(&user.display_name));
        words.extend(words_of(&folded(&user.username)));
        !self.0.is_empty() && is_found(&words, &self.0)
    }
}

//! The results of a search, as the server sends them to a client.

use serde::{Deserialize, Serialize};

use crate::{ConversationId, Person};

/// The results of a search. No user appears twice, and the searching user never appears.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResults {
    /// The user's own conversations whose peer matches, the most recently active first.
    pub conversations: Vec<FoundConversation>,
    /// Other matching users, ordered by name; an exact username match comes first.
    pub people: Vec<Person>,
    /// Whether the searching user's own name matches.
    pub yourself: bool,
    /// Number of matches regardless of the requested limit, without the searching user; counted up
    /// to [`crate::limits::MOST_FOUND`] of each kind plus one.
    pub total: u32,
}

/// A conversation whose peer matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundConversation {
    /// The conversation's id.
    pub id: ConversationId,
    /// The other user.
    pub peer: Person,
}

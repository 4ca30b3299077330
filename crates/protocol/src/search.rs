//! What a search finds.

use serde::{Deserialize, Serialize};

use crate::{ConversationId, Person};

/// What a search found. Nobody is in it twice, and oneself is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResults {
    /// One's own conversations whose peer was found, the last active first.
    pub conversations: Vec<FoundConversation>,
    /// Others, by name; the one of exactly this username first.
    pub people: Vec<Person>,
    /// Whether oneself has such a name.
    pub yourself: bool,
    /// How many there are in all, without oneself, whatever was asked for; counted up to
    /// [`crate::limits::MOST_FOUND`] of each kind and one more.
    pub total: u32,
}

/// A conversation that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundConversation {
    /// Which.
    pub id: ConversationId,
    /// With whom.
    pub peer: Person,
}

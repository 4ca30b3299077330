//! The part of the store for the search of people: its trait, results and bounds. Called by
//! [`crate::people`] and, for the peers to notify, by [`crate::presence`] and [`crate::settings`].

use async_trait::async_trait;
use protocol::limits::MOST_FOUND;
use protocol::{ConversationId, Timestamp, User, UserId};

use super::Result;

/// The users whom a user can find.
#[async_trait]
pub trait PersonStore: Send + Sync + 'static {
    /// The listed conversations of `me` whose peer's names contain all of these words, most
    /// recently active first.
    async fn peers_by_words(
        &self,
        me: UserId,
        words: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>>;

    /// Users whose names contain all of these words, except `me` and the peers that
    /// [`Self::peers_by_words`] finds. The user with exactly this folded username comes first, then
    /// all others by name. The caller puts the rarest word first.
    async fn others_by_words(
        &self,
        me: UserId,
        words: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>>;

    /// The user with exactly this folded username, unless the user is `me`.
    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>>;

    /// The peers of `me`'s listed conversations, most recently active first.
    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>>;

    /// All users who share a conversation with `me`, even an empty one, most recently active first.
    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// Those of [`Self::peers`] who may see the presence of `me`: both have spoken, both show it, and
    /// neither has blocked the other.
    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>>;

    /// The first `limit` users by display name, except `me`.
    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>>;
}

/// Upper bound of index entries that a search with several words visits: the user's own
/// conversations, and the names with the rarest word.
pub(super) const VISITED: usize = 5_000;
/// The bound for a single word, where every entry visited is a match. Larger than [`MOST_FOUND`],
/// because several words of one user may share a prefix.
const VISITED_OF_ONE: usize = 4 * MOST_FOUND;

/// How many entries of the word index a search for these words visits.
pub(super) fn visited(words: &[String]) -> usize {
    if words.len() > 1 { VISITED } else { VISITED_OF_ONE }
}

/// A user found by a search, as the searching user may see them.
pub struct Found {
    /// The found user.
    pub user: User,
    /// The time when the user was last seen; `None` if unknown or hidden.
    pub last_seen: Option<Timestamp>,
    /// Whether the searching user may see whether the found user is online.
    pub shows_presence: bool,
}

/// The first results of a search, and the number of all results as far as the search counts.
pub struct Counted<T> {
    /// The first results.
    pub first: Vec<T>,
    /// The number of results. May be a lower bound.
    pub total: usize,
}

impl<T> Counted<T> {
    /// A search without results.
    pub(crate) fn none() -> Self {
        Self::all(Vec::new())
    }

    /// A search whose results are all in `first`.
    pub(crate) fn all(first: Vec<T>) -> Self {
        Self { total: first.len(), first }
    }
}

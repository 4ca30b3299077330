//! The search for users: by the words of their names, by their exact username, and the first
//! suggestions of an empty search.
//!
//! A closed directory must not disclose users: then only peers and an exact username are found.
//! Presence is shown only where both users share it. `app` calls these methods for the search field
//! and its page.

use std::collections::HashSet;

use protocol::limits::{MAX_QUERY_BYTES, MOST_FOUND, PAGE_PEOPLE};
use protocol::words::is_found;
use protocol::{ConversationId, FoundConversation, Person, Presence, SearchResults, User, UserId};

use crate::Chat;
use crate::accounts::fold;
use crate::error::Result;
use crate::finding;
use crate::store::{Counted, Found};

impl Chat {
    /// Returns the results of [`Self::search`] as one list of at most [`PAGE_PEOPLE`]. For an empty
    /// query: the most recent peers, then other users.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn find_people(&self, me: UserId, typed: &str) -> Result<Vec<Person>> {
        let found = self.find(me, typed, PAGE_PEOPLE).await?;
        let peers = found.conversations.into_iter().map(|conversation| conversation.peer);
        Ok(peers.chain(found.people).take(PAGE_PEOPLE).collect())
    }

    /// Returns the user's conversations and the other users that match a query: each word of the
    /// query is a prefix of a word in one of their names (see [`protocol::words`]). Each list has
    /// at most `limit` entries and never contains the user. A query longer than [`MAX_QUERY_BYTES`]
    /// finds nobody. An empty query returns the most recent
    /// peers, then other users, in `people`. With a closed directory, only an exact username finds
    /// a user who is not a peer.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn search(&self, me: &User, typed: &str, limit: usize) -> Result<SearchResults> {
        let found = self.find(me.id, typed, limit).await?;
        if typed.len() > MAX_QUERY_BYTES {
            return Ok(found);
        }
        let query_words = finding::query_words(typed);
        let own = finding::of_person(&me.username, &me.display_name);
        Ok(SearchResults {
            yourself: !query_words.is_empty() && is_found(&own, &query_words),
            ..found
        })
    }

    async fn find(&self, me: UserId, typed: &str, limit: usize) -> Result<SearchResults> {
        self.throttle().search(me).await?;
        let typed = typed.trim();
        let limit = limit.min(MOST_FOUND);
        let (peers, others) = if typed.is_empty() {
            (Counted::none(), self.to_begin_with(me, limit).await?)
        } else if typed.len() > MAX_QUERY_BYTES {
            (Counted::none(), Counted::none())
        } else {
            self.by_words(me, typed, limit).await?
        };
        let all = peers.first.iter().map(|(_, found)| found).chain(&others.first);
        let shown = all.filter(|one| one.shows_presence).map(|one| one.user.id);
        let present = self.presence().present(&shown.collect::<Vec<_>>()).await;
        let total = peers.total + others.total.min(MOST_FOUND + 1);
        let conversations = peers
            .first
            .into_iter()
            .map(|(id, found)| FoundConversation { id, peer: person(found, &present) });
        Ok(SearchResults {
            conversations: conversations.collect(),
            people: others.first.into_iter().map(|one| person(one, &present)).collect(),
            yourself: false,
            total: u32::try_from(total).unwrap_or(u32::MAX),
        })
    }

    async fn by_words(
        &self,
        me: UserId,
        typed: &str,
        limit: usize,
    ) -> Result<(Counted<(ConversationId, Found)>, Counted<Found>)> {
        let query_words = finding::query_words(typed);
        let key = fold(typed);
        let key = key.trim_start_matches('@');
        if query_words.is_empty() {
            return Ok((Counted::none(), Counted::none()));
        }
        let peers = self.store().peers_by_words(me, &query_words, limit).await?;
        let others = if self.config().directory_open {
            self.store().others_by_words(me, &query_words, key, limit).await?
        } else {
            let named = self.store().person_by_username(me, key).await?;
            let is_new = |one: &Found| peers.first.iter().all(|(_, it)| it.user.id != one.user.id);
            Counted::all(named.into_iter().filter(is_new).collect())
        };
        Ok((peers, others))
    }

    async fn to_begin_with(&self, me: UserId, limit: usize) -> Result<Counted<Found>> {
        let mut people = self.store().recent_peers(me, limit).await?;
        if self.config().directory_open && people.len() < limit {
            // The directory may repeat every peer found, so as many more are fetched.
            let others = self.store().directory(me, limit + people.len()).await?;
            for other in others {
                if !people.iter().any(|known| known.user.id == other.user.id) {
                    people.push(other);
                }
            }
            people.truncate(limit);
        }
        Ok(Counted::all(people))
    }
}

fn person(found: Found, present: &HashSet<UserId>) -> Person {
    // `last_seen` is set only if the user may see it.
    let online = found.shows_presence && present.contains(&found.user.id);
    Person { user: found.user, presence: Presence { online, last_seen: found.last_seen } }
}

//! Finding people to talk with.

use std::collections::HashSet;

use protocol::limits::{MOST_FOUND, PAGE_PEOPLE};
use protocol::words::is_found;
use protocol::{ConversationId, FoundConversation, Person, Presence, SearchResults, User, UserId};

use crate::Chat;
use crate::accounts::fold;
use crate::error::Result;
use crate::finding;
use crate::store::{Counted, Found};

impl Chat {
    /// Those of [`Self::search`] in one list, at most [`PAGE_PEOPLE`]. With nothing typed: those one
    /// has talked with last, then others.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn find_people(&self, me: UserId, typed: &str) -> Result<Vec<Person>> {
        let found = self.find(me, typed, PAGE_PEOPLE).await?;
        let peers = found.conversations.into_iter().map(|conversation| conversation.peer);
        Ok(peers.chain(found.people).take(PAGE_PEOPLE).collect())
    }

    /// One's conversations, and other people, who have each word of what was typed in one of their
    /// names, at its beginning (see [`protocol::words`]); of each at most `limit`, never oneself. With
    /// nothing typed: those one has talked with last, then others, as people. With a closed
    /// directory others are the one whose whole username was typed.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn search(&self, me: &User, typed: &str, limit: usize) -> Result<SearchResults> {
        let found = self.find(me.id, typed, limit).await?;
        let asked = finding::asked(typed);
        let own = finding::of_person(&me.username, &me.display_name);
        Ok(SearchResults { yourself: !asked.is_empty() && is_found(&own, &asked), ..found })
    }

    async fn find(&self, me: UserId, typed: &str, limit: usize) -> Result<SearchResults> {
        self.throttle().search(me).await?;
        let typed = typed.trim();
        let limit = limit.min(MOST_FOUND);
        let (peers, others) = if typed.is_empty() {
            (Counted::none(), self.to_begin_with(me, limit).await?)
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
        let asked = finding::asked(typed);
        let key = fold(typed);
        let key = key.trim_start_matches('@');
        if asked.is_empty() {
            return Ok((Counted::none(), Counted::none()));
        }
        let peers = self.store().peers_by_words(me, &asked, limit).await?;
        let others = if self.config().directory_open {
            self.store().others_by_words(me, &asked, key, limit).await?
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
            // As many more as may be doubles.
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
    // The store tells when they were last seen to those alone who may see it.
    let online = found.shows_presence && present.contains(&found.user.id);
    Person { user: found.user, presence: Presence { online, last_seen: found.last_seen } }
}

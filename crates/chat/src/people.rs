//! Finding people to talk with.

use std::collections::HashSet;

use protocol::limits::PAGE_PEOPLE;
use protocol::{Person, Presence, UserId};

use crate::Chat;
use crate::accounts::fold;
use crate::error::Result;
use crate::store::Found;

impl Chat {
    /// People whose username or display name starts with what was typed, at most
    /// [`PAGE_PEOPLE`], never oneself. With nothing typed: those one has talked with last, then
    /// others. With a closed directory: those one has talked with, or the one whose whole username
    /// was typed.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn find_people(&self, me: UserId, typed: &str) -> Result<Vec<Person>> {
        self.throttle().search(me).await?;
        let prefix = fold(typed.trim());
        let prefix = prefix.trim_start_matches('@');
        let found = match (prefix.is_empty(), self.config().directory_open) {
            (false, true) => self.store().people_by_prefix(me, prefix, PAGE_PEOPLE).await?,
            (false, false) => {
                self.store().person_by_username(me, prefix).await?.into_iter().collect()
            }
            (true, open) => {
                let mut people = self.store().recent_peers(me, PAGE_PEOPLE).await?;
                if open && people.len() < PAGE_PEOPLE {
                    // As many more as may be doubles.
                    let others = self.store().directory(me, PAGE_PEOPLE + people.len()).await?;
                    for other in others {
                        if !people.iter().any(|known| known.user.id == other.user.id) {
                            people.push(other);
                        }
                    }
                    people.truncate(PAGE_PEOPLE);
                }
                people
            }
        };
        let shown = found.iter().filter(|one| one.shows_presence).map(|one| one.user.id);
        let present = self.presence().present(&shown.collect::<Vec<_>>()).await;
        Ok(found.into_iter().map(|one| person(one, &present)).collect())
    }
}

fn person(found: Found, present: &HashSet<UserId>) -> Person {
    // The store tells when they were last seen to those alone who may see it.
    let online = found.shows_presence && present.contains(&found.user.id);
    Person { user: found.user, presence: Presence { online, last_seen: found.last_seen } }
}

//! Finding people to talk with.

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
        self.throttle().search(me)?;
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
        Ok(found.into_iter().map(|one| self.person(one)).collect())
    }

    fn person(&self, Found { user, last_seen, shows_presence }: Found) -> Person {
        let presence = if shows_presence {
            self.presence().of(user.id, last_seen)
        } else {
            Presence::default()
        };
        Person { user, presence }
    }
}

//! The users whose last connection has ended lately, and the end of each one's grace period.
//!
//! One entry for each user, however often the user comes and goes, so the size is bounded by the
//! number of accounts, and not by the rate of handshakes. Beyond [`Graces::most`] the oldest grace
//! period is over at once. Called by [`super::Hub`] with its lock held.

use std::collections::{BTreeSet, HashMap};

use protocol::UserId;
use tokio::time::Instant;

pub(super) struct Graces {
    ends: HashMap<UserId, Instant>,
    /// The same entries, the earliest end first.
    in_order: BTreeSet<(Instant, UserId)>,
    most: usize,
}

impl Graces {
    pub(super) fn new(most: usize) -> Self {
        Self { ends: HashMap::new(), in_order: BTreeSet::new(), most }
    }

    /// Begins a user's grace period, in place of an earlier one.
    pub(super) fn begin(&mut self, user: UserId, until: Instant) {
        self.cancel(user);
        self.ends.insert(user, until);
        self.in_order.insert((until, user));
    }

    /// Ends a user's grace period before its time. Returns whether there was one.
    pub(super) fn cancel(&mut self, user: UserId) -> bool {
        let Some(until) = self.ends.remove(&user) else { return false };
        self.in_order.remove(&(until, user));
        true
    }

    pub(super) fn contains(&self, user: UserId) -> bool {
        self.ends.contains_key(&user)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = UserId> + use<'_> {
        self.ends.keys().copied()
    }

    /// Takes a user whose grace period is over.
    ///
    /// # Errors
    /// When the next one is over; `None` if there is none.
    pub(super) fn take_over(&mut self, now: Instant) -> Result<UserId, Option<Instant>> {
        let Some((until, user)) = self.in_order.first().copied() else { return Err(None) };
        if until > now && self.ends.len() <= self.most {
            return Err(Some(until));
        }
        self.cancel(user);
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_user_who_comes_and_goes_has_one_entry() {
        let (mut graces, now, user) = (Graces::new(9), Instant::now(), UserId::new());
        for second in 0..10_000 {
            graces.begin(user, now + Duration::from_secs(second));
        }
        assert_eq!((graces.ends.len(), graces.in_order.len()), (1, 1));
        let end = now + Duration::from_secs(9_999);
        assert_eq!(graces.take_over(now), Err(Some(end)));
        assert_eq!(graces.take_over(end), Ok(user));
        assert_eq!(graces.take_over(end), Err(None));
        assert!(!graces.cancel(user) && graces.in_order.is_empty());
    }

    #[test]
    fn beyond_the_bound_the_oldest_grace_period_is_over_at_once() {
        let (mut graces, now) = (Graces::new(2), Instant::now());
        let users = [UserId::new(), UserId::new(), UserId::new()];
        for (user, second) in users.into_iter().zip(1..) {
            graces.begin(user, now + Duration::from_secs(second));
        }
        assert_eq!(graces.take_over(now), Ok(users[0]));
        assert_eq!(graces.take_over(now), Err(Some(now + Duration::from_secs(2))));
        assert!(graces.contains(users[1]) && !graces.contains(users[0]));
    }
}

//! Health of the store: rate-limited logging of its failures, and the readiness that `/readyz`
//! reports.
//!
//! Calls, the writer and the tidying task report failures here. Each kind of failure is logged at
//! once and then only counted for a while, so that a broken disk does not flood the log. A check
//! writes to the store and reads from it, at most once a second; concurrent requests share its
//! result. This module repairs nothing and ends nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::mutex::lock;
use crate::store::{Store, StoreError};

/// Shortest interval between two log lines about one kind of failure.
const LOGGED_EVERY: Duration = Duration::from_secs(30);
/// Upper bound of remembered kinds; there are a few dozen error codes.
const MOST_KINDS: usize = 64;
/// Shortest interval between the starts of two checks.
const CHECKED_EVERY: Duration = Duration::from_secs(1);
/// A check that takes longer has failed.
const CHECKED_WITHIN: Duration = Duration::from_secs(5);
/// How long a store counts as damaged after the last damage error. No check can prove that the
/// damage is gone, because the check may read only an intact part.
const DAMAGED_FOR: Duration = Duration::from_secs(60);

/// The result of a check, combined with the outcome of recent calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// A message could be stored and read now.
    Ready,
    /// The store cannot be written.
    CannotWrite,
    /// The store cannot be read.
    CannotRead,
    /// A call found damaged content within the last minute.
    Damaged,
    /// The store did not answer in time.
    Silent,
}

/// The work during which the store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    Call,
    Commit,
    Check,
}

/// Failure log and readiness check of the store.
#[derive(Default)]
pub(crate) struct Health {
    /// Neither lock is held across an await.
    failures: Mutex<Failures>,
    check: Mutex<Option<Check>>,
}

#[derive(Default)]
struct Failures {
    logged: HashMap<(Work, String), Logged>,
    damaged_at: Option<Instant>,
}

struct Logged {
    at: Instant,
    /// Failures of this kind that were not logged since `at`.
    more: u64,
}

/// A check that is running or done. Its task ends by itself within [`CHECKED_WITHIN`].
struct Check {
    begun: Instant,
    outcome: watch::Receiver<Option<Readiness>>,
}

impl Check {
    /// Returns whether a new request may share this check's result.
    fn counts(&self) -> bool {
        let runs = self.outcome.borrow().is_none() && self.outcome.has_changed().is_ok();
        runs || self.begun.elapsed() < CHECKED_EVERY
    }
}

impl Health {
    /// Records a failure, and logs it unless the same kind was logged within [`LOGGED_EVERY`].
    pub(crate) fn failed(&self, work: Work, error: &StoreError) {
        let mut failures = lock(&self.failures);
        let now = Instant::now();
        if error.is_damage() {
            failures.damaged_at = Some(now);
        }
        if failures.logged.len() >= MOST_KINDS {
            failures.logged.clear();
        }
        let more = match failures.logged.entry((work, error.code())) {
            Entry::Occupied(mut logged) if logged.get().at.elapsed() < LOGGED_EVERY => {
                logged.get_mut().more += 1;
                return;
            }
            Entry::Occupied(mut logged) => logged.insert(Logged { at: now, more: 0 }).more,
            Entry::Vacant(vacant) => {
                vacant.insert(Logged { at: now, more: 0 });
                0
            }
        };
        drop(failures);
        let what = match work {
            Work::Call => "store failure in a call; the client is told to retry",
            Work::Commit => "commit failed; the senders are told to retry",
            Work::Check => "store check failed",
        };
        match more {
            0 => tracing::error!(%error, "{what}"),
            more => {
                tracing::error!(%error, "{what} ({more} more failures of this kind since the last line)");
            }
        }
    }

    /// Returns the result of the present check, or [`Readiness::Damaged`] for a while after a
    /// damage error.
    pub(crate) async fn readiness(self: &Arc<Self>, store: &Arc<dyn Store>) -> Readiness {
        let mut outcome = self.check(store);
        let found = outcome.wait_for(Option::is_some).await.ok().and_then(|found| *found);
        let damaged_at = lock(&self.failures).damaged_at;
        match found.unwrap_or(Readiness::Silent) {
            Readiness::Ready if damaged_at.is_some_and(|at| at.elapsed() < DAMAGED_FOR) => {
                Readiness::Damaged
            }
            found => found,
        }
    }

    /// Returns the present check, or starts a new one.
    fn check(self: &Arc<Self>, store: &Arc<dyn Store>) -> watch::Receiver<Option<Readiness>> {
        let mut last = lock(&self.check);
        if let Some(check) = last.as_ref().filter(|check| check.counts()) {
            return check.outcome.clone();
        }
        let (report, outcome) = watch::channel(None);
        *last = Some(Check { begun: Instant::now(), outcome: outcome.clone() });
        let (health, store) = (self.clone(), store.clone());
        // A task of its own, because the first caller may be cancelled while others wait for the
        // result.
        tokio::spawn(async move {
            let check = health.run_check(store.as_ref());
            let found = tokio::time::timeout(CHECKED_WITHIN, check).await;
            // Every receiver may be gone.
            let _ = report.send(Some(found.unwrap_or(Readiness::Silent)));
        });
        outcome
    }

    async fn run_check(&self, store: &dyn Store) -> Readiness {
        let (error, found) = match store.check_writable().await {
            Err(error) => (error, Readiness::CannotWrite),
            Ok(()) => match store.check_readable().await {
                Err(error) => (error, Readiness::CannotRead),
                Ok(()) => return Readiness::Ready,
            },
        };
        self.failed(Work::Check, &error);
        if error.is_damage() { Readiness::Damaged } else { found }
    }
}

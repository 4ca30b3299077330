//! Whether the store does what it is asked: what the log is told of its failures, and what
//! `/readyz` answers.
//!
//! Calls, the writer and the tidying task say here what failed. Each kind of failure is logged at
//! once and then counted for a while, so that a broken disk fills no log. A check writes and
//! reads, at most once a second however many ask: everybody gets the answer of the one that runs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::store::{Store, StoreError};

/// A kind of failure is logged this often.
const SAID_EVERY: Duration = Duration::from_secs(30);
/// Kinds that are remembered; there are a few dozen codes.
const MOST_KINDS: usize = 64;
/// A check is not older than this when another one begins.
const CHECKED_EVERY: Duration = Duration::from_secs(1);
/// A check that takes longer has failed.
const CHECKED_WITHIN: Duration = Duration::from_secs(5);
/// For how long a damaged store is called so after the last time that somebody met the damage. No
/// check can find out that it is gone: others may read the healthy part all the while.
const DAMAGED_FOR: Duration = Duration::from_secs(60);

/// What a check found, and what the last writes and reads said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// A message could be stored and read now.
    Ready,
    /// It could not be stored.
    CannotWrite,
    /// It could not be read.
    CannotRead,
    /// Somebody met damaged content within the last minute.
    Damaged,
    /// The store did not answer.
    Silent,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    Call,
    Commit,
    Check,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Health {
    /// Both locks are held to look and to note, never across an await.
    failures: Mutex<Failures>,
    check: Mutex<Option<Check>>,
}

#[derive(Default)]
struct Failures {
    said: HashMap<(Work, String), Said>,
    damaged_at: Option<Instant>,
}

struct Said {
    at: Instant,
    /// How many came since then.
    more: u64,
}

/// A check that runs or has run. Its task ends by itself within [`CHECKED_WITHIN`].
struct Check {
    begun: Instant,
    outcome: watch::Receiver<Option<Readiness>>,
}

impl Check {
    /// Whether whoever asks now takes its answer.
    fn counts(&self) -> bool {
        let runs = self.outcome.borrow().is_none() && self.outcome.has_changed().is_ok();
        runs || self.begun.elapsed() < CHECKED_EVERY
    }
}

impl Health {
    /// Notes a failure, and logs it unless the same kind was logged a moment ago.
    pub(crate) fn failed(&self, work: Work, error: &StoreError) {
        let mut failures = lock(&self.failures);
        let now = Instant::now();
        if error.is_damage() {
            failures.damaged_at = Some(now);
        }
        if failures.said.len() >= MOST_KINDS {
            failures.said.clear();
        }
        let more = match failures.said.entry((work, error.code())) {
            Entry::Occupied(mut said) if said.get().at.elapsed() < SAID_EVERY => {
                said.get_mut().more += 1;
                return;
            }
            Entry::Occupied(mut said) => said.insert(Said { at: now, more: 0 }).more,
            Entry::Vacant(place) => {
                place.insert(Said { at: now, more: 0 });
                0
            }
        };
        drop(failures);
        let what = match work {
            Work::Call => "the store failed in a call; the asker is told to come again",
            Work::Commit => "the store did not commit; the askers are told to come again",
            Work::Check => "the store failed in a check",
        };
        match more {
            0 => tracing::error!(%error, "{what}"),
            more => {
                tracing::error!(%error, "{what} (and {more} times more since this was last said)")
            }
        }
    }

    /// What the check of this second says.
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

    /// The check that runs or has just run, or a new one.
    fn check(self: &Arc<Self>, store: &Arc<dyn Store>) -> watch::Receiver<Option<Readiness>> {
        let mut last = lock(&self.check);
        if let Some(check) = last.as_ref().filter(|check| check.counts()) {
            return check.outcome.clone();
        }
        let (say, outcome) = watch::channel(None);
        *last = Some(Check { begun: Instant::now(), outcome: outcome.clone() });
        let (health, store) = (self.clone(), store.clone());
        // A task of its own: whoever asked may go, and others wait for the answer.
        tokio::spawn(async move {
            let look = health.look(store.as_ref());
            let found = tokio::time::timeout(CHECKED_WITHIN, look).await;
            // Nobody may be there to hear it any more.
            let _ = say.send(Some(found.unwrap_or(Readiness::Silent)));
        });
        outcome
    }

    async fn look(&self, store: &dyn Store) -> Readiness {
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

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

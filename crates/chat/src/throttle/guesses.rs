//! Guesses of passwords: the limits that keep an attacker from guessing fast and from locking the
//! owner out.
//!
//! A guess is counted before the password is compared, so that concurrent guesses cannot exceed a
//! limit together. A right password, and an attempt that was not compared, is given back. A user
//! who proves to be known, by a device or a session, has a count of their own, which guesses of
//! strangers neither use nor block. The limits hold for names without an account too, so that they
//! do not disclose which accounts exist. Called by [`super::Throttle`].

use std::net::IpAddr;
use std::time::Duration;

use protocol::{ErrorCode, SessionId, UserId};
use tokio::time::Instant;

use super::addresses::network;
use super::meters::{Key, Limit, Meters};
use crate::accounts::DeviceId;
use crate::error::{Error, Result, later};
use crate::store::{self, Allowance, AllowanceKey, ClusterState, DerivedKey, GuessEnd, Pauses};

/// The pauses after guesses of one stranger at one account, of one device, or of one session.
const PAUSES: Pauses =
    Pauses { free: 5, longest: Duration::from_secs(15 * 60), forget_after: FORGET_AFTER };
/// How long after the last guess a count is forgotten.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);
/// The guesses of all strangers together at one account: ten at once, and ten more in a quarter of
/// an hour, so at most twenty in any quarter of an hour.
const BUDGET: Allowance = Allowance { each: Duration::from_secs(90), burst: 10 };

/// Who enters a password.
#[derive(Clone, Copy)]
pub(crate) enum Guesser<'a> {
    /// A client that is not known to the account with this folded username.
    Stranger { from: IpAddr, username_key: &'a str },
    /// A device on which the user has signed in before.
    Device(UserId, DeviceId),
    /// A session, whose user enters their own password.
    Session(UserId, SessionId),
}

/// A counted guess, to be ended with [`super::Throttle::end_guess`]. A guess that is dropped stays
/// counted.
#[must_use]
pub(crate) struct Guess {
    pause: Key,
    budget: Option<Key>,
    begun: Instant,
}

impl Guess {
    /// Returns how much of the budget to give back. Less than was taken, by the time in which the
    /// budget has refilled already, so that nothing is given back twice.
    fn unused(&self) -> Duration {
        BUDGET.each.saturating_sub(self.begun.elapsed())
    }
}

/// The guesses of all clients.
pub(super) struct Guesses {
    key: DerivedKey,
    meters: Meters,
}

impl Guesses {
    pub(super) fn new(key: DerivedKey) -> Self {
        Self { key, meters: Meters::new() }
    }

    /// Counts a guess.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(super) async fn begin(
        &self,
        guesser: Guesser<'_>,
        shared: Option<&dyn ClusterState>,
    ) -> Result<Guess> {
        let guess = self.guess(guesser);
        let wait = match shared {
            Some(shared) => begin_shared(shared, &guess).await?,
            None => {
                let mut limits = vec![(guess.pause, Limit::Pauses(PAUSES))];
                limits.extend(guess.budget.map(|key| (key, Limit::Allowance(BUDGET))));
                self.meters.take(&limits, guess.begun).err()
            }
        };
        match wait {
            None => Ok(guess),
            Some(wait) => Err(Error::Refused(later(ErrorCode::RateLimited, wait))),
        }
    }

    fn guess(&self, guesser: Guesser<'_>) -> Guess {
        let key = |kind: &[u8], of: &[u8], more: &[u8]| {
            super::shortened(self.key.hash(&[kind, of, more]))
        };
        let (pause, budget) = match guesser {
            Guesser::Stranger { from, username_key } => {
                let name = username_key.as_bytes();
                let pause = match network(from) {
                    IpAddr::V4(v4) => key(b"stranger", name, &v4.octets()),
                    IpAddr::V6(v6) => key(b"stranger", name, &v6.octets()),
                };
                (pause, Some(key(b"account", name, b"")))
            }
            Guesser::Device(user, device) => {
                (key(b"device", user.0.as_bytes(), device.bytes()), None)
            }
            Guesser::Session(user, session) => {
                (key(b"session", user.0.as_bytes(), session.0.as_bytes()), None)
            }
        };
        Guess { pause, budget, begun: Instant::now() }
    }

    pub(super) async fn end(&self, guess: Guess, end: GuessEnd, shared: Option<&dyn ClusterState>) {
        let Some(shared) = shared else { return self.end_here(&guess, end) };
        if let Err(error) = end_shared(shared, &guess, end).await {
            // The count expires by itself; the password was compared all the same.
            tracing::warn!(%error, "could not store how a guess of a password ended");
        }
    }

    fn end_here(&self, guess: &Guess, end: GuessEnd) {
        let now = Instant::now();
        match end {
            GuessEnd::Wrong => return self.meters.restart(&guess.pause, PAUSES, now),
            GuessEnd::Right => self.meters.forget(&guess.pause),
            GuessEnd::NotCompared => self.meters.undo(&guess.pause),
        }
        if let Some(budget) = &guess.budget {
            self.meters.give_back(budget, guess.unused(), now);
        }
    }

    pub(super) fn tidy(&self) {
        self.meters.tidy(Instant::now());
    }
}

/// Each statement checks and counts one limit in one step.
async fn begin_shared(shared: &dyn ClusterState, guess: &Guess) -> store::Result<Option<Duration>> {
    let wait = shared.count_guess(&guess.pause, PAUSES).await?;
    let (None, Some(budget)) = (wait, &guess.budget) else { return Ok(wait) };
    let wait = shared.take(of_account(budget), BUDGET).await?;
    if wait.is_some() {
        shared.end_guess(&guess.pause, GuessEnd::NotCompared).await?;
    }
    Ok(wait)
}

async fn end_shared(shared: &dyn ClusterState, guess: &Guess, end: GuessEnd) -> store::Result<()> {
    shared.end_guess(&guess.pause, end).await?;
    match (&guess.budget, end) {
        (Some(budget), GuessEnd::Right | GuessEnd::NotCompared) => {
            shared.give_back(of_account(budget), guess.unused()).await
        }
        _ => Ok(()),
    }
}

/// The budget of an account among the shared allowances. Names without an account have one too, so
/// strangers choose the keys.
fn of_account(budget: &Key) -> AllowanceKey {
    AllowanceKey::Stranger("guess", *budget)
}

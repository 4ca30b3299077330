//! Rate limits by address and by user, and the limits of guessing passwords.
//!
//! Each node counts in memory, which a restart clears; a cleared count only lets a client retry
//! sooner. On a shared store, limits that protect accounts and other users are counted over all
//! nodes; a node queries the store only for requests that pass its own count of their address.
//! Limits that protect a node from its own connections (frames, and messages of one user) are
//! counted per node only. Called by the calls of [`crate::Chat`] and by [`crate::Connection`].
//!
//! - `guesses`: guesses of passwords; `addresses`: rates by address; `users`: rates by user
//! - `meters`: counts in memory, of a fixed size

mod addresses;
mod guesses;
mod meters;
mod users;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use protocol::UserId;

use crate::config::Rates;
use crate::error::Result;
use crate::store::{ClusterState, GuessEnd, Store};
use addresses::{AddressRate, Addresses};
use guesses::Guesses;
use meters::Key;
use users::Rate;

pub use addresses::network;
pub(crate) use addresses::{is_loopback, wide_network};
pub(crate) use guesses::{Guess, Guesser};

/// Invitations per user and hour; the burst is half of it.
const INVITATIONS_PER_HOUR: NonZeroU32 = match NonZeroU32::new(60) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Frames of a user that connections may refuse per minute; the burst is the same. A client that
/// waits after a refusal stays far below.
const REFUSED_FRAMES_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(1_200) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Bytes that a message takes in the store beside its text, with its indexes.
const MESSAGE_OVERHEAD: usize = 256;
/// The unit in which stored bytes are counted.
const STORED_UNIT: usize = 64;
const UNITS_PER_MEBIBYTE: u32 = 1024 * 1024 / 64;

/// New conversations per day, as a multiple of those per hour.
const HOURS_OF_CONVERSATIONS_PER_DAY: NonZeroU32 = match NonZeroU32::new(4) {
    Some(hours) => hours,
    None => NonZeroU32::MIN,
};

/// Answers to requests, blocks and mutes per user and minute: enough to go through a long list by
/// hand.
const STANDINGS_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(120) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Reports to the operator per user and day.
const REPORTS_PER_DAY: NonZeroU32 = match NonZeroU32::new(10) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// Changes of settings per user and minute.
const CHANGES_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(30) {
    Some(count) => count,
    None => NonZeroU32::MIN,
};

/// All limits.
pub(crate) struct Throttle {
    store: Arc<dyn Store>,
    addresses: Addresses,
    sign_ups: AddressRate,
    sign_ins: AddressRate,
    looks_at_invitations: AddressRate,
    looks_at_links: AddressRate,
    looks_for_names: AddressRate,
    ceremonies: AddressRate,
    guesses: Guesses,
    /// Passwords that a user enters on a known device or in a session.
    known: Rate<UserId>,
    searches: Rate<UserId>,
    messages: Rate<UserId>,
    message_bytes: Rate<UserId>,
    conversations_by_hour: Rate<UserId>,
    conversations_by_day: Rate<UserId>,
    requests: Rate<UserId>,
    reports: Rate<UserId>,
    standings: Rate<UserId>,
    reads: Rate<UserId>,
    refused_frames: Rate<UserId>,
    changes: Rate<UserId>,
    invitations: Rate<UserId>,
}

impl Throttle {
    pub(crate) fn new(rates: &Rates, store: Arc<dyn Store>) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        const HOUR: Duration = Duration::from_secs(60 * 60);
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let (sign_ins, invitations) = (rates.sign_ins_per_minute, INVITATIONS_PER_HOUR);
        let key = store.secret().key("limits");
        let units = NonZeroU32::new(UNITS_PER_MEBIBYTE).unwrap_or(NonZeroU32::MIN);
        let bytes = rates.message_mebibytes_per_day.saturating_mul(units);
        let by_hour = rates.conversations_per_hour;
        let by_day = by_hour.saturating_mul(HOURS_OF_CONVERSATIONS_PER_DAY);
        Self {
            store,
            addresses: Addresses::new(key.clone()),
            sign_ups: AddressRate::new("sign_up", rates.sign_ups_per_hour, HOUR),
            sign_ins: AddressRate::new("sign_in", sign_ins, MINUTE),
            looks_at_invitations: AddressRate::new("invitation", sign_ins, MINUTE),
            looks_at_links: AddressRate::new("device_link", sign_ins, MINUTE),
            looks_for_names: AddressRate::new("name", sign_ins, MINUTE),
            ceremonies: AddressRate::new("ceremony", sign_ins, MINUTE),
            guesses: Guesses::new(key),
            known: Rate::new("known", sign_ins, MINUTE, 1),
            searches: Rate::new("search", rates.searches_per_minute, MINUTE, 2),
            messages: Rate::new("message", rates.messages_per_minute, MINUTE, 2),
            message_bytes: Rate::new("message_bytes", bytes, DAY, 1),
            conversations_by_hour: Rate::new("conversation", by_hour, HOUR, 2),
            conversations_by_day: Rate::new("conversation_day", by_day, DAY, 1),
            requests: Rate::new("request_day", rates.requests_per_day, DAY, 1),
            reports: Rate::new("report", REPORTS_PER_DAY, DAY, 1),
            standings: Rate::new("standing", STANDINGS_PER_MINUTE, MINUTE, 1),
            reads: Rate::new("read", rates.reads_per_minute, MINUTE, 2),
            refused_frames: Rate::new("refused", REFUSED_FRAMES_PER_MINUTE, MINUTE, 1),
            changes: Rate::new("change", CHANGES_PER_MINUTE, MINUTE, 1),
            invitations: Rate::new("invite", invitations, HOUR, 2),
        }
    }

    fn shared(&self) -> Option<&dyn ClusterState> {
        self.store.cluster_state()
    }

    async fn take(&self, rate: &AddressRate, from: IpAddr) -> Result<()> {
        self.addresses.take(rate, from, self.shared()).await
    }

    pub(crate) async fn sign_up(&self, from: IpAddr) -> Result<()> {
        self.take(&self.sign_ups, from).await
    }

    /// Limits sign-ins of strangers by address alone.
    pub(crate) async fn sign_in(&self, from: IpAddr) -> Result<()> {
        self.take(&self.sign_ins, from).await
    }

    /// Counts a guess of a password, before the password is compared.
    ///
    /// # Errors
    /// `rate_limited`; the guess is not counted then.
    pub(crate) async fn guess(&self, guesser: Guesser<'_>) -> Result<Guess> {
        if let Guesser::Stranger { from, .. } = guesser {
            self.sign_in(from).await?;
        }
        let guess = self.guesses.begin(guesser, self.shared()).await?;
        if let Guesser::Device(user, _) | Guesser::Session(user, _) = guesser
            // Right passwords are given back, but each one costs a hash.
            && let Err(refused) = self.known.take(&user, self.shared()).await
        {
            self.end_guess(guess, GuessEnd::NotCompared).await;
            return Err(refused);
        }
        Ok(guess)
    }

    /// Keeps a wrong guess, and gives any other one back.
    pub(crate) async fn end_guess(&self, guess: Guess, end: GuessEnd) {
        self.guesses.end(guess, end, self.shared()).await;
    }

    pub(crate) async fn search(&self, user: UserId) -> Result<()> {
        self.searches.take(&user, self.shared()).await
    }

    /// Limits messages and their bytes. Counts on this node only, so that a message waits for nothing
    /// but its commit: with several nodes a user may send as much through each of them. Above the
    /// bytes of a day, a user can still send as fast as the allowance refills.
    pub(crate) fn message(&self, user: UserId, body_bytes: usize) -> Result<()> {
        self.messages.check(&user)?;
        let units = (body_bytes + MESSAGE_OVERHEAD).div_ceil(STORED_UNIT);
        self.message_bytes.check_many(&user, u32::try_from(units).unwrap_or(u32::MAX))
    }

    /// Limits new conversations over all nodes, because each appears in a peer's list.
    pub(crate) async fn open_conversation(&self, user: UserId) -> Result<()> {
        self.conversations_by_hour.take(&user, self.shared()).await?;
        self.conversations_by_day.take(&user, self.shared()).await?;
        self.requests.take(&user, self.shared()).await
    }

    /// Limits changes of standings, because the user's clients are notified of them.
    pub(crate) async fn standing(&self, user: UserId) -> Result<()> {
        self.standings.take(&user, self.shared()).await
    }

    /// Limits reports, because the operator reads each of them.
    pub(crate) async fn report(&self, user: UserId) -> Result<()> {
        self.reports.take(&user, self.shared()).await
    }

    /// Limits the pages that a user reads. Counts on this node only, because it protects the node.
    pub(crate) fn read(&self, user: UserId) -> Result<()> {
        self.reads.check(&user)
    }

    /// Counts a refused frame of a user. Returns whether the connection may stay open. Counts by
    /// user, so that a new connection does not begin anew.
    pub(crate) fn refused_frame(&self, user: UserId) -> bool {
        self.refused_frames.check(&user).is_ok()
    }

    /// Limits changes of settings, because peers are notified of them.
    pub(crate) async fn change(&self, user: UserId) -> Result<()> {
        self.changes.take(&user, self.shared()).await
    }

    pub(crate) async fn invite(&self, user: UserId) -> Result<()> {
        self.invitations.take(&user, self.shared()).await
    }

    /// Limits by address, at the rate of sign-ins: a token cannot be guessed, but each look-up
    /// costs a query.
    pub(crate) async fn look_at_invitation(&self, from: IpAddr) -> Result<()> {
        self.take(&self.looks_at_invitations, from).await
    }

    /// Limits by address, at the rate of sign-ins, for the same reason.
    pub(crate) async fn look_at_link(&self, from: IpAddr) -> Result<()> {
        self.take(&self.looks_at_links, from).await
    }

    /// Limits by address, at the rate of sign-ins.
    pub(crate) async fn look_for_names(&self, from: IpAddr) -> Result<()> {
        self.take(&self.looks_for_names, from).await
    }

    /// Limits ceremonies that a client without a session begins, by address, at the rate of sign-ins.
    /// A count of its own, because each view of the sign-in page begins one.
    pub(crate) async fn begin_ceremony(&self, from: IpAddr) -> Result<()> {
        self.take(&self.ceremonies, from).await
    }

    /// Removes expired state. Called periodically.
    pub(crate) async fn tidy(&self) -> Result<()> {
        self.addresses.tidy();
        self.guesses.tidy();
        for rate in [
            &self.known,
            &self.searches,
            &self.messages,
            &self.message_bytes,
            &self.conversations_by_hour,
            &self.conversations_by_day,
            &self.requests,
            &self.reports,
            &self.standings,
            &self.reads,
            &self.refused_frames,
            &self.changes,
            &self.invitations,
        ] {
            rate.tidy();
        }
        if let Some(shared) = self.shared() {
            shared.tidy(guesses::FORGET_AFTER).await?;
        }
        Ok(())
    }
}

/// The first half of a hash: 128 bits, because an attacker without the key cannot find two texts
/// with one hash.
fn shortened(hash: [u8; 32]) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&hash[..size_of::<Key>()]);
    key
}

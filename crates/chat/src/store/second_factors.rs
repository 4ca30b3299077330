//! The part of the store for second factors: its trait and types. Called by
//! [`crate::accounts`] alone.

use async_trait::async_trait;
use protocol::{Timestamp, UserId};

use super::{Caller, Result};

/// The SHA-256 hash of a recovery code.
pub type CodeHash = [u8; 32];

/// The second factor of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// The key of the user's one-time codes.
    pub secret: Vec<u8>,
    /// Whether the user has entered a code. Sign-in requests codes only from then on.
    pub is_confirmed: bool,
    /// Unused recovery codes.
    pub recovery_codes: u32,
}

/// The second factors of users and their recovery codes.
#[async_trait]
pub trait SecondFactorStore: Send + Sync + 'static {
    /// The user's second factor, confirmed or not.
    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>>;

    /// Stores an unconfirmed second factor; replaces an unconfirmed one. False if the user has a
    /// confirmed one, or no account.
    async fn begin_second_factor(
        &self,
        caller: Caller,
        secret: &[u8],
        now: Timestamp,
    ) -> Result<bool>;

    /// Confirms the second factor if its key is still `secret`, and stores its recovery codes.
    /// Codes of `step` and of earlier time steps are then refused. False if there is no such
    /// unconfirmed second factor.
    async fn confirm_second_factor(
        &self,
        caller: Caller,
        secret: &[u8],
        step: i64,
        codes: &[CodeHash],
        now: Timestamp,
    ) -> Result<bool>;

    /// Accepts the code of a time step, once: in one statement, compares the step with the newest
    /// accepted one and stores it. False if that step or a later one was accepted, or if the
    /// confirmed second factor has another key.
    async fn accept_step(&self, user: UserId, secret: &[u8], step: i64) -> Result<bool>;

    /// Deletes a recovery code. False if the user has no such code.
    async fn use_recovery_code(&self, user: UserId, code: &CodeHash) -> Result<bool>;

    /// Replaces all recovery codes. False if the user has no confirmed second factor.
    async fn replace_recovery_codes(&self, caller: Caller, codes: &[CodeHash]) -> Result<bool>;

    /// Deletes the caller's confirmed second factor with its recovery codes. False if there is none.
    async fn turn_off_second_factor(&self, caller: Caller) -> Result<bool>;

    /// The same for the operator, who has no session.
    async fn delete_second_factor(&self, user: UserId) -> Result<bool>;
}

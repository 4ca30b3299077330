//! Durable storage: the trait [`Store`] below [`crate::Chat`], and its types.
//!
//! [`Store`] is the sum of smaller traits, one for each noun. A file here has the noun's trait and
//! types, and a file of the same name in each engine implements the trait. [`sqlite`] is embedded;
//! [`postgres`] is shared by several nodes. [`moving`] moves a store from SQLite to Postgres.
//!
//! All SQL is below this module. The statements of the engines are separate. `marks` and `window`
//! hold rules that both engines share, `secret` derives keys from the store's secret, `rows` reads
//! the rows of both, and `migrations` makes the migrators of both. Engines do not check names, limits
//! or rates. Engines check membership inside the statement or transaction that does the work, and
//! assign a message's `seq` inside the transaction that stores it. The same holds for the session of
//! a [`Caller`]: a call with a caller fails with [`StoreError::SessionEnded`] if the session has
//! ended. The calls that a sign-in makes
//! have no caller, and neither has [`SecondFactorStore::delete_second_factor`], which is the operator's.

mod accounts;
#[cfg(test)]
mod captured_statements;
mod cluster_state;
mod conversations;
mod device_links;
#[cfg(test)]
mod every_statement;
mod identities;
mod invitations;
mod marks;
mod messages;
mod migrations;
pub mod moving;
mod passkeys;
mod people;
pub mod postgres;
mod reports;
mod rows;
mod second_factors;
mod secret;
mod sessions;
mod settings;
pub mod sqlite;
mod standings;
mod window;

use async_trait::async_trait;
use protocol::Epoch;

pub use accounts::{AccountOutcome, AccountStore, NewUser};
pub use cluster_state::{
    Allowance, AllowanceKey, AskedBy, ClusterState, DatabaseClock, GuessEnd, Instance, LeaseStore,
    NodeId, NodeKey, NodesSecret, NodesSecrets, Pauses, RateLimitStore, Renewed,
};
pub use conversations::{ConversationStore, ConversationView};
pub use device_links::{DeviceLinkStore, NewDeviceLink, UsedDeviceLink};
pub use identities::{IdentityAdded, IdentityRemoved, IdentityStore, NewIdentity};
pub use invitations::{
    Acceptance, InvitationOutcome, InvitationStore, NewInvitation, OpenInvitation, Opened,
};
pub use messages::{
    Batch, Committed, Deferrable, History, MarkOutcome, MessageStore, NewMarks, NewMessage, Reach,
    SendOutcome,
};
pub use passkeys::{
    CeremonyHash, FoundPasskey, NewPasskey, OwnPasskey, PasskeyAdded, PasskeyRemoved, PasskeyStore,
};
pub use people::{Counted, Found, PersonStore};
pub use reports::{NewReport, Report, ReportId, ReportStore, ReportedMessage};
pub use second_factors::{CodeHash, SecondFactor, SecondFactorStore};
pub(crate) use secret::DerivedKey;
pub use secret::StoreSecret;
pub use sessions::{
    Caller, NewSession, OldestSession, SessionLife, SessionStore, TokenHash, TokenState,
    ValidSession,
};
pub use settings::{ChangedPassword, SettingsStore};
pub use standings::{AnswerChange, BlockChange, BlockTime, StandingStore};

/// A failure of the store, for the log only: the text must not reach a client. After a failed
/// [`MessageStore::commit`] the batch may be stored, because the connection can break after the
/// database has committed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A pooled connection returned an error.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// SQLite's commit connection returned an error.
    #[error(transparent)]
    Commit(#[from] rusqlite::Error),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The database server did not answer in time.
    #[error("the database did not answer in time")]
    Silent,
    /// The session of a [`Caller`] has ended. Nothing was stored.
    #[error("the session has ended")]
    SessionEnded,
    /// A node in [`Batch::asked_by`] has no lease in this database. Nothing was stored.
    #[error("a node that does not stand on this database asked for a commit")]
    Elsewhere,
}

impl StoreError {
    /// The engine's error code, or a short name for errors without a code. Distinguishes kinds of
    /// failure.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Database(sqlx::Error::Database(said)) => {
                said.code().map_or_else(|| "database".to_owned(), Into::into)
            }
            Self::Database(sqlx::Error::PoolTimedOut) => "no connection".to_owned(),
            Self::Database(sqlx::Error::Io(why)) => why.kind().to_string(),
            Self::Database(_) => "database".to_owned(),
            Self::Commit(why) => match why.sqlite_error() {
                Some(said) => said.extended_code.to_string(),
                None => "commit".to_owned(),
            },
            Self::Closed => "closed".to_owned(),
            Self::Silent => "silent".to_owned(),
            Self::SessionEnded => "session ended".to_owned(),
            Self::Elsewhere => "elsewhere".to_owned(),
        }
    }

    /// Whether the error reports corrupt data.
    pub(crate) fn is_damage(&self) -> bool {
        let code = self.code();
        code.parse().is_ok_and(|code: i32| matches!(code & 0xff, 11 | 26))
            || matches!(code.as_str(), "XX001" | "XX002")
    }
}

/// The result of every call of the store. The second parameter is for the few functions with
/// another error.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A durable store of accounts, sessions, conversations and messages: the sum of its parts, and the
/// calls for the store as a whole.
#[async_trait]
pub trait Store:
    AccountStore
    + SessionStore
    + InvitationStore
    + SettingsStore
    + SecondFactorStore
    + DeviceLinkStore
    + PasskeyStore
    + IdentityStore
    + PersonStore
    + ConversationStore
    + StandingStore
    + MessageStore
    + ReportStore
{
    /// The store's epoch. Clients that have cached another epoch resync.
    fn epoch(&self) -> Epoch;

    /// The store's secret.
    fn secret(&self) -> &StoreSecret;

    /// Writes and commits a dummy value, to prove that writes work.
    async fn check_writable(&self) -> Result<()>;

    /// Runs a small query, to prove that reads work.
    async fn check_readable(&self) -> Result<()>;

    /// The size of the stored data in bytes, without space that is free for reuse where the engine
    /// knows it.
    async fn size(&self) -> Result<u64>;

    /// Waits for calls in progress, then closes the files or connections.
    async fn close(&self);

    /// Returns the name of an essential thread of the store after that thread has ended by itself.
    /// Never returns for a store without such a thread.
    async fn failed(&self) -> &'static str {
        std::future::pending().await
    }

    /// The state that nodes share through this store; `None` for an engine that serves one process.
    fn cluster_state(&self) -> Option<&dyn ClusterState> {
        None
    }
}

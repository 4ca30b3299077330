//! The live client: the part of the page that keeps it up to date after hydration.
//!
//! # Layout
//! Pure modules, tested natively: [`frames`] (decodes server frames), [`timeline`] (merges
//! messages), [`outbox`] (unacknowledged messages), [`rows`] (projects messages to rows),
//! [`summary`] (list entries), [`drafts`], [`backoff`], [`heartbeat`] (detects a dead connection).
//!
//! Browser only: `client` (state that pages do not read), `connection` (the task that owns the
//! socket), `wake` (wakes that task), `activity` (network and user activity), `polling` (polling
//! over HTTP), `session_watch` (session changes in other tabs), `resync` (fetches what the page
//! missed), `sender` (sends the outbox), `marks` (delivered and read receipts), `writing` (drafts
//! and typing events), `storage` (browser storage), `saving` (saves unsent messages and drafts, and
//! keeps unsaved text), `offline_copies` (of messages), `today` (updates displayed dates).
//!
//! No module here touches the DOM outside the composer field: changes go through
//! [`crate::state::State`].

pub mod backoff;
pub mod drafts;
pub mod frames;
pub mod heartbeat;
pub mod outbox;
pub mod rows;
pub mod summary;
pub mod timeline;

#[cfg(feature = "hydrate")]
mod activity;
#[cfg(feature = "hydrate")]
mod client;
#[cfg(feature = "hydrate")]
pub mod connection;
#[cfg(feature = "hydrate")]
pub mod marks;
#[cfg(feature = "hydrate")]
pub mod offline_copies;
#[cfg(feature = "hydrate")]
mod polling;
#[cfg(feature = "hydrate")]
pub mod resync;
#[cfg(feature = "hydrate")]
pub mod saving;
#[cfg(feature = "hydrate")]
pub mod sender;
#[cfg(feature = "hydrate")]
mod session_watch;
#[cfg(feature = "hydrate")]
pub mod storage;
#[cfg(feature = "hydrate")]
pub mod today;
#[cfg(feature = "hydrate")]
mod wake;
#[cfg(feature = "hydrate")]
pub mod writing;

/// Counts of unsent messages and drafts in this browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    pub messages: u32,
    pub drafts: u32,
}

#[cfg(feature = "hydrate")]
pub(crate) use client::LiveClient;
#[cfg(feature = "hydrate")]
pub use start::start;

#[cfg(feature = "hydrate")]
mod start;

//! The browser's end of the live path.
//!
//! # Layout
//! Pure and tested natively: [`frames`] (what the server says), [`timeline`] (the merge), [`outbox`]
//! (what is not yet sent), [`rows`] (what is shown), [`summary`] (the list's entries), [`drafts`],
//! [`backoff`], [`pulse`] (whether the line lives).
//! In the browser only: `connection` (the one task that owns the socket), `signs` (of network and
//! person), `without_socket` (reading while there is none), `person` (whose the browser is),
//! `catch_up` (reading what was missed), `sender` (moving the outbox), `marks` (delivered and read), `writing` (drafts and the sign
//! "typing"), `storage` (what survives a reload), `keeping` (what the storage refused), `device`
//! (messages that can be read without a network), `today` (words about time stay true).
//!
//! None of it touches the page: everything goes through [`crate::state::State`].

pub mod backoff;
pub mod drafts;
pub mod frames;
pub mod outbox;
pub mod pulse;
pub mod rows;
pub mod summary;
pub mod timeline;

#[cfg(feature = "hydrate")]
pub mod catch_up;
#[cfg(feature = "hydrate")]
pub mod connection;
#[cfg(feature = "hydrate")]
pub mod device;
#[cfg(feature = "hydrate")]
pub mod keeping;
#[cfg(feature = "hydrate")]
pub mod marks;
#[cfg(feature = "hydrate")]
mod person;
#[cfg(feature = "hydrate")]
pub mod sender;
#[cfg(feature = "hydrate")]
mod signs;
#[cfg(feature = "hydrate")]
pub mod storage;
#[cfg(feature = "hydrate")]
pub mod today;
#[cfg(feature = "hydrate")]
mod without_socket;
#[cfg(feature = "hydrate")]
pub mod writing;

/// How much a person wrote that this browser holds and that was not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// Messages.
    pub messages: u32,
    /// Drafts.
    pub drafts: u32,
}

#[cfg(feature = "hydrate")]
pub use start::start;

#[cfg(feature = "hydrate")]
mod start;

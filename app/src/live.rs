//! The browser's end of the live path.
//!
//! # Layout
//! Pure and tested natively: [`timeline`] (the merge), [`outbox`] (what is not yet sent),
//! [`rows`] (what is shown), [`summary`] (the list's entries), [`backoff`].
//! In the browser only: `connection` (the one task that owns the socket), `catch_up` (reading
//! what was missed), `sender` (moving the outbox), `marks` (delivered and read), `writing` (drafts
//! and the sign "typing"), `storage` (what survives a reload).
//!
//! None of it touches the page: everything goes through [`crate::state::State`].

pub mod backoff;
pub mod outbox;
pub mod rows;
pub mod summary;
pub mod timeline;

#[cfg(feature = "hydrate")]
pub mod catch_up;
#[cfg(feature = "hydrate")]
pub mod connection;
#[cfg(feature = "hydrate")]
pub mod marks;
#[cfg(feature = "hydrate")]
pub mod sender;
#[cfg(feature = "hydrate")]
pub mod storage;
#[cfg(feature = "hydrate")]
pub mod writing;

#[cfg(feature = "hydrate")]
pub use start::start;

#[cfg(feature = "hydrate")]
mod start;

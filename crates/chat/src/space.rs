//! Whether the store may grow: compares its size with the bound that the operator has set.
//!
//! [`crate::upkeep`] measures the size at intervals, so that no message waits for a measurement; until
//! the next one the store may grow beyond the bound. Writes that only change rows, such as marks,
//! are never refused. Used by the calls of [`crate::Chat`] and by [`crate::Connection`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::{ErrorCode, Refusal};

use crate::error::later;
use crate::store::{Result, Store};

/// The retry delay sent while the store is full. A person has to make room.
const FULL_RETRY: Duration = Duration::from_secs(60);

/// The bound of the store's size, and whether the last measurement was above it.
pub(crate) struct StoreSpace {
    /// In bytes; `None` means no bound.
    most: Option<u64>,
    is_full: AtomicBool,
}

impl StoreSpace {
    pub(crate) fn new(most: Option<u64>) -> Self {
        Self { most, is_full: AtomicBool::new(false) }
    }

    /// Refuses with `storage_full` if the store has reached its bound.
    pub(crate) fn require(&self) -> std::result::Result<(), Refusal> {
        match self.is_full.load(Ordering::Relaxed) {
            true => Err(later(ErrorCode::StorageFull, FULL_RETRY)),
            false => Ok(()),
        }
    }

    /// Measures the store, if it has a bound.
    pub(crate) async fn measure(&self, store: &dyn Store) -> Result<()> {
        let Some(most) = self.most else { return Ok(()) };
        let bytes = store.size().await?;
        let is_full = bytes >= most;
        if self.is_full.swap(is_full, Ordering::Relaxed) != is_full {
            match is_full {
                true => tracing::error!(
                    bytes,
                    "the store has reached DUET_MAX_STORE_BYTES: messages, new accounts and new \
                     conversations are refused"
                ),
                false => tracing::info!(bytes, "the store is below DUET_MAX_STORE_BYTES again"),
            }
        }
        Ok(())
    }
}

//! Locks the mutexes of this crate, whether or not a holder has panicked.
//!
//! A poisoned mutex is locked all the same, because each guarded value stays valid when its holder
//! panics, and a refusal would turn one failed call into the failure of all later calls. No caller
//! may hold the guard across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! C libraries that are preloaded into a server and simulate faults of its machine. Compiled at run
//! time.

use std::path::{Path, PathBuf};

use anyhow::Result;
use harness::compile_shim;

/// A disk whose flushes can fail.
pub(crate) fn failing_disk(directory: &Path) -> Result<PathBuf> {
    compile_shim(directory, "failing_disk", include_str!("../shim/failing_disk.c"))
}

/// A wall clock that is wrong.
pub(crate) fn wrong_clock(directory: &Path) -> Result<PathBuf> {
    compile_shim(directory, "wrong_clock", include_str!("../shim/wrong_clock.c"))
}

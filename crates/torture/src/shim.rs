//! C libraries that are preloaded into a server and simulate faults of its machine. Compiled at run
//! time.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::disk::run;

/// A disk whose flushes can fail.
pub fn failing_disk(directory: &Path) -> Result<PathBuf> {
    compile(directory, "failing_disk", include_str!("../shim/failing_disk.c"))
}

/// A wall clock that is wrong.
pub fn other_clock(directory: &Path) -> Result<PathBuf> {
    compile(directory, "other_clock", include_str!("../shim/other_clock.c"))
}

fn compile(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let shim = directory.canonicalize()?.join(format!("{name}.so"));
    let source = directory.join(format!("{name}.c"));
    std::fs::write(&source, text)?;
    run(Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).args([&shim, &source]))
        .context("a C compiler is needed: apt-get install gcc libc6-dev")?;
    Ok(shim)
}

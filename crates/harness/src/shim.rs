//! Compiles C libraries that are preloaded (`LD_PRELOAD`) into a server and simulate faults of its
//! machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::postgres::run_command;

/// Compiles a library in a directory and returns its absolute path.
///
/// # Errors
/// There is no C compiler (the error names the packages), or the source does not compile.
pub fn compile_shim(directory: &Path, name: &str, source: &str) -> Result<PathBuf> {
    let library = directory.canonicalize()?.join(format!("{name}.so"));
    let file = directory.join(format!("{name}.c"));
    std::fs::write(&file, source)?;
    run_command(
        Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&library, &file])
            .arg("-ldl"),
    )
    .context("a C compiler is needed: apt-get install gcc libc6-dev")?;
    Ok(library)
}

//! Keeps the memory of the process off the disk and from other processes: it contains messages,
//! password texts during a sign-in, and the operator's secrets. Called by `main` before the
//! configuration is read.
//!
//! Only root can attach a debugger or a profiler to such a process, or read its environment.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps for the rest of the process's life. The limit applies where a core dump would
/// be a file; the attribute also where the system passes it to a program.
///
/// # Errors
/// The system refused one of the two; the other is in effect.
pub fn forbid() -> io::Result<()> {
    let limited = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(limited?)
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;
    use crate::descriptors;

    #[test]
    fn a_process_without_core_dumps_still_reads_its_own_state() {
        forbid().expect("forbidden");
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert!(descriptors::open_files() > 2);
        for name in ["status", "cgroup"] {
            std::fs::read_to_string(format!("/proc/self/{name}")).expect(name);
        }
    }
}

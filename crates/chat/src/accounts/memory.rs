//! Available memory for password hashes. Each hash takes 46 MiB; without the check, a container or
//! small machine with less would have the kernel kill the whole process.
//!
//! Linux reports memory in files, which take microseconds to read. Other systems report nothing
//! here, so every hash is allowed. Only [`super::passwords`] calls this module.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Room left for the rest of the process, in bytes.
const MARGIN: u64 = 4 * 1024 * 1024;

/// The memory limits of this process, found once.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    groups: Vec<Group>,
}

/// Files of a control group that report its memory limit and usage.
#[derive(Clone, Debug)]
struct Group {
    limit: PathBuf,
    usage: PathBuf,
    stat: PathBuf,
}

impl Memory {
    pub(crate) fn find() -> Self {
        let own = read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self { groups: groups(Path::new("/sys/fs/cgroup"), &own) }
    }

    /// Reads the control group at `root` instead.
    #[cfg(test)]
    pub(crate) fn of(root: &Path) -> Self {
        Self { groups: groups(root, "0::/\n") }
    }

    /// Returns whether `bytes` can be allocated with the margin left over.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.available().is_none_or(|available| available >= bytes.saturating_add(MARGIN))
    }

    /// Returns the available bytes, if known.
    pub(crate) fn available(&self) -> Option<u64> {
        let of_groups = self.groups.iter().filter_map(Group::available);
        of_groups.chain(of_machine()).min()
    }
}

/// Finds the groups that `/proc/self/cgroup` names, and their ancestors. Inside a container the
/// names may be those of the host; then only the root group is found.
fn groups(root: &Path, own: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (root, [limit, usage]) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current"]),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (root.join("memory"), ["memory.limit_in_bytes", "memory.usage_in_bytes"])
            }
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let group = root.join(group);
            if group.join(limit).is_file() {
                found.push(Group {
                    limit: group.join(limit),
                    usage: group.join(usage),
                    stat: group.join("memory.stat"),
                });
            }
        }
    }
    found
}

impl Group {
    /// Returns `None` without a limit.
    fn available(&self) -> Option<u64> {
        let number = |file: &Path| read_to_string(file).ok()?.trim().parse::<u64>().ok();
        let (limit, usage) = (number(&self.limit)?, number(&self.usage)?);
        // The kernel reclaims the page cache under memory pressure.
        let stat = read_to_string(&self.stat).unwrap_or_default();
        let files = value(&stat, "active_file") + value(&stat, "inactive_file");
        Some(limit.saturating_sub(usage.saturating_sub(files)))
    }
}

fn of_machine() -> Option<u64> {
    let info = read_to_string("/proc/meminfo").ok()?;
    let available = value(&info, "MemAvailable:");
    // Old kernels do not report it.
    (available > 0).then(|| (available + value(&info, "SwapFree:")) * 1024)
}

fn value(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix([' ', '\t']));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};

    use super::*;

    fn group(directory: &Path, limit: (&str, &str), usage: (&str, &str), stat: &str) {
        create_dir_all(directory).expect("a directory");
        write(directory.join(limit.0), limit.1).expect("a file");
        write(directory.join(usage.0), usage.1).expect("a file");
        write(directory.join("memory.stat"), stat).expect("a file");
    }

    #[test]
    fn the_smallest_group_limit_decides_and_cached_files_count_as_free() {
        let root = tempfile::tempdir().expect("a directory");
        let stat = "anon 30\nfile 25\ninactive_file 20\nactive_file 5\nworkingset 1\n";
        let (limit, usage) = ("memory.max", "memory.current");
        group(root.path(), (limit, "max\n"), (usage, "900\n"), "");
        group(&root.path().join("a"), (limit, "1000\n"), (usage, "500\n"), "");
        group(&root.path().join("a/b"), (limit, "100\n"), (usage, "60\n"), stat);
        let memory = Memory { groups: groups(root.path(), "0::/a/b\n") };
        assert_eq!(memory.available(), Some(65));
        assert!(!memory.has_room_for(1), "less than the margin");
        let outside = Memory { groups: groups(root.path(), "0::/elsewhere\n") };
        assert!(outside.available() > Some(1_000_000), "no limit but the machine's");
    }

    #[test]
    fn the_layout_of_version_1_groups_is_read_too() {
        let root = tempfile::tempdir().expect("a directory");
        let (limit, usage) = ("memory.limit_in_bytes", "memory.usage_in_bytes");
        group(&root.path().join("memory/docker/x"), (limit, "70"), (usage, "30"), "");
        let own = "5:cpu,cpuacct:/other\n4:memory:/docker/x\n0::/\n";
        let memory = Memory { groups: groups(root.path(), own) };
        assert_eq!(memory.available(), Some(40));
    }
}

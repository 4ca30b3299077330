//! The files of a store: their names, their lock, and their permissions.
//!
//! Messages are private, so every file has mode 0600 and every directory made here has mode 0700,
//! regardless of the umask and of earlier modes. The lock is an advisory lock on a file beside the
//! database. The kernel releases it when the process ends for any reason, so a leftover lock file
//! blocks nothing. Used to open and to move a store; nothing here reads the database.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// The modes of a store's files and of its directory: access for the owner alone.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// The permission bits of group and others.
const OTHERS: u32 = 0o077;
/// With these bits, other users can replace our files.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// The files of one store. The path has no symbolic links, so that each file has one lock.
#[derive(Clone, Debug)]
pub(in crate::store) struct StorePaths {
    database: PathBuf,
}

/// The lock of a store, released on drop.
#[derive(Debug)]
pub(in crate::store) struct StoreLock(File);

impl Drop for StoreLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process shares the open file between fork and
        // exec. An error is harmless, because the file is closed next.
        let _ = self.0.unlock();
    }
}

impl StorePaths {
    /// The paths of the store in a database file. Creates the directory if it is absent.
    pub(super) fn make(file: &Path) -> Result<Self, OpenError> {
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        make_directory(directory).map_err(|why| OpenError::path(directory, why))?;
        Self::of(file)
    }

    /// The paths of the store in a database file whose directory exists.
    pub(in crate::store) fn of(file: &Path) -> Result<Self, OpenError> {
        let database = resolve(file).map_err(|why| OpenError::path(file, why))?;
        Ok(Self { database })
    }

    pub(in crate::store) fn database(&self) -> &Path {
        &self.database
    }

    /// The path of a file beside the database, with `ending` added to its name.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = OsString::from(&self.database);
        name.push(ending);
        PathBuf::from(name)
    }

    fn directory(&self) -> &Path {
        self.database.parent().unwrap_or(Path::new("/"))
    }

    /// Locks the store for this process. The lock is on a file of its own, because backups must be able
    /// to read the database.
    pub(in crate::store) fn lock(&self) -> Result<StoreLock, OpenError> {
        let path = self.beside("-lock");
        let mut file = private_file(&path).map_err(|why| OpenError::path(&path, why))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut content = String::new();
                // The error message works without the process id.
                let _ = file.take(32).read_to_string(&mut content);
                let holder = content.trim().parse::<u32>().ok();
                return Err(OpenError::InUse {
                    path: self.database.display().to_string(),
                    holder: holder.map_or(String::new(), |pid| format!(" (process {pid})")),
                });
            }
            Err(TryLockError::Error(why)) => {
                return Err(OpenError::NoLocks { path: path.display().to_string(), why });
            }
        }
        let note = file.set_len(0).and_then(|()| file.rewind());
        // The process id is for the error message only; the lock holds without it, also on a full
        // disk.
        let _ = note.and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(StoreLock(file))
    }

    /// Removes the permissions of others on the files. Does the same for the directory if it holds
    /// nothing else and is not shared like `/tmp`.
    pub(in crate::store) fn make_private(&self) {
        let directory = self.directory();
        for path in self.files() {
            remove_other_permissions(&path, FILE_MODE);
        }
        let Ok(found) = fs::metadata(directory) else { return };
        if found.mode() & OTHERS == 0 {
            return;
        }
        let is_shared = found.mode() & STICKY != 0;
        if !is_shared && self.has_only_store_files() {
            remove_other_permissions(directory, DIRECTORY_MODE);
        } else if found.mode() & OTHERS_WRITE == 0 {
            // Others can list the file names but not read the contents.
        } else if is_shared {
            tracing::warn!(
                "{} is a directory that everybody on this machine writes to: others can put files \
                 beside the database. Give Duet a directory of its own",
                directory.display()
            );
        } else {
            // Others use the directory too, so the operator must decide about its permissions.
            tracing::warn!(
                "others may write to {}: they can replace the database in it. Take their right \
                 away (chmod go-w), or give Duet a directory of its own",
                directory.display()
            );
        }
    }

    /// Creates an empty private database file if there is none. SQLite gives the files beside it
    /// the same mode.
    pub(super) fn make_database(&self) -> Result<(), OpenError> {
        private_file(&self.database).map(drop).map_err(|why| OpenError::path(&self.database, why))
    }

    /// The files of this store that exist: the database and those whose names continue its name with
    /// a hyphen, such as a log that was set aside.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let beside = self.beside("-");
        let entries = fs::read_dir(self.directory()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(move |path| {
            let path = path.as_os_str().as_encoded_bytes();
            path == self.database.as_os_str().as_encoded_bytes()
                || path.starts_with(beside.as_os_str().as_encoded_bytes())
        })
    }

    /// Whether the directory holds only files of this store.
    fn has_only_store_files(&self) -> bool {
        let Some(name) = self.database.file_name() else { return false };
        let Ok(mut entries) = fs::read_dir(self.directory()) else { return false };
        entries.all(|entry| {
            entry.is_ok_and(|entry| {
                entry.file_name().as_encoded_bytes().starts_with(name.as_encoded_bytes())
            })
        })
    }
}

/// Resolves symbolic links. The file itself may be absent.
fn resolve(file: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(file) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            Ok(fs::canonicalize(parent.unwrap_or(Path::new(".")))?.join(name))
        }
        found => found,
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_directory(parent)?;
    }
    fs::DirBuilder::new().mode(DIRECTORY_MODE).create(directory)?;
    // The umask may have removed the owner's permissions.
    fs::set_permissions(directory, fs::Permissions::from_mode(DIRECTORY_MODE))
}

/// Opens a file. A new file gets [`FILE_MODE`] regardless of the umask.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(FILE_MODE);
        options
    };
    match options().create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
            Ok(file)
        }
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => options().open(path),
        Err(why) => Err(why),
    }
}

/// Removes the permissions of others, and logs the change.
fn remove_other_permissions(path: &Path, mode: u32) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    let before = found.mode() & 0o7777;
    if before & OTHERS == 0 || found.is_symlink() {
        return;
    }
    let path_shown = path.display();
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Ok(()) => {
            tracing::warn!("{path_shown} was {before:03o}: now {mode:03o}, for its owner alone");
        }
        Err(why) => tracing::warn!(
            "{path_shown} is {before:03o} and others can read it: {why}. Make it {mode:03o} as its owner"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_everybody_uses_keeps_its_rights() {
        for (before, after) in [(0o777, 0o700), (0o755, 0o700), (0o1777, 0o1777)] {
            let directory = tempfile::tempdir().expect("a directory");
            let paths = StorePaths::of(&directory.path().join("duet.db")).expect("the paths");
            paths.make_database().expect("made");
            let rights = fs::Permissions::from_mode(before);
            fs::set_permissions(directory.path(), rights).expect("set");
            paths.make_private();
            let found = fs::metadata(directory.path()).expect("it is there").mode() & 0o7777;
            assert_eq!(found, after, "{before:o}");
        }
    }
}

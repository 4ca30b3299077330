//! Where a store's files are: their names, their lock, and that nobody else on the machine reads them.
//!
//! Messages are private, so every file is 0600 and every directory made here is 0700, whatever the
//! umask and whatever was there before. The lock is an advisory lock on a file beside the database.
//! The kernel releases it when the process ends in any way, so the file that stays behind stops
//! nobody. Opening a store and moving one use this; nothing here reads the database.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::open::OpenError;

/// What a file of a store, and a directory of its own, may be read by: their owner.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// The bits of others.
const OTHERS: u32 = 0o077;
/// With these bits others can put a file in the place of ours.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// The files of one store. The path has no symbolic link in it, so that two names of one file
/// have one lock.
#[derive(Clone, Debug)]
pub(in crate::store) struct Place {
    database: PathBuf,
}

/// The lock of a store; released when this is dropped.
#[derive(Debug)]
pub(in crate::store) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file alone would not do: a process that is being started has the file open as
        // well, until its own program runs. An error changes nothing, because the file is closed next.
        let _ = self.0.unlock();
    }
}

impl Place {
    /// Makes the directory when it is absent.
    pub(super) fn make(file: &Path) -> Result<Self, OpenError> {
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        make_directory(directory).map_err(|why| OpenError::path(directory, why))?;
        Self::of(file)
    }

    /// Of a file whose directory is there.
    pub(in crate::store) fn of(file: &Path) -> Result<Self, OpenError> {
        let database = resolve(file).map_err(|why| OpenError::path(file, why))?;
        Ok(Self { database })
    }

    /// The database file.
    pub(in crate::store) fn database(&self) -> &Path {
        &self.database
    }

    /// A file that stands beside the database, named after it.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = OsString::from(&self.database);
        name.push(ending);
        PathBuf::from(name)
    }

    fn directory(&self) -> &Path {
        self.database.parent().unwrap_or(Path::new("/"))
    }

    /// Takes the store for this process.
    pub(in crate::store) fn lock(&self) -> Result<Lock, OpenError> {
        let path = self.beside("-lock");
        let mut file = private_file(&path).map_err(|why| OpenError::path(&path, why))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut said = String::new();
                // Without a number the sentence is as true.
                let _ = file.take(32).read_to_string(&mut said);
                let holder = said.trim().parse::<u32>().ok();
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
        // The number is for people; the lock holds without it, also on a full disk.
        let _ = note.and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock(file))
    }

    /// Takes others' rights to the files away, and to the directory if nothing else is in it and it
    /// is not one like `/tmp`, which others need.
    pub(in crate::store) fn make_private(&self) {
        for ending in ["", "-wal", "-shm", "-journal", "-marker", "-lock"] {
            let path = self.beside(ending);
            narrow(&path, FILE_MODE);
        }
        let directory = self.directory();
        let Ok(found) = fs::metadata(directory) else { return };
        if found.mode() & OTHERS == 0 {
            return;
        }
        let is_shared = found.mode() & STICKY != 0;
        if !is_shared && self.is_all_there_is() {
            narrow(directory, DIRECTORY_MODE);
        } else if found.mode() & OTHERS_WRITE == 0 {
            // Others read the names of the files, and nothing in them.
        } else if is_shared {
            tracing::warn!(
                "{} is a directory that everybody on this machine writes to: others can put files \
                 beside the database. Give Duet a directory of its own",
                directory.display()
            );
        } else {
            // The directory serves others as well, so its rights are the operator's decision.
            tracing::warn!(
                "others may write to {}: they can replace the database in it. Take their right \
                 away (chmod go-w), or give Duet a directory of its own",
                directory.display()
            );
        }
    }

    /// Makes an empty database file that nobody else reads, when there is none. SQLite gives
    /// the files beside it the same mode.
    pub(super) fn make_database(&self) -> Result<(), OpenError> {
        private_file(&self.database).map(drop).map_err(|why| OpenError::path(&self.database, why))
    }

    /// Whether the directory has the files of this store and nothing else.
    fn is_all_there_is(&self) -> bool {
        let Some(name) = self.database.file_name() else { return false };
        let Ok(mut entries) = fs::read_dir(self.directory()) else { return false };
        entries.all(|entry| {
            entry.is_ok_and(|entry| {
                entry.file_name().as_encoded_bytes().starts_with(name.as_encoded_bytes())
            })
        })
    }
}

/// The path without symbolic links; the file itself may be absent.
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
    // The umask may have taken the owner's own rights away.
    fs::set_permissions(directory, fs::Permissions::from_mode(DIRECTORY_MODE))
}

/// Opens a file, made with [`FILE_MODE`] whatever the umask.
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

/// Takes others' rights away, where there are any, and says so.
fn narrow(path: &Path, mode: u32) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    let before = found.mode() & 0o7777;
    if before & OTHERS == 0 || found.is_symlink() {
        return;
    }
    let path_shown = path.display();
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Ok(()) => {
            tracing::warn!("{path_shown} was {before:03o}: now {mode:03o}, for its owner alone")
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
            let place = Place::of(&directory.path().join("duet.db")).expect("a place");
            place.make_database().expect("made");
            let rights = fs::Permissions::from_mode(before);
            fs::set_permissions(directory.path(), rights).expect("set");
            place.make_private();
            let found = fs::metadata(directory.path()).expect("it is there").mode() & 0o7777;
            assert_eq!(found, after, "{before:o}");
        }
    }
}

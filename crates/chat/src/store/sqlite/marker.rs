//! The marker: a small file beside the database that records which store was here and how far it
//! had come. A database that was restored from a backup, or emptied, differs from its marker.
//!
//! The database holds the same facts in two rows of `meta`: `store`, which never changes, and
//! `written`. The keeper replaces `written` at each start and stop, after each complete checkpoint,
//! and every 10 to 30 seconds while the store changes. The marker is written after the commit of
//! `written`, so a database can be ahead of its marker after a crash but never behind. A snapshot
//! that includes the marker cannot be detected here; clients detect it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::paths::{StoreLock, StorePaths, private_file};
use crate::mutex::lock;

/// Explains the file to a reader.
const ABOUT: &str = "Duet remembers by this file which store is beside it. Keep it there.";
/// The keys of the rows in `meta`.
pub(super) const STORE: &str = "store";
pub(super) const WRITTEN: &str = "written";

/// How far a store has come: a growing number, and a random part so that two copies of one store
/// that were both served never share a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) number: u64,
    chance: u64,
}

impl Token {
    /// Stands for an absent [`Written::on`] in the text form.
    const NONE: Self = Self { number: 0, chance: 0 };

    /// A token that follows both of the given tokens.
    pub(super) fn after(one: Option<Self>, other: Option<Self>) -> Self {
        let number = |token: Option<Self>| token.map_or(0, |token| token.number);
        // The second half of a UUIDv7 is random.
        let (_, chance) = Uuid::now_v7().as_u64_pair();
        Self { number: number(one).max(number(other)).saturating_add(1), chance }
    }

    /// The mark of the token in the database's header. Never zero, which is the value in a new
    /// database.
    pub(super) fn mark(self) -> u32 {
        u32::try_from(self.chance & 0xffff_ffff).unwrap_or_default() | 1
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:016x}", self.number, self.chance)
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (number, chance) = text.split_once('-').ok_or(())?;
        let number = number.parse().map_err(drop)?;
        Ok(Self { number, chance: u64::from_str_radix(chance, 16).map_err(drop)? })
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|()| serde::de::Error::custom("not a token"))
    }
}

/// The row `written`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// How far the store has come.
    pub(super) token: Token,
    /// Set only in the first row of a new log: the token that the database file held, complete,
    /// when the log was begun.
    pub(super) on: Option<Token>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.token, self.on.unwrap_or(Token::NONE))
    }
}

impl FromStr for Written {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (token, on) = text.split_once(" on ").ok_or(())?;
        let on: Token = on.parse()?;
        Ok(Self { token: token.parse()?, on: (on != Token::NONE).then_some(on) })
    }
}

/// Reads a row of `meta`; `None` if the row is absent or malformed.
pub(super) fn read<T: FromStr>(database: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    let value: Option<String> = database
        .query_row("select value from meta where key = ?1", (key,), |row| row.get(0))
        .optional()?;
    Ok(value.and_then(|value| value.parse().ok()))
}

pub(super) fn write(
    database: &Connection,
    key: &str,
    value: &impl fmt::Display,
) -> rusqlite::Result<()> {
    database
        .execute(
            "insert into meta (key, value) values (?1, ?2) \
             on conflict (key) do update set value = excluded.value",
            (key, value.to_string()),
        )
        .map(drop)
}

/// Writes the row `written`, and the token's mark as `user_version`. The mark is four bytes of the
/// header, which a power loss during a checkpoint cannot tear.
pub(super) fn write_written(database: &Connection, written: Written) -> rusqlite::Result<()> {
    write(database, WRITTEN, &written)?;
    let mark = i32::from_ne_bytes(written.token.mark().to_ne_bytes());
    database.pragma_update(None, "user_version", mark)
}

/// The contents of the marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The id of the store.
    pub(super) store: Uuid,
    /// The last token that is certainly in the database.
    pub(super) written: Token,
    /// Whether the server stopped cleanly and so left no write-ahead log.
    pub(super) stopped: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    about: &'static str,
    #[serde(flatten)]
    marker: &'a Marker,
}

/// The result of reading the marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkerFile {
    Nothing,
    /// The file exists but cannot be parsed.
    Unreadable,
    Marker(Marker),
}

impl MarkerFile {
    pub(super) fn marker(self) -> Option<Marker> {
        if let Self::Marker(marker) = self { Some(marker) } else { None }
    }
}

pub(super) fn path(paths: &StorePaths) -> PathBuf {
    paths.beside("-marker")
}

pub(super) fn find(paths: &StorePaths) -> io::Result<MarkerFile> {
    match fs::read(path(paths)) {
        Ok(bytes) => {
            Ok(serde_json::from_slice(&bytes).map_or(MarkerFile::Unreadable, MarkerFile::Marker))
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(MarkerFile::Nothing),
        Err(why) => Err(why),
    }
}

impl Marker {
    /// Replaces the file atomically, so that a power loss leaves the old or the new one.
    fn keep(&self, paths: &StorePaths) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&Shown { about: ABOUT, marker: self })?;
        let (path, new) = (path(paths), paths.beside("-marker-new"));
        let mut file = private_file(&new)?;
        file.set_len(0)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        // The new name is durable once the directory is synced.
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

/// Updates the marker and the row `written` while the store is open, and holds the lock. Called by
/// the committer's thread, and by the store at start and close.
pub(super) struct Keeper {
    paths: StorePaths,
    /// Locked while the file is written; never across an await.
    held: Mutex<Held>,
}

struct Held {
    marker: Marker,
    lock: Option<StoreLock>,
}

/// Why the marker could not be updated.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error("the database: {0}")]
    Row(#[from] rusqlite::Error),
    #[error("the file beside the database: {0}")]
    File(#[from] io::Error),
}

impl Keeper {
    pub(super) fn new(paths: StorePaths, lock: StoreLock, marker: Marker) -> Self {
        Self { paths, held: Mutex::new(Held { marker, lock: Some(lock) }) }
    }

    /// Replaces the row `written`, then the file. `on` is the token in the database file if this
    /// write begins a new log.
    pub(super) fn note(&self, database: &Connection, on: Option<Token>) -> Result<(), KeepError> {
        let mut held = lock(&self.held);
        let token = Token::after(Some(held.marker.written), None);
        let tx = Transaction::new_unchecked(database, TransactionBehavior::Immediate)?;
        write_written(&tx, Written { token, on })?;
        tx.commit()?;
        held.marker = Marker { written: token, stopped: false, ..held.marker };
        held.marker.keep(&self.paths)?;
        Ok(())
    }

    /// Writes the final marker and releases the lock. All connections must be closed. Further calls
    /// do nothing.
    pub(super) fn end(&self) {
        let mut held = lock(&self.held);
        if held.lock.is_none() {
            return;
        }
        let marker = Marker { stopped: !self.paths.beside("-wal").exists(), ..held.marker };
        if let Err(error) = marker.keep(&self.paths) {
            tracing::warn!(%error, "cannot write {}", path(&self.paths).display());
        }
        held.lock = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_both_and_is_read_as_it_was_written() {
        let one = Token::after(None, None);
        let other = Token::after(Some(one), None);
        let next = Token::after(Some(one), Some(other));
        assert_eq!((one.number, other.number, next.number), (1, 2, 3));
        for written in [Written { token: next, on: Some(one) }, Written { token: next, on: None }] {
            assert_eq!(written.to_string().parse(), Ok(written));
        }
        let twin = Token::after(Some(one), None);
        assert!(twin.number == other.number && twin != other, "two copies differ");
    }
}

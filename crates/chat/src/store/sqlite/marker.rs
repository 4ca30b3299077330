//! The marker: a small file beside the database that says which store was here and how far the
//! store had come. A database that was put back from a backup, or emptied, differs from its marker.
//!
//! The database holds the same in two rows of `meta`: `store`, which never changes, and `written`,
//! which the keeper replaces at each start, at each stop, after each checkpoint, and every
//! few seconds while somebody writes. The marker is written after the commit of `written`, so that
//! a database can be ahead of its marker (a crash came between) and never behind it. A snapshot
//! that holds the marker as well cannot be noticed here; the clients notice that.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::place::{Lock, Place, private_file};

/// What the file tells somebody who opens it.
const ABOUT: &str = "Duet remembers by this file which store is beside it. Keep it there.";
/// The rows of `meta`.
pub(super) const STORE: &str = "store";
pub(super) const WRITTEN: &str = "written";

/// How far a store has come: a number that only grows, and chance, so that two copies of one
/// store that were both served have no token in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) number: u64,
    chance: u64,
}

impl Token {
    /// The first token, and what [`Written::on`] is where nothing is claimed.
    const NONE: Self = Self { number: 0, chance: 0 };

    /// One that follows both.
    pub(super) fn after(one: Option<Self>, other: Option<Self>) -> Self {
        let number = |token: Option<Self>| token.map_or(0, |token| token.number);
        // The second half of such an id is random.
        let (_, chance) = Uuid::now_v7().as_u64_pair();
        Self { number: number(one).max(number(other)).saturating_add(1), chance }
    }

    /// What stands for it in the header of the database; never zero, which is what is there first.
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
    /// How far.
    pub(super) token: Token,
    /// The token that the database file had, complete, when a write-ahead log was begun with
    /// this row; `None` in every other row.
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

/// Reads a row of `meta`, if it is there and can be read.
pub(super) fn read<T: FromStr>(database: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    let value: Option<String> = database
        .query_row("select value from meta where key = ?1", (key,), |row| row.get(0))
        .optional()?;
    Ok(value.and_then(|value| value.parse().ok()))
}

/// Writes a row of `meta`.
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

/// Writes the row `written`, and its mark as SQLite's `user_version`: four bytes of the header, of
/// which a power loss during a checkpoint leaves the old ones or the new ones and nothing between.
pub(super) fn write_written(database: &Connection, written: Written) -> rusqlite::Result<()> {
    write(database, WRITTEN, &written)?;
    let mark = i32::from_ne_bytes(written.token.mark().to_ne_bytes());
    database.pragma_update(None, "user_version", mark)
}

/// What the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// Which store.
    pub(super) store: Uuid,
    /// The last token that is certainly in the database.
    pub(super) written: Token,
    /// Whether the server ended in order: then there is no write-ahead log.
    pub(super) stopped: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    about: &'static str,
    #[serde(flatten)]
    marker: &'a Marker,
}

/// What was found in the place of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// There is a file, and nobody can read what it says.
    Unreadable,
    Marker(Marker),
}

impl Found {
    pub(super) fn marker(self) -> Option<Marker> {
        if let Self::Marker(marker) = self { Some(marker) } else { None }
    }
}

pub(super) fn path(place: &Place) -> PathBuf {
    place.beside("-marker")
}

pub(super) fn find(place: &Place) -> io::Result<Found> {
    match fs::read(path(place)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_or(Found::Unreadable, Found::Marker)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(why) => Err(why),
    }
}

impl Marker {
    /// Replaces the file in one step, so that a power loss leaves the one before or this one.
    fn keep(&self, place: &Place) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&Shown { about: ABOUT, marker: self })?;
        let (path, new) = (path(place), place.beside("-marker-new"));
        let mut file = private_file(&new)?;
        file.set_len(0)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        // The new name is on disk once its directory is.
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

/// Keeps the marker and the row `written` while a store is open, and the lock. Called by the
/// committer's thread, and by the store at its start and end.
pub(super) struct Keeper {
    place: Place,
    /// Held to write the file, never across an await.
    held: Mutex<Held>,
}

struct Held {
    marker: Marker,
    lock: Option<Lock>,
}

/// Why it could not be noted how far the store has come.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error("the database: {0}")]
    Row(#[from] rusqlite::Error),
    #[error("the file beside the database: {0}")]
    File(#[from] io::Error),
}

impl Keeper {
    pub(super) fn new(place: Place, lock: Lock, marker: Marker) -> Self {
        Self { place, held: Mutex::new(Held { marker, lock: Some(lock) }) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the row, then the file. `on` is what the database file holds, when the log is
    /// begun by this.
    pub(super) fn note(&self, database: &Connection, on: Option<Token>) -> Result<(), KeepError> {
        let mut held = self.held();
        let token = Token::after(Some(held.marker.written), None);
        let tx = Transaction::new_unchecked(database, TransactionBehavior::Immediate)?;
        write_written(&tx, Written { token, on })?;
        tx.commit()?;
        held.marker = Marker { written: token, stopped: false, ..held.marker };
        held.marker.keep(&self.place)?;
        Ok(())
    }

    /// The end: all connections are closed. Lets another process have the store.
    pub(super) fn end(&self) {
        let mut held = self.held();
        if held.lock.is_none() {
            return;
        }
        let marker = Marker { stopped: !self.place.beside("-wal").exists(), ..held.marker };
        if let Err(error) = marker.keep(&self.place) {
            tracing::warn!(%error, "cannot write {}", path(&self.place).display());
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

//! Inspects the files of a store before SQLite opens them: whether a database exists, which store
//! it is, and whether the write-ahead log beside it belongs to it.
//!
//! SQLite replays any log that it finds. The log is checked first, because a log of another state
//! of the file would corrupt the database. After each complete checkpoint, the committer's first
//! write to the new log names the token that the database file holds; the token's mark is in the
//! file's header (see [`super::marker`]). If the header's mark is neither that token's nor a mark
//! of a token in the log, the log was not written on this file. Without such a first write nothing
//! is concluded, and SQLite recovers as usual.
//!
//! Except for [`Log::set_aside`], this module changes nothing. Called by [`super::open`].

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::Uuid;

use super::marker::{self, STORE, Token, WRITTEN, Written};
use super::paths::StorePaths;
use crate::clock;

type LogHeader = [u8; 32];
type FrameHeader = [u8; 24];
const LOG_HEADER: u64 = size_of::<LogHeader>() as u64;
const FRAME_HEADER: u64 = size_of::<FrameHeader>() as u64;
/// The first four bytes of a log, without the lowest bit.
const LOG_MAGIC: u32 = 0x377f_0682;
/// The offset of the write version in the header, and the version of a database in WAL mode.
const WRITE_VERSION: usize = 18;
const WITH_LOG: u8 = 2;
/// The offset of `user_version` in the header.
const MARK: usize = 60;
/// The type of a leaf page of a table without row ids.
const INDEX_LEAF: u8 = 0x0a;

/// The database file without its log.
#[derive(Debug)]
pub(super) enum Base {
    /// The file does not exist or has no bytes.
    Missing,
    /// The file has no table. `with_log` is whether it was in WAL mode.
    Empty { with_log: bool },
    /// The file has tables.
    Tables(Tables),
    /// The file cannot be read as a database.
    Unreadable,
}

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) store: Option<Uuid>,
    /// The mark of the last token, from the header.
    mark: u32,
    with_log: bool,
    /// The root page of the table `meta`.
    meta: Option<u32>,
}

impl Base {
    pub(super) fn read(paths: &StorePaths) -> Self {
        let path = paths.database();
        if fs::metadata(path).map_or(0, |file| file.len()) == 0 {
            return Self::Missing;
        }
        let mut header = [0; 100];
        if File::open(path).and_then(|file| file.read_exact_at(&mut header, 0)).is_err() {
            return Self::Unreadable;
        }
        let (with_log, mark) = (header[WRITE_VERSION] == WITH_LOG, number(&header, MARK));
        read_tables(path).map_or(Self::Unreadable, |tables| match tables {
            Some((meta, store)) => Self::Tables(Tables { store, mark, with_log, meta }),
            None => Self::Empty { with_log },
        })
    }

    /// Whether the log certainly belongs to another file.
    pub(super) fn disowns(&self, log: &Log) -> bool {
        if log.frames == 0 {
            return false;
        }
        let base = match self {
            Self::Tables(base) => base,
            Self::Missing => return true,
            Self::Empty { .. } | Self::Unreadable => return false,
        };
        // A database with a log is in WAL mode. `vacuum into` makes a file that is not.
        if !base.with_log {
            return true;
        }
        let Some(on) = log.begun_on else { return false };
        base.mark != on.mark() && log.tokens.iter().all(|token| base.mark != token.mark())
    }
}

/// Reads the database file without its log, because SQLite ignores the log of an immutable file.
/// Returns the root page of `meta` and the store's id; `None` if the file has no table.
fn read_tables(path: &Path) -> rusqlite::Result<Option<(Option<u32>, Option<Uuid>)>> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(char::from(*byte));
            }
            // Writing to a string cannot fail.
            _ => _ = write!(uri, "%{byte:02x}"),
        }
    }
    uri += "?immutable=1";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let database = Connection::open_with_flags(uri, flags)?;
    let tables: i64 =
        database.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let root = "select rootpage from sqlite_schema where name = 'meta' and type = 'table'";
    let meta: Option<u32> = database.query_row(root, [], |row| row.get(0)).optional()?;
    let store = if meta.is_some() { marker::read(&database, STORE)? } else { None };
    Ok(Some((meta, store)))
}

/// The contents of a write-ahead log.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) bytes: u64,
    pub(super) exists: bool,
    frames: u64,
    /// The token that the database file held when the log was begun, according to the log's first
    /// transaction.
    begun_on: Option<Token>,
    /// All tokens in the log.
    tokens: Vec<Token>,
}

impl Log {
    pub(super) fn read(paths: &StorePaths, base: &Base) -> io::Result<Self> {
        let meta = if let Base::Tables(tables) = base { tables.meta } else { None };
        let file = match File::open(paths.beside("-wal")) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(why) => return Err(why),
        };
        let mut log = Self { bytes: file.metadata()?.len(), exists: true, ..Self::default() };
        let mut header = LogHeader::default();
        if log.bytes <= LOG_HEADER {
            return Ok(log);
        }
        file.read_exact_at(&mut header, 0)?;
        let page = u64::from(number(&header, 8));
        if number(&header, 0) & !1 != LOG_MAGIC || page == 0 {
            return Ok(log);
        }
        let (mut at, mut first) = (LOG_HEADER, true);
        let mut frame = FrameHeader::default();
        // A crash may truncate the last frame. SQLite does not apply such a frame either.
        while at + FRAME_HEADER + page <= log.bytes {
            file.read_exact_at(&mut frame, at)?;
            // Frames with another salt remain from an earlier use of the file.
            if frame[8..16] != header[16..24] {
                break;
            }
            log.frames += 1;
            if meta == Some(number(&frame, 0)) {
                let mut content = vec![0; usize::try_from(page).unwrap_or(0)];
                file.read_exact_at(&mut content, at + FRAME_HEADER)?;
                if let Some(written) = written_in(&content) {
                    log.tokens.push(written.token);
                    if first {
                        log.begun_on = written.on;
                    }
                }
            }
            // The last frame of a transaction holds the size of the database.
            first &= number(&frame, 4) == 0;
            at += FRAME_HEADER + page;
        }
        Ok(log)
    }

    /// Renames the log, so that SQLite does not apply it.
    pub(super) fn set_aside(paths: &StorePaths) -> io::Result<PathBuf> {
        let aside = paths.beside(&format!("-wal-set-aside-{}", clock::now().0));
        fs::rename(paths.beside("-wal"), &aside)?;
        // The shared-memory index belongs to the renamed log.
        match fs::remove_file(paths.beside("-shm")) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => Ok(aside),
        }
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Reads the row `written` from a leaf page of `meta`, in SQLite's file format.
fn written_in(page: &[u8]) -> Option<Written> {
    if *page.first()? != INDEX_LEAF {
        return None;
    }
    let short =
        |at: usize| Some(usize::from(*page.get(at)?) << 8 | usize::from(*page.get(at + 1)?));
    (0..short(3)?).find_map(|cell| {
        let (_, rest) = varint(page.get(short(8 + 2 * cell)?..)?)?;
        let (header, types) = varint(rest)?;
        let (key, types) = varint(types)?;
        let (value, _) = varint(types)?;
        let text = |kind: usize| (kind >= 13 && kind % 2 == 1).then(|| (kind - 13) / 2);
        let (key, value) = (text(key)?, text(value)?);
        let content = rest.get(header..)?;
        (content.get(..key)? == WRITTEN.as_bytes()).then_some(())?;
        std::str::from_utf8(content.get(key..key + value)?).ok()?.parse().ok()
    })
}

/// Reads a variable-length integer of SQLite, and returns the rest. `meta` has none longer than
/// four bytes.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (paths, byte) in bytes.iter().enumerate().take(4) {
        number = number << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[paths + 1..]));
        }
    }
    None
}

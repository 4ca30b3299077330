//! Writes rows into a store before its server starts: many users, and conversations of any length.
//! Creating them through the protocol would take hours.
//!
//! The only part of the bench that depends on Duet's schema. No measured operation uses this
//! module.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use harness::TestUser;
use protocol::{ClientId, ConversationId, SessionId, UserId};
use rusqlite::{Connection, OpenFlags, params};
use sha2::{Digest, Sha256};

use crate::scenario::BODY_BYTES;

/// File name of Duet's store in a data directory.
pub(crate) const DATABASE: &str = "duet.db";

/// A store that no server has open.
pub(crate) struct Seed {
    database: Connection,
    now: i64,
}

/// A conversation to write.
pub(crate) struct SeedConversation {
    pub users: [UserId; 2],
    pub messages: i64,
    /// Whether the first user sent every message and the second has received none. Otherwise both
    /// took turns and have read everything.
    pub waiting: bool,
}

impl Seed {
    /// Opens the store of a data directory.
    ///
    /// # Errors
    /// Fails if the directory contains no store.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let database =
            Connection::open_with_flags(data.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // No durability, because the rows can be written again.
        database.execute_batch(
            "pragma journal_mode = delete; pragma synchronous = off; pragma foreign_keys = off; \
             pragma cache_size = -262144; begin",
        )?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Self { database, now: i64::try_from(now.as_millis())? })
    }

    /// Writes users with a fresh session each. Their accounts have no password. `like` is a user
    /// whose cookie has the right name.
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub(crate) fn users(&self, count: usize, like: &TestUser) -> Result<Vec<TestUser>> {
        let mut users = self.database.prepare(
            "insert into users (id, username, username_key, display_name, display_key, \
             password_hash, created_at) values (?1, ?2, ?2, ?2, ?2, '', ?3)",
        )?;
        (0..count)
            .map(|number| {
                let id = UserId::new();
                users.execute(params![id.0, format!("user.{number:05}"), self.now])?;
                Ok(TestUser { id, cookie: self.session(id, like)? })
            })
            .collect()
    }

    /// Writes a new session of a user and returns its cookie.
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub(crate) fn session(&self, user: UserId, like: &TestUser) -> Result<String> {
        let (cookie, _) = like.cookie.split_once('=').context("the cookie has no name")?;
        let id = SessionId::new();
        let token = Sha256::digest(format!("{id} {user}"));
        self.database
            .prepare_cached(
                "insert into sessions (id, user_id, token_hash, created_at, seen_at, rotated_at) \
                 values (?1, ?2, ?3, ?4, ?4, ?4)",
            )?
            .execute(params![id.0, user.0, Sha256::digest(token).as_slice(), self.now])?;
        Ok(format!("{cookie}={}", BASE64_URL_SAFE_NO_PAD.encode(token)))
    }

    /// Writes a conversation that is `minutes_ago` minutes old.
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub(crate) fn write_conversation(
        &self,
        conversation: &SeedConversation,
        minutes_ago: i64,
    ) -> Result<ConversationId> {
        let id = ConversationId::new();
        let at = self.now - minutes_ago * 60_000;
        let [first, second] = conversation.users;
        let (low, high) = if first < second { (first, second) } else { (second, first) };
        self.database
            .prepare_cached(
                "insert into conversations (id, low_id, high_id, last_seq, created_at) \
                 values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![id.0, low.0, high.0, conversation.messages, at])?;
        let seen =
            [conversation.messages, if conversation.waiting { 0 } else { conversation.messages }];
        for (me, peer, seen) in [(first, second, seen[0]), (second, first, seen[1])] {
            self.database
                .prepare_cached(
                    "insert into members \
                     (conversation_id, user_id, peer_id, delivered_seq, read_seq, active_at) \
                     values (?1, ?2, ?3, ?4, ?4, ?5)",
                )?
                .execute(params![id.0, me.0, peer.0, seen, at])?;
        }
        let mut messages = self.database.prepare_cached(
            "insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at) \
             values (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for seq in 1..=conversation.messages {
            let sender = if conversation.waiting || seq % 2 == 1 { first } else { second };
            let body = format!("{seq:.<BODY_BYTES$}");
            messages.execute(params![id.0, seq, sender.0, ClientId::new().0, body, at])?;
        }
        Ok(id)
    }

    /// Returns a hash of the schema.
    ///
    /// # Errors
    /// Fails if the store cannot be read.
    pub(crate) fn schema(&self) -> Result<u64> {
        let sql: String = self.database.query_row(
            "select group_concat(sql, ';') from (select sql from sqlite_schema order by name)",
            [],
            |row| row.get(0),
        )?;
        let mut hasher = DefaultHasher::new();
        sql.hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Commits, and restores the journal mode for a server.
    ///
    /// # Errors
    /// Fails if the store cannot be written.
    pub(crate) fn finish(self) -> Result<()> {
        Ok(self.database.execute_batch("commit; pragma journal_mode = wal; pragma optimize")?)
    }
}

/// Returns the number of sessions in a store. Each sign-in adds one.
///
/// # Errors
/// Fails if the store cannot be read.
pub(crate) fn sessions(data: &Path) -> Result<i64> {
    let database = Connection::open(data.join(DATABASE))?;
    Ok(database.query_row("select count(*) from sessions", [], |row| row.get(0))?)
}

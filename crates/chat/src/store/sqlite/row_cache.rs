//! Rows that earlier batches have read or written, so that the next batch need not read them again.
//!
//! The cache belongs to the thread that commits batches. That thread keeps the cache equal to the
//! rows that it writes. Another connection changes these rows when, for example, a session ends or an
//! account is deleted; SQLite's `data_version` then differs, and [`RowCache::validate`] empties the cache. The
//! cache must not be used outside a transaction, because only a transaction keeps other connections
//! from changing the rows. Called by [`super::commit`] only.
//!
//! Bounds: a batch that finds [`MOST_ROWS`] conversations, lists or sessions empties the cache first,
//! and may then add its own. About 700 KiB.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol::{ConversationId, Seq, SessionId, Timestamp, UserId};
use rusqlite::{Result, Transaction};

use crate::store::marks::MemberMarks;

/// The number of entries of each kind at which the cache is emptied.
const MOST_ROWS: usize = 2_048;

/// The cached rows.
#[derive(Default)]
pub(super) struct RowCache {
    /// SQLite's number of the database's state at the last batch. The number changes when another
    /// connection commits.
    version: Option<i64>,
    /// `None` for an id without a conversation.
    conversations: HashMap<ConversationId, Option<CachedConversation>>,
    /// The conversation at the top of each user's list; `None` for an empty list.
    first_listed: HashMap<UserId, Option<ConversationId>>,
    /// `None` for an ended session.
    sessions: HashMap<SessionId, Option<CachedSession>>,
}

/// A session, as far as it decides whether its user may write.
#[derive(Clone, Copy)]
pub(super) struct CachedSession {
    pub(super) user: UserId,
    pub(super) created: Timestamp,
    pub(super) seen: Timestamp,
}

/// One of the two members of a conversation, as an index into [`CachedConversation::members`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Low = 0,
    High = 1,
}

/// A conversation, with the marks of its members as far as they were read.
pub(super) struct CachedConversation {
    /// The members in the order of their ids.
    pub(super) members: [UserId; 2],
    pub(super) last_seq: Seq,
    /// Whether the account of a member is deleted.
    pub(super) closed: bool,
    stands: [MemberStanding; 2],
    marks: [Option<MemberMarks>; 2],
}

/// What decides over the messages of a member.
#[derive(Clone, Copy)]
pub(super) struct MemberStanding {
    /// Whether the member has spoken.
    pub(super) spoken: bool,
    /// Whether the member has blocked the peer.
    pub(super) blocks: bool,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl CachedConversation {
    pub(super) fn new(
        members: [UserId; 2],
        last_seq: Seq,
        closed: bool,
        stands: [MemberStanding; 2],
    ) -> Self {
        Self { members, last_seq, closed, stands, marks: [None; 2] }
    }

    pub(super) fn standing(&self, side: Side) -> MemberStanding {
        self.stands[side as usize]
    }

    /// Notes the first message of a member. From now on the peer gets the member's receipts.
    pub(super) fn note_spoken(&mut self, side: Side) {
        self.stands[side as usize].spoken = true;
        self.marks[side as usize] = None;
    }

    /// Returns the user's side; `None` if the user is not a member.
    pub(super) fn side_of(&self, user: UserId) -> Option<Side> {
        [Side::Low, Side::High].into_iter().find(|side| self.member(*side) == user)
    }

    pub(super) fn member(&self, side: Side) -> UserId {
        self.members[side as usize]
    }

    pub(super) fn marks(&self, side: Side) -> Option<MemberMarks> {
        self.marks[side as usize]
    }

    pub(super) fn marks_mut(&mut self, side: Side) -> &mut Option<MemberMarks> {
        &mut self.marks[side as usize]
    }
}

impl RowCache {
    /// Empties the cache if another connection has changed the database, or if the cache is full.
    /// Must be called at the beginning of each transaction.
    pub(super) fn validate(&mut self, tx: &Transaction<'_>) -> Result<()> {
        let version = tx.prepare_cached("pragma data_version")?.query_row((), |row| row.get(0))?;
        let largest = self.conversations.len().max(self.first_listed.len());
        let is_full = largest.max(self.sessions.len()) >= MOST_ROWS;
        if is_full || self.version != Some(version) {
            self.clear();
        }
        self.version = Some(version);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns a conversation, which `read` reads if necessary.
    pub(super) fn conversation(
        &mut self,
        id: ConversationId,
        read: impl FnOnce() -> Result<Option<CachedConversation>>,
    ) -> Result<Option<&mut CachedConversation>> {
        Ok(match self.conversations.entry(id) {
            Entry::Occupied(cached) => cached.into_mut(),
            Entry::Vacant(missing) => missing.insert(read()?),
        }
        .as_mut())
    }

    /// Returns a cached conversation.
    pub(super) fn get(&self, id: ConversationId) -> Option<&CachedConversation> {
        self.conversations.get(&id)?.as_ref()
    }

    /// Returns a session, which `read` reads if necessary.
    pub(super) fn session(
        &mut self,
        session: SessionId,
        read: impl FnOnce() -> Result<Option<CachedSession>>,
    ) -> Result<Option<CachedSession>> {
        Ok(match self.sessions.entry(session) {
            Entry::Occupied(cached) => *cached.get(),
            Entry::Vacant(missing) => *missing.insert(read()?),
        })
    }

    /// Records the last use of a session together with its row.
    pub(super) fn see_session(&mut self, session: SessionId, now: Timestamp) {
        if let Some(Some(cached)) = self.sessions.get_mut(&session) {
            cached.seen = now;
        }
    }

    /// Returns the conversation at the top of a user's list, which `read` reads if necessary. The
    /// caller changes the entry together with the row.
    pub(super) fn first_listed(
        &mut self,
        user: UserId,
        read: impl FnOnce() -> Result<Option<ConversationId>>,
    ) -> Result<&mut Option<ConversationId>> {
        Ok(match self.first_listed.entry(user) {
            Entry::Occupied(cached) => cached.into_mut(),
            Entry::Vacant(missing) => missing.insert(read()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ClientId, Marks};
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::super::commit::commit;
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Batch, Deferrable, MarkOutcome, NewMarks, NewMessage, SendOutcome, Store};

    /// A store in which one user has conversations with two peers, and the connection and cache of
    /// the thread that commits.
    struct Fixture {
        directory: TempDir,
        database: Connection,
        cache: RowCache,
        me: UserId,
        session: SessionId,
        conversations: [ConversationId; 2],
    }

    impl Fixture {
        async fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let file = directory.path().join("duet.db");
            SqliteStore::open(&file).await.expect("a store").close().await;
            let database = Connection::open(&file).expect("open");
            // Created first, so that this user has the least id and is the low member.
            let (me, peers) = (UserId::new(), [UserId::new(), UserId::new()]);
            for (number, user) in [me, peers[0], peers[1]].into_iter().enumerate() {
                let key = format!("user{number}");
                database
                    .execute(
                        "insert into users (id, username, username_key, display_name, display_key, \
                             password_hash, created_at) \
                         values (?1, ?2, ?2, ?2, ?2, '', 0)",
                        (user.0.as_bytes(), &key),
                    )
                    .expect("a user");
            }
            let session = SessionId::new();
            database
                .execute(
                    "insert into sessions (id, user_id, token_hash, created_at, seen_at, \
                         rotated_at, device) values (?1, ?2, x'00', 0, 0, 0, '')",
                    (session.0.as_bytes(), me.0.as_bytes()),
                )
                .expect("a session");
            let conversations = peers.map(|peer| {
                let id = ConversationId::new();
                let (id_bytes, low, high) = (id.0.as_bytes(), me.0.as_bytes(), peer.0.as_bytes());
                let add = "insert into conversations (id, low_id, high_id, created_at) \
                           values (?1, ?2, ?3, 0)";
                database.execute(add, (id_bytes, low, high)).expect("a conversation");
                for (user, other) in [(low, high), (high, low)] {
                    let add = "insert into members (conversation_id, user_id, peer_id) \
                               values (?1, ?2, ?3)";
                    database.execute(add, (id_bytes, user, other)).expect("a member");
                }
                id
            });
            Self { directory, database, cache: RowCache::default(), me, session, conversations }
        }

        /// Another connection to the same file.
        fn other_connection(&self) -> Connection {
            Connection::open(self.directory.path().join("duet.db")).expect("open")
        }

        /// Commits a batch of messages at this time, each in the conversation with this index.
        fn send(&mut self, now: i64, messages: &[(usize, &str)]) -> Result<Vec<SendOutcome>> {
            let messages = messages.iter().map(|(index, body)| NewMessage {
                sender: self.me,
                session: self.session,
                conversation: self.conversations[*index],
                client_id: ClientId::new(),
                body: (*body).to_owned(),
            });
            let batch = Batch { messages: messages.collect(), ..Batch::default() };
            let (database, cache) = (&mut self.database, &mut self.cache);
            let committed = commit(database, cache, &batch, Timestamp(now))?;
            Ok(committed.messages.iter().filter_map(Deferrable::decided).collect())
        }

        /// The seq of the message that is stored now.
        fn seq(&mut self, index: usize, body: &str) -> i64 {
            match self.send(1, &[(index, body)]).expect("committed")[..] {
                [SendOutcome::Stored { seq, .. }] => seq.0,
                ref other => panic!("not stored: {other:?}"),
            }
        }

        /// Moves the marks of this user in the first conversation. Returns what the peer may see.
        fn shown_marks(&mut self, marks: Marks) -> Option<Marks> {
            match self.mark(marks) {
                MarkOutcome::Moved { shown, .. } => shown,
                other => panic!("not moved: {other:?}"),
            }
        }

        fn mark(&mut self, marks: Marks) -> MarkOutcome {
            let (user, session) = (self.me, self.session);
            let new = NewMarks { user, session, conversation: self.conversations[0], marks };
            let batch = Batch { marks: vec![new], ..Batch::default() };
            let (database, cache) = (&mut self.database, &mut self.cache);
            let committed = commit(database, cache, &batch, Timestamp(1)).expect("committed");
            committed.marks[0].decided().expect("this store defers nothing")
        }

        /// The position of each conversation in the user's list, as the time of its last activity.
        fn activity(&self) -> [i64; 2] {
            self.conversations.map(|id| {
                let sql =
                    "select active_at from members where conversation_id = ?1 and user_id = ?2";
                let keys = (id.0.as_bytes(), self.me.0.as_bytes());
                self.database.query_row(sql, keys, |row| row.get(0)).expect("a member")
            })
        }
    }

    #[tokio::test]
    async fn a_change_by_another_connection_is_seen_by_the_next_batch() {
        let mut fixture = Fixture::new().await;
        assert_eq!(fixture.seq(0, "first"), 1);
        let other = fixture.other_connection();
        other.execute("update conversations set last_seq = 7", ()).expect("changed");
        assert_eq!(fixture.seq(0, "second"), 8);
        other.execute("update conversations set closed_at = 1", ()).expect("closed");
        let outcome = fixture.send(1, &[(0, "third")]).expect("committed");
        assert_eq!(outcome, [SendOutcome::PeerDeleted]);
    }

    #[tokio::test]
    async fn a_session_that_another_connection_ended_stores_nothing_more() {
        let mut fixture = Fixture::new().await;
        assert_eq!(fixture.seq(0, "first"), 1);
        let other = fixture.other_connection();
        other.execute("delete from sessions", ()).expect("ended");
        let outcome = fixture.send(1, &[(0, "second"), (1, "third")]).expect("committed");
        assert_eq!(outcome, [SendOutcome::SessionEnded, SendOutcome::SessionEnded]);
        let marks = Marks { delivered: Seq(1), read: Seq(1) };
        assert_eq!(fixture.mark(marks), MarkOutcome::SessionEnded);
        let count = "select count(*) from messages";
        let stored: i64 = other.query_row(count, (), |row| row.get(0)).expect("a count");
        assert_eq!(stored, 1);
    }

    #[tokio::test]
    async fn a_session_permits_no_writes_of_another_user() {
        let mut fixture = Fixture::new().await;
        assert_eq!(fixture.seq(0, "first"), 1);
        let other = fixture.other_connection();
        let change =
            "update sessions set user_id = (select id from users where username = 'user1')";
        other.execute(change, ()).expect("changed");
        let outcome = fixture.send(1, &[(0, "second")]).expect("committed");
        assert_eq!(outcome, [SendOutcome::SessionEnded]);
    }

    #[tokio::test]
    async fn a_batch_that_failed_leaves_nothing_in_the_cache() {
        let mut fixture = Fixture::new().await;
        let trigger = "create trigger refuse before insert on messages when new.body = 'refused' \
                       begin select raise(abort, 'refused'); end";
        fixture.database.execute_batch(trigger).expect("a trigger");
        assert_eq!(fixture.seq(0, "first"), 1);
        fixture.send(1, &[(0, "rolled back"), (0, "refused")]).expect_err("refused");
        assert_eq!(fixture.seq(0, "second"), 2);
    }

    #[tokio::test]
    async fn only_a_conversation_that_becomes_the_first_of_a_list_is_moved() {
        let mut fixture = Fixture::new().await;
        fixture.send(10, &[(0, "a"), (1, "b")]).expect("committed");
        let [first, second] = fixture.activity();
        assert!(first < second, "{first} {second}");
        fixture.send(20, &[(1, "c")]).expect("committed");
        assert_eq!(fixture.activity(), [first, second]);
        fixture.send(30, &[(0, "d")]).expect("committed");
        assert_eq!(fixture.activity(), [30, second]);
        // The clock was set back.
        fixture.send(5, &[(1, "e"), (0, "f"), (1, "g")]).expect("committed");
        assert_eq!(fixture.activity(), [30, 31]);
    }

    #[tokio::test]
    async fn receipts_that_were_turned_off_are_hidden_from_the_next_batch() {
        let mut fixture = Fixture::new().await;
        fixture.seq(0, "first");
        fixture.seq(0, "second");
        let read = |seq| Marks { delivered: Seq(seq), read: Seq(seq) };
        assert_eq!(fixture.shown_marks(read(1)), Some(read(1)));
        let other = fixture.other_connection();
        other.execute("update users set show_receipts = 0", ()).expect("changed");
        let delivered = Marks { delivered: Seq(2), read: Seq::ZERO };
        assert_eq!(fixture.shown_marks(read(2)), Some(delivered));
    }

    #[tokio::test]
    async fn a_full_cache_is_emptied() {
        let mut fixture = Fixture::new().await;
        fixture.seq(0, "first");
        for _ in 0..MOST_ROWS {
            fixture.cache.conversations.insert(ConversationId::new(), None);
        }
        assert_eq!(fixture.seq(0, "second"), 2);
        assert!(fixture.cache.conversations.len() < MOST_ROWS);
    }
}

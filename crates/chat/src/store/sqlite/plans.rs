//! Shows that no statement of this store walks through a whole table: every one that the calls of
//! [`Store`] and a commit execute is caught, and SQLite is asked how it would find the rows.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{
    ClientId, ConversationId, Cursor, ListCursor, Marks, Privacy, Seq, SessionId, Timestamp, User,
    UserId,
};
use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::{SqliteStore, commit};
use crate::store::{
    Acceptance, AccountOutcome, Batch, NewInvitation, NewMarks, NewMessage, NewSession, NewUser,
    SessionLife, Store,
};

static CAUGHT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn caught(sql: &str) {
    let words: Vec<&str> = sql.split_whitespace().collect();
    CAUGHT.lock().unwrap_or_else(PoisonError::into_inner).insert(words.join(" "));
}

/// Catches what the pools execute, which they log.
struct Catch;

impl<S: tracing::Subscriber> Layer<S> for Catch {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            caught(if statement.whole.is_empty() { &statement.summary } else { &statement.whole });
        }
    }
}

/// The log names a short statement in its summary only.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

struct People {
    one: UserId,
    other: UserId,
    session: SessionId,
    conversation: ConversationId,
}

fn session(user: UserId, token: u8) -> NewSession {
    NewSession { id: SessionId::new(), user, token_hash: [token; 32], device: String::new() }
}

async fn sign_up(store: &SqliteStore, name: &str, token: u8) -> (UserId, SessionId) {
    let user = User { id: UserId::new(), username: name.into(), display_name: name.into() };
    let (id, first) = (user.id, session(user.id, token));
    let session = first.id;
    let new = NewUser {
        user,
        username_key: name.into(),
        display_key: name.into(),
        password_hash: String::new(),
    };
    let made = store.create_user(new, first, None, Timestamp(1)).await.expect("an account");
    assert!(matches!(made, AccountOutcome::Made(None)));
    (id, session)
}

/// Calls everything that the store offers.
async fn everything(store: &SqliteStore) -> crate::store::Result<People> {
    let (one, session_of_one) = sign_up(store, "one", 1).await;
    let (other, _) = sign_up(store, "other", 2).await;
    let life =
        SessionLife { now: Timestamp(2), oldest_created: Timestamp(0), oldest_seen: Timestamp(0) };
    store.check_writable().await?;
    store.credentials("one").await?;
    store.create_session(session(one, 3), "", 10, Timestamp(2)).await?.expect("a session");
    store.session(&[1; 32], life).await?;
    store.rotate_session(session_of_one, &[1; 32], &[4; 32], Timestamp(2), Timestamp(3)).await?;
    store.good_sessions(&[session_of_one], life).await?;
    store.sessions(one, life).await?;
    store.delete_session_of(one, session_of_one).await?;
    store.delete_other_sessions(one, session_of_one).await?;
    store.settings(one).await?;
    store.set_display_name(one, "One", "one").await?;
    let privacy = Privacy { receipts: true, last_seen: true };
    store.set_privacy(one, privacy).await?;
    let hash = store.password_hash(one).await?.expect("a hash");
    store.set_password(one, &hash, "another", session_of_one).await?.expect("set");
    store.forget_old_sessions(life).await?;
    store.people_by_prefix(one, "o", 20).await?;
    store.person_by_username(one, "other").await?;
    store.recent_peers(one, 20).await?;
    store.peers(one, 20).await?;
    store.presence_peers(one, 20).await?;
    store.directory(one, 20).await?;
    let conversation = store.open_conversation(one, other, Timestamp(3)).await?.expect("a peer");
    store.conversation(one, conversation).await?;
    store.conversations(one, None, 50).await?;
    let after = ListCursor { active_at: Timestamp(9), id: conversation };
    store.conversations(one, Some(after), 50).await?;
    store.peer(one, conversation).await?;
    store.tick_times(one, conversation).await?.expect("mine");
    let places = [Cursor::Before(Seq(9)), Cursor::After(Seq(1)), Cursor::Around(Seq(3))];
    for cursor in [Cursor::Latest].into_iter().chain(places) {
        store.history(one, conversation, cursor, 50).await?;
    }
    let (token_hash, expires_at) = ([9; 32], Timestamp(9));
    let new = NewInvitation { token_hash, inviter: one, expires_at };
    assert!(store.create_invitation(new, 20, Timestamp(3)).await?);
    store.invitation(&token_hash, Timestamp(4)).await?.expect("an invitation");
    store.accept_invitation(&token_hash, one, Timestamp(4)).await?;
    let accepted = store.accept_invitation(&token_hash, other, Timestamp(4)).await?;
    assert!(matches!(accepted, Acceptance::Opened(_)));
    store.delete_session(session_of_one).await?;
    let (third, _) = sign_up(store, "third", 5).await;
    store.open_conversation(third, one, Timestamp(5)).await?.expect("a peer");
    store.delete_account(third, "", Timestamp(6)).await?.expect("deleted");
    Ok(People { one, other, session: session_of_one, conversation })
}

/// A commit with everything in it, twice, so that the second is a repeat.
fn commit_everything(database: &mut Connection, people: &People) {
    let message = NewMessage {
        sender: people.one,
        conversation: people.conversation,
        client_id: ClientId::new(),
        body: "hello".into(),
    };
    let marks = Marks { delivered: Seq(1), read: Seq(1) };
    let batch = Batch {
        messages: vec![message],
        marks: vec![NewMarks { user: people.other, conversation: people.conversation, marks }],
        seen_users: vec![people.one],
        seen_sessions: vec![people.session],
    };
    database.trace_v2(
        TraceEventCodes::SQLITE_TRACE_STMT,
        Some(|event| {
            if let TraceEvent::Stmt(_, sql) = event {
                caught(sql);
            }
        }),
    );
    for _ in 0..2 {
        commit::commit(database, &batch, Timestamp(4)).expect("a commit");
    }
    database.trace_v2(TraceEventCodes::empty(), None);
}

/// How SQLite would find the rows, a line a step; nothing for what reads none.
fn plan(database: &Connection, sql: &str) -> Vec<String> {
    let Ok(mut explained) = database.prepare(&format!("explain query plan {sql}")) else {
        return Vec::new();
    };
    let mut rows = explained.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().expect("a plan") {
        steps.push(row.get(3).expect("a step"));
    }
    steps
}

/// Whether a step visits rows that are not asked for. One that follows an index stops at its limit.
fn is_full_scan(step: &str) -> bool {
    let harmless =
        ["VIRTUAL TABLE", "CONSTANT ROW", "VALUES CLAUSE", "USING INDEX", "USING COVERING INDEX"];
    // A subquery is judged by its own steps; what a list of parameters unfolds to is no table.
    let of_parameters = ["SCAN j", "SCAN (subquery"];
    step.starts_with("SCAN")
        && !harmless.iter().any(|part| step.contains(part))
        && !of_parameters.iter().any(|part| step.starts_with(part))
}

#[tokio::test]
async fn no_statement_walks_through_a_whole_table() {
    let catching = tracing_subscriber::registry().with(Catch);
    tracing::subscriber::set_global_default(catching).expect("nobody else listens");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("duet.db");
    let store = Arc::new(SqliteStore::open(&file).await.expect("a store"));
    let people = everything(&store).await.expect("answers");
    store.close().await;
    let mut database = Connection::open(&file).expect("the file");
    commit_everything(&mut database, &people);

    let caught = std::mem::take(&mut *CAUGHT.lock().expect("the list"));
    let ours = ["select ", "insert ", "update ", "delete ", "with "];
    let of_ours: Vec<_> = caught
        .iter()
        .filter(|sql| ours.iter().any(|verb| sql.starts_with(verb)))
        // Once at a start, of tables as small as they sound.
        .filter(|sql| !sql.contains("_sqlx_migrations") && !sql.contains(" meta "))
        // Once an hour, over sessions alone.
        .filter(|sql| !sql.starts_with("delete from sessions where created_at"))
        .collect();
    assert!(of_ours.len() >= 25, "too few were caught: {of_ours:#?}");
    let mut walks = Vec::new();
    for sql in of_ours {
        for step in plan(&database, sql) {
            // A search puts the few people it found in order; nothing else may sort.
            let sorts =
                step.contains("TEMP B-TREE FOR ORDER BY") && !sql.contains("username_key >=");
            if is_full_scan(&step) || sorts {
                walks.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(walks.is_empty(), "{walks:#?}");
    assert!(
        plan(&database, "select * from messages where body = ?1").iter().any(|s| is_full_scan(s)),
        "what this test looks for is found where it is"
    );
}

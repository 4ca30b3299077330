//! Moves from SQLite: what arrives, what is refused, and how an interrupted move resumes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chat::store::postgres::{OpenError, PostgresStore};
use chat::{Chat, Config, Database, MoveError, Moved, Progress, Session, Stage, move_store};
use harness::Postgres;
use protocol::{
    ClientId, Conversation, ConversationId, Cursor, ErrorCode, Marks, Message, Privacy, Seq, UserId,
};
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::engine::{CONNECTIONS, server};
use crate::support::{PASSWORD, SOMEWHERE, code, plenty};

/// Enough rows for several batches.
const MANY: i64 = 23_000;

/// Creates an empty database and returns its URL.
fn empty(name: &str) -> String {
    server().create_database(name, None).expect("a database");
    server().url(name)
}

async fn begin(database: Database) -> Chat {
    Chat::begin(Config { rates: plenty(), ..Config::new(database) }).await.expect("a chat")
}

async fn on_postgres(url: &str) -> Chat {
    begin(Database::Postgres { url: url.to_owned(), connections: CONNECTIONS }).await
}

/// A closed SQLite store.
struct Old {
    directory: TempDir,
    alice: Session,
    conversation: ConversationId,
}

impl Old {
    fn file(&self) -> PathBuf {
        self.directory.path().join("duet.db")
    }

    async fn chat() -> (Chat, TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        (begin(directory.path().join("duet.db").into()).await, directory)
    }

    /// Two users and this many messages, written directly to the file.
    async fn with_messages(count: i64) -> Self {
        let (chat, directory) = Self::chat().await;
        let alice = person(&chat, "alice").await;
        let bob = person(&chat, "bob").await;
        let opened = chat.open_conversation(alice.user.id, bob.user.id).await;
        chat.close().await;
        let old = Self { directory, alice, conversation: opened.expect("opened") };
        let mut database = Connection::open(old.file()).expect("a file");
        let tx = database.transaction().expect("begun");
        let mut insert = tx
            .prepare(
                "insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at) \
                 values (?1, ?2, ?3, ?4, ?5, ?2)",
            )
            .expect("a statement");
        for seq in 1..=count {
            let (id, sender) = (old.conversation.0, old.alice.user.id.0);
            let client = ClientId::new().0;
            let row = params![
                id.as_bytes(),
                seq,
                sender.as_bytes(),
                client.as_bytes(),
                format!("number {seq}")
            ];
            insert.execute(row).expect("a message");
        }
        drop(insert);
        tx.execute("update conversations set last_seq = ?1", [count]).expect("counted");
        tx.commit().expect("written");
        old
    }

    /// Runs a move and drops it when the callback returns true.
    async fn is_moved_until(&self, url: &str, stop: impl Fn(Progress) -> bool) {
        let enough = Notify::new();
        let file = self.file();
        let moving = move_store(&file, url, |progress| {
            if stop(progress) {
                enough.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = enough.notified() => {}
            moved = moving => panic!("nobody stopped it: {moved:?}"),
        }
    }
}

async fn person(chat: &Chat, name: &str) -> Session {
    chat.sign_up(name, "", PASSWORD, SOMEWHERE).await.expect("an account").session
}

async fn moved(file: &Path, url: &str) -> Moved {
    move_store(file, url, |_| {}).await.expect("moved")
}

async fn refusal(file: &Path, url: &str) -> MoveError {
    let refused = move_store(file, url, |_| {}).await.expect_err("a refusal");
    let line = refused.to_string();
    let password = url.split([':', '@']).nth(2).expect("a password");
    assert!(!line.contains('\n') && !line.contains(password), "{line}");
    refused
}

/// All files in the store's directory, with their contents.
fn bytes(file: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = std::fs::read_dir(file.parent().expect("a directory")).expect("read");
    let paths = directory.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        paths.map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect();
    files.sort();
    files
}

fn count(moved: &Moved, table: &str) -> u64 {
    moved.tables.iter().find(|(name, _)| *name == table).expect("a table").1
}

/// What a user sees: the list, and the newest page of each conversation in it.
async fn view(chat: &Chat, me: UserId) -> (Vec<Conversation>, Vec<Vec<Message>>) {
    let list = chat.conversations(me, None).await.expect("a list").conversations;
    let mut pages = Vec::new();
    for one in &list {
        pages.push(chat.history(me, one.id, Cursor::Latest).await.expect("a page").messages);
    }
    // Presence changes with time.
    let still = |mut one: Conversation| {
        one.peer.presence = protocol::Presence::default();
        one
    };
    (list.into_iter().map(still).collect(), pages)
}

#[tokio::test]
async fn a_moved_chat_continues_where_it_was() {
    let (chat, directory) = Old::chat().await;
    let signed =
        chat.sign_up("alice", "Alice Ash 🌿", PASSWORD, SOMEWHERE).await.expect("signed up");
    let alice = signed.session.clone();
    let (bob, carol) = (person(&chat, "bob").await, person(&chat, "carol").await);
    let with_bob = chat.open_conversation(alice.user.id, bob.user.id).await.expect("opened");
    let with_carol = chat.open_conversation(carol.user.id, alice.user.id).await.expect("opened");
    let (first, said) = (ClientId::new(), "one\nтри 三 👩‍👩‍👧");
    let sent = chat.send_message(alice.user.id, with_bob, first, "one\nтри 三 👩‍👩‍👧").await;
    for (from, to, body) in [(&bob, with_bob, "two"), (&carol, with_carol, "from the past")] {
        chat.send_message(from.user.id, to, ClientId::new(), body).await.expect("sent");
    }
    let read = Marks { delivered: Seq(2), read: Seq(1) };
    chat.mark(alice.user.id, with_bob, read).await.expect("marked");
    let privacy = Privacy { receipts: true, last_seen: false };
    chat.set_privacy(bob.user.id, privacy).await.expect("set");
    let invitation = chat.create_invitation(alice.user.id).await.expect("made").token;
    let used = chat.create_invitation(bob.user.id).await.expect("made").token;
    chat.sign_up_invited(&used, "dora", "", PASSWORD, SOMEWHERE).await.expect("signed up");
    chat.delete_account(&carol, PASSWORD, SOMEWHERE).await.expect("deleted");
    let before = (view(&chat, alice.user.id).await, view(&chat, bob.user.id).await);
    let epoch = chat.epoch();
    chat.close().await;

    let file = directory.path().join("duet.db");
    let as_it_was = bytes(&file);
    let url = empty("moved_all");
    let moved = moved(&file, &url).await;
    assert_eq!(bytes(&file), as_it_was, "the source was changed");
    assert_eq!((count(&moved, "users"), count(&moved, "messages")), (4, 3));
    assert_eq!((count(&moved, "invitations"), count(&moved, "client_ids")), (2, 3));

    let chat = on_postgres(&url).await;
    assert_eq!(chat.epoch(), epoch);
    let after = (view(&chat, alice.user.id).await, view(&chat, bob.user.id).await);
    assert_eq!(after, before);
    let known = chat.authenticate(&signed.token).await.expect("an answer").expect("signed in");
    assert_eq!(known.session, alice);
    chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("the password is the same");
    let gone = chat.sign_in("carol", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(gone.map(drop)), ErrorCode::WrongCredentials);
    assert_eq!(chat.settings(bob.user.id).await.expect("settings").privacy, privacy);
    let sent = sent.expect("sent");
    let again = chat.send_message(alice.user.id, with_bob, first, said).await;
    assert_eq!(again.expect("the first answer"), sent);
    let next = chat.send_message(bob.user.id, with_bob, ClientId::new(), "three").await;
    assert_eq!(next.expect("sent").seq, Seq(3));
    let told = chat.invitation(&used, SOMEWHERE).await;
    assert_eq!(code(told), ErrorCode::InvitationInvalid, "it was used");
    let came = chat.sign_up_invited(&invitation, "erin", "", PASSWORD, SOMEWHERE).await;
    came.expect("the other one is good");
    chat.close().await;

    assert!(matches!(refusal(&file, &url).await, MoveError::Moved));
}

#[tokio::test]
async fn the_store_of_a_killed_server_is_moved_and_kept() {
    let old = Old::with_messages(1).await;
    let writer = Connection::open(old.file()).expect("a file");
    writer.execute("update messages set body = 'only in the log'", []).expect("written");
    let crashed = tempfile::tempdir().expect("a directory");
    for (path, content) in bytes(&old.file()) {
        std::fs::write(crashed.path().join(path.file_name().expect("a name")), content)
            .expect("copied");
    }
    drop(writer);
    let file = crashed.path().join("duet.db");
    let log = std::fs::metadata(crashed.path().join("duet.db-wal")).expect("a log").len();
    assert!(log > 0);
    let as_it_was = bytes(&file);
    let url = empty("moved_after_a_crash");
    moved(&file, &url).await;
    assert_eq!(bytes(&file), as_it_was, "the source was changed");
    let body = server().sql("moved_after_a_crash", "select body from messages").expect("read");
    assert_eq!(body, "only in the log");
}

#[tokio::test]
async fn an_interrupted_move_resumes_and_its_target_is_not_served_before() {
    let old = Old::with_messages(MANY).await;
    let url = empty("moved_twice");
    old.is_moved_until(&url, |progress| {
        progress.stage == Stage::Copying("messages") && progress.done > 10_000
    })
    .await;
    let there = "select count(*) from messages";
    let there: u64 =
        server().sql("moved_twice", there).expect("an answer").parse().expect("a number");
    assert!((5_000..23_000).contains(&there), "{there} are there");
    let served = PostgresStore::open(&url, 2).await.err().expect("a refusal");
    assert!(matches!(served, OpenError::Unfinished), "{served}");

    let other = Old::with_messages(1).await;
    assert!(matches!(refusal(&other.file(), &url).await, MoveError::OtherCopy));

    let moved = moved(&old.file(), &url).await;
    assert!(moved.resumed_at >= there, "it began again: {moved:?}");
    assert_eq!((count(&moved, "messages"), count(&moved, "client_ids")), (23_000, 23_000));
    let chat = on_postgres(&url).await;
    let id = old.conversation;
    let page = chat.history(old.alice.user.id, id, Cursor::Latest).await.expect("a page");
    assert_eq!((page.last_seq, &*page.messages[0].body), (Seq(MANY), "number 22951"));
    chat.close().await;
}

#[tokio::test]
async fn a_move_resumes_after_an_outage_of_the_database() {
    let old = Old::with_messages(MANY).await;
    let mut postgres = Postgres::start().expect("a private Postgres");
    postgres.create_database("fallen", None).expect("a database");
    let url = postgres.url("fallen");
    let mut fell = false;
    let cut = move_store(&old.file(), &url, |progress| {
        if !fell && progress.stage == Stage::Copying("messages") && progress.done > 10_000 {
            postgres.crash().expect("it ran");
            fell = true;
        }
    })
    .await
    .expect_err("it fell");
    assert!(cut.to_string().contains("Run this again"), "{cut}");
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Target(_)));
    postgres.start_again().expect("it starts");
    let moved = moved(&old.file(), &url).await;
    assert!(moved.resumed_at >= 5_000, "it began again: {moved:?}");
    assert_eq!(count(&moved, "messages"), 23_000);
}

#[tokio::test]
async fn changes_to_the_target_during_a_move_are_found_and_named() {
    let old = Old::with_messages(MANY).await;
    let conversation = format!("conversation {}", old.conversation);
    let cases = [
        ("update messages set body = 'number  7' where seq = 7", conversation.as_str()),
        ("update messages set sent_at = 0 where seq = 9", &conversation),
        ("delete from messages where seq = 11", &conversation),
        ("update users set display_key = 'malice' where username = 'alice'", "table users"),
        ("update users set last_seen_at = null, deleted_at = 5", "table users"),
        ("update client_ids set seq = seq + 1 where seq = 3", "table client_ids"),
        (
            "delete from sessions where id = (select id from sessions order by id limit 1)",
            "table sessions",
        ),
        ("update members set read_at = 7", "table members"),
        ("update meta set value = gen_random_uuid()::text where key = 'epoch'", "the epoch"),
    ];
    server().create_database("unchecked", None).expect("a database");
    let unchecked = server().url("unchecked");
    old.is_moved_until(&unchecked, |progress| matches!(progress.stage, Stage::Checking(_))).await;
    // The dropped move is gone when its connections are closed.
    let left = "select count(*) from pg_stat_activity where datname = 'unchecked'";
    while server().sql("postgres", left).expect("an answer") != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (number, (change, named)) in cases.into_iter().enumerate() {
        let name = format!("changed_{number}");
        server().create_database(&name, Some("unchecked")).expect("a copy");
        server().sql(&name, change).expect("changed");
        let found = refusal(&old.file(), &server().url(&name)).await;
        assert!(matches!(&found, MoveError::Different(what) if what.contains(named)), "{found}");
        let served = PostgresStore::open(&server().url(&name), 2).await.err().expect("a refusal");
        assert!(matches!(served, OpenError::Unfinished), "{served}");
    }
}

#[tokio::test]
async fn a_foreign_or_running_target_is_refused_and_left_unchanged() {
    let old = Old::with_messages(1).await;
    let url = empty("of_other_people");
    let chat = on_postgres(&url).await;
    // The node writes its lease shortly after its start.
    let nodes = "select count(*) from nodes";
    while server().sql("of_other_people", nodes).expect("an answer") != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Served));
    let other = person(&chat, "zoe").await;
    let epoch = chat.epoch();
    chat.close().await;
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Taken));
    let chat = on_postgres(&url).await;
    assert_eq!(chat.epoch(), epoch);
    assert!(chat.settings(other.user.id).await.is_ok());
    chat.close().await;

    // A database with tables but no users is accepted.
    let url = empty("begun_and_left");
    on_postgres(&url).await.close().await;
    assert_eq!(count(&moved(&old.file(), &url).await, "users"), 2);
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Moved));

    let url = empty("of_a_later_version");
    PostgresStore::open(&url, 2).await.expect("made");
    let later = "insert into _sqlx_migrations values (99, 'later', now(), true, '', 0)";
    server().sql("of_a_later_version", later).expect("written");
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::NewerTarget(99)));
}

#[tokio::test]
async fn a_move_is_not_finished_if_a_server_opened_the_target_meanwhile() {
    let old = Old::with_messages(1).await;
    let url = empty("come_upon");
    let comes = "insert into nodes (id, until, hears) values \
                 (gen_random_uuid(), now() + interval '1 hour', true)";
    let mut came = false;
    let refused = move_store(&old.file(), &url, |progress| {
        if !came && matches!(progress.stage, Stage::Checking(_)) {
            server().sql("come_upon", comes).expect("came");
            came = true;
        }
    })
    .await;
    assert!(matches!(refused, Err(MoveError::Served)), "{refused:?}");
    let served = PostgresStore::open(&url, 2).await.err().expect("a refusal");
    assert!(matches!(served, OpenError::Unfinished), "{served}");
    server().sql("come_upon", "delete from nodes").expect("gone");
    assert_eq!(count(&moved(&old.file(), &url).await, "messages"), 1);
}

#[tokio::test]
async fn a_running_source_or_one_of_another_version_is_refused() {
    let url = empty("never_reached");
    let (chat, directory) = Old::chat().await;
    let file = directory.path().join("duet.db");
    assert!(matches!(refusal(&file, &url).await, MoveError::InUse(_)));
    let alice = person(&chat, "alice").await;
    assert!(matches!(refusal(&file, &url).await, MoveError::InUse(_)));
    assert!(chat.is_writable().await && chat.settings(alice.user.id).await.is_ok());
    chat.close().await;

    let change = |sql: &str| {
        Connection::open(&file).expect("a file").execute_batch(sql).expect("changed");
    };
    change("update _sqlx_migrations set version = 99 where version = 5");
    assert!(matches!(refusal(&file, &url).await, MoveError::NewerSource(_, 99)));
    change("delete from _sqlx_migrations where version = 99");
    assert!(matches!(refusal(&file, &url).await, MoveError::OlderSource(_)));
    let nothing = directory.path().join("nothing.db");
    assert!(matches!(refusal(&nothing, &url).await, MoveError::NoSource(_)));
    std::fs::write(&nothing, "no database at all, and long enough to be looked at").expect("made");
    assert!(matches!(refusal(&nothing, &url).await, MoveError::Source { .. }));
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(server().sql("never_reached", tables).expect("an answer"), "0", "nothing was made");
}

#[tokio::test]
async fn a_second_concurrent_move_is_refused() {
    let old = Old::with_messages(MANY).await;
    let (file, url, begun) = (old.file(), empty("moved_by_two"), Notify::new());
    let first = move_store(&file, &url, |_| begun.notify_one());
    let second = async {
        begun.notified().await;
        refusal(&file, &url).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(count(&first.expect("moved"), "messages"), 23_000);
    // The second move may have waited for the file until the first was done.
    assert!(matches!(second, MoveError::InUse(_) | MoveError::Moved), "{second}");
}

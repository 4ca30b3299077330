//! Moves from SQLite: the contents of the copy, and how an interrupted move resumes. `refused`
//! tests the moves that must not end.

mod refused;

use std::path::{Path, PathBuf};

use chat::{
    Chat, Client, Config, Database, MoveError, Moved, Progress, Session, Stage, move_store,
};
use harness::Postgres;
use protocol::{
    ClientId, Conversation, ConversationId, Cursor, ErrorCode, Marks, Message, Privacy, Seq, UserId,
};
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::contract::identities::{proven, provider};
use crate::contract::passkeys::{device, relying_party};
use crate::contract::two_step::app_code;
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
    let relying_party = Some(relying_party());
    let provider = Some(provider());
    let config = Config { rates: plenty(), provider, relying_party, ..Config::new(database) };
    Chat::begin(config).await.expect("a chat")
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
        let opened = chat.open_conversation(alice.caller(), bob.user.id).await;
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
    let with_bob = chat.open_conversation(alice.caller(), bob.user.id).await.expect("opened");
    let with_carol = chat.open_conversation(carol.caller(), alice.user.id).await.expect("opened");
    let (first, said) = (ClientId::new(), "one\nтри 三 👩‍👩‍👧");
    let sent = chat.send_message(alice.caller(), with_bob, first, "one\nтри 三 👩‍👩‍👧").await;
    for (from, to, body) in [(&bob, with_bob, "two"), (&carol, with_carol, "from the past")] {
        chat.send_message(from.caller(), to, ClientId::new(), body).await.expect("sent");
    }
    let read = Marks { delivered: Seq(2), read: Seq(1) };
    chat.mark(alice.caller(), with_bob, read).await.expect("marked");
    let privacy = Privacy { receipts: true, last_seen: false };
    chat.set_privacy(bob.caller(), privacy).await.expect("set");
    let secret = chat.begin_second_factor(bob.caller()).await.expect("begun");
    let recovery = chat.confirm_second_factor(bob.caller(), &app_code(&secret, 0)).await;
    let mut phone = device();
    let begun = chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await.expect("begun");
    let made = phone.create(&begun).expect("made");
    chat.add_passkey(&alice, &made, "Phone", SOMEWHERE).await.expect("added");
    let permission = chat.permit_identity_link(&alice, PASSWORD, SOMEWHERE).await;
    let round = chat.begin_identity_link(&alice, &permission.expect("permitted")).await;
    let round = round.expect("begun");
    let linked = chat.finish_round(&round, proven("ash"), Some(&alice), SOMEWHERE).await;
    linked.map(drop).expect("linked");
    let invitation = chat.create_invitation(alice.caller()).await.expect("made").token;
    let used = chat.create_invitation(bob.caller()).await.expect("made").token;
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
    assert_eq!((count(&moved, "second_factors"), count(&moved, "recovery_codes")), (1, 10));
    assert_eq!((count(&moved, "passkeys"), count(&moved, "identities")), (1, 1));
    assert_eq!(count(&moved, "used_ceremonies"), 3);

    let chat = on_postgres(&url).await;
    assert_eq!(chat.epoch(), epoch);
    let after = (view(&chat, alice.user.id).await, view(&chat, bob.user.id).await);
    assert_eq!(after, before);
    let known = chat.authenticate(&signed.token).await.expect("an answer").expect("signed in");
    assert_eq!(known.session, alice);
    chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("the password is the same");
    let without = chat.sign_in("bob", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(without.map(drop)), ErrorCode::CodeNeeded);
    for typed in [&app_code(&secret, 1), &recovery.expect("confirmed")[4]] {
        let with = chat.sign_in_with_code("bob", PASSWORD, typed, SOMEWHERE).await;
        with.expect("the codes are the same");
    }
    let begun = chat.begin_passkey_sign_in(SOMEWHERE).await.expect("begun");
    let answer = phone.get(&begun).expect("used");
    chat.sign_in_with_passkey(&answer, SOMEWHERE).await.expect("the passkeys are the same");
    let again = chat.add_passkey(&alice, &made, "", SOMEWHERE).await;
    assert_eq!(code(again), ErrorCode::PasskeyRefused, "the ceremony was used before the move");
    let begun = chat.begin_identity_sign_in("/", SOMEWHERE).await.expect("begun");
    let arrived = chat.finish_round(&begun, proven("ash"), None, SOMEWHERE).await;
    let arrived = arrived.expect("the identities are the same");
    assert!(matches!(arrived, chat::Arrived::SignedIn(..)));
    let again = chat.finish_round(&round, proven("ash"), Some(&alice), SOMEWHERE).await.map(drop);
    assert_eq!(code(again), ErrorCode::IdentityRefused, "the round was used before the move");
    let device_token = Some(signed.device_token.clone());
    let known = Client { address: SOMEWHERE, device: String::new(), device_token };
    let known = chat.sign_in("alice", PASSWORD, known).await.expect("signed in");
    assert_eq!(known.device_token, signed.device_token, "a device that is unknown gets another");
    let gone = chat.sign_in("carol", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(gone.map(drop)), ErrorCode::WrongCredentials);
    assert_eq!(chat.settings(bob.user.id).await.expect("settings").privacy, privacy);
    let sent = sent.expect("sent");
    let again = chat.send_message(alice.caller(), with_bob, first, said).await;
    assert_eq!(again.expect("the first answer"), sent);
    let next = chat.send_message(bob.caller(), with_bob, ClientId::new(), "three").await;
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
    refused::assert_not_served(&url).await;

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
    postgres.create_database("crashed", None).expect("a database");
    let url = postgres.url("crashed");
    let mut crashed = false;
    let cut = move_store(&old.file(), &url, |progress| {
        if !crashed && progress.stage == Stage::Copying("messages") && progress.done > 10_000 {
            postgres.crash().expect("it ran");
            crashed = true;
        }
    })
    .await
    .expect_err("the database crashed");
    assert!(cut.to_string().contains("Run this again"), "{cut}");
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Target(_)));
    postgres.start_again().expect("it starts");
    let moved = moved(&old.file(), &url).await;
    assert!(moved.resumed_at >= 5_000, "it began again: {moved:?}");
    assert_eq!(count(&moved, "messages"), 23_000);
}

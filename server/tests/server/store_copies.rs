//! Restored, copied and crashed files of the SQLite store: which of them keep the epoch, and which
//! get a new one, so that all pages resync.

use std::fs;
use std::path::Path;

use protocol::{ClientId, ConversationId, Epoch, ServerFrame};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::process::{Process, free_address};
use crate::support::{Browser, TestServer, copy, pair};

async fn epoch(browser: &Browser) -> Epoch {
    match browser.connect().await.receive().await {
        ServerFrame::Hello { epoch, .. } => epoch,
        other => panic!("received {other:?}"),
    }
}

async fn bodies(browser: &Browser, id: ConversationId) -> Vec<String> {
    browser.read_history(id).await.into_iter().map(|message| message.body).collect()
}

fn assert_intact(database: &Path) {
    let found: String = Connection::open(database)
        .expect("open")
        .query_row("pragma integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(found, "ok");
}

#[tokio::test]
async fn a_restored_copy_gets_a_new_epoch() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    socket.send_and_wait(conversation, "before the copy").await;
    let first_epoch = epoch(&alice).await;
    let directory = server.stop().await;
    let copied = directory.path().join("copy");
    copy(&directory.path().join("data"), &copied);

    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    assert_eq!(epoch(&alice).await, first_epoch, "an ordinary start changes nothing");
    let mut socket = alice.connect_past_hello().await;
    socket.send_and_wait(conversation, "after the copy").await;
    let directory = server.stop().await;
    let database = directory.path().join("data/duet.db");
    let newer = fs::read(&database).expect("a file");
    fs::copy(copied.join("duet.db"), &database).expect("put back");

    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    assert_eq!(bodies(&alice, conversation).await, ["before the copy"]);
    let second_epoch = epoch(&alice).await;
    assert_ne!(second_epoch, first_epoch);
    let directory = server.stop().await;

    // Restores the newer file: messages of the second epoch are not in it.
    fs::write(&database, newer).expect("put back");
    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    assert_eq!(bodies(&alice, conversation).await, ["before the copy", "after the copy"]);
    assert!(![first_epoch, second_epoch].contains(&epoch(&alice).await));
    server.stop().await;
}

/// Kills a server while every message is still in the write-ahead log. Returns its directory,
/// Alice's browser, the conversation and the epoch.
async fn killed_server() -> (TempDir, Browser, ConversationId, Epoch) {
    let directory = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let process = Process::on(directory.path(), address).await;
    let (alice, _bob, conversation) = pair(address).await;
    let first_epoch = epoch(&alice).await;
    let mut socket = alice.connect_past_hello().await;
    socket.send_and_wait(conversation, "before the copy").await;
    let data = directory.path().join("data");
    // Copies in both ways: the files themselves, and `vacuum into` as documented.
    copy(&data, &directory.path().join("files"));
    let vacuum = format!("vacuum into '{}'", directory.path().join("vacuum.db").display());
    Connection::open(data.join("duet.db")).expect("open").execute_batch(&vacuum).expect("copied");
    socket.send_and_wait(conversation, "after the copy").await;
    process.kill();
    (directory, alice, conversation, first_epoch)
}

/// Starts a server on the files. Returns the message bodies and the epoch.
async fn start_and_read(
    directory: TempDir,
    alice: &Browser,
    id: ConversationId,
) -> (Vec<String>, Epoch) {
    let file = directory.path().join("data/duet.db");
    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    let found = (bodies(&alice, id).await, epoch(&alice).await);
    let form = format!("conversation={id}&client_id={}&body=afterwards", ClientId::new());
    assert!(alice.post_call("send_message", &form).await.status().is_success());
    let directory = server.stop().await;
    assert_intact(&file);
    drop(directory);
    found
}

#[tokio::test]
async fn the_write_ahead_log_of_a_killed_server_keeps_the_epoch() {
    let (directory, alice, conversation, first_epoch) = killed_server().await;
    let found = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, (vec!["before the copy".into(), "after the copy".into()], first_epoch));
}

#[tokio::test]
async fn a_truncated_frame_ends_the_write_ahead_log() {
    let (directory, alice, conversation, first_epoch) = killed_server().await;
    let root = "select rootpage from sqlite_schema where name = 'meta'";
    let meta: u32 = Connection::open(directory.path().join("files/duet.db"))
        .expect("open")
        .query_row(root, [], |row| row.get(0))
        .expect("a table");
    let path = directory.path().join("data/duet.db-wal");
    let mut log = fs::read(&path).expect("a log");
    let page = u32::from_be_bytes(log[8..12].try_into().expect("four bytes"));
    let frame = 24 + usize::try_from(page).expect("a size");
    assert_eq!((log.len() - 32) % frame, 0, "the premise: the log ends with a whole frame");
    // A frame cut short: page number, commit size 0, the salts of this log, a checksum, and the
    // beginning of the page.
    let salts = log[16..24].to_vec();
    log.extend([meta, 0].map(u32::to_be_bytes).concat());
    log.extend(salts);
    log.extend([0; 8 + 100]);
    fs::write(&path, log).expect("written");
    let found = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, (vec!["before the copy".into(), "after the copy".into()], first_epoch));
}

#[tokio::test]
async fn a_copy_beside_a_newer_write_ahead_log_is_served_unchanged() {
    let (directory, alice, conversation, first_epoch) = killed_server().await;
    let database = directory.path().join("data/duet.db");
    fs::copy(directory.path().join("vacuum.db"), &database).expect("put back");
    let (found, now) = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, ["before the copy"]);
    assert_ne!(now, first_epoch);
}

#[tokio::test]
async fn a_file_of_an_earlier_run_beside_a_later_write_ahead_log_is_served_unchanged() {
    let (directory, alice, conversation, first_epoch) = killed_server().await;
    let database = directory.path().join("data/duet.db");
    // This run checkpoints the log into the file, and the next run begins a new log. A stop before
    // the server is ready would leave the log unchanged.
    let server = TestServer::at(directory, &[]).await;
    assert_eq!(alice.at(server.address).get_page("/readyz").await.status(), 200);
    let directory = server.stop().await;
    let earlier = fs::read(&database).expect("a file");
    let address = free_address();
    let process = Process::on(directory.path(), address).await;
    let mut socket = alice.at(address).connect_past_hello().await;
    socket.send_and_wait(conversation, "much later").await;
    process.kill();
    fs::write(&database, earlier).expect("put back");
    let (found, now) = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, ["before the copy", "after the copy"]);
    assert_ne!(now, first_epoch);
}

#[tokio::test]
async fn a_restarted_write_ahead_log_is_distinguished_from_the_log_of_the_copy() {
    const MANY: usize = 4_800;
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let first_epoch = epoch(&alice).await;
    let data = server.directory.path().join("data");
    let early = fs::read(data.join("duet.db")).expect("a file");
    let mut socket = alice.connect_past_hello().await;
    for _ in 0..MANY / 100 {
        socket.send_many(conversation, &"x".repeat(4_000), 100).await;
    }
    // No write is in progress, so these files are what a crash would leave.
    let (crashed, restored) =
        (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
    copy(&data, &crashed.path().join("data"));
    copy(&data, &restored.path().join("data"));
    server.stop().await;
    let grown = fs::metadata(crashed.path().join("data/duet.db")).expect("a file").len();
    assert!(grown > 8 * 1024 * 1024, "the log was never moved: {grown}");
    let (found, now) = start_and_read(crashed, &alice, conversation).await;
    assert_eq!(
        (found.len(), now),
        (MANY, first_epoch),
        "nothing is lost, and the epoch is the same"
    );

    fs::write(restored.path().join("data/duet.db"), early).expect("put back");
    let server = TestServer::at(restored, &[]).await;
    // The copy is older than the accounts, so Alice can sign up again.
    server.browser("alice").await;
    let kept = fs::read_dir(server.directory.path().join("data")).expect("a directory");
    let kept = kept.filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().starts_with("duet.db-wal-set-aside-")
    });
    assert_eq!(kept.count(), 1);
    let directory = server.stop().await;
    assert_intact(&directory.path().join("data/duet.db"));
}

#[tokio::test]
async fn files_without_their_write_ahead_log_make_pages_resync() {
    let (directory, alice, conversation, first_epoch) = killed_server().await;
    let data = directory.path().join("data");
    // Another program checkpoints the log into the file and deletes it, which loses nothing.
    Connection::open(data.join("duet.db"))
        .expect("open")
        .execute_batch("select 1 from meta")
        .expect("read");
    assert!(!data.join("duet.db-wal").exists());
    let (found, now) = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, ["before the copy", "after the copy"]);
    assert_ne!(now, first_epoch);
}

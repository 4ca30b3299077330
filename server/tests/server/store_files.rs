//! The files of the SQLite store: one server at a time, private permissions, and detection of wrong
//! or restored files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use protocol::{Epoch, ServerFrame};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::crash::{Process, ready};
use crate::process::free_address;
use crate::support::{Browser, TestServer, site};

/// Runs `duet` until it exits and returns its output.
fn duet(arguments: &[&str]) -> Output {
    let mut duet = Command::new(env!("CARGO_BIN_EXE_duet"));
    duet.args(arguments).env_remove("DUET_DATABASE_URL").stdin(Stdio::null());
    duet.output().expect("it ran")
}

/// Returns the error message of a refused start.
fn refusal(directory: &Path, store: &str) -> String {
    let site = site(directory);
    let site = site.to_str().expect("a path");
    let output = duet(&["--listen", "127.0.0.1:0", "--log", "warn", "--site", site, store]);
    let said = String::from_utf8(output.stderr).expect("a text");
    assert!(!output.status.success(), "it started: {said}");
    let last = said.lines().last().expect("a line");
    assert!(last.starts_with("duet: "), "{said}");
    last.to_owned()
}

fn data(directory: &Path) -> String {
    format!("--data={}", directory.join("data").display())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o7777
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

async fn epoch(browser: &Browser) -> Epoch {
    match browser.connect().await.receive().await {
        ServerFrame::Hello { epoch, .. } => epoch,
        other => panic!("heard {other:?}"),
    }
}

async fn bodies(browser: &Browser, id: protocol::ConversationId) -> Vec<String> {
    browser.read_history(id).await.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn a_second_server_on_a_store_is_refused_and_a_killed_server_releases_the_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let (address, data) = (free_address(), data(at));
    let first = Process::start(at, address);
    ready(address).await;
    let holder = format!("another Duet (process {}) has", first.id());
    let database = at.join("data/duet.db");
    let by_url = format!("--database-url=sqlite:{}", database.display());
    std::os::unix::fs::symlink(at.join("data"), at.join("by-another-name")).expect("a link");
    let by_link = format!("--data={}", at.join("by-another-name").display());
    for store in [&data, &by_url, &by_link] {
        let said = refusal(at, store);
        assert!(said.contains(&holder) && said.contains("duet.db open"), "{said}");
    }
    let to = "postgres://nobody@127.0.0.1:1/nothing";
    let moving = duet(&["move", &data, "--to", to]);
    let said = String::from_utf8_lossy(&moving.stderr);
    assert!(said.contains("a server has") && said.contains(&first.id().to_string()), "{said}");
    let accepting = duet(&["accept-store", &data]);
    assert!(!accepting.status.success(), "the store of a running server is left alone");

    first.kill();
    let second = Process::start(at, address);
    ready(address).await;
    second.kill();
}

#[tokio::test]
async fn store_files_are_private_for_every_umask_and_for_existing_files() {
    for (umask, wide) in [("000", false), ("000", true), ("022", true), ("277", false)] {
        let directory = tempfile::tempdir().expect("a directory");
        let (at, address) = (directory.path(), free_address());
        let data = at.join("data");
        if wide {
            // The permissions that a package or an older version may have set.
            fs::create_dir(&data).expect("made");
            fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("set");
            fs::write(data.join("duet.db"), "").expect("made");
            fs::set_permissions(data.join("duet.db"), Permissions::from_mode(0o664)).expect("set");
        }
        let server = Process::start_in(at, address, Some(umask), &[]);
        ready(address).await;
        Browser::sign_up(address, "alice").await;
        let check = || {
            let mut seen = Vec::new();
            for entry in fs::read_dir(&data).expect("a directory") {
                let entry = entry.expect("an entry");
                assert_eq!(mode(&entry.path()), 0o600, "umask {umask}: {:?}", entry.path());
                seen.push(entry.file_name().into_string().expect("a name"));
            }
            assert_eq!(mode(&data), 0o700, "umask {umask}");
            seen
        };
        let seen = check();
        for name in ["duet.db", "duet.db-wal", "duet.db-shm", "duet.db-lock", "duet.db-marker"] {
            assert!(seen.iter().any(|one| one == name), "{name} of {seen:?}");
        }
        server.kill();
        check();
    }
}

#[tokio::test]
async fn a_directory_with_other_files_keeps_its_permissions() {
    let directory = tempfile::tempdir().expect("a directory");
    let (at, address) = (directory.path(), free_address());
    let data = at.join("data");
    fs::create_dir(&data).expect("made");
    fs::write(data.join("notes.txt"), "mine").expect("made");
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("set");
    let server = Process::start(at, address);
    ready(address).await;
    assert_eq!((mode(&data), mode(&data.join("duet.db"))), (0o755, 0o600));
    server.kill();
}

#[tokio::test]
async fn a_restored_copy_gets_a_new_epoch() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    socket.send_message(conversation, "before the copy").await;
    assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
    let life = epoch(&alice).await;
    let directory = server.stop().await;
    let copied = directory.path().join("copy");
    copy(&directory.path().join("data"), &copied);

    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    assert_eq!(epoch(&alice).await, life, "an ordinary start changes nothing");
    let mut socket = alice.connect_past_hello().await;
    socket.send_message(conversation, "after the copy").await;
    assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
    let directory = server.stop().await;
    let database = directory.path().join("data/duet.db");
    let newer = fs::read(&database).expect("a file");
    fs::copy(copied.join("duet.db"), &database).expect("put back");

    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    assert_eq!(bodies(&alice, conversation).await, ["before the copy"]);
    let second_life = epoch(&alice).await;
    assert_ne!(second_life, life);
    let directory = server.stop().await;

    // Restores the newer file: messages of the second epoch are not in it.
    fs::write(&database, newer).expect("put back");
    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    assert_eq!(bodies(&alice, conversation).await, ["before the copy", "after the copy"]);
    assert!(![life, second_life].contains(&epoch(&alice).await));
    server.stop().await;
}

/// Kills a server while every message is still in the write-ahead log. Returns its directory,
/// Alice's browser, the conversation and the epoch.
async fn killed_server() -> (TempDir, Browser, protocol::ConversationId, Epoch) {
    let directory = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let process = Process::start(directory.path(), address);
    ready(address).await;
    let alice = Browser::sign_up(address, "alice").await;
    let bob = Browser::sign_up(address, "bob").await;
    let conversation = alice.open_conversation(bob.id).await;
    let life = epoch(&alice).await;
    let mut socket = alice.connect_past_hello().await;
    socket.send_message(conversation, "before the copy").await;
    assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
    let data = directory.path().join("data");
    // Copies in both ways: the files themselves, and `vacuum into` as documented.
    copy(&data, &directory.path().join("files"));
    let vacuum = format!("vacuum into '{}'", directory.path().join("vacuum.db").display());
    Connection::open(data.join("duet.db")).expect("open").execute_batch(&vacuum).expect("copied");
    socket.send_message(conversation, "after the copy").await;
    assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
    process.kill();
    (directory, alice, conversation, life)
}

/// Starts a server on the files. Returns the message bodies and the epoch.
async fn start_and_read(
    directory: TempDir,
    alice: &Browser,
    id: protocol::ConversationId,
) -> (Vec<String>, Epoch) {
    let file = directory.path().join("data/duet.db");
    let server = TestServer::at(directory, &[]).await;
    let alice = alice.at(server.address);
    let found = (bodies(&alice, id).await, epoch(&alice).await);
    let form = format!("conversation={id}&client_id={}&body=afterwards", protocol::ClientId::new());
    let sent = alice.post_call("send_message", &form);
    assert!(sent.await.status().is_success());
    let directory = server.stop().await;
    let whole: String = Connection::open(&file)
        .expect("open")
        .query_row("pragma integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(whole, "ok");
    drop(directory);
    found
}

#[tokio::test]
async fn the_write_ahead_log_of_a_killed_server_keeps_the_epoch() {
    let (directory, alice, conversation, life) = killed_server().await;
    let found = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, (vec!["before the copy".into(), "after the copy".into()], life));
}

#[tokio::test]
async fn a_truncated_frame_ends_the_write_ahead_log() {
    let (directory, alice, conversation, life) = killed_server().await;
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
    assert_eq!(found, (vec!["before the copy".into(), "after the copy".into()], life));
}

#[tokio::test]
async fn a_copy_beside_a_newer_write_ahead_log_is_served_unchanged() {
    let (directory, alice, conversation, life) = killed_server().await;
    let database = directory.path().join("data/duet.db");
    fs::copy(directory.path().join("vacuum.db"), &database).expect("put back");
    let (found, now) = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, ["before the copy"]);
    assert_ne!(now, life);
}

#[tokio::test]
async fn a_file_of_an_earlier_run_beside_a_later_write_ahead_log_is_served_unchanged() {
    let (directory, alice, conversation, life) = killed_server().await;
    let database = directory.path().join("data/duet.db");
    // This run checkpoints the log into the file, and the next run begins a new log. A stop before
    // the server is ready would leave the log unchanged.
    let server = TestServer::at(directory, &[]).await;
    ready(server.address).await;
    let directory = server.stop().await;
    let earlier = fs::read(&database).expect("a file");
    let address = free_address();
    let process = Process::start(directory.path(), address);
    ready(address).await;
    let mut socket = alice.at(address).connect_past_hello().await;
    socket.send_message(conversation, "much later").await;
    assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
    process.kill();
    fs::write(&database, earlier).expect("put back");
    let (found, now) = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, ["before the copy", "after the copy"]);
    assert_ne!(now, life);
}

#[tokio::test]
async fn a_restarted_write_ahead_log_is_distinguished_from_the_log_of_the_copy() {
    const MANY: usize = 4_800;
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let life = epoch(&alice).await;
    let data = server.directory.path().join("data");
    let early = fs::read(data.join("duet.db")).expect("a file");
    let mut socket = alice.connect_past_hello().await;
    let long = "x".repeat(4_000);
    for _ in 0..MANY / 100 {
        for _ in 0..100 {
            socket.send_message(conversation, &long).await;
        }
        for _ in 0..100 {
            assert!(matches!(socket.receive_without_presence().await, ServerFrame::Sent(_)));
        }
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
    assert_eq!((found.len(), now), (MANY, life), "nothing is lost, and it is the same life");

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
    let whole: String = Connection::open(directory.path().join("data/duet.db"))
        .expect("open")
        .query_row("pragma integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(whole, "ok");
}

#[tokio::test]
async fn files_without_their_write_ahead_log_make_pages_resync() {
    let (directory, alice, conversation, life) = killed_server().await;
    let data = directory.path().join("data");
    // Another program checkpoints the log into the file and deletes it, which loses nothing.
    Connection::open(data.join("duet.db"))
        .expect("open")
        .execute_batch("select 1 from meta")
        .expect("read");
    assert!(!data.join("duet.db-wal").exists());
    let (found, now) = start_and_read(directory, &alice, conversation).await;
    assert_eq!(found, ["before the copy", "after the copy"]);
    assert_ne!(now, life);
}

#[tokio::test]
async fn a_missing_store_is_not_recreated_silently() {
    let server = TestServer::start().await;
    server.browser("alice").await;
    let directory = server.stop().await;
    let at = directory.path();
    let (data, database) = (data(at), at.join("data/duet.db"));
    let whole = fs::read(&database).expect("a file");
    let empty = at.join("empty.db");
    Connection::open(&empty)
        .expect("open")
        .execute_batch("pragma journal_mode = wal")
        .expect("made");
    let empty = fs::read(empty).expect("a file");
    for content in [None, Some(Vec::new()), Some(empty)] {
        match content {
            None => fs::remove_file(&database).expect("removed"),
            Some(content) => fs::write(&database, content).expect("written"),
        }
        let said = refusal(at, &data);
        assert!(said.contains("missing or empty") && said.contains("duet accept-store"), "{said}");
    }
    fs::write(&database, &whole).expect("put back");
    let server = TestServer::at(directory, &[]).await;
    Browser::sign_in(server.address, "alice").await;
    let directory = server.stop().await;

    fs::remove_file(&database).expect("removed");
    let accepted = duet(&["accept-store", &data]);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    let server = TestServer::at(directory, &[]).await;
    server.browser("alice").await;
    server.stop().await;
}

#[tokio::test]
async fn a_copy_without_tables_and_write_ahead_log_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    fs::create_dir(at.join("data")).expect("made");
    let (data, database) = (data(at), at.join("data/duet.db"));
    let made = Connection::open(&database).expect("open");
    made.execute_batch("pragma journal_mode = wal; create table t (n)").expect("made");
    fs::copy(&database, at.join("copy.db")).expect("copied");
    drop(made);
    fs::copy(at.join("copy.db"), &database).expect("put back");
    let said = refusal(at, &data);
    assert!(said.contains("has no table") && said.contains("duet accept-store"), "{said}");
    assert!(duet(&["accept-store", &data]).status.success());
    let server = TestServer::at(directory, &[]).await;
    ready(server.address).await;
    server.stop().await;
}

#[tokio::test]
async fn the_database_of_another_store_is_refused_until_it_is_accepted() {
    let (one, other) = (TestServer::start().await, TestServer::start().await);
    other.browser("olga").await;
    let (one, other) = (one.stop().await, other.stop().await);
    let (data, database) = (data(one.path()), one.path().join("data/duet.db"));
    fs::copy(other.path().join("data/duet.db"), &database).expect("put there");
    let said = refusal(one.path(), &data);
    assert!(said.contains("another store") && said.contains("duet accept-store"), "{said}");
    assert!(duet(&["accept-store", &data]).status.success());
    let server = TestServer::at(one, &[]).await;
    Browser::sign_in(server.address, "olga").await;
    server.stop().await;
}

//! The files of the SQLite store: one server at a time, private permissions, and refusal of missing
//! or wrong files. `store_copies` tests restored files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;

use crate::process::{Process, duet, free_address};
use crate::support::{Browser, TestServer, site};

/// Runs `duet` until it exits and returns its output.
fn run(arguments: &[&str]) -> Output {
    duet(arguments).output().expect("it ran")
}

/// Returns the error message of a refused start.
fn refusal(directory: &Path, store: &str) -> String {
    let site = site(directory);
    let site = site.to_str().expect("a path");
    let output = run(&["--listen", "127.0.0.1:0", "--log", "warn", "--site", site, store]);
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

#[tokio::test]
async fn a_second_server_on_a_store_is_refused_and_a_killed_server_releases_the_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let (address, data) = (free_address(), data(at));
    let first = Process::on(at, address).await;
    let pid = first.pid().as_raw_nonzero().to_string();
    let holder = format!("another Duet (process {pid}) has");
    let database = at.join("data/duet.db");
    let by_url = format!("--database-url=sqlite:{}", database.display());
    std::os::unix::fs::symlink(at.join("data"), at.join("by-another-name")).expect("a link");
    let by_link = format!("--data={}", at.join("by-another-name").display());
    for store in [&data, &by_url, &by_link] {
        let said = refusal(at, store);
        assert!(said.contains(&holder) && said.contains("duet.db open"), "{said}");
    }
    let to = "postgres://nobody@127.0.0.1:1/nothing";
    let moving = run(&["move", &data, "--to", to]);
    let said = String::from_utf8_lossy(&moving.stderr);
    assert!(said.contains("a server has") && said.contains(&pid), "{said}");
    let accepting = run(&["accept-store", &data]);
    assert!(!accepting.status.success(), "the store of a running server is left alone");

    first.kill();
    Process::on(at, address).await.kill();
}

#[tokio::test]
async fn store_files_are_private_for_every_umask_and_for_existing_files() {
    let cases = [("000", false), ("000", true), ("022", true), ("277", false), ("777", false)];
    for (umask, wide) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        let (at, address) = (directory.path(), free_address());
        let data = at.join("data");
        if wide {
            // The permissions that a package or an older version may have set.
            fs::create_dir(&data).expect("made");
            fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("set");
            fs::write(data.join("duet.db"), "").expect("made");
            fs::set_permissions(data.join("duet.db"), Permissions::from_mode(0o664)).expect("set");
            for ending in ["-wal-set-aside-1", "-marker-new", "-empty"] {
                let path = data.join(format!("duet.db{ending}"));
                fs::write(&path, "").expect("made");
                fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("set");
            }
        }
        let mut server = Process::begin_on(at, address, &format!("umask {umask}"), &[]);
        server.wait_until_ready().await;
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
        // Opens the files, and fails without a Postgres.
        let shell = format!("umask {umask}; exec \"$@\"");
        let data = format!("--data={}", data.display());
        let to = "--to=postgres://nobody@127.0.0.1:1/nothing";
        let moving = ["-c", &shell, "sh", env!("CARGO_BIN_EXE_duet"), "move", &data, to];
        let moved = Command::new("sh").args(moving).output().expect("it ran");
        assert!(!moved.status.success());
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
    let server = Process::on(at, address).await;
    assert_eq!((mode(&data), mode(&data.join("duet.db"))), (0o755, 0o600));
    server.kill();
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
    let accepted = run(&["accept-store", &data]);
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
    assert!(run(&["accept-store", &data]).status.success());
    let server = TestServer::at(directory, &[]).await;
    server.browser("alice").await;
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
    assert!(run(&["accept-store", &data]).status.success());
    let server = TestServer::at(one, &[]).await;
    Browser::sign_in(server.address, "olga").await;
    server.stop().await;
}

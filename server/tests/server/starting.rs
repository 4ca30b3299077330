//! Start and end of the process: messages to the operator, exit codes, signals.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::process::{Process, duet, free_address, run_to_failure, server};
use crate::support::{PASSWORD, http, post_form};

#[tokio::test]
async fn the_start_line_contains_address_version_store_and_registration() {
    let (process, log) = Process::with_log("", &[("DUET_REGISTRATION", "closed")]).await;
    let line = log.wait_for("Duet is ready").await;
    let data = process.directory().join("data/duet.db");
    for expected in [
        format!("Duet is ready: http://127.0.0.1:{}", process.address.port()),
        format!("version={:?}", env!("CARGO_PKG_VERSION")),
        format!("sqlite:{}", data.display()),
        "registration=Closed".to_owned(),
    ] {
        assert!(line.contains(&expected), "{expected} is not in {line}");
    }
}

#[tokio::test]
async fn an_empty_variable_is_ignored_and_an_unknown_variable_is_logged() {
    let variables = [
        ("DUET_PUBLIC_URL", ""),
        ("DUET_REGISTRATION", " "),
        ("DUET_MAX_CONNECTIONS", ""),
        ("DUET_TRUSTED_PROXIES", ""),
        ("DUET_REGISTATION", "closed"),
    ];
    let (_process, log) = Process::with_log("", &variables).await;
    let line = log.wait_for("DUET_REGISTATION").await;
    assert!(line.contains("did you mean DUET_REGISTRATION?"), "{line}");
    assert!(log.text().contains("registration=Open"), "{}", log.text());
}

#[test]
fn an_impossible_start_fails_with_one_sentence() {
    let directory = tempfile::tempdir().expect("a directory");
    let command = || server(directory.path(), free_address(), "");
    let mut wrong_level = command();
    wrong_level.env("DUET_LOG", "ifno");
    let mut no_style = command();
    let site = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(site.path().join("pkg")).expect("a directory");
    std::fs::write(site.path().join("pkg/duet.0AbC.js"), "").expect("a file");
    no_style.env("DUET_SITE", site.path());
    let mut no_store = command();
    std::fs::write(directory.path().join("a-file"), "").expect("a file");
    no_store.env("DUET_DATA", directory.path().join("a-file/data"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut no_port = command();
    no_port.env("DUET_LISTEN", taken.local_addr().expect("an address").to_string());
    for (command, says) in [
        (wrong_level, "did you mean info?"),
        (no_style, "hash.txt"),
        (no_store, "a-file/data"),
        (no_port, "DUET_LISTEN"),
    ] {
        let (status, said) = run_to_failure(command);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(says), "{said}");
        let last = said.lines().last().expect("a line");
        let last = last.strip_prefix("duet: ").expect("whose words they are");
        let parts: Vec<&str> = last.split(": ").collect();
        for (n, part) in parts.iter().enumerate() {
            assert!(!parts[..n].iter().any(|before| before.contains(part)), "twice in {last}");
        }
    }
}

#[tokio::test]
async fn a_failed_first_start_does_not_prevent_the_next_start() {
    for blocks in [16, 80] {
        let directory = tempfile::tempdir().expect("a directory");
        let address = free_address();
        // Limits the file size like a full disk: the start fails before the first table, or after
        // it.
        let shell = format!("trap '' XFSZ; ulimit -f {blocks}");
        let (status, said) = run_to_failure(server(directory.path(), address, &shell));
        assert_eq!(status.code(), Some(1), "{said}");
        let command = server(directory.path(), address, "");
        let mut process = Process::run(command, address, directory).await;
        process.signal(Signal::TERM);
        assert!(process.wait_for_exit().await.success());
    }
}

#[test]
fn migrate_waits_for_an_unreachable_database() {
    for (seconds, waits) in [("0", false), ("1", true)] {
        let mut migrate = duet(&["migrate"]);
        migrate
            .env("DUET_DATABASE_URL", format!("postgres://nobody@{}/nothing", free_address()))
            .env("DUET_DATABASE_WAIT", seconds);
        let (status, said) = run_to_failure(migrate);
        assert_eq!(status.code(), Some(1), "{said}");
        assert_eq!(said.contains("Duet retries for"), waits, "{said}");
    }
}

#[test]
fn only_nodes_on_a_postgres_have_a_secret_to_replace() {
    let (status, said) = run_to_failure(duet(&["replace-secret", "--database-url=sqlite:duet.db"]));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("SQLite has none"), "{said}");
    let (status, said) = run_to_failure(duet(&["replace-secret"]));
    assert_eq!(status.code(), Some(2), "{said}");
}

#[test]
fn commands_succeed_even_if_their_output_cannot_be_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = format!("--data={}", directory.path().join("data").display());
    for command in ["migrate", "accept-store"] {
        let full = File::options().write(true).open("/dev/full").expect("a Linux");
        let status = duet(&[command, &data]).stdout(full).stderr(Stdio::null()).status();
        assert!(status.expect("it ran").success(), "{command}");
    }
}

#[tokio::test]
async fn a_closed_terminal_ends_the_server_in_order() {
    // Restores the default action of SIGHUP, because under nohup the server would inherit the
    // ignored signal from the test process.
    let hears = "exec env --default-signal=HUP \"$@\"";
    let (mut process, log) = Process::with_log(hears, &[]).await;
    process.signal(Signal::HUP);
    assert!(process.wait_for_exit().await.success());
    assert!(log.text().contains("stopped"), "{}", log.text());
}

#[tokio::test]
async fn a_server_under_nohup_outlives_its_terminal() {
    let (mut process, log) = Process::with_log("trap '' HUP", &[]).await;
    process.signal(Signal::HUP);
    process.signal(Signal::TERM);
    assert!(process.wait_for_exit().await.success());
    assert!(log.text().contains("SIGTERM was received"), "{}", log.text());
}

/// Returns the first line of standard output, or `None` if the process exits without one.
async fn first_line(process: &mut Process) -> Option<String> {
    let output = BufReader::new(process.take_stdout());
    let reading = tokio::task::spawn_blocking(move || output.lines().next());
    reading.await.expect("no panic").map(|line| line.expect("text"))
}

fn command_with_invitations(directory: &Path, address: SocketAddr) -> Command {
    let mut command = server(directory, address, "");
    command.env("DUET_REGISTRATION", "invited").stdout(Stdio::piped());
    command
}

#[tokio::test]
async fn the_first_invitation_is_printed_until_an_account_exists() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let command = command_with_invitations(directory.path(), address);
    let mut process = Process::run(command, address, directory).await;
    let line = first_line(&mut process).await.expect("a link");
    let (_, link) = line.split_once("works once: ").expect("a link");
    let token = link.strip_prefix(&process.url("/sign-up?invitation=")).expect("our own address");
    let page = http().get(link).send().await.expect("a page").text().await.expect("a page");
    assert!(page.contains(token), "the page has the form");
    let form = format!("username=alice&password={PASSWORD}&invitation={token}");
    let made = post_form(address, "/sign-up", &form).await;
    assert_eq!(made.status(), 303);
    assert_eq!(made.headers()["location"], "/");
    process.signal(Signal::TERM);
    assert!(process.wait_for_exit().await.success());

    let directory = process.into_directory();
    let mut process =
        Process::run(command_with_invitations(directory.path(), address), address, directory).await;
    process.signal(Signal::TERM);
    assert_eq!(first_line(&mut process).await, None, "somebody is there who can invite");
}

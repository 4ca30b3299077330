//! The log: its content, the secrets that it must not contain, and the server's behaviour when it
//! cannot be written.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use protocol::{ConversationId, ServerFrame};
use rustix::process::Resource;
use serde_json::json;

use crate::process::Process;
use crate::support::{Browser, PASSWORD, Socket, http, origin, post_form};

const PAGE: &str = include_str!("../../../docs/LOG.md");
/// Python script that runs fail2ban's regular expression with the same `re` module. For each line
/// it prints the address found, or an empty line.
const SEARCH: &str = r#"
import re, sys
regex = sys.argv[1].replace("<ADDR>", "(?P<address>[0-9a-f:.]+)")
for line in sys.argv[2:]:
    found = re.search(regex, line)
    print(found.group("address") if found else "")
"#;
/// Number of calls whose log lines at level debug exceed the capacity of a pipe several times.
const MORE_THAN_A_PIPE: usize = 200;

async fn pair(process: &Process) -> (Browser, Browser, ConversationId) {
    let alice = Browser::sign_up(process.address, "alice").await;
    let bob = Browser::sign_up(process.address, "bob").await;
    let conversation = alice.open_conversation(bob.id).await;
    (alice, bob, conversation)
}

/// Sends a message and returns whether the server stored it.
async fn is_stored(socket: &mut Socket, conversation: ConversationId) -> bool {
    socket.send_message(conversation, "hello").await;
    loop {
        match socket.receive().await {
            ServerFrame::Sent(_) => return true,
            ServerFrame::Refused { .. } => return false,
            _ => {}
        }
    }
}

async fn guess_password(process: &Process) -> reqwest::Response {
    post_form(process.address, "/api/sign_in", "username=nobody&password=wrong-password").await
}

#[tokio::test]
async fn the_server_recovers_from_a_full_disk_under_log_and_data() {
    let full = File::options().write(true).open("/dev/full").expect("a Linux");
    // Otherwise a file that grows beyond the limit kills the process.
    let shell = "trap '' XFSZ";
    let process = Process::start(shell, Stdio::from(full), &[("DUET_LOG", "debug")]).await;
    let (alice, _bob, conversation) = pair(&process).await;
    let mut socket = alice.connect_past_hello().await;
    assert!(is_stored(&mut socket, conversation).await);
    assert_eq!(guess_password(&process).await.status(), 401);
    let before = process.limit(Resource::Fsize, Some(0));
    for _ in 0..3 {
        assert!(!is_stored(&mut socket, conversation).await, "the disk is full");
    }
    process.limit(Resource::Fsize, before.current);
    assert!(is_stored(&mut socket, conversation).await, "there is room again");
    assert_eq!(alice.get_page("/readyz").await.status(), 200);
    assert_eq!(alice.get_page("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_closed_log_pipe_does_not_stop_the_server() {
    let mut process = Process::start("", Stdio::piped(), &[("DUET_LOG", "debug")]).await;
    drop(process.take_stderr());
    let (alice, _bob, conversation) = pair(&process).await;
    assert_eq!(guess_password(&process).await.status(), 401);
    assert!(is_stored(&mut alice.connect_past_hello().await, conversation).await);
    assert!(process.is_running());
}

#[tokio::test]
async fn an_unread_log_blocks_no_request_and_is_written_later() {
    let mut process = Process::start("", Stdio::piped(), &[("DUET_LOG", "trace")]).await;
    let mut unread = process.take_stderr();
    let (alice, _bob, conversation) = pair(&process).await;
    let mut socket = alice.connect_past_hello().await;
    for _ in 0..MORE_THAN_A_PIPE {
        let listed = alice.call("list_conversations", json!({"after": null})).await;
        assert_eq!(listed.status(), 200);
    }
    assert!(is_stored(&mut socket, conversation).await);
    let reading = tokio::task::spawn_blocking(move || {
        let mut log = Vec::new();
        unread.read_to_end(&mut log).map(|_| String::from_utf8_lossy(&log).into_owned())
    });
    process.signal(rustix::process::Signal::TERM);
    assert!(process.wait_for_exit().await.success());
    let log = reading.await.expect("no panic").expect("the log");
    assert!(log.len() > 64 * 1024, "the premise: {} bytes", log.len());
    assert!(log.contains("stopped"), "the last line is written before the end");
}

#[tokio::test]
async fn account_actions_are_logged_and_password_guesses_with_their_address() {
    let (process, log) = Process::with_log("", &[]).await;
    let alice = Browser::sign_up(process.address, "alice").await;
    let made = log.wait_for("an account was created").await;
    assert!(made.contains(&format!("user.id={}", alice.id)), "{made}");
    assert!(made.contains("client.ip=127.0.0.1"), "{made}");

    let refused = guess_password(&process).await;
    let id = refused.headers()["x-request-id"].to_str().expect("visible").to_owned();
    let line = log.wait_for("sign-in refused").await;
    let expected = format!(
        " WARN request{{id=\"{id}\"}}: sign-in refused client.ip=127.0.0.1 \
         code=\"wrong_credentials\""
    );
    assert!(line.ends_with(&expected), "{line}\n{expected}");

    let form = format!("current={PASSWORD}&new=another-Harbor-93");
    assert!(alice.post_call("change_password", &form).await.status().is_success());
    log.wait_for("a password was changed").await;
    assert!(alice.post_call("sign_out", "").await.status().is_success());
    log.wait_for("signed out").await;
}

/// Returns the matches of the documented fail2ban filter.
fn filtered(lines: &[&str]) -> Vec<String> {
    let regex = PAGE.lines().find_map(|line| line.strip_prefix("failregex = ")).expect("a filter");
    let output = Command::new("python3").args(["-c", SEARCH, regex]).args(lines).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a text").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_documented_filter_matches_password_guesses_in_every_log() {
    let (process, log) = Process::with_log("", &[]).await;
    Browser::sign_up(process.address, "alice").await;
    assert_eq!(guess_password(&process).await.status(), 401);
    let line = log.wait_for("sign-in refused").await;
    let documented = PAGE.lines().find(|line| line.contains("sign-in refused client.ip"));
    assert_eq!(filtered(&[documented.expect("the line")]), ["203.0.113.7"]);
    // The forms in which fail2ban receives a line: from systemd, and from a file after it has cut
    // the time.
    let (_, cut) = line.split_once('Z').expect("a time");
    let limited = line.replace("wrong_credentials\"", "rate_limited\" left_out=12");
    for line in [line.as_str(), &limited, cut] {
        for line in [line.to_owned(), format!("chat.example.org duet[4711]: {line}")] {
            let far = line.replace("127.0.0.1", "2001:db8::7");
            assert_eq!(filtered(&[&line, &far]), ["127.0.0.1", "2001:db8::7"], "{line}");
        }
    }
    let other = log.wait_for("an account was created").await;
    let elsewhere = format!("chat.example.org sshd[4711]: {line}");
    let within = format!("somebody said {line}");
    assert_eq!(filtered(&[&other, &elsewhere, &within]), ["", "", ""]);
}

#[tokio::test]
async fn rate_limited_sign_ins_are_logged_once_a_second() {
    let (process, log) = Process::with_log("", &[]).await;
    let (begun, mut limited) = (Instant::now(), 0);
    while limited < 50 {
        // After several wrong passwords, the limit of the username applies.
        match guess_password(&process).await.status().as_u16() {
            401 => {}
            429 => limited += 1,
            other => panic!("{other}"),
        }
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("a number");
    Browser::sign_up(process.address, "alice").await;
    log.wait_for("an account was created").await;
    let lines = log.text().matches("code=\"rate_limited\"").count();
    assert!((1..=seconds + 1).contains(&lines), "{lines} lines in {seconds} s");
}

#[tokio::test]
async fn no_log_level_shows_secrets_or_messages() {
    let (process, log) = Process::with_log("", &[("DUET_LOG", "trace")]).await;
    let (alice, bob, conversation) = pair(&process).await;
    let mut at_bob = bob.connect_past_hello().await;
    let mut socket = alice.connect_past_hello().await;
    socket.send_message(conversation, "the-body-of-a-message").await;
    while !matches!(at_bob.receive().await, ServerFrame::Message(_)) {}
    alice.call("load_history", json!({"id": conversation, "cursor": "latest"})).await;
    let form = format!("client_id={}&body=the-body-of-a-form", protocol::ClientId::new());
    alice.submit_form(&format!("/c/{conversation}"), &form).await;
    let invitation = alice.post_call("create_invitation", "").await;
    let invitation: protocol::Invitation = invitation.json().await.expect("an invitation");
    for path in [
        format!("/invite/{}", invitation.token),
        format!("/sign-up?invitation={}", invitation.token),
        "/?find=the-name-searched-for".to_owned(),
        "/nowhere/the-name-searched-for".to_owned(),
    ] {
        alice.get_page(&path).await;
    }
    post_form(process.address, "/sign-in", "username=the-wrong-field&password=the-wrong-password")
        .await;
    let broken = "{\"current\":\"the-wrong-password\",\"new\":7}";
    http()
        .post(process.url("/api/change_password"))
        .header("origin", origin(process.address))
        .header("cookie", &alice.cookie)
        .header("content-type", "application/json")
        .body(broken)
        .send()
        .await
        .expect("an answer");
    alice.post_call("sign_out", "").await;
    log.wait_for("signed out").await;
    let text = log.text();
    assert!(text.contains("TRACE") || text.contains("DEBUG"), "the premise");
    let (_, token) = alice.cookie.split_once('=').expect("a value");
    for secret in [
        PASSWORD,
        token,
        &invitation.token,
        "the-body-of-a-message",
        "the-body-of-a-form",
        "the-name-searched-for",
        "the-wrong-field",
        "the-wrong-password",
    ] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

//! The log: its content, the secrets that it must not contain, and the server's behaviour when it
//! cannot be written.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use protocol::{ConversationId, ServerFrame};
use rustix::process::Resource;
use serde_json::json;

use crate::process::Process;
use crate::support::{Browser, PASSWORD, Socket, cookie, http, origin, pair, post_form};

/// Number of calls whose log lines at level debug exceed the capacity of a pipe several times.
const MORE_THAN_A_PIPE: usize = 200;

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
    let (alice, _bob, conversation) = pair(process.address).await;
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

/// The runtime may drop the values of a page on another thread than the one that rendered the page.
#[tokio::test]
async fn no_page_panics_when_many_are_rendered_at_once() {
    let (process, log) = Process::with_log("", &[]).await;
    let (alice, _bob, conversation) = pair(process.address).await;
    let conversation = format!("/c/{conversation}");
    for page in ["/", "/invite", "/settings", conversation.as_str(), "/nowhere"] {
        let pages = (0..100).map(|_| alice.get_page(page));
        for answer in futures::future::join_all(pages).await {
            assert!(answer.status().is_success() || page == "/nowhere", "{page}");
            answer.text().await.expect("the whole page");
        }
    }
    let log = log.text();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn a_closed_log_pipe_does_not_stop_the_server() {
    let mut process = Process::start("", Stdio::piped(), &[("DUET_LOG", "debug")]).await;
    drop(process.take_stderr());
    let (alice, _bob, conversation) = pair(process.address).await;
    assert_eq!(guess_password(&process).await.status(), 401);
    assert!(is_stored(&mut alice.connect_past_hello().await, conversation).await);
    assert!(process.is_running());
}

#[tokio::test]
async fn an_unread_log_blocks_no_request_and_is_written_later() {
    let mut process = Process::start("", Stdio::piped(), &[("DUET_LOG", "trace")]).await;
    let mut unread = process.take_stderr();
    let (alice, _bob, conversation) = pair(process.address).await;
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
    let changed = alice.post_call("change_password", &form).await;
    assert!(changed.status().is_success());
    log.wait_for("a password was changed").await;
    let alice = Browser { cookie: cookie(&changed), ..alice };
    assert!(alice.post_call("sign_out", "").await.status().is_success());
    log.wait_for("signed out").await;
}

#[tokio::test]
async fn no_log_level_shows_secrets_or_messages() {
    let (process, log) = Process::with_log("", &[("DUET_LOG", "trace")]).await;
    let (alice, bob, conversation) = pair(process.address).await;
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
    let typed = "username=the-wrong-field&display_name=the-wrong-field&password=the-wrong-password";
    for path in ["/sign-in", "/sign-up", "/api/sign_in", "/api/sign_up", "/api/free_usernames"] {
        post_form(process.address, path, typed).await;
    }
    alice.post_call("delete_account", "password=the-wrong-password").await;
    let foreign = http().post(process.url("/api/sign_in")).header("origin", "https://evil.example");
    foreign.body(typed).send().await.expect("an answer");
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

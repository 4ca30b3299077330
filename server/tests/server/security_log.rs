//! The security log: its lines, and the filters of `docs/fail2ban` by fail2ban's own program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::process::{LogFile, Process};
use crate::support::{Browser, PASSWORD, cookie, http, origin, post_form};

const PAGE: &str = include_str!("../../../docs/LOG.md");

/// A file of `docs/fail2ban`.
fn documented(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fail2ban").join(file)
}

/// Returns the addresses that fail2ban finds in these lines by a documented filter.
fn found_by(filter: &str, lines: &[String]) -> Vec<String> {
    let log = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(log.path(), lines.join("\n") + "\n").expect("written");
    let filter = documented(&format!("filter.d/{filter}.conf"));
    let output =
        Command::new("fail2ban-regex").args(["--out", "ip"]).arg(log.path()).arg(filter).output();
    let output = output.expect("fail2ban-regex runs: scripts/setup servers installs it");
    String::from_utf8(output.stdout).expect("a text").lines().map(str::to_owned).collect()
}

async fn guess_password(process: &Process) -> reqwest::Response {
    post_form(process.address, "/api/sign_in", "username=nobody&password=wrong-password").await
}

/// Sends requests that no page of the server sends: one of another site, one that is not JSON, and
/// one with a long address. Each waits for its line, because lines of one second are counted only.
async fn attack(process: &Process, log: &LogFile) {
    let sign_in = || http().post(process.url("/api/sign_in"));
    let json = |request: reqwest::RequestBuilder| {
        request.header("origin", origin(process.address)).header("content-type", "application/json")
    };
    let requests = [
        ("foreign_origin", 403, sign_in().header("origin", "https://evil.example").body("{}")),
        ("malformed", 422, json(sign_in()).body("{\"username\":7")),
        ("too_long", 414, http().get(process.url(&format!("/{}", "x".repeat(5_000))))),
    ];
    for (code, status, request) in requests {
        loop {
            let again = request.try_clone().expect("a request");
            assert_eq!(again.send().await.expect("an answer").status(), status, "{code}");
            if log.text().contains(&format!("request refused client.ip=127.0.0.1 code=\"{code}\""))
            {
                break;
            }
        }
    }
}

/// The security lines of a log in JSON: message and fields, without the time and the request.
fn security_lines(log: &LogFile) -> Vec<(String, Value)> {
    let lines = log.text();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let ours = lines.filter(|line| line["target"] == "duet::security");
    ours.map(|line| {
        let mut fields = line["fields"].clone();
        let message = fields.as_object_mut().and_then(|fields| fields.remove("message"));
        let message = message.as_ref().and_then(Value::as_str).expect("a message").to_owned();
        assert!(line["span"]["id"].is_string(), "the request: {line}");
        (message, fields)
    })
    .collect()
}

#[tokio::test]
async fn every_event_of_an_account_has_a_line_with_stable_fields() {
    let (process, log) = Process::with_log("", &[("DUET_LOG_FORMAT", "json")]).await;
    let alice = Browser::sign_up(process.address, "alice").await;
    assert_eq!(guess_password(&process).await.status(), 401);
    let second = Browser::sign_in(process.address, "alice").await;
    let other = Browser::sign_in(process.address, "alice").await;
    assert!(second.post_call("sign_out", "").await.status().is_success());
    assert!(alice.post_call("end_other_sessions", "").await.status().is_success());
    let form = format!("current={PASSWORD}&new=another-Harbor-93");
    let changed = alice.post_call("change_password", &form).await;
    assert!(changed.status().is_success());
    let alice = Browser { cookie: cookie(&changed), ..alice };
    let wrong = alice.post_call("delete_account", "password=wrong-Harbor-93").await;
    assert_eq!(wrong.status(), 403);
    let right = "password=another-Harbor-93";
    assert!(alice.post_call("delete_account", right).await.status().is_success());
    log.wait_for("an account was deleted").await;
    drop(other);

    let (id, here) = (alice.id.to_string(), "127.0.0.1");
    let lines = security_lines(&log);
    let expected = [
        ("an account was created", json!({"user.id": id, "client.ip": here, "is_invited": false})),
        ("sign-in refused", json!({"client.ip": here, "code": "wrong_credentials"})),
        ("signed in", json!({"user.id": id, "client.ip": here})),
        ("signed in", json!({"user.id": id, "client.ip": here})),
        ("signed out", json!({"session.id": lines[4].1["session.id"]})),
        ("all other sessions were ended", json!({"user.id": id, "ended": 1})),
        ("a password was changed", json!({"user.id": id, "client.ip": here, "ended": 0})),
        ("sign-in refused", json!({"client.ip": here, "code": "wrong_password"})),
        ("an account was deleted", json!({"user.id": id, "client.ip": here})),
    ];
    let expected = expected.map(|(message, fields)| (message.to_owned(), fields));
    assert_eq!(lines, expected);
    for (message, _) in &lines {
        assert!(PAGE.contains(&format!("| `{message}` |")), "LOG.md: {message}");
    }
}

#[tokio::test]
async fn the_documented_filters_find_attackers_in_every_form_of_a_line() {
    let (process, log) = Process::with_log("", &[]).await;
    Browser::sign_up(process.address, "alice").await;
    assert_eq!(guess_password(&process).await.status(), 401);
    attack(&process, &log).await;
    let text = log.text();
    let line = |words: &str| text.lines().find(|line| line.contains(words)).expect("a line");
    let guess = line("sign-in refused").to_owned();
    let limited = guess.replace("wrong_credentials\"", "rate_limited\" left_out=12");
    let requests = ["foreign_origin", "malformed", "too_long"]
        .map(|code| line(&format!("request refused client.ip=127.0.0.1 code=\"{code}\"")));
    for (filter, lines) in [
        ("duet", vec![guess.clone(), limited]),
        ("duet-requests", requests.map(str::to_owned).to_vec()),
    ] {
        for line in &lines {
            // As a file and the journal hold it.
            for line in [line.to_owned(), format!("chat.example.org duet[4711]: {line}")] {
                let far = line.replace("127.0.0.1", "2001:db8::7");
                let found = found_by(filter, &[line, far]);
                assert_eq!(found, ["127.0.0.1", "2001:db8::7"], "{filter}");
            }
        }
    }
    let documented = PAGE.lines().find(|line| line.contains("sign-in refused client.ip"));
    assert_eq!(found_by("duet", &[documented.expect("the line").to_owned()]), ["203.0.113.7"]);
    let others = [
        line("an account was created").to_owned(),
        format!("chat.example.org sshd[4711]: {guess}"),
        format!("somebody said {guess}"),
    ];
    assert_eq!(found_by("duet", &others), [""; 0]);
    assert_eq!(found_by("duet-requests", &others), [""; 0]);
}

#[tokio::test]
async fn fail2ban_accepts_the_documented_jails() {
    let directory = tempfile::tempdir().expect("a directory");
    let configuration = directory.path();
    let copied = Command::new("cp").args(["-r", "/etc/fail2ban/."]).arg(configuration).status();
    assert!(copied.expect("cp runs").success());
    std::fs::remove_dir_all(configuration.join("jail.d")).expect("removed");
    std::fs::create_dir(configuration.join("jail.d")).expect("a directory");
    for file in ["filter.d/duet.conf", "filter.d/duet-requests.conf", "jail.d/duet.conf"] {
        std::fs::copy(documented(file), configuration.join(file)).expect("copied");
    }
    let output = Command::new("fail2ban-client").arg("-c").arg(configuration).arg("-d").output();
    let output = output.expect("fail2ban-client runs");
    let commands = String::from_utf8(output.stdout).expect("a text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(commands.contains("['set', 'duet', 'maxretry', 20]"), "{commands}");
    assert!(!commands.contains("duet-requests"), "disabled at first");
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
    for kind in ["sign-in refused", "request refused"] {
        let wanted = format!("{kind} client.ip=127.0.0.1 code=\"rate_limited\"");
        let lines = log.text().matches(&wanted).count();
        assert!((1..=seconds + 1).contains(&lines), "{lines} lines in {seconds} s");
    }
}

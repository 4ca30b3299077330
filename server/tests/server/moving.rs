//! `duet move` on the command line: killed midway, run again, and served from Postgres.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use chat::{Chat, Database};
use clap::Parser;
use futures::future::join_all;
use harness::Postgres;
use protocol::{ClientId, ConversationId, Seq};
use server::config::Config;

use crate::process::duet;
use crate::support::{Browser, PASSWORD, PLENTY, TestServer, http, origin, site};

const MESSAGES: usize = 12_000;

fn duet_on(url: &str, arguments: &[&str]) -> Command {
    let mut command = duet(arguments);
    command.env("DUET_DATABASE_URL", url);
    command
}

/// Returns standard output and standard error, and asserts that neither contains the password.
fn output_of(output: &Output, url: &str) -> String {
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let text = text.concat();
    let password = url.split([':', '@']).nth(2).expect("a password");
    assert!(!text.contains(password), "{text}");
    text
}

/// Creates a store with a long conversation. Returns the session token of a participant and the
/// conversation.
async fn fill_store(file: &Path) -> (String, ConversationId) {
    let config = Config::parse_from(["duet"].iter().chain(&PLENTY));
    let config = config.chat().expect("a configuration");
    let database = Database::Sqlite(file.to_owned());
    let chat = Chat::begin(chat::Config { database, ..config }).await.expect("a chat");
    let here = std::net::IpAddr::from([127, 0, 0, 1]);
    let alice = chat.sign_up("alice", "", PASSWORD, here).await.expect("an account");
    let bob = chat.sign_up("bob", "", PASSWORD, here).await.expect("an account");
    let me = alice.session.caller();
    let opened = chat.open_conversation(me, bob.session.user.id).await.expect("opened");
    // As many concurrent sends as the queue accepts.
    for _ in 0..MESSAGES / 200 {
        let sends = (0..200).map(|_| chat.send_message(me, opened, ClientId::new(), "word"));
        for sent in join_all(sends).await {
            sent.expect("sent");
        }
    }
    chat.close().await;
    (alice.token, opened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_move_is_continued_and_the_copy_is_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let (token, conversation) = fill_store(&data.join("duet.db")).await;
    let data = data.to_str().expect("a path");
    let postgres = Postgres::start().expect("a private Postgres");
    postgres.create_database("duet", None).expect("a database");
    let url = postgres.url("duet");

    let mut first = duet_on(&url, &["move", "--data", data])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    // The table may not exist until the first rows are copied.
    let some = "select count(*) from (select from messages limit 1) as one";
    while postgres.sql("duet", some).unwrap_or_default() != "1" {
        assert!(first.try_wait().expect("asked").is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.kill().expect("it runs");
    first.wait().expect("it ends");

    let site = site(directory.path());
    let site = site.to_str().expect("a path");
    let early =
        duet_on(&url, &["--listen", "127.0.0.1:0", "--site", site]).output().expect("it ran");
    assert!(!early.status.success());
    assert!(
        output_of(&early, &url).contains("run `duet move` again"),
        "{}",
        output_of(&early, &url)
    );

    let from = format!("sqlite:{data}/duet.db");
    let second = duet_on(&url, &["move", "--from", &from]).output().expect("it ran");
    let text = output_of(&second, &url);
    assert!(second.status.success(), "{text}");
    for word in ["An earlier run had copied", "12000 messages", "checking", "start no server on it"]
    {
        assert!(text.contains(word), "{text}");
    }
    let third = duet_on(&url, &["move", "--data", data]).output().expect("it ran");
    assert_eq!(third.status.code(), Some(1));
    assert!(output_of(&third, &url).contains("was moved to this"), "{}", output_of(&third, &url));

    let server = TestServer::with(&["--database-url", &url]).await;
    let cookie = harness::cookie_at(&origin(server.address), &token);
    let alice =
        Browser { address: server.address, http: http(), cookie, id: protocol::UserId::new() };
    let all = alice.read_history(conversation).await;
    assert!(all.iter().zip(1..).all(|(message, n)| message.seq == Seq(n)), "a hole");
    assert_eq!(all.len(), MESSAGES);
    server.stop().await;
}

#[test]
fn a_wrong_argument_is_reported_in_one_line() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&["move"], "", "the target is missing"),
        (&["move", "--to", "sqlite:there.db"], "", "must be the target, a Postgres database"),
        (
            &["move", "--from", "postgres://db/duet"],
            "postgres://db/duet",
            "--from must be a SQLite store",
        ),
        (
            &["move", "--data", "/no/such"],
            "postgres://a:Harbor@db/duet",
            "there is no file /no/such",
        ),
        (&["--data", "here", "move"], "postgres://a:Harbor@db/duet", "cannot be used with"),
    ];
    for (arguments, url, expected) in cases {
        let mut command = match url {
            "" => duet(arguments),
            url => duet_on(url, arguments),
        };
        let output = command.output().expect("it ran");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(expected), "{text}");
        assert!(!text.contains("Harbor"), "{text}");
    }
}

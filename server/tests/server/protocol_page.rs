//! A third-party client that follows the protocol's README and sends the examples in it.

use std::collections::HashMap;
use std::process::Command;

use futures::SinkExt;
use reqwest::Method;
use reqwest::header::{COOKIE, ORIGIN};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{TestServer, cookie, http, origin};

const PAGE: &str = include_str!("../../../crates/protocol/README.md");
const ANNA: &str = "0198c0de-0000-7000-8000-00000000000a";
const BOB: &str = "0198c0de-0000-7000-8000-00000000000b";
const CONVERSATION: &str = "0198c0de-0000-7000-8000-0000000000c0";

fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    PAGE.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[tokio::test]
async fn the_documented_calls_and_frames_work_as_written() {
    let server = TestServer::start().await;
    let bob = server.browser("bob").await;
    let mut real = HashMap::from([(BOB, bob.id.to_string())]);
    let mut session = String::new();
    let mut calls = blocks("http");
    let rest = calls.split_off(6);
    for call in calls {
        let answer = perform(&server, call, &real, &mut session).await;
        if call.contains("/api/open_conversation") {
            real.insert(CONVERSATION, answer.trim_matches('"').to_owned());
        }
        if call.contains("/api/find_people") {
            assert!(answer.contains(&bob.id.to_string()), "{answer}");
        }
    }

    let mut anna = bob.clone();
    anna.cookie = session.clone();
    // Typing passes only between users who have both answered.
    for user in [&anna, &bob] {
        let accepted = format!("id={}", real[CONVERSATION]);
        assert_eq!(user.post_call("accept_request", &accepted).await.status(), 200);
    }
    let mut socket = anna.connect().await;
    let hello = socket.next().await.expect("hello");
    assert!(hello.starts_with("{\"type\":\"hello\""), "{hello}");
    let mut at_bob = bob.connect_past_hello().await;
    let mut heard = String::new();
    for frame in blocks("json client") {
        let frame = with_real(frame, &real);
        socket.0.send(Message::text(frame)).await.expect("sent");
    }
    // The ping is sent last, but its answer overtakes the one that waits for the disk.
    while !(heard.contains("\"pong\"") && heard.contains("\"sent\"")) {
        heard += &socket.next().await.expect("an answer");
    }
    assert!(!heard.contains("\"malformed\""), "{heard}");
    let mut kinds = String::new();
    while !(kinds.contains("\"message\"") && kinds.contains("\"typing\"")) {
        kinds += &at_bob.next().await.expect("an event");
    }
    for call in rest {
        perform(&server, call, &real, &mut session).await;
    }
    let bodies: Vec<_> = bob
        .read_history(real[CONVERSATION].parse().expect("an id"))
        .await
        .into_iter()
        .map(|m| m.body)
        .collect();
    assert_eq!(bodies, ["Hello, Bob!", "Without a socket"]);
    // In two parts, so that a search for unfinished work does not find this line.
    assert!(!PAGE.contains(concat!("TO", "DO")) && PAGE.contains(ANNA));
    server.stop().await;
}

/// The script uses only the protocol's README and Python's standard library.
#[tokio::test]
async fn a_client_written_from_the_protocol_page_alone_works() {
    let server = TestServer::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/stranger.py");
    let url = server.url("");
    let run = move || Command::new("python3").args(["-B", script, &url]).output();
    let output = tokio::task::spawn_blocking(run).await.expect("no panic").expect("python3 runs");
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said, "all done\n");
    server.stop().await;
}

fn with_real(text: &str, real: &HashMap<&str, String>) -> String {
    real.iter().fold(text.to_owned(), |text, (sample, id)| text.replace(sample, id))
}

async fn perform(
    server: &TestServer,
    call: &str,
    real: &HashMap<&str, String>,
    session: &mut String,
) -> String {
    let call = with_real(call, real);
    let (head, body) = call.split_once("\n\n").unwrap_or((&call, ""));
    let mut lines = head.lines();
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("a first line");
    let method: Method = method.parse().expect("a method");
    let mut request = http().request(method, server.url(path)).body(body.to_owned());
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let here = origin(server.address);
        request = request
            .header(name, if name == ORIGIN.as_str() || name == "Origin" { &here } else { value });
    }
    if !session.is_empty() {
        request = request.header(COOKIE, session.as_str());
    }
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{call}");
    if path.contains("sign_") {
        *session = cookie(&response);
    }
    response.text().await.expect("text")
}

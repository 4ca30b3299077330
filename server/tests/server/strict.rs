//! Request bodies that do not fit are refused by every call and every plain form, change nothing,
//! and never redirect to where the client wants.

use protocol::{ClientId, ConversationId};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, REFERER};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{Browser, PASSWORD, TestServer, code, origin, send};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Every call, with a body that fits.
fn calls(conversation: ConversationId, peer: &str) -> Vec<(&'static str, &'static str, String)> {
    let form = |name, body: String| (name, FORM, body);
    let json = |name, body: Value| (name, JSON, body.to_string());
    let id = conversation;
    vec![
        form("accept_invitation", "token=x".to_owned()),
        form("change_password", format!("current={PASSWORD}&new=violet-Harbor-93")),
        form("accept_request", format!("id={id}")),
        form("create_invitation", String::new()),
        form("delete_request", format!("id={id}")),
        form("mute_conversation", format!("id={id}&minutes=60")),
        form("report", format!("conversation={id}&messages=1&reason=x")),
        form("set_blocked", format!("id={id}&blocked=true")),
        form("delete_account", format!("password={PASSWORD}")),
        form("end_other_sessions", String::new()),
        form("end_session", format!("id={peer}")),
        form("mark_conversation", format!("id={id}&delivered=1&read=1")),
        form("open_conversation", format!("peer={peer}")),
        form("send_message", format!("conversation={id}&client_id={}&body=x", ClientId::new())),
        form("set_display_name", "display_name=Changed".to_owned()),
        form("set_privacy", "receipts=false&last_seen=false".to_owned()),
        form("sign_in", format!("username=alice&password={PASSWORD}")),
        form("sign_out", String::new()),
        form("sign_up", format!("username=mallory&display_name=M&password={PASSWORD}")),
        form("withdraw_invitation", "id=x".to_owned()),
        json("find_people", json!({"typed": "a"})),
        json("free_usernames", json!({"wanted": "alice", "invitation": null})),
        json("get_conversation", json!({"id": id})),
        json("get_invitation", json!({"token": "x"})),
        json("get_settings", json!({})),
        json("list_blocked", json!({})),
        json("list_conversations", json!({"after": null})),
        json("list_requests", json!({"after": null})),
        json("list_invitations", json!({})),
        json("list_sessions", json!({})),
        json("load_history", json!({"id": id, "cursor": "latest"})),
        json("search", json!({"typed": "a", "all": true})),
        json("tick_times", json!({"conversation": id})),
    ]
}

/// Every plain form, with a body that fits.
fn forms(conversation: ConversationId, peer: &str) -> Vec<(String, String)> {
    let form = |path: &str, body: &str| (path.to_owned(), body.to_owned());
    let message = format!("client_id={}&body=x&seen=1", ClientId::new());
    vec![
        form("/sign-in", &format!("username=alice&password={PASSWORD}")),
        form("/sign-up", &format!("username=mallory&password={PASSWORD}")),
        form("/sign-out", ""),
        form("/open", &format!("peer={peer}")),
        form(&format!("/c/{conversation}"), &message),
        form(&format!("/c/{conversation}/read"), "seen=1"),
        form(&format!("/c/{conversation}/accept"), ""),
        form(&format!("/c/{conversation}/delete"), ""),
        form(&format!("/c/{conversation}/block"), "blocked=true"),
        form(&format!("/c/{conversation}/mute"), "minutes=60"),
        form(&format!("/c/{conversation}/report"), "m1=true&reason=x"),
        form("/invite", ""),
        form("/invite/x", ""),
        form("/settings/name", "display_name=Changed"),
        form("/settings/password", &format!("current={PASSWORD}&new=violet-Harbor-93")),
        form("/settings/privacy", ""),
        form("/settings/sessions/end", &format!("id={peer}")),
        form("/settings/sessions/end-others", ""),
        form("/settings/look", "theme=dark&language=de&hours=h12"),
        form("/settings/delete", &format!("password={PASSWORD}")),
    ]
}

/// Bodies that no longer fit, each with its content type; `None` for no content type.
fn broken(kind: &'static str, body: &str) -> Vec<(Option<&'static str>, Vec<u8>)> {
    let body = body.as_bytes();
    let with = |more: &[u8]| (Some(kind), [body, more].concat());
    let mut broken = vec![
        (None, body.to_vec()),
        (Some("text/plain"), body.to_vec()),
        (Some("multipart/form-data; boundary=x"), body.to_vec()),
        (Some(if kind == FORM { JSON } else { FORM }), body.to_vec()),
        (Some("application/x-www-form-urlencoded; charset=utf-16"), body.to_vec()),
    ];
    if kind == JSON {
        let text = String::from_utf8_lossy(body);
        let inner = &text[1..text.len() - 1];
        let comma = if inner.is_empty() { "" } else { "," };
        broken.extend([
            with(b"x"),
            with(b"{}"),
            (Some(kind), Vec::new()),
            (Some(kind), b"[]".to_vec()),
            (Some(kind), b"null".to_vec()),
            (Some(kind), format!("{{{inner}{comma}\"other\":1}}").into_bytes()),
            (Some(kind), [b"{\"\xff\":1".as_slice(), comma.as_bytes(), &body[1..]].concat()),
        ]);
        if !inner.is_empty() {
            broken.push((Some(kind), format!("{{{inner},{inner}}}").into_bytes()));
        }
    } else {
        let first = body.split(|byte| *byte == b'&').next().unwrap_or_default();
        broken.extend([
            with(b"&other=1"),
            with(b"&other"),
            with(b"&a=1&a=2"),
            with(b"&x=%FF"),
            with(b"&x=\xff"),
            with(b"&x=%"),
        ]);
        if !first.is_empty() {
            broken.push((Some(kind), [body, b"&", first].concat()));
        }
    }
    broken
}

async fn post(
    browser: &Browser,
    path: &str,
    kind: Option<&str>,
    body: Vec<u8>,
    accept: &str,
) -> Response {
    let request = browser
        .http
        .post(format!("http://{}{path}", browser.address))
        .header(ORIGIN, origin(browser.address))
        .header(COOKIE, &browser.cookie)
        .header(ACCEPT, accept)
        .header(REFERER, "https://evil.example/phish");
    send(
        kind.into_iter()
            .fold(request, |request, kind| request.header(CONTENT_TYPE, kind))
            .body(body),
    )
    .await
}

/// Everything of the user that the calls and forms above would change.
async fn state(alice: &Browser, conversation: ConversationId) -> Vec<Value> {
    let mut state = Vec::new();
    for (function, arguments) in [
        ("get_settings", json!({})),
        ("list_invitations", json!({})),
        ("get_conversation", json!({"id": conversation})),
        ("load_history", json!({"id": conversation, "cursor": "latest"})),
    ] {
        let response = alice.call(function, arguments).await;
        assert_eq!(response.status(), 200, "{function}");
        state.push(response.json().await.expect("JSON"));
    }
    let sessions = alice.call("list_sessions", json!({})).await;
    let sessions: Vec<Value> = sessions.json().await.expect("JSON");
    state.push(json!(sessions.len()));
    state
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_by_every_call_and_form() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let _elsewhere = Browser::sign_in(server.address, "alice").await;
    let mut at_bob = bob.connect_past_hello().await;
    at_bob.send_and_wait(conversation, "hello").await;
    let before = state(&alice, conversation).await;
    let peer = bob.id.to_string();
    for (name, kind, body) in calls(conversation, &peer) {
        for (kind, broken) in broken(kind, &body) {
            let what = format!("{name} {kind:?} {}", String::from_utf8_lossy(&broken));
            let path = format!("/api/{name}");
            let response = post(&alice, &path, kind, broken, "text/html").await;
            assert!(response.status().is_client_error(), "{what}: {}", response.status());
            assert_eq!(response.headers()[CONTENT_TYPE], JSON, "{what}");
            assert!(!response.headers().contains_key(LOCATION), "{what}");
            assert_eq!(code(response).await, "malformed", "{what}");
        }
    }
    for (path, body) in forms(conversation, &peer) {
        for (kind, broken) in broken(FORM, &body) {
            let what = format!("{path} {kind:?} {}", String::from_utf8_lossy(&broken));
            let response = post(&alice, &path, kind, broken, "text/html").await;
            assert!(response.status().is_client_error(), "{what}: {}", response.status());
            assert!(!response.headers().contains_key("set-cookie"), "{what}");
            assert!(!response.text().await.expect("a text").is_empty(), "{what}");
        }
    }
    assert_eq!(state(&alice, conversation).await, before);
    let mallory = format!("username=mallory&password={PASSWORD}").into_bytes();
    let nobody = post(&alice, "/api/sign_in", Some(FORM), mallory, JSON).await;
    assert_eq!(code(nobody).await, "wrong_credentials", "nobody signed up");
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_fit_are_not_refused_as_malformed() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let peer = bob.id.to_string();
    let ends = ["change_password", "delete_account", "end_other_sessions", "sign_in", "sign_out"];
    for (name, kind, body) in calls(conversation, &peer) {
        // These would end the session of the further calls.
        if ends.contains(&name) || name == "sign_up" {
            continue;
        }
        let response = post(&alice, &format!("/api/{name}"), Some(kind), body.into(), JSON).await;
        if response.status() != 200 {
            assert_ne!(code(response).await, "malformed", "{name}");
        }
    }
    for (path, body) in forms(conversation, &peer) {
        let fields = format!("{body}&for={}", alice.id);
        if ["/sign-in", "/sign-up", "/sign-out", "/settings/delete"].contains(&path.as_str()) {
            continue;
        }
        let response = post(&alice, &path, Some(FORM), fields.into(), "text/html").await;
        let text = response.text().await.expect("a text");
        assert!(!text.contains("could not be read"), "{path}: {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_call_is_answered_in_json_to_a_form_of_a_browser_too() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let body = || b"display_name=Anna".to_vec();
    let done = post(&alice, "/api/set_display_name", Some(FORM), body(), "text/html").await;
    assert_eq!(done.status(), 200);
    assert_eq!(done.headers()[CONTENT_TYPE], JSON);
    assert!(!done.headers().contains_key(LOCATION));
    let wrong = b"username=alice&password=wrong-Harbor-92".to_vec();
    let refused = post(&alice, "/api/sign_in", Some(FORM), wrong, "text/html").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(code(refused).await, "wrong_credentials");
    server.stop().await;
}

#[tokio::test]
async fn other_methods_are_refused_and_no_header_changes_the_method() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let url = format!("http://{}/api/sign_out", alice.address);
        let request = alice
            .http
            .request(method.parse::<Method>().expect("a method"), url)
            .header(ORIGIN, origin(alice.address))
            .header(COOKIE, &alice.cookie)
            .header(CONTENT_TYPE, FORM)
            .header("x-http-method-override", "POST")
            .header("x-method-override", "POST");
        assert_eq!(send(request).await.status(), 405, "{method}");
    }
    let request = alice.form_request("/healthz", "").header("x-http-method-override", "GET");
    assert_eq!(send(request).await.status(), 405);
    assert_eq!(alice.call("get_settings", json!({})).await.status(), 200, "still signed in");
    server.stop().await;
}

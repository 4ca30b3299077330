//! Several users in one browser: a request from one user's page must never run as another user.

use protocol::{ClientId, FOR_HEADER, FOR_SUBPROTOCOL, SUBPROTOCOL};
use reqwest::header::SET_COOKIE;
use serde_json::{Value, json};

use crate::origin::{functions, refused};
use crate::support::{Browser, PASSWORD, TestServer, origin, send};

/// Sends a call with the header that names its user.
async fn call(browser: &Browser, path: &str, whose: &str, form: &str) -> reqwest::Response {
    send(browser.form_request(path, form).header(FOR_HEADER, whose)).await
}

#[tokio::test]
async fn a_server_function_refuses_a_page_of_another_user() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let form = format!(
        "conversation={conversation}&client_id={}&body=forged&id={conversation}&delivered=1&read=1\
         &username=eve&password={PASSWORD}&current={PASSWORD}&new=another-Harbor-92&peer={}",
        ClientId::new(),
        bob.id
    );
    let functions = functions();
    assert!(functions.len() >= 20, "{functions:?}");
    for (path, _) in &functions {
        // The page belongs to Alice; the cookie belongs to Bob.
        for whose in [alice.id.to_string(), "nobody".to_owned(), String::new()] {
            let response = call(&bob, path, &whose, &form).await;
            assert_eq!(response.status(), 412, "{path} for {whose:?}");
            assert!(response.headers().get(SET_COOKIE).is_none(), "{path}");
            let body: Value = response.json().await.expect("JSON");
            assert_eq!(body, json!({"refused": {"code": "other_person"}}), "{path}");
        }
    }
    assert!(alice.read_history(conversation).await.is_empty());
    let message = format!("conversation={conversation}&client_id={}&body=own", ClientId::new());
    let sent = call(&bob, "/api/send_message", &bob.id.to_string(), &message).await;
    assert_eq!(sent.status(), 200, "for himself");
    assert_eq!(bob.post_call("sign_out", "").await.status(), 200, "without saying for whom");
    let after = call(&bob, "/api/send_message", &bob.id.to_string(), &message).await;
    assert_eq!(after.status(), 401, "nobody is signed in");
    server.stop().await;
}

#[tokio::test]
async fn a_socket_of_another_user_is_refused() {
    let server = TestServer::start().await;
    let (alice, bob, _) = server.pair().await;
    let ours = origin(server.address);
    let by = |id: &str| format!("{SUBPROTOCOL}, {FOR_SUBPROTOCOL}{id}");
    assert_eq!(refused(bob.try_connect_by(&ours, &by(&alice.id.to_string())).await), 412);
    assert_eq!(refused(bob.try_connect_by(&ours, &by("")).await), 412);
    assert_eq!(refused(bob.try_connect_by(&ours, &by(&bob.id.to_string())).await), 101);
    assert_eq!(refused(bob.try_connect(&ours).await), 101);
    server.stop().await;
}

#[tokio::test]
async fn a_plain_form_of_another_user_is_refused() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let id = ClientId::new();
    let message = format!("client_id={id}&body=Mine+%3Cb%3E+alone&seen=0");
    let passwords = format!("current={PASSWORD}&new=another-Harbor-92");
    let peer = format!("peer={}", alice.id);
    let farewell = format!("password={PASSWORD}");
    let to_conversation = format!("/c/{conversation}");
    let to_read = format!("/c/{conversation}/read");
    let forms = [
        (to_conversation.as_str(), message.as_str()),
        (&to_read, "seen=0"),
        ("/open", &peer),
        ("/settings/name", "display_name=Taken"),
        ("/settings/password", &passwords),
        ("/settings/privacy", ""),
        ("/settings/sessions/end", "id=0198c0de-0000-7000-8000-00000000000a"),
        ("/settings/sessions/end-others", ""),
        ("/settings/delete", &farewell),
        ("/invite/no-such-invitation", ""),
        ("/sign-out", ""),
    ];
    for (path, fields) in forms {
        let response = bob.submit_form(path, &format!("{fields}&for={}", alice.id)).await;
        assert_eq!(response.status(), 412, "{path}");
        assert!(response.headers().get(SET_COOKIE).is_none(), "{path}");
        let page = response.text().await.expect("a page");
        assert!(page.contains("Someone else is now signed in"), "{path}: {page}");
        assert!(!page.contains("bob"), "nothing of who is signed in now: {page}");
        assert!(!page.contains("<script"), "it must not be hydrated: {page}");
        let kept = page.contains("Mine &lt;b&gt; alone");
        assert_eq!(kept, path == to_conversation, "the text is in the answer: {page}");
    }
    assert!(bob.read_history(conversation).await.is_empty());
    let older = format!("{message}&sender={}", alice.id);
    assert_eq!(bob.submit_form(&to_conversation, &older).await.status(), 412, "by the older name");
    let own = format!("{message}&for={}", bob.id);
    assert_eq!(bob.submit_form(&to_conversation, &own).await.status(), 303);
    let silent = format!("client_id={}&body=Older+page", ClientId::new());
    assert_eq!(bob.submit_form(&to_conversation, &silent).await.status(), 303, "of an older page");
    let bodies: Vec<_> =
        alice.read_history(conversation).await.into_iter().map(|it| it.body).collect();
    assert_eq!(bodies, ["Mine <b> alone", "Older page"]);
    server.stop().await;
}

#[tokio::test]
async fn the_answer_to_a_signed_out_user_contains_the_unsent_message() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    alice.post_call("sign_out", "").await;
    let form = format!("client_id={}&body=Not+lost&for={}", ClientId::new(), alice.id);
    let response = alice.submit_form(&format!("/c/{conversation}"), &form).await;
    assert_eq!(response.status(), 401);
    let page = response.text().await.expect("a page");
    assert!(page.contains("Not lost"), "{page}");
    assert!(page.contains(&format!("/sign-in?next=/c/{conversation}")), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn signing_in_ends_the_previous_session_of_the_browser() {
    let server = TestServer::start().await;
    let (alice, bob, _) = server.pair().await;
    for path in ["/api/sign_in", "/sign-in"] {
        let before = Browser::sign_in(server.address, "alice").await;
        let mut socket = before.connect_past_hello().await;
        let form = format!("username=bob&password={PASSWORD}");
        let response = before.submit_form(path, &form).await;
        assert!(response.status().as_u16() < 400, "{path}: {}", response.status());
        assert_eq!(socket.close_code().await, Some(4401), "{path}");
        assert_eq!(before.call("get_settings", json!({})).await.status(), 401, "{path}");
    }
    for other in [alice, bob] {
        let listed = other.call("get_settings", json!({})).await;
        assert_eq!(listed.status(), 200, "sessions of other browsers stay");
    }
    server.stop().await;
}

//! Account settings over HTTP: live events, closed sockets, and the plain forms.

use protocol::{ClientFrame, CloseCode, ErrorCode, ServerFrame, SessionInfo, Settings};
use reqwest::header::{CONTENT_TYPE, LOCATION, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

use crate::support::{Browser, PASSWORD, Socket, TestServer, http, origin};

const ANOTHER: &str = "marsh-Lantern-41";

async fn settings(browser: &Browser) -> Settings {
    browser.call("get_settings", json!({})).await.json().await.expect("settings")
}

async fn sessions(browser: &Browser) -> Vec<SessionInfo> {
    browser.call("list_sessions", json!({})).await.json().await.expect("sessions")
}

async fn code(response: reqwest::Response) -> Value {
    let body: Value = response.json().await.expect("JSON");
    body["refused"]["code"].clone()
}

async fn assert_connected(socket: &mut Socket) {
    socket.send(&ClientFrame::Ping).await;
    while socket.receive().await != ServerFrame::Pong {}
}

#[tokio::test]
async fn a_new_display_name_reaches_open_pages() {
    let server = TestServer::start().await;
    let (alice, bob, _) = server.pair().await;
    let (mut own, mut peers) = (alice.connect_past_hello().await, bob.connect_past_hello().await);
    let done = alice.post_call("set_display_name", "display_name=Alice+Ash").await;
    assert_eq!(done.status(), 200);
    for socket in [&mut own, &mut peers] {
        let ServerFrame::User(user) = socket.receive_without_presence().await else {
            panic!("no name")
        };
        assert_eq!((user.id, user.display_name.as_str()), (alice.id, "Alice Ash"));
    }
    assert_eq!(settings(&alice).await.user.display_name, "Alice Ash");
    let refused = alice.post_call("set_display_name", "display_name=%E2%80%AE").await;
    assert_eq!(
        (refused.status().as_u16(), code(refused).await),
        (422, json!("display_name_invalid"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_new_password_closes_the_sockets_of_all_other_sessions() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let elsewhere = Browser::sign_in(server.address, "alice").await;
    let (mut here, mut there) =
        (alice.connect_past_hello().await, elsewhere.connect_past_hello().await);
    let wrong = format!("current=wrong-Harbor-92&new={ANOTHER}");
    let refused = alice.post_call("change_password", &wrong).await;
    assert_eq!(
        (refused.status().as_u16(), code(refused).await),
        (403, json!(ErrorCode::WrongPassword))
    );
    let done =
        alice.post_call("change_password", &format!("current={PASSWORD}&new={ANOTHER}")).await;
    assert_eq!(done.status(), 200);
    assert_eq!(there.close_code().await, Some(CloseCode::SessionEnded.code()));
    assert_connected(&mut here).await;
    assert_eq!(elsewhere.call("get_settings", json!({})).await.status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let signed_in = http()
        .post(server.url("/api/sign_in"))
        .header(ORIGIN, origin(server.address))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0")
        .body(format!("username=alice&password={PASSWORD}"))
        .send()
        .await
        .expect("an answer");
    let desk = Browser { cookie: crate::support::cookie(&signed_in), ..alice.clone() };
    let listed = sessions(&desk).await;
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0].device.as_str(), listed[0].current), ("Firefox · Linux", true));
    let mut socket = alice.connect_past_hello().await;
    let ended = desk.post_call("end_session", &format!("id={}", listed[1].id)).await;
    assert_eq!(ended.status(), 200);
    assert!(!ended.headers().contains_key(SET_COOKIE));
    assert_eq!(socket.close_code().await, Some(CloseCode::SessionEnded.code()));
    let other = Browser::sign_in(server.address, "alice").await;
    let mut socket = other.connect_past_hello().await;
    assert_eq!(desk.post_call("end_other_sessions", "").await.status(), 200);
    assert_eq!(socket.close_code().await, Some(CloseCode::SessionEnded.code()));
    let this = desk.post_call("end_session", &format!("id={}", listed[0].id)).await;
    let cookie = this.headers()[SET_COOKIE].to_str().expect("visible").to_owned();
    assert!(cookie.contains("Max-Age=0"), "ending the present one is signing out: {cookie}");
    assert_eq!(desk.call("list_sessions", json!({})).await.status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn the_plain_forms_change_settings_and_redirect_to_the_page() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let leads_to = |response: &reqwest::Response| {
        assert_eq!(response.status(), 303);
        response.headers()[LOCATION].to_str().expect("visible").to_owned()
    };
    for (path, form) in [
        ("/settings/name", "display_name=Alice+Ash"),
        ("/settings/privacy", "receipts=true"),
        ("/settings/sessions/end-others", ""),
    ] {
        assert_eq!(leads_to(&alice.submit_form(path, form).await), "/settings", "{path}");
    }
    let changed = format!("current={PASSWORD}&new={ANOTHER}");
    assert_eq!(leads_to(&alice.submit_form("/settings/password", &changed).await), "/settings");
    let found = settings(&alice).await;
    assert_eq!(found.user.display_name, "Alice Ash");
    assert_eq!((found.privacy.receipts, found.privacy.last_seen), (true, false));
    let refused = alice.submit_form("/settings/password", &changed).await;
    assert_eq!(refused.status(), 403, "the password is another one now");
    assert!(refused.text().await.expect("a page").contains("</html>"));
    assert_eq!(leads_to(&alice.get_page("/settings/password").await), "/settings");
    let this = sessions(&alice).await[0].id;
    let ended = alice.submit_form("/settings/sessions/end", &format!("id={this}")).await;
    assert_eq!(leads_to(&ended), "/settings");
    assert!(ended.headers()[SET_COOKIE].to_str().expect("visible").contains("Max-Age=0"));
    let stranger = alice.submit_form("/settings/name", "display_name=x").await;
    assert_eq!(leads_to(&stranger), "/sign-in?next=/settings");
    server.stop().await;
}

#[tokio::test]
async fn an_account_is_deleted_only_with_its_password() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let mut socket = alice.connect_past_hello().await;
    let wrong = alice.submit_form("/settings/delete", "password=wrong-Harbor-92").await;
    assert_eq!(wrong.status(), 403);
    assert_connected(&mut socket).await;
    let done = alice.submit_form("/settings/delete", &format!("password={PASSWORD}")).await;
    assert_eq!(done.status(), 303);
    assert_eq!(done.headers()[LOCATION], "/sign-in");
    assert!(done.headers()[SET_COOKIE].to_str().expect("visible").contains("Max-Age=0"));
    assert_eq!(socket.close_code().await, Some(CloseCode::SessionEnded.code()));
    assert_eq!(alice.call("get_settings", json!({})).await.status(), 401);
    let message = format!(
        "conversation={conversation}&client_id={}&body=too+late",
        protocol::ClientId::new()
    );
    let refused = bob.post_call("send_message", &message).await;
    assert_eq!((refused.status().as_u16(), code(refused).await), (409, json!("peer_deleted")));
    assert_eq!(bob.get_page(&format!("/c/{conversation}")).await.status(), 200, "it can be read");
    server.stop().await;
}

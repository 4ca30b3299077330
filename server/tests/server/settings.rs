//! Account settings over HTTP: live events, closed sockets, and the plain forms.

use protocol::{ClientFrame, CloseCode, ErrorCode, ServerFrame, SessionInfo, Settings};
use reqwest::header::{LOCATION, SET_COOKIE, USER_AGENT};
use serde_json::json;

use crate::support::{
    Browser, PASSWORD, Socket, TestServer, code, cookie, form_request, origin, redirect_target,
    send,
};

const ANOTHER: &str = "marsh-Lantern-41";

async fn settings(browser: &Browser) -> Settings {
    browser.call("get_settings", json!({})).await.json().await.expect("settings")
}

async fn sessions(browser: &Browser) -> Vec<SessionInfo> {
    browser.call("list_sessions", json!({})).await.json().await.expect("sessions")
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
    let renewed = Browser { cookie: cookie(&done), ..alice.clone() };
    assert_ne!(renewed.cookie, alice.cookie);
    assert_eq!(alice.call("get_settings", json!({})).await.status(), 401, "the token of before");
    assert_eq!(renewed.call("get_settings", json!({})).await.status(), 200);
    assert_eq!(there.close_code().await, Some(CloseCode::SessionEnded.code()));
    assert_connected(&mut here).await;
    assert_eq!(elsewhere.call("get_settings", json!({})).await.status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let form = format!("username=alice&password={PASSWORD}");
    let request = form_request(server.address, &origin(server.address), "/api/sign_in", &form);
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0";
    let signed_in = send(request.header(USER_AGENT, firefox)).await;
    let desk = Browser { cookie: cookie(&signed_in), ..alice.clone() };
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
    let cleared = this.headers()[SET_COOKIE].to_str().expect("visible").to_owned();
    assert!(cleared.contains("Max-Age=0"), "ending the present one is signing out: {cleared}");
    assert_eq!(desk.call("list_sessions", json!({})).await.status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn the_plain_forms_change_settings_and_redirect_to_the_page() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    for (path, form) in [
        ("/settings/name", "display_name=Alice+Ash"),
        ("/settings/privacy", "receipts=true"),
        ("/settings/sessions/end-others", ""),
    ] {
        assert_eq!(redirect_target(&alice.submit_form(path, form).await), "/settings", "{path}");
    }
    let changed = format!("current={PASSWORD}&new={ANOTHER}");
    let done = alice.submit_form("/settings/password", &changed).await;
    assert_eq!(redirect_target(&done), "/settings");
    let alice = Browser { cookie: cookie(&done), ..alice };
    let found = settings(&alice).await;
    assert_eq!(found.user.display_name, "Alice Ash");
    assert_eq!((found.privacy.receipts, found.privacy.last_seen), (true, false));
    let refused = alice.submit_form("/settings/password", &changed).await;
    assert_eq!(refused.status(), 403, "the password is another one now");
    assert!(refused.text().await.expect("a page").contains("</html>"));
    assert_eq!(redirect_target(&alice.get_page("/settings/password").await), "/settings");
    let this = sessions(&alice).await[0].id;
    let ended = alice.submit_form("/settings/sessions/end", &format!("id={this}")).await;
    assert_eq!(redirect_target(&ended), "/settings");
    assert!(ended.headers()[SET_COOKIE].to_str().expect("visible").contains("Max-Age=0"));
    let stranger = alice.submit_form("/settings/name", "display_name=x").await;
    assert_eq!(redirect_target(&stranger), "/sign-in?next=/settings");
    server.stop().await;
}

#[tokio::test]
async fn the_password_form_withdraws_open_invitations_if_the_box_is_checked() {
    let server = TestServer::start().await;
    let mut alice = server.browser("alice").await;
    alice.post_call("create_invitation", "").await;
    let page = alice.get_page("/settings").await.text().await.expect("a page");
    assert!(page.contains("name=\"withdraw_invitations\""), "the form offers it");
    let waiting = async |alice: &Browser| {
        let listed = alice.call("list_invitations", json!({})).await;
        let listed: Vec<serde_json::Value> = listed.json().await.expect("a list");
        listed.len()
    };
    for (form, left) in [
        (format!("current={PASSWORD}&new={ANOTHER}"), 1),
        (format!("current={ANOTHER}&new={PASSWORD}&withdraw_invitations=true"), 0),
    ] {
        let done = alice.submit_form("/settings/password", &form).await;
        assert_eq!(redirect_target(&done), "/settings");
        alice.cookie = cookie(&done);
        assert_eq!(waiting(&alice).await, left);
    }
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

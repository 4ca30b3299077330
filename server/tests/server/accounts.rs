//! Sign-up, sign-in and sign-out over HTTP: cookies, status codes, messages.

use protocol::ErrorCode;
use reqwest::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use serde_json::json;

use crate::support::{
    Browser, PASSWORD, TestServer, code, cookie, form_request, http, origin, post_form, send,
};

#[tokio::test]
async fn the_cookie_is_http_only_and_ends_with_the_session() {
    let server = TestServer::start().await;
    let form = format!("username=alice&display_name=Alice+A.&password={PASSWORD}");
    let response = post_form(server.address, "/api/sign_up", &form).await;
    let cookie = response.headers()[SET_COOKIE].to_str().expect("visible").to_owned();
    let name = format!("duet-dev-sid-{}=", server.address.port());
    for part in [name.as_str(), "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let alice = crate::support::Browser::sign_in(server.address, "ALICE").await;
    assert_eq!(alice.call("list_conversations", json!({"after": null})).await.status(), 200);
    let out = alice.post_call("sign_out", "").await;
    assert!(out.headers()[SET_COOKIE].to_str().expect("visible").contains("Max-Age=0"));
    let after = alice.call("list_conversations", json!({"after": null})).await;
    assert_eq!(after.status(), 401);
    assert_eq!(code(after).await, json!(ErrorCode::Unauthenticated));
    server.stop().await;
}

#[tokio::test]
async fn two_servers_on_one_host_do_not_sign_each_other_out() {
    let (one, other) = (TestServer::start().await, TestServer::start().await);
    let (alice, anna) = (one.browser("alice").await, other.browser("anna").await);
    // A browser sends the cookies of both servers to each port of the host.
    let both = format!("{}; {}", alice.cookie, anna.cookie);
    for browser in [alice, anna] {
        let browser = crate::support::Browser { cookie: both.clone(), ..browser };
        let listed = browser.call("list_conversations", json!({"after": null})).await;
        assert_eq!(listed.status(), 200, "{}", browser.address);
        let names = both.split("; ").map(|cookie| cookie.split('=').next());
        assert_eq!(names.collect::<std::collections::HashSet<_>>().len(), 2, "{both}");
    }
    one.stop().await;
    other.stop().await;
}

/// Signs up on a page of this origin.
async fn sign_up_from(server: &TestServer, origin: &str) -> reqwest::Response {
    let form = format!("username=alice&password={PASSWORD}");
    send(form_request(server.address, origin, "/api/sign_up", &form)).await
}

#[tokio::test]
async fn the_cookie_lives_as_long_as_a_session_and_its_name_contains_the_port() {
    let arguments = ["--public-url=https://chat.example.org:8443", "--session-days=3"];
    let server = TestServer::with(&arguments).await;
    let response = sign_up_from(&server, "https://chat.example.org:8443").await;
    let cookie = response.headers()[SET_COOKIE].to_str().expect("visible");
    assert!(cookie.starts_with("__Host-sid-8443="), "{cookie}");
    assert!(cookie.contains("; Max-Age=259200;"), "{cookie}");
    server.stop().await;
}

#[tokio::test]
async fn over_https_the_cookie_and_the_headers_are_strict() {
    let server = TestServer::with(&["--public-url=https://chat.example.org"]).await;
    let response = sign_up_from(&server, "https://chat.example.org").await;
    let cookie = response.headers()[SET_COOKIE].to_str().expect("visible");
    assert!(cookie.starts_with("__Host-sid=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
    server.stop().await;
}

#[tokio::test]
async fn hsts_includes_subdomains_only_if_configured() {
    for (setting, header) in [
        ("--hsts=on", Some("max-age=31536000")),
        ("--hsts=subdomains", Some("max-age=31536000; includeSubDomains")),
        ("--hsts=off", None),
    ] {
        let server = TestServer::with(&["--public-url=https://chat.example.org", setting]).await;
        let answer = http().get(server.url("/sign-in")).send().await.expect("an answer");
        let found = answer.headers().get("strict-transport-security");
        assert_eq!(found.map(|value| value.as_bytes()), header.map(str::as_bytes), "{setting}");
        server.stop().await;
    }
}

#[tokio::test]
async fn refusals_have_a_status_a_code_and_a_retry_time() {
    let server = TestServer::start().await;
    server.browser("alice").await;
    let cases = [
        ("username=al&password=tulip-Harbor-92", 422, ErrorCode::UsernameInvalid),
        ("username=Alice&password=tulip-Harbor-92", 409, ErrorCode::UsernameTaken),
        ("username=bob&password=short", 422, ErrorCode::PasswordTooShort),
        ("username=bob&password=qwertyuiopqwertyuiop", 422, ErrorCode::PasswordCommon),
        ("username=bob", 422, ErrorCode::Malformed),
        ("%%%", 422, ErrorCode::Malformed),
    ];
    for (form, status, expected) in cases {
        let response = post_form(server.address, "/api/sign_up", form).await;
        assert_eq!(response.status(), status, "{form}");
        assert_eq!(code(response).await, json!(expected), "{form}");
    }
    for _ in 0..6 {
        let wrong = "username=alice&password=wrong-Harbor-92";
        let response = post_form(server.address, "/api/sign_in", wrong).await;
        assert_eq!(response.status(), 401);
        assert_eq!(code(response).await, json!(ErrorCode::WrongCredentials));
    }
    let right = format!("username=alice&password={PASSWORD}");
    let paused = post_form(server.address, "/api/sign_in", &right).await;
    assert_eq!(paused.status(), 429);
    assert_eq!(paused.headers()[RETRY_AFTER], "1");
    server.stop().await;
}

/// A token that was in the browser before a sign-in, known to an attacker, must not become or stay
/// the token of a session.
#[tokio::test]
async fn no_token_from_before_a_sign_in_or_a_new_password_opens_a_session() {
    let server = TestServer::start().await;
    let victim = server.browser("victim").await;
    let attacker = server.browser("mallory").await;
    let (name, _) = attacker.cookie.split_once('=').expect("a cookie");
    let invented = format!("{name}={}", "A".repeat(43));
    let form = format!("username=victim&password={PASSWORD}");
    let is_good = async |cookie: &str| {
        let browser = Browser { cookie: cookie.to_owned(), ..victim.clone() };
        browser.call("get_settings", json!({})).await.status() == 200
    };
    for planted in [&invented, &attacker.cookie] {
        let request = form_request(server.address, &origin(server.address), "/api/sign_in", &form);
        let signed_in = send(request.header(COOKIE, planted)).await;
        assert_eq!(signed_in.status(), 200);
        assert_ne!(&cookie(&signed_in), planted);
        assert!(is_good(&cookie(&signed_in)).await && !is_good(planted).await, "{planted}");
    }
    let mallory = Browser::sign_in(server.address, "mallory").await;
    let request = form_request(
        server.address,
        &origin(server.address),
        "/api/sign_up",
        &format!("username=newcomer&password={PASSWORD}"),
    );
    let signed_up = send(request.header(COOKIE, &mallory.cookie)).await;
    assert!(is_good(&cookie(&signed_up)).await && !is_good(&mallory.cookie).await);
    let change = format!("current={PASSWORD}&new=marsh-Lantern-41");
    let changed = victim.post_call("change_password", &change).await;
    assert!(is_good(&cookie(&changed)).await && !is_good(&victim.cookie).await);
    server.stop().await;
}

/// The address changes with each start, and with it the name of the cookie.
#[tokio::test]
async fn a_full_store_is_refused_with_a_code_of_its_own() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let directory = server.stop().await;
    let server = TestServer::at(directory, &["--max-store-bytes=1"]).await;
    let alice = alice.at(server.address);
    let id = protocol::ClientId::new();
    let form = format!("conversation={conversation}&client_id={id}&body=hello");
    let refused = alice.post_call("send_message", &form).await;
    assert_eq!(refused.status(), 507);
    assert!(refused.headers().contains_key(RETRY_AFTER));
    assert_eq!(code(refused).await, json!(ErrorCode::StorageFull));
    assert_eq!(alice.get_page(&format!("/c/{conversation}")).await.status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn registration_can_be_closed() {
    let server = TestServer::with(&["--registration=closed"]).await;
    let form = format!("username=alice&password={PASSWORD}");
    let response = post_form(server.address, "/api/sign_up", &form).await;
    assert_eq!(response.status(), 403);
    server.stop().await;
}

//! The cookie of a known device: its attributes, and what it is worth after a sign-out, a restart and
//! a change.

use std::net::SocketAddr;

use protocol::ErrorCode;
use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::json;

use crate::support::{Browser, PASSWORD, TestServer, code, form_request, origin, send};

const ANOTHER: &str = "marsh-Lantern-41";
/// Lets the tests send from many addresses.
const PROXY: &str = "--trusted-proxies=127.0.0.1";

/// The whole cookie of this kind in a response.
fn set_cookie(response: &Response, kind: &str) -> Option<String> {
    let all = response.headers().get_all(SET_COOKIE).iter();
    let mut all = all.map(|cookie| cookie.to_str().expect("visible").to_owned());
    all.find(|cookie| cookie.split('=').next().is_some_and(|name| name.contains(kind)))
}

/// The device cookie of a response, as a browser sends it back.
fn device(response: &Response) -> String {
    let cookie = set_cookie(response, "device").expect("a device cookie");
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn post_from(
    n: u8,
    server: SocketAddr,
    path: &str,
    password: &str,
    cookie: &str,
) -> Response {
    let form = format!("username=alice&password={password}");
    let request = form_request(server, &origin(server), path, &form).header(COOKIE, cookie);
    send(request.header("x-forwarded-for", format!("100.{n}.0.1"))).await
}

async fn post(server: SocketAddr, path: &str, password: &str, cookie: &str) -> Response {
    post_from(0, server, path, password, cookie).await
}

async fn start() -> TestServer {
    TestServer::with(&[PROXY]).await
}

async fn sign_up(server: &TestServer) -> Response {
    post(server.address, "/api/sign_up", PASSWORD, "").await
}

/// Guesses from many addresses until strangers have to wait, which is for longer than a minute.
async fn guess(server: SocketAddr) {
    for n in 0..60 {
        let wrong = post_from(n, server, "/api/sign_in", "wrong-Harbor-92", "").await;
        if wrong.status() == 429 {
            return;
        }
    }
    panic!("guesses are not limited");
}

async fn sign_in(address: SocketAddr, cookie: &str) -> u16 {
    post(address, "/api/sign_in", PASSWORD, cookie).await.status().as_u16()
}

#[tokio::test]
async fn the_device_cookie_is_http_only_and_bound_to_the_host_over_https() {
    let server = start().await;
    let cookie = set_cookie(&sign_up(&server).await, "device").expect("a cookie");
    assert!(cookie.starts_with(&format!("duet-dev-device-{}=", server.address.port())), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000"), "{cookie}");
    server.stop().await;
    for (url, name) in [
        ("https://chat.example.org", "__Host-device="),
        ("https://chat.example.org:8443", "__Host-device-8443="),
    ] {
        let server = TestServer::with(&[&format!("--public-url={url}")]).await;
        let form = format!("username=alice&password={PASSWORD}");
        let made = send(form_request(server.address, url, "/api/sign_up", &form)).await;
        let cookie = set_cookie(&made, "device").expect("a cookie");
        assert!(cookie.starts_with(name), "{cookie}");
        let attributes = "; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000; Secure";
        assert!(cookie.ends_with(attributes), "{cookie}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_known_device_signs_in_while_a_stranger_at_its_address_guesses() {
    let server = start().await;
    let made = sign_up(&server).await;
    let (session, known) = (crate::support::cookie(&made), device(&made));
    let both = format!("{session}; {known}");
    let alice = Browser { cookie: both, ..server.browser("carol").await };
    let out = alice.post_call("sign_out", "").await;
    assert_eq!(set_cookie(&out, "device"), None, "the sign-out keeps the cookie");
    guess(server.address).await;
    assert_eq!(sign_in(server.address, "").await, 429);
    let name = known.split('=').next().expect("a name").to_owned();
    for unknown in [
        format!("{name}="),
        format!("{name}={}", "A".repeat(64)),
        format!("{name}={}", "A".repeat(8_000)),
        format!("{known}A"),
        known.replacen("device", "other", 1),
    ] {
        assert_eq!(sign_in(server.address, &unknown).await, 429, "{unknown}");
    }
    assert_eq!(sign_in(server.address, &known).await, 200);
    assert_eq!(alice.call("list_conversations", json!({"after": null})).await.status(), 401);
    let directory = server.stop().await;

    let server = TestServer::at(directory, &[PROXY]).await;
    let known = known.split_once('=').expect("a value").1;
    let known = format!("duet-dev-device-{}={known}", server.address.port());
    guess(server.address).await;
    assert_eq!(sign_in(server.address, &known).await, 200, "the restart keeps the device known");
    server.stop().await;
}

#[tokio::test]
async fn a_changed_password_renews_the_device_cookie_and_a_deletion_clears_it() {
    let server = start().await;
    let made = sign_up(&server).await;
    let session = crate::support::cookie(&made);
    let alice = Browser { cookie: session, ..server.browser("carol").await };
    let changed = format!("current={PASSWORD}&new={ANOTHER}");
    let changed = alice.submit_form("/settings/password", &changed).await;
    assert_eq!(changed.status(), 303);
    let renewed = device(&changed);
    let alice = Browser { cookie: crate::support::cookie(&changed), ..alice };
    assert_ne!(renewed, device(&made));
    guess(server.address).await;
    let old = post(server.address, "/api/sign_in", ANOTHER, &device(&made)).await;
    assert_eq!(code(old).await, json!(ErrorCode::RateLimited));
    assert_eq!(post(server.address, "/api/sign_in", ANOTHER, &renewed).await.status(), 200);
    let gone = alice.submit_form("/settings/delete", &format!("password={ANOTHER}")).await;
    assert!(set_cookie(&gone, "device").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    server.stop().await;
}

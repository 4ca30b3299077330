//! Signing in another device over HTTP: the calls, the page and its plain form, and what the log shows
//! of them.

use protocol::{DeviceLink, DeviceLinkState};
use reqwest::Response;
use reqwest::header::{CACHE_CONTROL, REFERRER_POLICY, SET_COOKIE, USER_AGENT};
use serde_json::{Value, json};

use crate::process::Process;
use crate::support::{
    Browser, PASSWORD, TestServer, code, cookie, form_request, http, origin, post_form,
    redirect_target, send,
};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn link(browser: &Browser) -> DeviceLink {
    let form = format!("password={PASSWORD}");
    browser.post_call("create_device_link", &form).await.json().await.expect("a link")
}

fn token(link: &DeviceLink) -> &str {
    link.link.rsplit('/').next().expect("a token")
}

async fn state(browser: &Browser, link: &DeviceLink) -> DeviceLinkState {
    browser.call("get_device_link", json!({"id": link.id})).await.json().await.expect("a state")
}

async fn refusal(response: Response) -> (u16, Value) {
    (response.status().as_u16(), code(response).await)
}

/// A browser without a session.
fn nobody(browser: &Browser) -> Browser {
    Browser { cookie: String::new(), ..browser.clone() }
}

#[tokio::test]
async fn a_link_signs_in_another_browser_by_calls() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let wrong = alice.post_call("create_device_link", "password=wrong-Harbor-92").await;
    assert_eq!(refusal(wrong).await, (403, json!("wrong_password")));
    let link = link(&alice).await;
    assert_eq!(link.link, format!("{}/link/{}", origin(server.address), token(&link)));
    assert_eq!((token(&link).len(), link.valid_seconds), (43, 300));
    assert!(link.qr.starts_with("<svg") && link.qr.ends_with("</svg>"), "{}", link.qr);
    assert_ne!(link.id, token(&link));

    let phone = nobody(&alice);
    let named = phone.call("get_linked_user", json!({"token": token(&link)})).await;
    assert_eq!(named.json::<Value>().await.expect("a user")["username"], "alice");
    assert!(state(&alice, &link).await.is_open);
    let form = format!("token={}", token(&link));
    let here = alice.post_call("sign_in_by_link", &form).await;
    assert_eq!(refusal(here).await, (409, json!("signed_in_already")));
    let request =
        form_request(alice.address, &origin(alice.address), "/api/sign_in_by_link", &form);
    let made = send(request.header(USER_AGENT, FIREFOX)).await;
    assert_eq!(made.status(), 200);
    let cookies: Vec<_> = made.headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies.len(), 2, "of the session and of the device: {cookies:?}");
    let phone = Browser { cookie: cookie(&made), ..phone };
    let settings = phone.call("get_settings", json!({})).await;
    assert_eq!(settings.json::<Value>().await.expect("settings")["user"]["username"], "alice");
    let used = DeviceLinkState { is_open: false, used_by: Some("Firefox · Linux".into()) };
    assert_eq!(state(&alice, &link).await, used);

    let stranger = nobody(&alice);
    for (call, form) in [
        ("create_device_link", format!("password={PASSWORD}")),
        ("withdraw_device_link", format!("id={}", link.id)),
    ] {
        assert_eq!(stranger.post_call(call, &form).await.status(), 401, "{call}");
    }
    let asked = stranger.call("get_device_link", json!({"id": link.id})).await;
    assert_eq!(asked.status(), 401);
    for token in [token(&link), "x", &link.id] {
        let refused = stranger.post_call("sign_in_by_link", &format!("token={token}")).await;
        assert_eq!(refusal(refused).await, (404, json!("device_link_invalid")), "{token}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_page_only_asks_and_its_form_signs_in_without_scripts() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let made = alice.submit_form("/settings/device-link", &format!("password={PASSWORD}")).await;
    assert_eq!(made.status(), 200);
    assert_eq!(made.headers()[CACHE_CONTROL], "no-store");
    let page = made.text().await.expect("a page");
    let (_, rest) = page.split_once("/link/").expect("a link");
    let path = format!("/link/{}", &rest[..43]);
    assert!(page.contains("<svg") && !page.contains("<script"), "{page}");
    let wrong = alice.submit_form("/settings/device-link", "password=wrong-Harbor-92").await;
    assert_eq!(wrong.status(), 403);
    assert_eq!(
        redirect_target(&alice.get_page("/settings/device-link").await),
        "/settings#devices"
    );

    let phone = nobody(&alice);
    for _ in 0..3 {
        let asked = phone.get_page(&path).await;
        assert_eq!(asked.status(), 200);
        assert_eq!(asked.headers()[REFERRER_POLICY], "same-origin");
        assert_eq!(asked.headers()[CACHE_CONTROL], "no-store");
        assert!(asked.headers().get(SET_COOKIE).is_none());
        let page = asked.text().await.expect("a page");
        assert!(page.contains("Sign in as alice on this device?"), "{page}");
    }
    let elsewhere = form_request(phone.address, "https://evil.example", &path, "");
    assert_eq!(send(elsewhere).await.status(), 403, "a page of another site");
    let here = alice.submit_form(&path, "").await;
    assert_eq!(here.status(), 409);
    let page = here.text().await.expect("a page");
    assert!(page.contains("You’re signed in as alice here already."), "{page}");
    let bob = server.browser("bob").await;
    let other = bob.get_page(&path).await.text().await.expect("a page");
    assert!(other.contains("This browser is signed in as bob."), "{other}");

    let signed_in = post_form(phone.address, &path, "").await;
    assert_eq!(redirect_target(&signed_in), "/");
    let phone = Browser { cookie: cookie(&signed_in), ..phone };
    assert_eq!(phone.get_page("/settings").await.status(), 200);
    for path in [path.as_str(), "/link/x"] {
        let stranger = nobody(&alice);
        let gone = stranger.get_page(path).await;
        assert_eq!(gone.status(), 404, "{path}");
        assert!(gone.text().await.expect("a page").contains("make a new code"), "{path}");
        let refused = post_form(stranger.address, path, "").await;
        assert_eq!(refused.status(), 404, "{path}");
        assert!(refused.text().await.expect("a page").contains("make a new code"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn looking_at_links_is_limited_by_address() {
    let directory = tempfile::tempdir().expect("a directory");
    let limits = ["--sign-ins-per-minute=2", "--trusted-proxies=127.0.0.1"];
    let server = TestServer::with_rate_limits(directory, &limits).await;
    let look = async |from: &str| {
        let url = server.url("/link/x");
        send(http().get(url).header("x-forwarded-for", from)).await.status().as_u16()
    };
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(look("192.0.2.1").await);
    }
    assert!(answers.starts_with(&[404]) && answers.ends_with(&[429]), "{answers:?}");
    assert_eq!(look("198.51.100.1").await, 404, "another address");
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_by_a_link_is_logged_and_its_token_is_not() {
    let (process, log) = Process::with_log("", &[("DUET_LOG", "trace")]).await;
    let alice = Browser::sign_up(process.address, "alice").await;
    let link = link(&alice).await;
    let made = log.wait_for("a link to sign in another device was made").await;
    assert!(made.contains(" INFO ") && made.contains(&format!("user.id={}", alice.id)), "{made}");
    let path = format!("/link/{}", token(&link));
    assert_eq!(nobody(&alice).get_page(&path).await.status(), 200);
    assert_eq!(redirect_target(&post_form(process.address, &path, "").await), "/");
    let used = log.wait_for("signed in by a link of another device").await;
    assert!(used.contains(" INFO ") && used.ends_with("client.ip=127.0.0.1"), "{used}");
    assert_eq!(post_form(process.address, &path, "").await.status(), 404);
    let text = log.text();
    let line = text.lines().find(|line| line.contains(token(&link)));
    assert_eq!(line, None);
}

//! Headers of every response, and the limits on requests.

use protocol::limits::MAX_REQUEST_BYTES;
use reqwest::header::{CONTENT_SECURITY_POLICY, HeaderMap};

use crate::support::{self, Browser, TestServer, http, origin, post_form};

fn check(headers: &HeaderMap, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
    ] {
        assert_eq!(
            headers.get(name).map(|v| v.as_bytes()),
            Some(value.as_bytes()),
            "{what} {name}"
        );
    }
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().expect("visible");
    assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe-inline"), "{what}: {policy}");
    assert!(!headers.contains_key("server"), "{what}");
    assert!(!headers.contains_key("access-control-allow-origin"), "{what}");
    assert!(headers.contains_key("cache-control"), "{what}");
    assert!(headers.contains_key("permissions-policy"), "{what}");
}

#[tokio::test]
async fn every_kind_of_response_has_the_security_headers() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    for (path, status) in [
        ("/", 200),
        ("/sign-in", 303),
        ("/nowhere", 404),
        ("/c/0198c0de-0000-7000-8000-000000000000", 404),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/pkg/duet.css", 200),
        ("/pkg/nothing.js", 404),
        ("/ws", 403),
        ("/api/nothing", 404),
    ] {
        let response = alice.get_page(path).await;
        let found = response.status().as_u16();
        assert!(found == status || status == 303 && found == 302, "{path}: {found}");
        check(response.headers(), path);
    }
    let foreign = http().post(server.url("/api/sign_in")).send().await.expect("an answer");
    assert_eq!(foreign.status(), 403);
    check(foreign.headers(), "a foreign post");
    let stranger = Browser { cookie: String::new(), ..alice.clone() };
    let page = stranger.get_page("/").await;
    assert!(page.status().is_redirection(), "{}", page.status());
    check(page.headers(), "a redirect");
    let long = alice.get_page(&format!("/?find={}", "x".repeat(5_000))).await;
    assert_eq!(long.status(), 414);
    check(long.headers(), "a long address");
    let large = post_form(server.address, "/api/sign_in", &"x".repeat(MAX_REQUEST_BYTES + 1)).await;
    assert_eq!(large.status(), 413);
    check(large.headers(), "a large body");
    server.stop().await;
}

#[tokio::test]
async fn every_refused_call_is_answered_in_json() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let form = "application/x-www-form-urlencoded";
    let (own, foreign) = (origin(server.address), "https://evil.example".to_owned());
    let long = "x".repeat(MAX_REQUEST_BYTES + 1);
    for (method, path, from, kind, body, status, code) in [
        ("POST", "/api/sign_in", &foreign, form, "", 403, "foreign_origin"),
        ("POST", "/api/sign_in", &own, form, "", 422, "malformed"),
        ("POST", "/api/sign_in", &own, form, long.as_str(), 413, "malformed"),
        ("POST", "/api/load_history", &own, "image/png", "{}", 422, "malformed"),
        ("GET", "/api/sign_in", &own, form, "", 405, "malformed"),
        ("POST", "/api/no_such_call", &own, form, "", 404, "not_found"),
        ("GET", "/ws", &foreign, form, "", 403, "foreign_origin"),
        ("GET", "/ws", &own, form, "", 400, "malformed"),
    ] {
        let response = http()
            .request(method.parse().expect("a method"), server.url(path))
            .header("origin", from)
            .header("cookie", &alice.cookie)
            .header("content-type", kind)
            .body(body.to_owned())
            .send()
            .await
            .expect("an answer");
        let what = format!("{method} {path} {code}");
        assert_eq!(response.status(), status, "{what}");
        assert_eq!(response.headers()["content-type"], "application/json", "{what}");
        assert_eq!(support::code(response).await, code, "{what}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_has_a_new_nonce_each_time_and_nothing_inline_without_it() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let mut nonces = std::collections::HashSet::new();
    for _ in 0..20 {
        let response = alice.get_page("/").await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().expect("visible");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
        let nonce = nonce.expect("a nonce").to_owned();
        let html = response.text().await.expect("a page");
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().expect("a tag");
            assert!(tag.contains(&nonce) || tag.contains("src="), "{tag}");
        }
        assert!(!html.contains(" style=\""), "an inline style");
        assert!(nonces.insert(nonce), "a nonce came twice");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_answer_to_a_refused_message_form_contains_its_text() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let text = format!("{}</textarea><script>alert(1)</script>", "x".repeat(4_000));
    let form = format!("client_id={}&body={text}", protocol::ClientId::new());
    let response = alice.submit_form(&format!("/c/{conversation}"), &form).await;
    assert_eq!(response.status(), 413);
    check(response.headers(), "a refused form");
    let page = response.text().await.expect("a page");
    assert!(page.contains("up to 4000 characters"), "{page}");
    assert!(page.contains("&lt;/textarea&gt;&lt;script&gt;alert(1)"), "the text is not there");
    assert!(!page.contains("<script>alert"), "the text is not escaped");
    server.stop().await;
}

//! Pages under another address than the public one, and misconfigured settings and proxies: the
//! visitor sees the right address, and the log tells the operator which setting to change.

use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, ORIGIN};
use rustix::process::Signal;
use serde_json::json;

use crate::process::Process;
use crate::support::{TestServer, code, form_request, http, origin, send};

const PUBLIC: &str = "https://chat.example.org";

#[tokio::test]
async fn a_refusal_contains_the_right_address_in_the_format_of_the_caller() {
    let server = TestServer::with(&["--public-url", PUBLIC]).await;
    let from_elsewhere = |path: &str, accept: &str| {
        let form = "username=alice&password=x";
        let request = form_request(server.address, "http://duet.lan:3000", path, form);
        send(request.header(ACCEPT, accept).header(ACCEPT_LANGUAGE, "de"))
    };
    let call = from_elsewhere("/api/sign_in", "application/json").await;
    assert_eq!(call.status(), 403);
    assert_eq!(call.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(code(call).await, json!("foreign_origin"));

    let form = from_elsewhere("/sign-in", "text/html,*/*;q=0.8").await;
    assert_eq!(form.status(), 403);
    let page = form.text().await.expect("a page");
    assert!(page.contains(&format!("<a href=\"{PUBLIC}\">")), "{page}");
    assert!(page.contains("lang=\"de\"") && page.contains("Adresse"), "{page}");

    let line = from_elsewhere("/sign-out", "*/*").await;
    assert_eq!(line.status(), 403);
    assert!(line.text().await.expect("a text").ends_with(PUBLIC));

    let socket = http().get(server.url("/ws")).header(ORIGIN, "http://duet.lan:3000");
    let refused = socket.send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    assert_eq!(code(refused).await, json!("foreign_origin"));
    server.stop().await;
}

#[tokio::test]
async fn each_page_contains_the_allowed_addresses() {
    let server = TestServer::with(&["--public-url", PUBLIC]).await;
    let page = http().get(server.url("/sign-in")).send().await.expect("an answer");
    let page = page.text().await.expect("a page");
    assert!(page.contains(&format!("<meta name=\"addresses\" content=\"{PUBLIC}\">")), "{page}");
    server.stop().await;
    let server = TestServer::start().await;
    let page = http().get(server.url("/sign-in")).send().await.expect("an answer");
    let page = page.text().await.expect("a page");
    let port = server.address.port();
    let all = format!("{} http://localhost:{port} http://[::1]:{port}", origin(server.address));
    assert!(page.contains(&format!("content=\"{all}\"")), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn each_page_contains_its_structure_hash() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    for path in ["/", "/settings", "/invite", "/nowhere"] {
        let page = alice.get_page(path).await.text().await.expect("a page");
        assert_eq!(page.matches("<meta name=\"structure\" content=\"").count(), 1, "{path}");
    }
    let refused = alice.submit_form("/settings/password", "current=a&new=b").await;
    assert!(refused.text().await.expect("a page").contains("<meta name=\"structure\""));
    let call = alice.call("list_conversations", json!({"after": null})).await;
    assert!(!call.text().await.expect("JSON").contains("structure"));
    server.stop().await;
}

#[tokio::test]
async fn each_wrong_setting_or_proxy_is_logged_once() {
    let (mut process, log) = Process::with_log("", &[("DUET_PUBLIC_URL", PUBLIC)]).await;
    let post = |origin: &'static str, site: &'static str| {
        let request =
            form_request(process.address, origin, "/api/sign_in", "username=a&password=b");
        send(request.header("sec-fetch-site", site))
    };
    for _ in 0..3 {
        for (origin, site) in [
            ("https://chat.exmaple.org", "same-origin"),
            ("http://chat.example.org", "same-origin"),
            ("https://chat.example.org:8443", "same-origin"),
            ("https://evil.test", "cross-site"),
        ] {
            assert_eq!(post(origin, site).await.status(), 403, "{origin}");
        }
        // The headers that a proxy without WebSocket support passes on.
        let handshake = http()
            .get(process.url("/ws"))
            .header(ORIGIN, PUBLIC)
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-version", "13");
        assert_eq!(handshake.send().await.expect("an answer").status(), 426);
    }
    process.signal(Signal::TERM);
    assert!(process.wait_for_exit().await.success());
    let text = log.text();
    for (what, once) in [
        ("the host", "set DUET_PUBLIC_URL=https://chat.exmaple.org"),
        ("the scheme", "set DUET_PUBLIC_URL=http://chat.example.org"),
        ("the port", "set DUET_PUBLIC_URL=https://chat.example.org:8443"),
        ("another site", "a page of https://evil.test"),
        ("the proxy", "does not forward WebSockets"),
    ] {
        assert_eq!(text.matches(once).count(), 1, "{what}: {text}");
    }
}

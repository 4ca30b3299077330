//! Passkeys over HTTP: the calls, the plain forms, the pages, and what the log shows of them. The
//! test server listens on a loopback address, whose passkeys belong to `localhost`.

use harness::Authenticator;
use protocol::{PasskeyAnswer, PasskeyCeremony, PasskeyId, PasskeyState, PasskeySupport};
use reqwest::Response;
use reqwest::header::{HOST, ORIGIN, SET_COOKIE};
use serde_json::json;

use crate::process::Process;
use crate::support::{
    Browser, PASSWORD, TestServer, code, form_request, http, post_form, redirect_target, send,
};

fn device(browser: &Browser) -> Authenticator {
    let here = format!("http://localhost:{}", browser.address.port());
    Authenticator::new("localhost", &here).expect("an authenticator")
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn text(answer: &PasskeyAnswer) -> String {
    serde_json::to_string(answer).expect("JSON")
}

async fn ceremony(response: Response) -> PasskeyCeremony {
    assert_eq!(response.status(), 200);
    response.json().await.expect("a ceremony")
}

/// Adds a passkey with the password.
async fn add(browser: &Browser, name: &str) -> (Authenticator, PasskeyState) {
    let mut device = device(browser);
    let begun = browser.post_call("begin_passkey", &form(&[("password", PASSWORD)])).await;
    let answer = text(&device.create(&ceremony(begun).await).expect("made"));
    let fields = form(&[("passkey", &answer), ("name", name)]);
    let added = browser.post_call("add_passkey", &fields).await;
    (device, added.json().await.expect("a list"))
}

/// Signs in with a passkey and without a session.
async fn sign_in(browser: &Browser, device: &mut Authenticator) -> Response {
    let begun = post_form(browser.address, "/api/begin_passkey_sign_in", "").await;
    let answer = text(&device.get(&ceremony(begun).await).expect("used"));
    post_form(browser.address, "/api/sign_in_with_passkey", &form(&[("passkey", &answer)])).await
}

/// A proof by passkey, as a field of a call.
async fn prove(browser: &Browser, device: &mut Authenticator) -> String {
    let begun = browser.post_call("begin_passkey_proof", "").await;
    text(&device.get(&ceremony(begun).await).expect("used"))
}

async fn list(browser: &Browser) -> PasskeyState {
    browser.call("list_passkeys", json!({})).await.json().await.expect("a list")
}

#[tokio::test]
async fn a_passkey_is_added_used_renamed_and_removed_by_calls() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.browser("alice").await, server.browser("bob").await);
    let wrong = alice.post_call("begin_passkey", "password=wrong-Harbor-92").await;
    assert_eq!((wrong.status().as_u16(), code(wrong).await), (403, json!("wrong_password")));
    let (mut phone, state) = add(&alice, "Phone").await;
    assert_eq!((state.has_password, state.passkeys.len()), (true, 1));
    let id = state.passkeys[0].id;

    let signed_in = sign_in(&alice, &mut phone).await;
    assert_eq!(signed_in.status(), 200);
    let cookies: Vec<_> = signed_in.headers().get_all(SET_COOKIE).iter().collect();
    let has = |name: &str| cookies.iter().any(|it| it.to_str().expect("text").contains(name));
    assert!(has("sid") && has("device"), "{cookies:?}");
    let refused = sign_in(&alice, &mut device(&alice)).await;
    assert_eq!((refused.status().as_u16(), code(refused).await), (403, json!("passkey_refused")));
    let nonsense = post_form(alice.address, "/api/sign_in_with_passkey", "passkey=x").await;
    assert_eq!((nonsense.status().as_u16(), code(nonsense).await), (403, json!("passkey_refused")));

    let renamed = form(&[("id", &id.to_string()), ("name", "Old phone")]);
    let state: PasskeyState =
        alice.post_call("rename_passkey", &renamed).await.json().await.expect("a list");
    assert_eq!(state.passkeys[0].name, "Old phone");
    for (browser, id) in [(&bob, id), (&alice, PasskeyId::new())] {
        for call in ["rename_passkey", "remove_passkey"] {
            let fields = [("id", &*id.to_string()), ("password", PASSWORD)];
            let fields = if call == "rename_passkey" { &fields[..1] } else { &fields };
            let refused = browser.post_call(call, &form(fields)).await;
            assert_eq!((refused.status().as_u16(), code(refused).await), (404, json!("not_found")));
        }
    }
    let proof = prove(&alice, &mut phone).await;
    let fields = form(&[("id", &id.to_string()), ("passkey", &proof)]);
    let removed = alice.post_call("remove_passkey", &fields).await;
    let state: PasskeyState = removed.json().await.expect("a list");
    assert!(state.passkeys.is_empty());
    assert_eq!(sign_in(&alice, &mut phone).await.status(), 403);

    let stranger = Browser { cookie: String::new(), ..alice };
    for (call, form) in [
        ("begin_passkey_proof", ""),
        ("begin_passkey", "password=x"),
        ("add_passkey", "passkey=x"),
        ("rename_passkey", "id=0198c0de-0000-7000-8000-00000000000a"),
        ("remove_passkey", "id=0198c0de-0000-7000-8000-00000000000a"),
    ] {
        assert_eq!(stranger.post_call(call, form).await.status(), 401, "{call}");
    }
    assert_eq!(stranger.call("list_passkeys", json!({})).await.status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn a_proof_by_passkey_takes_the_place_of_the_password() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let (mut phone, _) = add(&alice, "").await;
    let proof = prove(&alice, &mut phone).await;
    let fields = form(&[("new", "another-Harbor-93"), ("passkey", &proof)]);
    let changed = alice.post_call("change_password", &fields).await;
    assert_eq!(changed.status(), 200);
    let again = alice.post_call("change_password", &fields).await;
    assert_eq!(again.status(), 401, "the token was replaced");
    let alice = Browser { cookie: crate::support::cookie(&changed), ..alice };
    let proof = prove(&alice, &mut phone).await;
    let deleted = alice.post_call("delete_account", &form(&[("passkey", &proof)])).await;
    assert_eq!(deleted.status(), 200);
    assert_eq!(sign_in(&alice, &mut phone).await.status(), 403);
    server.stop().await;
}

#[tokio::test]
async fn the_plain_forms_rename_and_remove() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let (_, state) = add(&alice, "Phone").await;
    let id = state.passkeys[0].id.to_string();
    let page = alice.get_page("/settings").await.text().await.expect("a page");
    assert!(page.contains("Phone") && page.contains("never used"), "{page}");
    let renamed = form(&[("id", &id), ("name", "Key")]);
    let renamed = alice.submit_form("/settings/passkeys/rename", &renamed).await;
    assert_eq!(redirect_target(&renamed), "/settings");
    assert_eq!(list(&alice).await.passkeys[0].name, "Key");
    let wrong = form(&[("id", &id), ("password", "wrong-Harbor-92")]);
    let wrong = alice.submit_form("/settings/passkeys/remove", &wrong).await;
    assert_eq!(wrong.status(), 403);
    let removed = form(&[("id", &id), ("password", PASSWORD)]);
    let removed = alice.submit_form("/settings/passkeys/remove", &removed).await;
    assert_eq!(redirect_target(&removed), "/settings");
    assert!(list(&alice).await.passkeys.is_empty());
    assert_eq!(redirect_target(&alice.get_page("/settings/passkeys/remove").await), "/settings");
    server.stop().await;
}

#[tokio::test]
async fn pages_offer_passkeys_only_where_browsers_accept_them() {
    let server = TestServer::start().await;
    let (address, alice) = (server.address, server.browser("alice").await);
    assert_eq!(list(&alice).await.support, PasskeySupport::NeedsLocalhost);
    let settings = alice.get_page("/settings").await.text().await.expect("a page");
    assert!(settings.contains("begins with “localhost”"), "{settings}");
    let local = format!("localhost:{}", address.port());
    let page = async |host: &str| {
        let request = http().get(format!("http://{address}/sign-in")).header(HOST, host);
        send(request).await.text().await.expect("a page")
    };
    assert!(page(&local).await.contains("Sign in with a passkey"));
    assert!(!page(&address.to_string()).await.contains("Sign in with a passkey"));
    server.stop().await;

    for (url, support, reason) in [
        ("http://chat.example.org", PasskeySupport::NeedsHttps, "encrypted connection (https)"),
        ("https://192.0.2.1", PasskeySupport::NeedsDomain, "need a domain name"),
        ("https://chat.example.org", PasskeySupport::Works, "Add a passkey"),
    ] {
        let server = TestServer::with(&["--allow-http", "--public-url", url]).await;
        let form = format!("username=alice&password={PASSWORD}");
        let made = send(form_request(server.address, url, "/api/sign_up", &form)).await;
        let cookie = crate::support::cookie(&made);
        let request = http().get(server.url("/settings")).header("cookie", &cookie);
        let settings = send(request).await.text().await.expect("a page");
        assert!(settings.contains(reason), "{url}: {settings}");
        let listed = http().post(server.url("/api/list_passkeys")).json(&json!({}));
        let listed = send(listed.header(ORIGIN, url).header("cookie", &cookie)).await;
        let listed: PasskeyState = listed.json().await.expect("a list");
        assert_eq!(listed.support, support);
        let begun = send(form_request(server.address, url, "/api/begin_passkey_sign_in", "")).await;
        match support {
            PasskeySupport::Works => assert_eq!(begun.status(), 200),
            _ => assert_eq!(code(begun).await, json!("passkeys_unavailable"), "{url}"),
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn an_account_without_a_password_needs_the_operators_permission() {
    let server = TestServer::start().await;
    let begin = async |server: &TestServer| {
        let form = form(&[("display_name", "Alice Ash")]);
        post_form(server.address, "/api/begin_passkey_sign_up", &form).await
    };
    let refused = begin(&server).await;
    assert_eq!(code(refused).await, json!("registration_closed"));
    server.stop().await;
    let server = TestServer::with(&["--passkey-sign-up"]).await;
    let bob = server.browser("bob").await;
    let mut phone = device(&bob);
    let answer = text(&phone.create(&ceremony(begin(&server).await).await).expect("made"));
    let fields = form(&[("passkey", &answer)]);
    let made = post_form(server.address, "/api/sign_up_with_passkey", &fields).await;
    assert_eq!(made.status(), 200);
    let alice = Browser { cookie: crate::support::cookie(&made), ..bob };
    let state = list(&alice).await;
    assert_eq!((state.has_password, state.passkeys.len()), (false, 1));
    let page = alice.get_page("/settings").await.text().await.expect("a page");
    assert!(page.contains("Your account has no password"), "{page}");
    assert!(!page.contains("name=\"current\""), "{page}");
    let proof = prove(&alice, &mut phone).await;
    let id = state.passkeys[0].id.to_string();
    let last = alice.post_call("remove_passkey", &form(&[("id", &id), ("passkey", &proof)])).await;
    assert_eq!((last.status().as_u16(), code(last).await), (409, json!("last_sign_in_method")));
    server.stop().await;
}

#[tokio::test]
async fn changes_are_logged_and_answers_are_not() {
    let (process, log) = Process::with_log("", &[("DUET_LOG", "trace")]).await;
    let alice = Browser::sign_up(process.address, "alice").await;
    let (mut phone, state) = add(&alice, "The name of my phone").await;
    let id = state.passkeys[0].id;
    let added = log.wait_for("a passkey was added").await;
    assert!(added.contains(&format!("passkey.id={id}")) && added.contains(" INFO "), "{added}");
    assert_eq!(sign_in(&alice, &mut phone).await.status(), 200);
    let used = log.wait_for("a passkey was used").await;
    assert!(used.contains(&format!("user.id={} passkey.id={id}", alice.id)), "{used}");
    phone.counter = 0;
    assert_eq!(sign_in(&alice, &mut phone).await.status(), 403);
    let copied = log.wait_for("the passkey may be copied").await;
    assert!(copied.contains(" WARN "), "{copied}");
    let refused = log.wait_for("sign-in refused").await;
    assert!(refused.ends_with("client.ip=127.0.0.1 code=\"passkey_refused\""), "{refused}");
    let removed = form(&[("id", &id.to_string()), ("password", PASSWORD)]);
    assert_eq!(alice.post_call("remove_passkey", &removed).await.status(), 200);
    log.wait_for("a passkey was removed").await;
    let text = log.text();
    for secret in ["The name of my phone", "clientDataJSON", PASSWORD] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

//! Two-step sign-in over HTTP: the calls, the plain forms, and what the log shows of them.

use protocol::{SecondFactorSetUp, SecondFactorState};
use reqwest::Response;
use reqwest::header::CONTENT_SECURITY_POLICY;
use serde_json::{Value, json};

use crate::process::{Process, duet};
use crate::support::{
    Browser, PASSWORD, TestServer, code, form_request, origin, post_form, redirect_target, send,
};

fn app_code(secret: &str, steps_ahead: u64) -> String {
    harness::app_code(secret, steps_ahead).expect("a code")
}

async fn begin(browser: &Browser) -> SecondFactorSetUp {
    browser.post_call("begin_second_factor", "").await.json().await.expect("a set-up")
}

/// Turns two-step sign-in on; returns the key and the recovery codes.
async fn two_steps(browser: &Browser) -> (String, Vec<String>) {
    let secret = begin(browser).await.secret;
    let form = format!("code={}", app_code(&secret, 0));
    let confirmed = browser.post_call("confirm_second_factor", &form).await;
    (secret, confirmed.json().await.expect("recovery codes"))
}

async fn state(browser: &Browser) -> SecondFactorState {
    browser.call("get_second_factor", json!({})).await.json().await.expect("a state")
}

async fn sign_in(browser: &Browser, more: &str) -> Response {
    let form = format!("username=alice&password={PASSWORD}{more}");
    post_form(browser.address, "/api/sign_in", &form).await
}

async fn refusal(response: Response) -> (u16, Value) {
    (response.status().as_u16(), code(response).await)
}

/// The text between two marks of a page.
fn between<'page>(page: &'page str, before: &str, after: &str) -> &'page str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before}: {page}"));
    rest.split_once(after).expect("an end").0
}

#[tokio::test]
async fn a_sign_in_by_call_takes_the_password_and_then_a_code() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let set_up = begin(&alice).await;
    let (key, host) = (&set_up.secret, server.address.to_string().replace(':', "%20"));
    assert_eq!(
        set_up.link,
        format!("otpauth://totp/Duet%20{host}:alice?secret={key}&issuer=Duet%20{host}")
    );
    assert!(set_up.qr.starts_with("<svg") && set_up.qr.ends_with("</svg>"), "{}", set_up.qr);
    let wrong = alice.post_call("confirm_second_factor", "code=no").await;
    assert_eq!(refusal(wrong).await, (403, json!("wrong_code")));
    assert_eq!(state(&alice).await, SecondFactorState::default());
    assert_eq!(sign_in(&alice, "").await.status(), 200, "it is not confirmed");

    let (key, recovery) = two_steps(&alice).await;
    assert_eq!(state(&alice).await, SecondFactorState { on: true, recovery_codes: 10 });
    assert_eq!(refusal(sign_in(&alice, "").await).await, (401, json!("code_needed")));
    assert_eq!(refusal(sign_in(&alice, "&code=no").await).await, (403, json!("wrong_code")));
    let next = format!("&code={}", app_code(&key, 1));
    assert_eq!(sign_in(&alice, &next).await.status(), 200);
    assert_eq!(refusal(sign_in(&alice, &next).await).await, (403, json!("wrong_code")));
    assert_eq!(sign_in(&alice, &format!("&code={}", recovery[9])).await.status(), 200);
    assert_eq!(state(&alice).await.recovery_codes, 9);

    let again = alice.post_call("begin_second_factor", "").await;
    assert_eq!(refusal(again).await, (409, json!("second_factor_changed")));
    for call in ["renew_recovery_codes", "turn_off_second_factor"] {
        let wrong = alice.post_call(call, "password=wrong-Harbor-92").await;
        assert_eq!(refusal(wrong).await, (403, json!("wrong_password")), "{call}");
        assert_eq!(alice.post_call(call, &format!("password={PASSWORD}")).await.status(), 200);
    }
    assert_eq!(state(&alice).await, SecondFactorState::default());
    assert_eq!(sign_in(&alice, "").await.status(), 200);
    let stranger = Browser { cookie: String::new(), ..alice };
    for (call, form) in [
        ("begin_second_factor", ""),
        ("confirm_second_factor", "code=1"),
        ("renew_recovery_codes", "password=x"),
        ("turn_off_second_factor", "password=x"),
    ] {
        assert_eq!(stranger.post_call(call, form).await.status(), 401, "{call}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_plain_forms_set_up_renew_and_turn_off() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let begun = alice.submit_form("/settings/two-step-begin", "").await;
    assert_eq!(begun.status(), 200);
    let policy = begun.headers()[CONTENT_SECURITY_POLICY].to_str().expect("visible").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'"));
    let page = begun.text().await.expect("a page");
    let key = between(&page, "?secret=", "&").to_owned();
    assert!(page.contains("<svg") && page.contains("otpauth://totp/"), "{page}");

    let wrong = alice.submit_form("/settings/two-step-confirm", "code=no").await;
    assert_eq!(wrong.status(), 403);
    let page = wrong.text().await.expect("a page");
    assert_eq!(between(&page, "?secret=", "&"), key, "the same key again");
    assert!(page.contains("code-error"), "{page}");
    let form = format!("code={}", app_code(&key, 0));
    let confirmed = alice.submit_form("/settings/two-step-confirm", &form).await;
    assert_eq!(confirmed.status(), 200);
    let page = confirmed.text().await.expect("a page");
    let recovery = between(&page, "<code>", "<").to_owned();
    assert_eq!(recovery.len(), "k7fq-2mzt-9c4x".len(), "{recovery}");
    assert!(page.contains("download=\"duet-recovery-codes.txt\""), "{page}");
    assert_eq!(page.matches("<code>").count(), 10);

    // The sign-in page without scripts.
    let without = format!("username=alice&password={PASSWORD}");
    let here = origin(server.address);
    let refused = send(form_request(server.address, &here, "/sign-in", &without)).await;
    assert_eq!(refused.status(), 401);
    let page = refused.text().await.expect("a page");
    assert!(page.contains("name=\"code\"") && page.contains("value=\"alice\""), "{page}");
    assert!(!page.contains(PASSWORD), "a password is never sent back");
    let with = format!("{without}&code={recovery}");
    let signed_in = send(form_request(server.address, &here, "/sign-in", &with)).await;
    assert_eq!(redirect_target(&signed_in), "/");

    let settings = alice.get_page("/settings").await.text().await.expect("a page");
    assert!(settings.contains("9 of 10 recovery codes left"), "{settings}");
    let password = format!("password={PASSWORD}");
    let renewed = alice.submit_form("/settings/recovery-codes", &password).await;
    assert_eq!(renewed.text().await.expect("a page").matches("<code>").count(), 10);
    let refused = alice.submit_form("/settings/two-step-off", "password=wrong-Harbor-92").await;
    assert_eq!(refused.status(), 403);
    let off = alice.submit_form("/settings/two-step-off", &password).await;
    assert_eq!(redirect_target(&off), "/settings");
    assert_eq!(redirect_target(&alice.get_page("/settings/two-step-begin").await), "/settings");
    server.stop().await;
}

#[tokio::test]
async fn the_operator_turns_two_step_sign_in_off_for_a_locked_out_user() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    two_steps(&alice).await;
    let running = server.directory.path().join("data");
    let run = |data: &std::path::Path, username: &str| {
        let data = data.to_str().expect("a path");
        let output = duet(&["turn-off-two-step", "--data", data, username]).output();
        let output = output.expect("it ran");
        let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        (output.status.success(), text.concat())
    };
    let (done, text) = run(&running, "alice");
    assert!(!done && text.contains("duet.db"), "the server runs: {text}");
    let directory = server.stop().await;
    let data = directory.path().join("data");
    let (done, text) = run(&data, "bob");
    assert!(!done && text.contains("no account of this username"), "{text}");
    let elsewhere = directory.path().join("elsewhere");
    let (done, text) = run(&elsewhere, "alice");
    assert!(!done && text.contains("there is no file") && !elsewhere.exists(), "{text}");
    let (done, text) = run(&data, " Alice");
    assert!(done && text.contains("takes only its password now"), "{text}");
    let server = TestServer::at(directory, &[]).await;
    assert_eq!(sign_in(&alice.at(server.address), "").await.status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn changes_are_logged_and_keys_and_codes_are_not() {
    let (process, log) = Process::with_log("", &[("DUET_LOG", "trace")]).await;
    let alice = Browser::sign_up(process.address, "alice").await;
    let (key, recovery) = two_steps(&alice).await;
    let on = log.wait_for("two-step sign-in was turned on").await;
    assert!(on.contains(" INFO ") && on.contains(&format!("user.id={}", alice.id)), "{on}");
    assert_eq!(sign_in(&alice, "&code=the-wrong-code").await.status(), 403);
    let refused = log.wait_for("sign-in refused").await;
    assert!(refused.ends_with("client.ip=127.0.0.1 code=\"wrong_code\""), "{refused}");
    let next = app_code(&key, 1);
    assert_eq!(sign_in(&alice, &format!("&code={next}")).await.status(), 200);
    assert_eq!(sign_in(&alice, &format!("&code={}", recovery[0])).await.status(), 200);
    let used = log.wait_for("a recovery code was used").await;
    assert!(used.contains(" INFO ") && used.contains("left=9"), "{used}");
    for (call, line) in [
        ("renew_recovery_codes", "the recovery codes were replaced"),
        ("turn_off_second_factor", "two-step sign-in was turned off"),
    ] {
        let done = alice.post_call(call, &format!("password={PASSWORD}")).await;
        assert_eq!(done.status(), 200, "{call}");
        assert!(log.wait_for(line).await.contains(" INFO "), "{line}");
    }
    let text = log.text();
    for secret in [key.as_str(), &recovery[0], &recovery[1], "the-wrong-code", PASSWORD] {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

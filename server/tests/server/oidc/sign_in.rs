//! Sign-in and sign-up through a real provider.

use std::time::Duration;

use harness::app_code;
use protocol::SecondFactorSetUp;
use serde_json::json;
use tokio::time::timeout;

use super::world::{ProviderProcess, Visitor, World, origin, target};
use crate::process::free_address;
use crate::support::PASSWORD;

async fn refused(response: reqwest::Response, sentence: &str) -> u16 {
    let status = response.status().as_u16();
    let page = response.text().await.expect("a page");
    assert!(page.contains(sentence), "{page}");
    status
}

const AGAIN: &str = "The sign-in through Berg ID didn’t work. Start again.";

#[tokio::test]
async fn a_first_sign_in_asks_for_a_username_and_later_ones_do_not() {
    let world = World::with("", &[("DUET_LOG", "trace")]).await;
    world.log.wait_for("the sign-in provider is ready").await;
    let mut alice = world.visitor();
    let page = alice.page("/sign-in?next=/settings").await;
    assert!(page.contains("Sign in with Berg ID"), "{page}");
    assert!(page.contains("href=\"/oidc/sign-in?next=/settings\""), "{page}");

    let at_provider = alice.begin("/oidc/sign-in?next=/settings").await;
    let query: Vec<_> = at_provider.query_pairs().into_owned().collect();
    let has = |name: &str, value: &str| query.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("response_type", "code") && has("code_challenge_method", "S256"), "{query:?}");
    assert!(has("client_id", "duet") && has("scope", "openid profile"), "{query:?}");
    let callback = alice.pass(&at_provider, "alice").await;
    let arrived = alice.get(&callback).await;
    assert_eq!(target(&arrived), "/oidc/finish");
    assert_eq!(alice.me().await, None);
    let page = alice.page("/oidc/finish").await;
    assert!(page.contains("value=\"alice\"") && !page.contains("<script"), "{page}");

    let wrong = alice.post("/oidc/finish", &[("username", "a b")]).await;
    assert_eq!(wrong.status(), 422);
    let page = wrong.text().await.expect("a page");
    assert!(page.contains("value=\"a b\""), "{page}");
    let made = alice.post("/oidc/finish", &[("username", "alice.ash")]).await;
    assert_eq!(target(&made), "/settings");
    assert_eq!(alice.me().await.as_deref(), Some("alice.ash"));
    world.log.wait_for("an account was created").await;
    let again = alice.post("/oidc/finish", &[("username", "another")]).await;
    assert_eq!(refused(again, AGAIN).await, 403, "the sign-in was used up");

    let mut elsewhere = world.visitor();
    let arrived = elsewhere.sign_in_as("alice").await;
    assert_eq!(target(&arrived), "/");
    assert_eq!(elsewhere.me().await.as_deref(), Some("alice.ash"));
    let used = world.log.wait_for("an identity was used").await;
    assert!(used.contains("identity.id="), "{used}");
    world.log.wait_for("signed in user.id=").await;
    assert_eq!(target(&elsewhere.get("/oidc/sign-in").await), "/", "signed in already");

    // Neither the provider's name nor an equal username gives an account to anybody.
    let bob = world.person("bob").await;
    drop(bob);
    let mut other = world.visitor();
    assert_eq!(target(&other.sign_in_as("bob").await), "/oidc/finish");
    let taken = other.post("/oidc/finish", &[("username", "bob")]).await;
    assert_eq!(taken.status(), 409);
    assert_eq!(other.me().await, None);
    let log = world.log.text();
    for secret in ["a secret of the test", "code_verifier", "example.org"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn a_callback_works_once_in_the_browser_that_began_and_with_its_state() {
    let world = World::start().await;
    world.newcomer("alice").await;

    // An attacker's callback in another browser must not sign that browser in.
    let mut attacker = world.visitor();
    let at_provider = attacker.begin("/oidc/sign-in").await;
    let callback = attacker.pass(&at_provider, "alice").await;
    let mut victim = world.visitor();
    assert_eq!(refused(victim.get(&callback).await, AGAIN).await, 403, "no round");
    victim.begin("/oidc/sign-in").await;
    assert_eq!(refused(victim.get(&callback).await, AGAIN).await, 403, "another round");
    assert_eq!(victim.me().await, None);

    let mut forged = url::Url::parse(&callback).expect("an address");
    let pairs: Vec<_> = forged.query_pairs().into_owned().collect();
    forged.query_pairs_mut().clear().extend_pairs(pairs.iter().map(|(name, value)| {
        let state = "A".repeat(43);
        (name.clone(), if name == "state" { state } else { value.clone() })
    }));
    assert_eq!(refused(attacker.get(forged.as_str()).await, AGAIN).await, 403, "wrong state");
    assert_eq!(attacker.me().await, None);

    // The refusals leave the round itself, which then works once.
    let before = attacker.clone();
    assert_eq!(target(&attacker.get(&callback).await), "/");
    assert_eq!(attacker.me().await.as_deref(), Some("alice"));
    let mut replay: Visitor = before;
    assert_eq!(refused(replay.get(&callback).await, AGAIN).await, 403, "the second use");
    assert_eq!(replay.me().await, None);
}

#[tokio::test]
async fn another_website_does_not_use_up_the_sign_ins_of_its_visitors() {
    // Fifty on the loopback address.
    let world = World::with("", &[("DUET_SIGN_INS_PER_MINUTE", "1")]).await;
    let mut visitor = world.visitor();
    for address in ["/oidc/sign-in", "/oidc/callback?state=x&code=y"] {
        for dest in ["image", "iframe", "empty"].into_iter().cycle().take(60) {
            let headers = [("sec-fetch-dest", dest), ("sec-fetch-mode", "no-cors")];
            let loaded = visitor.load(address, &headers).await;
            assert_eq!(loaded.status(), 403, "{address} {dest}");
        }
    }
    assert!(!visitor.has_round());
    let mut alice = world.person("alice").await;
    for address in ["/oidc/link", "/oidc/confirm"] {
        let loaded = alice.load(address, &[("sec-fetch-dest", "image")]).await;
        assert_eq!(loaded.status(), 403, "{address}");
    }
    // The second is a navigation that the service worker has passed on.
    for (dest, mode) in [("document", "navigate"), ("empty", "navigate")] {
        let headers = [("sec-fetch-dest", dest), ("sec-fetch-mode", mode)];
        let opened = visitor.load("/oidc/sign-in", &headers).await;
        assert_eq!(opened.status(), 303, "{dest}");
    }
}

#[tokio::test]
async fn cancelling_and_signing_out_end_a_sign_in_that_waits() {
    let world = World::start().await;
    let mut alice = world.visitor();
    assert_eq!(target(&alice.sign_in_as("alice").await), "/oidc/finish");
    assert!(alice.has_round());
    let page = alice.page("/oidc/finish").await;
    assert!(page.contains("name=\"cancel\""), "{page}");
    let cancelled = alice.post("/oidc/finish", &[("username", ""), ("cancel", "1")]).await;
    assert_eq!(target(&cancelled), "/sign-in");
    assert!(!alice.has_round());

    for address in ["/sign-out", "/api/sign_out"] {
        let mut bob = world.visitor();
        assert_eq!(target(&bob.sign_in_as("bob").await), "/oidc/finish");
        bob.post(address, &[]).await;
        assert!(!bob.has_round(), "{address}");
    }
}

#[tokio::test]
async fn only_paths_of_this_site_are_opened_after_a_sign_in() {
    let world = World::start().await;
    world.newcomer("alice").await;
    for (next, opened) in [
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/settings", "/settings"),
    ] {
        let address = format!("/oidc/sign-in?{}", super::world::form(&[("next", next)]));
        let arrived = world.visitor().round(&address, "alice").await;
        assert_eq!(target(&arrived), opened, "{next}");
    }
    let page = world.visitor().page("/sign-in?next=//evil.example").await;
    assert!(page.contains("href=\"/oidc/sign-in?next=/\""), "{page}");
}

#[tokio::test]
async fn an_account_with_two_step_sign_in_is_asked_for_its_code() {
    let world = World::start().await;
    let mut alice = world.newcomer("alice").await;
    let set_up = alice.post("/api/begin_second_factor", &[]).await;
    let set_up: SecondFactorSetUp = set_up.json().await.expect("a set-up");
    let code = |ahead| app_code(&set_up.secret, ahead).expect("a code");
    let confirmed = alice.post("/api/confirm_second_factor", &[("code", &code(0))]).await;
    assert_eq!(confirmed.status(), 200);

    let mut elsewhere = world.visitor();
    assert_eq!(target(&elsewhere.sign_in_as("alice").await), "/oidc/finish");
    assert_eq!(elsewhere.me().await, None);
    let page = elsewhere.page("/oidc/finish").await;
    assert!(page.contains("name=\"code\""), "{page}");
    assert_eq!(elsewhere.post("/oidc/finish", &[("code", "")]).await.status(), 401);
    assert_eq!(elsewhere.post("/oidc/finish", &[("code", "no code")]).await.status(), 403);
    let as_username = elsewhere.post("/oidc/finish", &[("username", "mallory")]).await;
    assert_eq!(as_username.status(), 403, "the code cannot be avoided");
    assert_eq!(elsewhere.me().await, None);
    let wrong = world.log.wait_for("code=\"wrong_code\"").await;
    assert!(wrong.contains("sign-in refused"), "{wrong}");
    // After a wrong code, the user can try again without the provider.
    let right = elsewhere.post("/oidc/finish", &[("code", &code(1))]).await;
    assert_eq!(target(&right), "/");
    assert_eq!(elsewhere.me().await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn wrong_codes_after_the_provider_count_as_wrong_passwords() {
    let world = World::start().await;
    let mut alice = world.newcomer("alice").await;
    let set_up = alice.post("/api/begin_second_factor", &[]).await;
    let set_up: SecondFactorSetUp = set_up.json().await.expect("a set-up");
    let code = app_code(&set_up.secret, 0).expect("a code");
    alice.post("/api/confirm_second_factor", &[("code", &code)]).await;
    let mut elsewhere = world.visitor();
    elsewhere.sign_in_as("alice").await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 50 {
        let wrong = elsewhere.post("/oidc/finish", &[("code", "000000")]).await;
        statuses.push(wrong.status().as_u16());
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.iter().rev().skip(1).all(|status| *status == 403), "{statuses:?}");
}

#[tokio::test]
async fn closed_registration_holds_for_the_provider_too() {
    for registration in ["closed", "invited"] {
        let world = World::with("", &[("DUET_REGISTRATION", registration)]).await;
        let mut alice = world.visitor();
        let page = alice.page("/sign-in").await;
        assert!(page.contains("Sign in with Berg ID"), "existing accounts can have identities");
        let arrived = alice.sign_in_as("alice").await;
        assert_eq!(arrived.status(), 403);
        let made = alice.post("/oidc/finish", &[("username", "alice")]).await;
        assert_eq!(made.status(), 403);
        assert_eq!(alice.me().await, None);
    }
}

#[tokio::test]
async fn an_issuer_may_have_a_path() {
    let world = World::with("/realms/berg", &[]).await;
    let mut alice = world.newcomer("alice").await;
    assert_eq!(alice.me().await.as_deref(), Some("alice"));
    let found = alice.provider().await;
    assert_eq!((found.name.as_str(), found.identities.len()), ("Berg ID", 1));
}

#[tokio::test]
async fn a_user_who_cancels_at_the_provider_gets_a_page() {
    let world = World::start().await;
    let mut alice = world.visitor();
    let at_provider = alice.begin("/oidc/sign-in").await;
    let state = at_provider.query_pairs().find(|(name, _)| name == "state").expect("a state").1;
    let cancelled = format!("/oidc/callback?state={state}&error=access_denied");
    assert_eq!(refused(alice.get(&cancelled).await, AGAIN).await, 403);
    let line = world.log.wait_for("was refused: access_denied").await;
    assert!(line.contains(" WARN "), "{line}");
}

#[tokio::test]
async fn a_provider_that_is_down_stops_nothing_else() {
    // Nobody listens on the port of a provider that has ended.
    let provider = ProviderProcess::start("lying.mjs", &json!({}));
    let issuer = provider.issuer.clone();
    drop(provider);
    let other = ProviderProcess::start("lying.mjs", &json!({}));
    let world = World::serve(other, &issuer, free_address(), &[]).await;
    let line = world.log.wait_for("the sign-in provider cannot be used").await;
    assert!(line.contains(" WARN ") && line.contains("Duet runs without the provider"), "{line}");
    let mut alice = world.person("alice").await;
    assert_eq!(alice.me().await.as_deref(), Some("alice"));
    let mut visitor = world.visitor();
    let page = visitor.get("/oidc/sign-in").await;
    assert_eq!(refused(page, "Berg ID doesn’t answer right now").await, 503);

    // A provider that ends after the start.
    let mut world = World::start().await;
    world.newcomer("bob").await;
    let mut bob = world.visitor();
    let at_provider = bob.begin("/oidc/sign-in").await;
    let callback = bob.pass(&at_provider, "bob").await;
    world.provider = ProviderProcess::start("lying.mjs", &json!({}));
    let page = bob.get(&callback).await;
    assert_eq!(refused(page, "Berg ID doesn’t answer right now").await, 503);
    assert_eq!(bob.me().await, None);
}

#[tokio::test]
async fn other_pages_of_the_user_learn_of_a_sign_in() {
    let world = World::start().await;
    let mut alice = world.person("alice").await;
    assert_eq!(target(&alice.link("alice").await), "/settings#identities");
    let address = world.process.address;
    let watching = crate::support::Browser::sign_in(address, "alice").await;
    let mut socket = watching.connect_past_hello().await;
    assert_eq!(target(&world.visitor().sign_in_as("alice").await), "/");
    let noticed = async {
        while !matches!(socket.receive().await, protocol::ServerFrame::SignedIn { .. }) {}
    };
    timeout(Duration::from_secs(300), noticed).await.expect("a notice");
    assert_eq!(origin(address), world.process.url(""));
    let by_password = [("username", "alice"), ("password", PASSWORD)];
    let by_password = world.visitor().post("/api/sign_in", &by_password).await;
    assert_eq!(by_password.status(), 200, "the password stays");
}

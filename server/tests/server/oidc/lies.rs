//! A provider that lies, or whose answers somebody has changed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::Timestamp;
use reqwest::Response;
use serde_json::{Value, json};
use url::Url;

use super::world::{Visitor, World, target};

fn seconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_secs()).expect("a time")
}

/// The claims of an ID token that is right.
fn claims(world: &World, nonce: &str) -> Value {
    json!({
        "iss": world.provider.issuer,
        "aud": "duet",
        "sub": "alice",
        "nonce": nonce,
        "iat": seconds(),
        "exp": seconds() + 300,
        "auth_time": seconds(),
        "preferred_username": "alice",
    })
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).expect("a parameter").1.into_owned()
}

/// What is wrong, and the change of the claims that makes it so.
type Lie<'a> = (&'a str, &'a dyn Fn(&mut Value));

/// A round from this address in which the provider answers with these claims, changed by `lie`.
async fn round(
    world: &World,
    visitor: &mut Visitor,
    address: &str,
    signed: &str,
    lie: impl FnOnce(&mut Value),
) -> Response {
    let at_provider = visitor.begin(address).await;
    let mut claims = claims(world, &parameter(&at_provider, "nonce"));
    lie(&mut claims);
    let code = json!({ "claims": claims, "signed": signed }).to_string();
    let (code, state) = (BASE64_URL_SAFE_NO_PAD.encode(code), parameter(&at_provider, "state"));
    visitor.get(&format!("/oidc/callback?code={code}&state={state}")).await
}

#[tokio::test]
async fn an_id_token_is_refused_if_anything_in_it_is_wrong() {
    let world = World::lying("").await;
    let right = async |signed: &str, lie: &dyn Fn(&mut Value)| {
        let mut visitor = world.visitor();
        round(&world, &mut visitor, "/oidc/sign-in", signed, lie).await
    };
    assert_eq!(target(&right("published", &|_| {}).await), "/oidc/finish", "nothing is wrong");
    let lies: [Lie<'_>; 11] = [
        ("another nonce", &|claims| claims["nonce"] = json!("x".repeat(43))),
        ("no nonce", &|claims| _ = claims.as_object_mut().expect("claims").remove("nonce")),
        ("another audience", &|claims| claims["aud"] = json!("another")),
        ("a further audience", &|claims| claims["aud"] = json!(["duet", "another"])),
        ("no audience", &|claims| claims["aud"] = json!([])),
        ("another issuer", &|claims| claims["iss"] = json!("https://id.example.org")),
        ("expired", &|claims| claims["exp"] = json!(seconds() - 1)),
        ("no expiry", &|claims| _ = claims.as_object_mut().expect("claims").remove("exp")),
        ("an empty subject", &|claims| claims["sub"] = json!("")),
        ("a long subject", &|claims| claims["sub"] = json!("x".repeat(256))),
        ("a subject with NUL", &|claims| claims["sub"] = json!("alice\u{0}")),
    ];
    for (what, lie) in lies {
        let refused = right("published", lie).await;
        assert!([403, 503].contains(&refused.status().as_u16()), "{what}: {}", refused.status());
    }
    for signed in ["other", "none", "secret"] {
        let refused = right(signed, &|_| {}).await;
        assert_eq!(refused.status(), 403, "signed: {signed}");
    }
    let log = world.log.wait_for("Invalid nonce").await;
    assert!(log.contains(" WARN "), "{log}");
}

#[tokio::test]
async fn a_confirmation_needs_a_sign_in_at_the_provider_after_its_beginning() {
    let world = World::lying("").await;
    let mut alice = world.visitor();
    let arrived = round(&world, &mut alice, "/oidc/sign-in", "published", |_| {}).await;
    assert_eq!(target(&arrived), "/oidc/finish");
    let made = alice.post("/oidc/finish", &[("username", "alice")]).await;
    assert_eq!(target(&made), "/");
    let old = round(&world, &mut alice, "/oidc/confirm", "published", |claims| {
        claims["auth_time"] = json!(seconds() - 120);
    });
    assert_eq!(old.await.status(), 403, "an open session at the provider");
    let unknown = round(&world, &mut alice, "/oidc/confirm", "published", |claims| {
        claims.as_object_mut().expect("claims").remove("auth_time");
    });
    assert_eq!(unknown.await.status(), 403, "no time");
    assert!(!alice.provider().await.confirmed);
    world.log.wait_for("has no auth_time after").await;
    let fresh = round(&world, &mut alice, "/oidc/confirm", "published", |_| {}).await;
    assert_eq!(target(&fresh), "/settings");
    assert!(alice.provider().await.confirmed);
    assert!(alice.provider().await.identities[0].created_at > Timestamp(0));
}

#[tokio::test]
async fn no_text_of_a_browser_or_provider_begins_a_line_of_the_log() {
    let world = World::lying("").await;
    let mut mallory = world.visitor();
    let state = parameter(&mallory.begin("/oidc/sign-in").await, "state");
    for error in ["x%0AFORGED", "x%0D%0AFORGED", "x%C2%85FORGED", "FORGED"] {
        let refused = mallory.get(&format!("/oidc/callback?state={state}&error={error}")).await;
        assert_eq!(refused.status(), 403, "{error}");
    }
    world.log.wait_for("was refused: another error").await;
    assert!(!world.log.text().contains("FORGED"), "{}", world.log.text());

    for refusal in [
        json!({ "error": "x\nFORGED", "error_description": "why" }),
        json!({ "error": "invalid_grant", "error_description": "why\nFORGED" }),
        json!({ "error": "invalid_grant", "error_uri": "https://id.example\r\nFORGED" }),
        json!({ "error": { "x\nFORGED": 1 } }),
    ] {
        let code = BASE64_URL_SAFE_NO_PAD.encode(json!({ "refusal": refusal }).to_string());
        let refused = mallory.get(&format!("/oidc/callback?code={code}&state={state}")).await;
        assert!([403, 503].contains(&refused.status().as_u16()), "{refusal}");
    }
    let line = world.log.wait_for("why").await;
    assert!(line.contains(" WARN "), "the description is for the operator: {line}");
    let log = world.log.text();
    assert!(!log.lines().any(|line| line.trim_start().starts_with("FORGED")), "{log}");
    assert!(!log.contains('\r') && !log.contains('\u{85}'), "{log}");
}

#[tokio::test]
async fn what_a_provider_publishes_is_bounded_and_comes_from_the_issuer_itself() {
    for (path, why) in [
        ("/other", "another issuer"),
        ("/large", "longer than allowed"),
        ("/moved", "a redirect"),
        ("/absent", "not found"),
    ] {
        let world = World::lying(path).await;
        world.log.wait_for("the sign-in provider cannot be used").await;
        let refused = world.visitor().get("/oidc/sign-in").await;
        assert_eq!(refused.status(), 503, "{why}");
    }
}

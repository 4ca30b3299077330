//! Identities in the settings of an account: linking, unlinking, the guard of the last way to sign in, and
//! the proof of an account that has no other way.

use protocol::{IdentityId, PasskeyState, ProviderState};
use serde_json::{Value, json};

use super::world::{Visitor, World, target};
use crate::support::PASSWORD;

async fn refusal(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["refused"]["code"].clone())
}

async fn first(visitor: &mut Visitor) -> String {
    visitor.provider().await.identities.first().expect("an identity").id.to_string()
}

/// Confirms the next change at the provider.
async fn confirm(visitor: &mut Visitor, login: &str) {
    assert_eq!(target(&visitor.round("/oidc/confirm", login).await), "/settings");
    assert!(visitor.provider().await.confirmed);
}

#[tokio::test]
async fn an_identity_is_linked_after_a_proof_and_unlinked_after_another() {
    let world = World::start().await;
    let mut alice = world.person("alice").await;
    let page = alice.page("/settings").await;
    assert!(
        page.contains("Sign-in with Berg ID") && page.contains("No account is linked."),
        "{page}"
    );
    let without = alice.get("/oidc/link").await;
    assert_eq!(without.status(), 403, "no permission");
    let wrong = alice.post("/api/permit_identity_link", &[("password", "wrong-Harbor-92")]).await;
    assert_eq!(refusal(wrong).await, (403, json!("wrong_password")));
    assert_eq!(target(&alice.link("ash").await), "/settings#identities");
    world.log.wait_for("an identity was linked").await;
    let found = alice.provider().await;
    assert_eq!(found.identities[0].name, "ash@example.org");
    assert!(!found.confirms, "the password confirms");

    let mut elsewhere = world.visitor();
    assert_eq!(target(&elsewhere.sign_in_as("ash").await), "/");
    assert_eq!(elsewhere.me().await.as_deref(), Some("alice"));
    let mut bob = world.person("bob").await;
    let taken = bob.link("ash").await;
    assert_eq!(taken.status(), 409, "an identity belongs to one user");
    let page = taken.text().await.expect("a page");
    assert!(page.contains("is linked to another account here"), "{page}");

    let id = first(&mut alice).await;
    let unknown = IdentityId::new().to_string();
    for (who, id) in [(&mut bob, &id), (&mut alice, &unknown)] {
        let fields = [("id", id.as_str()), ("password", PASSWORD)];
        let refused = who.post("/api/unlink_identity", &fields).await;
        assert_eq!(refusal(refused).await, (404, json!("not_found")));
    }
    let wrong = [("id", id.as_str()), ("password", "wrong-Harbor-92")];
    let wrong = alice.post("/api/unlink_identity", &wrong).await;
    assert_eq!(refusal(wrong).await, (403, json!("wrong_password")));
    let unlinked = [("id", id.as_str()), ("password", PASSWORD)];
    let unlinked = alice.post("/api/unlink_identity", &unlinked).await;
    assert_eq!(unlinked.status(), 200);
    world.log.wait_for("an identity was unlinked").await;
    assert_eq!(target(&world.visitor().sign_in_as("ash").await), "/oidc/finish", "it is free");
}

#[tokio::test]
async fn the_plain_forms_link_and_unlink() {
    let world = World::start().await;
    let mut alice = world.person("alice").await;
    let page = alice.post("/settings/identities/link", &[("password", PASSWORD)]).await;
    assert_eq!(
        (page.status().as_u16(), &page.headers()["refresh"]),
        (200, &"0;url=/oidc/link".parse().expect("a header"))
    );
    assert!(page.text().await.expect("a page").contains("Continue to Berg ID"));
    let linked = alice.round("/oidc/link", "alice").await;
    assert_eq!(target(&linked), "/settings#identities");
    let page = alice.page("/settings").await;
    assert!(page.contains("alice@example.org"), "{page}");
    let id = first(&mut alice).await;
    let wrong = [("id", id.as_str()), ("password", "wrong-Harbor-92")];
    assert_eq!(alice.post("/settings/identities/unlink", &wrong).await.status(), 403);
    let right = [("id", id.as_str()), ("password", PASSWORD)];
    let unlinked = alice.post("/settings/identities/unlink", &right).await;
    assert_eq!(target(&unlinked), "/settings#identities");
    assert!(alice.provider().await.identities.is_empty());
}

#[tokio::test]
async fn a_permission_and_a_round_are_for_one_session() {
    let world = World::start().await;
    let mut alice = world.person("alice").await;
    alice.post("/api/permit_identity_link", &[("password", PASSWORD)]).await;
    let at_provider = alice.begin("/oidc/link").await;
    let callback = alice.pass(&at_provider, "mallory").await;
    // Another user signs in in the same browser before the provider answers.
    alice.forget_session();
    let form = [("username", "bob"), ("password", PASSWORD)];
    assert_eq!(alice.post("/api/sign_up", &form).await.status(), 200);
    assert_eq!(alice.get(&callback).await.status(), 403);
    assert!(alice.provider().await.identities.is_empty());
}

#[tokio::test]
async fn the_last_way_to_sign_in_stays() {
    let world = World::start().await;
    let mut alice = world.newcomer("alice").await;
    let state = alice.provider().await;
    assert!(state.confirms && !state.confirmed);
    let id = first(&mut alice).await;
    let fields = [("id", id.as_str())];
    let unproved = alice.post("/api/unlink_identity", &fields).await;
    assert_eq!(refusal(unproved).await, (403, json!("identity_refused")));
    confirm(&mut alice, "alice").await;
    assert!(alice.has_round());
    let last = alice.post("/api/unlink_identity", &fields).await;
    assert_eq!(refusal(last).await, (409, json!("last_sign_in_method")));
    assert!(!alice.has_round(), "a refused change uses the proof up too");
    assert!(!alice.provider().await.confirmed);

    // A second identity, and then the first can go.
    confirm(&mut alice, "alice").await;
    assert_eq!(alice.post("/api/permit_identity_link", &[]).await.status(), 200);
    alice.forget_provider();
    assert_eq!(target(&alice.round("/oidc/link", "second").await), "/settings#identities");
    alice.forget_provider();
    confirm(&mut alice, "second").await;
    let unlinked = alice.post("/api/unlink_identity", &fields).await;
    assert_eq!(unlinked.status(), 200);
    let unlinked: PasskeyState = unlinked.json().await.expect("a list");
    assert!(!unlinked.provider.expect("a provider").confirmed && !alice.has_round());
    let ProviderState { identities, .. } = alice.provider().await;
    assert_eq!(identities.len(), 1);
    assert_eq!(target(&world.visitor().sign_in_as("second").await), "/");
}

#[tokio::test]
async fn an_account_with_nothing_else_is_proved_by_a_fresh_sign_in_at_the_provider() {
    let world = World::start().await;
    let mut alice = world.newcomer("alice").await;
    let page = alice.page("/settings").await;
    assert!(page.contains("Confirm at Berg ID"), "{page}");
    let at_provider = alice.begin("/oidc/confirm").await;
    let query = at_provider.query().unwrap_or_default();
    assert!(query.contains("prompt=login") && query.contains("max_age=0"), "{query}");

    // The provider's answer about somebody else proves nothing.
    alice.forget_provider();
    let other = alice.round("/oidc/confirm", "mallory").await;
    assert_eq!(other.status(), 403);
    assert!(!alice.provider().await.confirmed);
    alice.forget_provider();
    confirm(&mut alice, "alice").await;
    let page = alice.page("/settings").await;
    assert!(page.contains("You have confirmed the next change at Berg ID."), "{page}");
    let first = alice.post("/settings/password", &[("new", PASSWORD)]).await;
    assert_eq!(target(&first), "/settings");
    let by_password = [("username", "alice"), ("password", PASSWORD)];
    assert_eq!(world.visitor().post("/api/sign_in", &by_password).await.status(), 200);

    // The password alone confirms from then on.
    assert!(!alice.provider().await.confirms);
    assert_eq!(alice.get("/oidc/confirm").await.status(), 403);
    let deleted = alice.post("/api/delete_account", &[]).await;
    assert_eq!(refusal(deleted).await, (403, json!("identity_refused")));
    let deleted = alice.post("/api/delete_account", &[("password", PASSWORD)]).await;
    assert_eq!(deleted.status(), 200);
    assert_eq!(target(&world.visitor().sign_in_as("alice").await), "/oidc/finish", "it is free");
}

#[tokio::test]
async fn a_confirmation_counts_for_one_change_of_one_session() {
    let world = World::start().await;
    let mut alice = world.newcomer("alice").await;
    confirm(&mut alice, "alice").await;
    let mut copy = alice.clone();
    assert_eq!(alice.post("/api/permit_identity_link", &[]).await.status(), 200);
    let again = copy.post("/api/delete_account", &[]).await;
    assert_eq!(refusal(again).await, (403, json!("identity_refused")), "the second use");

    confirm(&mut alice, "alice").await;
    let mut thief = alice.clone();
    thief.forget_session();
    thief.forget_provider();
    assert_eq!(target(&thief.sign_in_as("alice").await), "/");
    let elsewhere = thief.post("/api/delete_account", &[]).await;
    assert_eq!(refusal(elsewhere).await, (403, json!("identity_refused")), "another session");
    let deleted = alice.post("/settings/delete", &[]).await;
    assert_eq!(target(&deleted), "/sign-in", "a form without a password field");
    assert_eq!(alice.me().await, None);
}

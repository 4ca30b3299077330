//! Identities: sign-in and sign-up with them, their links, and the last way to sign in. The tests stand in
//! for the part of `server` that verifies what a provider says.

use chat::{Arrived, Proof, ProvenIdentity, Provider, Session, Waiting};
use protocol::{ErrorCode, IdentityId, MOST_IDENTITIES, ProviderState, ServerFrame, Timestamp};

use super::passkeys::relying_party;
use super::two_step::app_code;
use crate::support::{PASSWORD, SOMEWHERE, World, change, code};

pub(crate) fn provider() -> Provider {
    Provider { issuer: "https://id.example.org".into(), name: "Berg".into() }
}

pub(crate) fn proven(subject: &str) -> ProvenIdentity<'_> {
    // Later than the beginning of any round of a test.
    let authenticated_at = Some(Timestamp(i64::MAX / 2));
    ProvenIdentity { subject, username: subject, authenticated_at }
}

impl World {
    pub(crate) async fn with_provider() -> Self {
        Self::with(|config| {
            config.provider = Some(provider());
            config.relying_party = Some(relying_party());
        })
        .await
    }

    /// A round that signs in as this subject.
    async fn arrive(&self, subject: &str) -> Result<Arrived, chat::Error> {
        let round = self.chat.begin_identity_sign_in("/settings", SOMEWHERE).await.expect("begun");
        self.chat.finish_round(&round, proven(subject), None, SOMEWHERE).await
    }

    /// The cookie of a sign-in that waits for a code or a username.
    async fn wait(&self, subject: &str) -> String {
        match self.arrive(subject).await.expect("arrived") {
            Arrived::Waiting(cookie) => cookie,
            _ => panic!("nothing to wait for"),
        }
    }

    async fn identity_sign_in(&self, subject: &str) -> Option<Session> {
        match self.arrive(subject).await.expect("arrived") {
            Arrived::SignedIn(signed_in, next) => {
                assert_eq!(next, "/settings");
                Some(signed_in.session)
            }
            _ => None,
        }
    }

    /// An account with an identity alone.
    pub(crate) async fn identity_person(&self, username: &str) -> Session {
        let waiting = self.wait(username).await;
        let made = self.chat.sign_up_with_identity(&waiting, username, SOMEWHERE).await;
        made.expect("an account").0.session
    }

    pub(crate) async fn link_identity<'a>(
        &self,
        who: &Session,
        proof: impl Into<Proof<'a>>,
        subject: &str,
    ) -> Result<(), chat::Error> {
        let permission = self.chat.permit_identity_link(who, proof, SOMEWHERE).await?;
        let round = self.chat.begin_identity_link(who, &permission).await?;
        let linked = self.chat.finish_round(&round, proven(subject), Some(who), SOMEWHERE).await;
        assert!(matches!(linked?, Arrived::Linked));
        Ok(())
    }

    /// A proof by a fresh sign-in at the provider.
    async fn confirm(&self, who: &Session, subject: &str) -> String {
        let round = self.chat.begin_identity_proof(who).await.expect("begun");
        let arrived = self.chat.finish_round(&round, proven(subject), Some(who), SOMEWHERE).await;
        match arrived.expect("arrived") {
            Arrived::Confirmed(proof) => proof,
            _ => panic!("no proof"),
        }
    }

    async fn provider_state(&self, who: &Session) -> ProviderState {
        let state = self.chat.identities(who, None).await.expect("a list");
        state.expect("a provider")
    }

    async fn first_identity(&self, who: &Session) -> IdentityId {
        self.provider_state(who).await.identities[0].id
    }
}

#[tokio::test]
async fn an_identity_signs_in_to_the_account_that_it_is_linked_to() {
    let world = World::with_provider().await;
    let alice = world.person("alice").await;
    assert!(world.identity_sign_in("ash").await.is_none(), "not linked");
    world.link_identity(&alice, PASSWORD, "ash").await.expect("linked");
    let mut tab = world.connect(&alice).await;
    let session = world.identity_sign_in("ash").await.expect("signed in");
    assert_eq!(session.user, alice.user);
    tab.until(|frame| matches!(frame, ServerFrame::SignedIn { .. }).then_some(())).await;
    let ProviderState { identities, confirms, .. } = world.provider_state(&alice).await;
    assert_eq!((identities.len(), identities[0].name.as_str(), confirms), (1, "ash", false));
    assert!(identities[0].used_at.is_some());
    for subject in ["alice", "Ash", ""] {
        let arrived = world.arrive(subject).await.ok();
        let is_in = arrived.is_some_and(|arrived| matches!(arrived, Arrived::SignedIn(..)));
        assert!(!is_in, "{subject:?}: neither the username nor a similar subject signs in");
    }
}

#[tokio::test]
async fn a_round_is_finished_once_and_a_begun_one_leaves_nothing() {
    let world = World::with_provider().await;
    let alice = world.person("alice").await;
    world.link_identity(&alice, PASSWORD, "ash").await.expect("linked");
    let before = world.home.number("select count(*) from used_ceremonies");
    let round = world.chat.begin_identity_sign_in("/", SOMEWHERE).await.expect("begun");
    let returned = world.chat.returned_round(&round.cookie, &round.state, SOMEWHERE).await;
    returned.expect("the same round");
    assert_eq!(world.home.number("select count(*) from used_ceremonies"), before);
    for (cookie, state) in [(&round.cookie, &round.nonce), (&round.state, &round.state)] {
        let wrong = world.chat.returned_round(cookie, state, SOMEWHERE).await.map(drop);
        assert_eq!(code(wrong), ErrorCode::IdentityRefused);
    }
    let tries = (0..4).map(|_| world.chat.finish_round(&round, proven("ash"), None, SOMEWHERE));
    let arrived = futures::future::join_all(tries).await;
    assert_eq!(arrived.iter().filter(|it| it.is_ok()).count(), 1);
    assert_eq!(world.home.number("select count(*) from used_ceremonies"), before + 1);
}

#[tokio::test]
async fn two_step_sign_in_is_asked_for_after_the_provider() {
    let world = World::with_provider().await;
    let alice = world.person("alice").await;
    world.link_identity(&alice, PASSWORD, "ash").await.expect("linked");
    let (secret, _) = world.two_steps(&alice).await;
    let waiting = world.wait("ash").await;
    assert_eq!(world.chat.waiting_sign_in(&waiting).expect("it waits"), Waiting::Code);
    let finish = async |typed: &str| {
        let finished = world.chat.finish_identity_sign_in(&waiting, typed, SOMEWHERE).await;
        finished.map(|(signed_in, next)| (signed_in.session.user, next))
    };
    assert_eq!(code(finish("").await), ErrorCode::CodeNeeded);
    assert_eq!(code(finish("12345").await), ErrorCode::WrongCode);
    let as_new = world.chat.sign_up_with_identity(&waiting, "mallory", SOMEWHERE).await.map(drop);
    assert_eq!(code(as_new), ErrorCode::IdentityRefused);
    let right = finish(&app_code(&secret, 1)).await.expect("signed in");
    assert_eq!(right, (alice.user.clone(), "/settings".to_owned()));
    assert_eq!(code(finish(&app_code(&secret, 1)).await), ErrorCode::WrongCode, "it was used");
}

#[tokio::test]
async fn a_first_sign_in_makes_an_account_if_registration_is_open() {
    let world = World::with_provider().await;
    world.person("alice").await;
    let waiting = world.wait("bob@example.org").await;
    let suggested = world.chat.waiting_sign_in(&waiting).expect("it waits");
    assert_eq!(suggested, Waiting::Username("bob".to_owned()));
    let sign_up = async |waiting: &str, username: &str| {
        let made = world.chat.sign_up_with_identity(waiting, username, SOMEWHERE).await;
        made.map(|(signed_in, _)| signed_in.session)
    };
    assert_eq!(code(sign_up(&waiting, "alice").await), ErrorCode::UsernameTaken);
    assert_eq!(code(sign_up(&waiting, "a b").await), ErrorCode::UsernameInvalid);
    let second = world.wait("bob@example.org").await;
    let bob = sign_up(&waiting, "bob").await.expect("an account");
    assert_eq!(code(sign_up(&waiting, "bobby").await), ErrorCode::IdentityRefused);
    assert_eq!(code(sign_up(&second, "robert").await), ErrorCode::IdentityTaken);
    assert!(world.provider_state(&bob).await.confirms);
    for guess in ["", PASSWORD] {
        let by_password = world.chat.sign_in("bob", guess, SOMEWHERE).await.map(drop);
        assert_eq!(code(by_password), ErrorCode::WrongCredentials);
    }

    let waiting = world.wait("carol").await;
    let world = world
        .restart_with(|config| {
            config.provider = Some(provider());
            config.registration = chat::Registration::Invited;
        })
        .await;
    assert_eq!(code(world.arrive("carol").await.map(drop)), ErrorCode::RegistrationClosed);
    let late = world.chat.sign_up_with_identity(&waiting, "carol", SOMEWHERE).await.map(drop);
    assert_eq!(code(late), ErrorCode::RegistrationClosed, "it was begun before");
    assert!(world.identity_sign_in("bob@example.org").await.is_some());
}

#[tokio::test]
async fn an_identity_belongs_to_one_user_and_is_linked_after_a_proof() {
    let world = World::with_provider().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let wrong = world.link_identity(&alice, "wrong-Harbor-92", "ash").await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    world.link_identity(&alice, PASSWORD, "ash").await.expect("linked");
    assert_eq!(code(world.link_identity(&bob, PASSWORD, "ash").await), ErrorCode::IdentityTaken);
    for session in [Some(&bob), None] {
        let permission = world.chat.permit_identity_link(&alice, PASSWORD, SOMEWHERE).await;
        let permission = permission.expect("permitted");
        let begun = world.chat.begin_identity_link(&bob, &permission).await.map(drop);
        assert_eq!(code(begun), ErrorCode::IdentityRefused, "another session's permission");
        let round = world.chat.begin_identity_link(&alice, &permission).await.expect("begun");
        let again = world.chat.begin_identity_link(&alice, &permission).await.map(drop);
        assert_eq!(code(again), ErrorCode::IdentityRefused, "a permission begins one round");
        let linked = world.chat.finish_round(&round, proven("oak"), session, SOMEWHERE).await;
        assert_eq!(code(linked.map(drop)), ErrorCode::IdentityRefused, "another session's round");
    }
    let round = world.chat.begin_identity_sign_in("/", SOMEWHERE).await.expect("begun");
    let linked = world.chat.begin_identity_link(&alice, &round.cookie).await.map(drop);
    assert_eq!(code(linked), ErrorCode::IdentityRefused, "a round is no permission");
    for number in 1..MOST_IDENTITIES {
        world.link_identity(&alice, PASSWORD, &format!("ash {number}")).await.expect("linked");
    }
    let more = world.link_identity(&alice, PASSWORD, "one too many").await;
    assert_eq!(code(more), ErrorCode::TooManyIdentities);
    for (who, id) in [(&bob, world.first_identity(&alice).await), (&alice, IdentityId::new())] {
        let unlinked = world.chat.unlink_identity(who, id, PASSWORD, SOMEWHERE).await;
        assert_eq!(code(unlinked), ErrorCode::NotFound);
    }
}

#[tokio::test]
async fn the_last_of_password_passkeys_and_identities_stays() {
    let world = World::with_provider().await;
    let chat = &world.chat;
    let alice = world.identity_person("alice").await;
    let identity = world.first_identity(&alice).await;
    let proof = world.confirm(&alice, "alice").await;
    let last = chat.unlink_identity(&alice, identity, Proof::Identity(&proof), SOMEWHERE).await;
    assert_eq!(code(last), ErrorCode::LastSignInMethod);

    // With a passkey, the identity can go, and the passkey cannot; and the reverse.
    let proof = world.confirm(&alice, "alice").await;
    let begun = chat.begin_passkey(&alice, Proof::Identity(&proof), SOMEWHERE).await;
    let mut phone = super::passkeys::device();
    let made = phone.create(&begun.expect("begun")).expect("made");
    chat.add_passkey(&alice, &made, "", SOMEWHERE).await.expect("added");
    let (passkeys, _) = chat.passkeys(alice.user.id).await.expect("a list");
    let prove = async |phone: &mut harness::Authenticator| {
        phone.get(&chat.begin_passkey_proof(&alice).await.expect("begun")).expect("used")
    };
    let answer = prove(&mut phone).await;
    chat.unlink_identity(&alice, identity, &answer, SOMEWHERE).await.expect("there is a passkey");
    let answer = prove(&mut phone).await;
    let last = chat.remove_passkey(&alice, passkeys[0].id, &answer, SOMEWHERE).await;
    assert_eq!(code(last), ErrorCode::LastSignInMethod);
    let answer = prove(&mut phone).await;
    world.link_identity(&alice, &answer, "ash").await.expect("linked");
    let answer = prove(&mut phone).await;
    let removed = chat.remove_passkey(&alice, passkeys[0].id, &answer, SOMEWHERE).await;
    removed.expect("there is an identity");
    assert!(world.identity_sign_in("ash").await.is_some());

    // A password alone suffices too.
    let proof = world.confirm(&alice, "ash").await;
    let change = chat::PasswordChange { current: Proof::Identity(&proof), ..change("", PASSWORD) };
    chat.change_password(&alice, change, SOMEWHERE).await.expect("set");
    let identity = world.first_identity(&alice).await;
    chat.unlink_identity(&alice, identity, PASSWORD, SOMEWHERE).await.expect("a password is there");
    chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
}

#[tokio::test]
async fn identities_at_another_provider_do_not_count() {
    let world = World::with_provider().await;
    let alice = world.identity_person("alice").await;
    let proof = world.confirm(&alice, "alice").await;
    let begun = world.chat.begin_passkey(&alice, Proof::Identity(&proof), SOMEWHERE).await;
    let mut phone = super::passkeys::device();
    let made = phone.create(&begun.expect("begun")).expect("made");
    world.chat.add_passkey(&alice, &made, "", SOMEWHERE).await.expect("added");
    let mut world = world;
    for issuer in [Some("https://other.example.org"), None] {
        let other = issuer.map(|issuer| Provider { issuer: issuer.into(), name: "Other".into() });
        world = world
            .restart_with(|config| {
                config.relying_party = Some(relying_party());
                config.provider = other;
            })
            .await;
        let chat = &world.chat;
        let begun = chat.begin_passkey_proof(&alice).await.expect("begun");
        let answer = phone.get(&begun).expect("used");
        let (passkeys, _) = chat.passkeys(alice.user.id).await.expect("a list");
        let last = chat.remove_passkey(&alice, passkeys[0].id, &answer, SOMEWHERE).await;
        assert_eq!(code(last), ErrorCode::LastSignInMethod, "{issuer:?}");
        let begun = chat.begin_identity_sign_in("/", SOMEWHERE).await.map(drop);
        match issuer {
            Some(_) => assert!(world.identity_sign_in("alice").await.is_none(), "not linked there"),
            None => assert_eq!(code(begun), ErrorCode::ProviderUnavailable),
        }
    }
}

#[tokio::test]
async fn the_number_of_identities_is_limited_at_each_provider() {
    let world = World::with_provider().await;
    let alice = world.person("alice").await;
    for number in 0..MOST_IDENTITIES {
        world.link_identity(&alice, PASSWORD, &format!("ash {number}")).await.expect("linked");
    }
    let other = Provider { issuer: "https://other.example.org".into(), name: "Other".into() };
    let world = world.restart_with(|config| config.provider = Some(other)).await;
    let listed = world.provider_state(&alice).await.identities;
    assert!(listed.is_empty(), "those at the earlier provider cannot be seen or unlinked");
    world.link_identity(&alice, PASSWORD, "ash").await.expect("the first at this provider");
}

#[tokio::test]
async fn returns_that_another_website_causes_do_not_use_up_the_sign_ins_of_the_address() {
    let world = World::with(|config| {
        config.provider = Some(provider());
        config.rates.sign_ins_per_minute = 2.try_into().expect("not zero");
    })
    .await;
    let chat = &world.chat;
    let round = chat.begin_identity_sign_in("/", SOMEWHERE).await.expect("begun");
    for number in 0..10 {
        let cookie = if number % 2 == 0 { "" } else { &round.cookie };
        let forged = chat.returned_round(cookie, "forged", SOMEWHERE).await.map(drop);
        assert_eq!(code(forged), ErrorCode::IdentityRefused);
    }
    let mut returned = Vec::new();
    for _ in 0..3 {
        let right = chat.returned_round(&round.cookie, &round.state, SOMEWHERE).await;
        returned.push(right.map(drop));
    }
    assert_eq!(code(returned.remove(2)), ErrorCode::RateLimited, "right ones count");
    assert!(returned.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_proof_by_the_provider_is_fresh_and_of_the_same_user() {
    let world = World::with_provider().await;
    let chat = &world.chat;
    let alice = world.identity_person("alice").await;
    world.identity_person("bob").await;
    for (subject, authenticated_at) in [
        ("bob", Some(Timestamp(i64::MAX / 2))),
        ("unknown", Some(Timestamp(i64::MAX / 2))),
        ("alice", None),
        ("alice", Some(Timestamp(0))),
    ] {
        let round = chat.begin_identity_proof(&alice).await.expect("begun");
        assert!(round.is_fresh);
        let proven = ProvenIdentity { subject, username: "", authenticated_at };
        let arrived = chat.finish_round(&round, proven, Some(&alice), SOMEWHERE).await.map(drop);
        assert_eq!(code(arrived), ErrorCode::IdentityRefused, "{subject} {authenticated_at:?}");
    }
    let proof = world.confirm(&alice, "alice").await;
    let elsewhere = world.identity_sign_in("alice").await.expect("signed in");
    let used = chat.delete_account(&elsewhere, Proof::Identity(&proof), SOMEWHERE).await;
    assert_eq!(code(used), ErrorCode::IdentityRefused, "another session");
    let confirmed = async || {
        let state = chat.identities(&alice, Some(&proof)).await.expect("a list");
        state.expect("a provider").confirmed
    };
    assert!(confirmed().await);
    let permitted = chat.permit_identity_link(&alice, Proof::Identity(&proof), SOMEWHERE).await;
    permitted.expect("permitted");
    assert!(!confirmed().await, "the proof was used");
    let again = chat.delete_account(&alice, Proof::Identity(&proof), SOMEWHERE).await;
    assert_eq!(code(again), ErrorCode::IdentityRefused, "the second use");

    // A proof ends with the first password.
    let (first, second) =
        (world.confirm(&alice, "alice").await, world.confirm(&alice, "alice").await);
    let change = chat::PasswordChange { current: Proof::Identity(&first), ..change("", PASSWORD) };
    chat.change_password(&alice, change, SOMEWHERE).await.expect("set");
    let late = chat.delete_account(&alice, Proof::Identity(&second), SOMEWHERE).await;
    assert_eq!(code(late), ErrorCode::IdentityRefused, "the password confirms now");
    assert_eq!(code(chat.begin_identity_proof(&alice).await.map(drop)), ErrorCode::IdentityRefused);
}

#[tokio::test]
async fn with_an_account_its_identities_are_deleted() {
    let world = World::with_provider().await;
    let alice = world.identity_person("alice").await;
    let proof = world.confirm(&alice, "alice").await;
    let deleted = world.chat.delete_account(&alice, Proof::Identity(&proof), SOMEWHERE).await;
    deleted.expect("deleted");
    assert_eq!(world.home.number("select count(*) from identities"), 0);
    let again = world.wait("alice").await;
    let again = world.chat.sign_up_with_identity(&again, "alice2", SOMEWHERE).await;
    again.expect("the identity is free");
}

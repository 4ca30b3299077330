//! Passkeys: adding, using and removing them, and everything that an answer is refused for.

use chat::{RelyingParty, Session};
use harness::Authenticator;
use protocol::{ErrorCode, MOST_PASSKEYS, PasskeyCeremony, PasskeyId, ServerFrame};

use super::two_step::app_code;
use crate::support::{PASSWORD, SOMEWHERE, World, change, code};

const SITE: &str = "chat.example.org";
const ORIGIN: &str = "https://chat.example.org";

pub(crate) fn relying_party() -> RelyingParty {
    RelyingParty { id: SITE.into(), origin: ORIGIN.into(), name: "Duet".into() }
}

pub(crate) fn device() -> Authenticator {
    Authenticator::new(SITE, ORIGIN).expect("an authenticator")
}

impl World {
    pub(crate) async fn with_passkeys() -> Self {
        Self::with(|config| {
            config.relying_party = Some(relying_party());
            config.passkey_sign_up = true;
        })
        .await
    }

    /// Adds a passkey with the password.
    pub(crate) async fn passkey(&self, who: &Session, name: &str) -> Authenticator {
        let mut device = device();
        let begun = self.chat.begin_passkey(who, PASSWORD, SOMEWHERE).await.expect("begun");
        let answer = device.create(&begun).expect("made");
        self.chat.add_passkey(who, &answer, name, SOMEWHERE).await.expect("added");
        device
    }

    /// An account without a password.
    async fn passkey_person(&self, username: &str) -> (Session, Authenticator) {
        let mut device = device();
        let begun = self.chat.begin_passkey_sign_up(username, "", None, SOMEWHERE).await;
        let answer = device.create(&begun.expect("begun")).expect("made");
        let made = self.chat.sign_up_with_passkey(&answer, None, SOMEWHERE).await;
        (made.expect("an account").0.session, device)
    }

    async fn begin_sign_in(&self) -> PasskeyCeremony {
        self.chat.begin_passkey_sign_in(SOMEWHERE).await.expect("begun")
    }

    /// Signs in with the passkey; returns the session, or the refusal.
    pub(crate) async fn passkey_sign_in(
        &self,
        device: &mut Authenticator,
    ) -> Result<Session, ErrorCode> {
        let answer = device.get(&self.begin_sign_in().await).expect("used");
        let signed_in = self.chat.sign_in_with_passkey(&answer, SOMEWHERE).await;
        signed_in.map(|it| it.session).map_err(|error| error.refusal().code)
    }

    async fn names(&self, who: &Session) -> Vec<String> {
        let (listed, _) = self.chat.passkeys(who.user.id).await.expect("a list");
        listed.into_iter().map(|passkey| passkey.name).collect()
    }

    async fn first_id(&self, who: &Session) -> PasskeyId {
        self.chat.passkeys(who.user.id).await.expect("a list").0[0].id
    }
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_username_a_password_or_a_code() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    let (secret, _) = world.two_steps(&alice).await;
    let mut tab = world.connect(&alice).await;
    let mut phone = world.passkey(&alice, "Phone").await;
    let (listed, has_password) = world.chat.passkeys(alice.user.id).await.expect("a list");
    assert_eq!((listed.len(), has_password, listed[0].used_at), (1, true, None));
    let session = world.passkey_sign_in(&mut phone).await.expect("signed in");
    assert_eq!(session.user, alice.user);
    assert_ne!(session.id, alice.id);
    let told = |frame| matches!(frame, ServerFrame::SignedIn { .. }).then_some(());
    tab.until(told).await;
    let (listed, _) = world.chat.passkeys(alice.user.id).await.expect("a list");
    assert!(listed[0].used_at.is_some());
    // The password still needs the code.
    let without = world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(without.map(drop)), ErrorCode::CodeNeeded);
    let next = app_code(&secret, 1);
    let with = world.chat.sign_in_with_code("alice", PASSWORD, &next, SOMEWHERE).await;
    with.expect("signed in");
    // A synchronised passkey has no counter.
    let mut synchronised = device();
    synchronised.counter = 0;
    let begun = world.chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await.expect("begun");
    let answer = synchronised.create(&begun).expect("made");
    world.chat.add_passkey(&alice, &answer, "", SOMEWHERE).await.expect("added");
    for _ in 0..2 {
        world.passkey_sign_in(&mut synchronised).await.expect("signed in");
    }
    assert_eq!(world.names(&alice).await, ["Phone", "Passkey"]);
}

#[tokio::test]
async fn a_device_on_which_a_passkey_was_used_is_known() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    let mut phone = world.passkey(&alice, "").await;
    let answer = phone.get(&world.begin_sign_in().await).expect("used");
    let first = world.chat.sign_in_with_passkey(&answer, SOMEWHERE).await.expect("signed in");
    let device_token = Some(first.device_token.clone());
    let known = chat::Client { address: SOMEWHERE, device: String::new(), device_token };
    let again = world.chat.sign_in("alice", PASSWORD, known.clone()).await.expect("signed in");
    assert_eq!(again.device_token, first.device_token);
    let answer = phone.get(&world.begin_sign_in().await).expect("used");
    let again = world.chat.sign_in_with_passkey(&answer, known).await.expect("signed in");
    assert_eq!(again.device_token, first.device_token);
}

#[tokio::test]
async fn an_answer_is_refused_if_anything_in_it_is_wrong() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    let mut phone = world.passkey(&alice, "Phone").await;
    let refused = Err(ErrorCode::PasskeyRefused);
    assert_eq!(world.passkey_sign_in(&mut device()).await.map(drop), refused, "unknown");
    phone.verifies = false;
    assert_eq!(world.passkey_sign_in(&mut phone).await.map(drop), refused, "nobody verified");
    phone.verifies = true;
    phone.origin = "https://chat.example.org.evil.test".to_owned();
    assert_eq!(world.passkey_sign_in(&mut phone).await.map(drop), refused, "another origin");
    phone.origin = ORIGIN.to_owned();
    phone.site = "evil.test".to_owned();
    assert_eq!(world.passkey_sign_in(&mut phone).await.map(drop), refused, "another site");
    phone.site = SITE.to_owned();
    phone.counter = 40;
    world.passkey_sign_in(&mut phone).await.expect("signed in");
    phone.counter = 20;
    assert_eq!(world.passkey_sign_in(&mut phone).await.map(drop), refused, "a copied passkey");
    phone.counter = 50;
    world.passkey_sign_in(&mut phone).await.expect("signed in");

    let begun = world.begin_sign_in().await;
    let answer = phone.get(&begun).expect("used");
    world.chat.sign_in_with_passkey(&answer, SOMEWHERE).await.expect("signed in");
    let replayed = world.chat.sign_in_with_passkey(&answer, SOMEWHERE).await;
    assert_eq!(code(replayed.map(drop)), ErrorCode::PasskeyRefused, "the second use");
    let again = phone.get(&begun).expect("used");
    let again = world.chat.sign_in_with_passkey(&again, SOMEWHERE).await;
    assert_eq!(code(again.map(drop)), ErrorCode::PasskeyRefused, "the ceremony was used");
    let mut mixed = phone.get(&begun).expect("used");
    mixed.ceremony = world.begin_sign_in().await.ceremony;
    let mixed = world.chat.sign_in_with_passkey(&mixed, SOMEWHERE).await;
    assert_eq!(code(mixed.map(drop)), ErrorCode::PasskeyRefused, "another challenge");
    // Ceremonies of other purposes.
    let proof = world.chat.begin_passkey_proof(&alice).await.expect("begun");
    let answer = phone.get(&proof).expect("used");
    let signed_in = world.chat.sign_in_with_passkey(&answer, SOMEWHERE).await;
    assert_eq!(code(signed_in.map(drop)), ErrorCode::PasskeyRefused, "a proof is no sign-in");
    let bob = world.person("bob").await;
    let begun = world.chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await.expect("begun");
    let answer = device().create(&begun).expect("made");
    let added = world.chat.add_passkey(&bob, &answer, "", SOMEWHERE).await;
    assert_eq!(code(added), ErrorCode::PasskeyRefused, "another session");
    let mut unverified = device();
    unverified.verifies = false;
    let answer = unverified.create(&begun).expect("made");
    let added = world.chat.add_passkey(&alice, &answer, "", SOMEWHERE).await;
    assert_eq!(code(added), ErrorCode::PasskeyRefused, "nobody verified");
    assert_eq!(world.names(&alice).await, ["Phone"]);
    assert!(world.names(&bob).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_uses_of_one_answer_one_succeeds() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    let mut phone = world.passkey(&alice, "").await;
    for counter in [1, 0] {
        if counter == 0 {
            // A passkey without a counter, which cannot tell the uses apart.
            phone = device();
            phone.counter = 0;
            let begun = world.chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await;
            let answer = phone.create(&begun.expect("begun")).expect("made");
            world.chat.add_passkey(&alice, &answer, "", SOMEWHERE).await.expect("added");
        }
        let answer = phone.get(&world.begin_sign_in().await).expect("used");
        let tries = (0..4).map(|_| world.chat.sign_in_with_passkey(&answer, SOMEWHERE));
        let signed_in = futures::future::join_all(tries).await;
        assert_eq!(signed_in.iter().filter(|it| it.is_ok()).count(), 1, "{counter}");
    }
}

#[tokio::test]
async fn passkeys_are_added_renamed_and_removed_by_their_user_alone() {
    let world = World::with_passkeys().await;
    let chat = &world.chat;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let wrong = chat.begin_passkey(&alice, "wrong-Harbor-92", SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    let mut phone = world.passkey(&alice, "  Phone ").await;
    let mut key = world.passkey(&alice, "Key").await;
    assert_eq!(world.names(&alice).await, ["Phone", "Key"]);
    let id = world.first_id(&alice).await;
    for (who, id) in [(&bob, id), (&alice, PasskeyId::new())] {
        assert_eq!(code(chat.rename_passkey(who, id, "x").await), ErrorCode::NotFound);
        let removed = chat.remove_passkey(who, id, PASSWORD, SOMEWHERE).await;
        assert_eq!(code(removed), ErrorCode::NotFound);
    }
    chat.rename_passkey(&alice, id, "Old phone").await.expect("renamed");
    let invisible = chat.rename_passkey(&alice, id, "\u{202e}x").await;
    assert_eq!(code(invisible), ErrorCode::DisplayNameInvalid);
    assert_eq!(world.names(&alice).await, ["Old phone", "Key"]);
    // The same passkey cannot be added a second time.
    let begun = chat.begin_passkey(&bob, PASSWORD, SOMEWHERE).await.expect("begun");
    let answer = phone.create(&begun).expect("made");
    let added = chat.add_passkey(&bob, &answer, "", SOMEWHERE).await;
    assert_eq!(code(added), ErrorCode::PasskeyRefused);

    let wrong = chat.remove_passkey(&alice, id, "wrong-Harbor-92", SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    // A passkey proves the user as well as the password does.
    let proof = chat.begin_passkey_proof(&alice).await.expect("begun");
    let answer = key.get(&proof).expect("used");
    chat.remove_passkey(&alice, id, &answer, SOMEWHERE).await.expect("removed");
    assert_eq!(world.names(&alice).await, ["Key"]);
    let phone = world.passkey_sign_in(&mut phone).await;
    assert!(phone.is_err(), "it was removed");
    let again = chat.remove_passkey(&alice, id, &answer, SOMEWHERE).await;
    assert_eq!(code(again), ErrorCode::PasskeyRefused, "a proof works once");
    let last = world.first_id(&alice).await;
    chat.remove_passkey(&alice, last, PASSWORD, SOMEWHERE).await.expect("there is a password");
    assert!(world.names(&alice).await.is_empty());
}

#[tokio::test]
async fn a_passkey_of_another_user_proves_nothing() {
    let world = World::with_passkeys().await;
    let chat = &world.chat;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    world.passkey(&alice, "").await;
    let mut of_bob = world.passkey(&bob, "").await;
    let proof = chat.begin_passkey_proof(&alice).await.expect("begun");
    let answer = of_bob.get(&proof).expect("used");
    let deleted = chat.delete_account(&alice, &answer, SOMEWHERE).await;
    assert_eq!(code(deleted), ErrorCode::PasskeyRefused);
    let of_session = chat.begin_passkey_proof(&bob).await.expect("begun");
    let answer = of_bob.get(&of_session).expect("used");
    let elsewhere = world.passkey_sign_in(&mut of_bob).await.expect("signed in");
    let renewed = chat.delete_account(&elsewhere, &answer, SOMEWHERE).await;
    assert_eq!(code(renewed), ErrorCode::PasskeyRefused, "a proof is for one session");
}

#[tokio::test]
async fn the_number_of_passkeys_is_bounded() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    let begun = world.chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await.expect("begun");
    for _ in 0..MOST_PASSKEYS {
        world.passkey(&alice, "").await;
    }
    let more = world.chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await;
    assert_eq!(code(more), ErrorCode::TooManyPasskeys);
    let late = device().create(&begun).expect("made");
    let late = world.chat.add_passkey(&alice, &late, "", SOMEWHERE).await;
    assert_eq!(code(late), ErrorCode::TooManyPasskeys, "begun before");
}

#[tokio::test]
async fn an_account_without_a_password_is_managed_by_passkey() {
    let world = World::with_passkeys().await;
    let chat = &world.chat;
    let (alice, mut phone) = world.passkey_person("alice").await;
    world.passkey_sign_in(&mut phone).await.expect("signed in");
    for guess in ["", PASSWORD] {
        let by_password = chat.sign_in("alice", guess, SOMEWHERE).await;
        assert_eq!(code(by_password.map(drop)), ErrorCode::WrongCredentials);
        let deleted = chat.delete_account(&alice, guess, SOMEWHERE).await;
        assert_eq!(code(deleted), ErrorCode::WrongPassword);
    }
    let prove = async |phone: &mut Authenticator| {
        phone.get(&chat.begin_passkey_proof(&alice).await.expect("begun")).expect("used")
    };
    let (id, answer) = (world.first_id(&alice).await, prove(&mut phone).await);
    let last = chat.remove_passkey(&alice, id, &answer, SOMEWHERE).await;
    assert_eq!(code(last), ErrorCode::LastSignInMethod);
    world.passkey_sign_in(&mut phone).await.expect("the passkey is there");
    assert!(!chat.passkeys(alice.user.id).await.expect("a list").1);

    let secret = chat.begin_second_factor(alice.caller()).await.expect("begun");
    chat.confirm_second_factor(alice.caller(), &app_code(&secret, 0)).await.expect("confirmed");
    let answer = prove(&mut phone).await;
    chat.renew_recovery_codes(&alice, &answer, SOMEWHERE).await.expect("renewed");
    let answer = prove(&mut phone).await;
    chat.turn_off_second_factor(&alice, &answer, SOMEWHERE).await.expect("off");

    let answer = prove(&mut phone).await;
    let first = chat::PasswordChange { current: (&answer).into(), ..change("", PASSWORD) };
    chat.change_password(&alice, first, SOMEWHERE).await.expect("set");
    chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("by password");
    let answer = prove(&mut phone).await;
    chat.remove_passkey(&alice, id, &answer, SOMEWHERE).await.expect("there is a password");

    let (bob, mut phone) = world.passkey_person("bob").await;
    let begun = chat.begin_passkey_proof(&bob).await.expect("begun");
    let answer = phone.get(&begun).expect("used");
    chat.delete_account(&bob, &answer, SOMEWHERE).await.expect("deleted");
    assert_eq!(world.home.number("select count(*) from passkeys"), 0);
    assert!(world.passkey_sign_in(&mut phone).await.is_err());
}

#[tokio::test]
async fn with_an_account_its_passkeys_are_deleted() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    world.passkey(&alice, "").await;
    world.chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(world.home.number("select count(*) from passkeys"), 0);
}

#[tokio::test]
async fn sign_up_with_a_passkey_keeps_the_rules_of_sign_up() {
    let world = World::with_passkeys().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    for (username, expected) in
        [("alice", ErrorCode::UsernameTaken), ("a b", ErrorCode::UsernameInvalid)]
    {
        let begun = chat.begin_passkey_sign_up(username, "", None, SOMEWHERE).await;
        assert_eq!(code(begun), expected);
    }
    let begun = chat.begin_passkey_sign_up("bob", "Bob B", None, SOMEWHERE).await;
    let answer = device().create(&begun.expect("begun")).expect("made");
    let made = chat.sign_up_with_passkey(&answer, None, SOMEWHERE).await.expect("an account").0;
    assert_eq!(made.session.user.display_name, "Bob B");
    let again = chat.sign_up_with_passkey(&answer, None, SOMEWHERE).await;
    assert_eq!(code(again.map(drop)), ErrorCode::PasskeyRefused, "the second use");
    let forged = "x".repeat(43);
    let begun = chat.begin_passkey_sign_up("alice", "", Some(&forged), SOMEWHERE).await;
    assert_eq!(code(begun), ErrorCode::InvitationInvalid, "not whether the name is taken");
    let invitation = chat.create_invitation(alice.caller()).await.expect("made").token;
    let begun = chat.begin_passkey_sign_up("carol", "", Some(&invitation), SOMEWHERE).await;
    let answer = device().create(&begun.expect("begun")).expect("made");
    let made = chat.sign_up_with_passkey(&answer, Some(&invitation), SOMEWHERE).await;
    assert!(made.expect("an account").1.is_some(), "the conversation with the inviter");

    let world = world.restart_with(|config| config.relying_party = Some(relying_party())).await;
    assert!(!world.chat.passkey_sign_up_open());
    let begun = world.chat.begin_passkey_sign_up("dora", "", None, SOMEWHERE).await;
    assert_eq!(code(begun), ErrorCode::RegistrationClosed);
}

#[tokio::test]
async fn a_server_without_a_domain_name_refuses_passkeys() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    assert!(!world.chat.has_passkeys());
    for refused in [
        world.chat.begin_passkey_sign_in(SOMEWHERE).await,
        world.chat.begin_passkey_proof(&alice).await,
        world.chat.begin_passkey(&alice, PASSWORD, SOMEWHERE).await,
    ] {
        assert_eq!(code(refused), ErrorCode::PasskeysUnavailable);
    }
}

#[tokio::test]
async fn a_ceremony_that_is_only_begun_leaves_nothing() {
    let world = World::with_passkeys().await;
    let alice = world.person("alice").await;
    let mut phone = world.passkey(&alice, "").await;
    for _ in 0..5 {
        world.begin_sign_in().await;
    }
    assert_eq!(world.home.number("select count(*) from used_ceremonies"), 1);
    world.passkey_sign_in(&mut phone).await.expect("signed in");
    assert_eq!(world.home.number("select count(*) from used_ceremonies"), 2);
}

//! Sign-up, sign-in, session tokens, and the end of a session.

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;

use crate::support::{PASSWORD, SOMEWHERE, World, change, code};
use protocol::{CloseCode, ErrorCode};

#[tokio::test]
async fn invalid_names_and_passwords_are_refused_with_their_own_codes() {
    let world = World::new().await;
    let chat = &world.chat;
    world.person("Alice").await;
    let cases = [
        ("al", "", PASSWORD, ErrorCode::UsernameInvalid),
        ("al ice", "", PASSWORD, ErrorCode::UsernameInvalid),
        ("alice", "", PASSWORD, ErrorCode::UsernameTaken),
        ("ＡＬＩＣＥ", "", PASSWORD, ErrorCode::UsernameTaken),
        ("carol", "\u{202e}", PASSWORD, ErrorCode::DisplayNameInvalid),
        ("carol", "", "short", ErrorCode::PasswordTooShort),
        ("carol", "", "short-Harbor-9", ErrorCode::PasswordTooShort),
        ("carol", "", "123456789012345", ErrorCode::PasswordCommon),
        ("carol", "", "tulip\u{7}-Harbor-92", ErrorCode::PasswordInvalid),
        ("carol", "", "tulip\u{200B}-Harbor-92", ErrorCode::PasswordInvalid),
        ("carolina.m.jones", "", "carolina.m.jones", ErrorCode::PasswordCommon),
    ];
    for (username, display_name, password, expected) in cases {
        let result = chat.sign_up(username, display_name, password, SOMEWHERE).await;
        assert_eq!(code(result.map(|_| ())), expected, "{username} {password}");
    }
    assert!(chat.sign_up("carol", "Carol C.", PASSWORD, SOMEWHERE).await.is_ok());
}

#[tokio::test]
async fn a_password_is_accepted_in_every_unicode_form() {
    let world = World::new().await;
    let chat = &world.chat;
    // "é" as one character and as two; an ordinary, a no-break and an ideographic space.
    let spellings = [
        "Café zur Hafenmöwe",
        "Cafe\u{301} zur Hafenmo\u{308}we",
        "Café\u{A0}zur\u{3000}Hafenmöwe",
    ];
    let alice = chat.sign_up("alice", "", spellings[1], SOMEWHERE).await.expect("an account");
    for spelling in spellings {
        chat.sign_in("alice", spelling, SOMEWHERE).await.expect("signed in");
    }
    let other = chat.sign_in("alice", "Cafe zur Hafenmowe", SOMEWHERE).await;
    assert_eq!(code(other.map(|_| ())), ErrorCode::WrongCredentials, "letters stay different");
    let changes = [(spellings[0], "Tür-und-Angel 7"), ("Tu\u{308}r-und-Angel 7", spellings[2])];
    for (current, new) in changes {
        let changed = chat.change_password(&alice.session, change(current, new), SOMEWHERE).await;
        changed.unwrap_or_else(|error| panic!("{current:?}: {error}"));
    }
    chat.delete_account(&alice.session, spellings[1], SOMEWHERE).await.expect("deleted");
    let bob = world.person("bob").await;
    let token = chat.create_invitation(bob.caller()).await.expect("an invitation").token;
    let invited = chat
        .sign_up_invited(&token, "carol", "", spellings[2], SOMEWHERE)
        .await
        .expect("an account");
    chat.sign_in("carol", spellings[0], SOMEWHERE).await.expect("signed in");
    assert_eq!(invited.0.session.user.username, "carol");
}

/// Hashes from before passwords were normalised are of the typed bytes.
#[tokio::test]
async fn an_account_from_before_normalisation_signs_in_and_then_in_every_unicode_form() {
    let old_hash = |password: &str| -> PasswordHash {
        argon2::Argon2::default().hash_password(password.as_bytes()).expect("hashed")
    };
    let world = World::new().await;
    let alice = world.person("alice").await;
    world.person("bob").await;
    let (composed, decomposed) = ("Hafenmöwe im Café", "Hafenmo\u{308}we im Cafe\u{301}");
    let old = old_hash(decomposed);
    world
        .home
        .execute(&format!("update users set password_hash = '{old}' where username_key = 'alice'"));
    let chat = &world.chat;
    let unknown = chat.sign_in("alice", composed, SOMEWHERE).await;
    assert_eq!(code(unknown.map(|_| ())), ErrorCode::WrongCredentials, "only its bytes match");
    chat.sign_in("alice", decomposed, SOMEWHERE).await.expect("signed in");
    for spelling in [composed, decomposed] {
        chat.sign_in("alice", spelling, SOMEWHERE).await.expect("signed in");
    }
    let unchanged = format!("select count(*) from users where password_hash = '{old}'");
    assert_eq!(world.home.number(&unchanged), 0, "the hash is one of the normal form");
    // Characters that the profile refuses were allowed before; such a password still opens the
    // account.
    let old = old_hash("tulip\u{7}Harbor-92");
    world
        .home
        .execute(&format!("update users set password_hash = '{old}' where username_key = 'alice'"));
    chat.change_password(&alice, change("tulip\u{7}Harbor-92", composed), SOMEWHERE)
        .await
        .expect("changed");
    chat.delete_account(&alice, decomposed, SOMEWHERE).await.expect("deleted");
}

/// The minimum length was ten characters, and the parameters of the hash were others.
#[tokio::test]
async fn an_older_short_password_stays_valid_and_gets_a_hash_with_the_present_parameters() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let old = argon2::Argon2::default().hash_password(b"harbor-912").expect("hashed");
    world.home.execute(&format!("update users set password_hash = '{old}'"));
    for _ in 0..2 {
        world.chat.sign_in("alice", "harbor-912", SOMEWHERE).await.expect("signed in");
        let present = "select count(*) from users \
                       where password_hash like '$argon2id$v=19$m=47104,t=1,p=1$%'";
        assert_eq!(world.home.number(present), 1);
    }
    let too_short =
        world.chat.change_password(&alice, change("harbor-912", "harbor-9123456"), SOMEWHERE).await;
    assert_eq!(code(too_short), ErrorCode::PasswordTooShort);
    world
        .chat
        .change_password(&alice, change("harbor-912", PASSWORD), SOMEWHERE)
        .await
        .expect("changed");
}

#[tokio::test]
async fn of_two_concurrent_sign_ups_with_one_name_one_is_refused() {
    let world = World::new().await;
    let (one, two) = tokio::join!(
        world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE),
        world.chat.sign_up("ALICE", "", PASSWORD, SOMEWHERE)
    );
    let refusals: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].refusal().code, ErrorCode::UsernameTaken);
}

#[tokio::test]
async fn with_closed_registration_only_existing_accounts_sign_in() {
    let world = World::new().await;
    world.person("alice").await;
    let closed = |config: &mut chat::Config| config.registration = chat::Registration::Closed;
    let world = world.restart_with(closed).await;
    let chat = &world.chat;
    let result = chat.sign_up("bob", "", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(result.map(|_| ())), ErrorCode::RegistrationClosed);
    assert!(chat.sign_in("alice", PASSWORD, SOMEWHERE).await.is_ok());
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_get_the_same_answers_and_pauses() {
    let world = World::new().await;
    world.person("alice").await;
    for username in ["alice", "nobody"] {
        let mut codes = Vec::new();
        for _ in 0..7 {
            let result = world.chat.sign_in(username, "wrong-Harbor-92", SOMEWHERE).await;
            codes.push(code(result.map(|_| ())));
        }
        assert_eq!(codes[..6], [ErrorCode::WrongCredentials; 6], "{username}");
        assert_eq!(codes[6], ErrorCode::RateLimited, "{username}");
    }
}

#[tokio::test]
async fn a_token_opens_its_session_until_signed_out() {
    let world = World::new().await;
    world.person("alice").await;
    let signed_in = world.chat.sign_in(" ALICE ", PASSWORD, SOMEWHERE).await.expect("signed in");
    let found = world.chat.authenticate(&signed_in.token).await.expect("an answer").expect("found");
    assert_eq!(found.session, signed_in.session);
    assert!(!found.token_is_old);
    let mut forged = signed_in.token.clone();
    forged.replace_range(0..1, if forged.starts_with('A') { "B" } else { "A" });
    for token in ["", "x", &forged, &signed_in.token[1..]] {
        assert!(world.chat.authenticate(token).await.expect("an answer").is_none(), "{token}");
    }
    let mut tab = world.connect(&signed_in.session).await;
    world.chat.sign_out(signed_in.session.id).await.expect("signed out");
    assert_eq!(tab.close_code().await, CloseCode::SessionEnded);
    assert!(world.chat.authenticate(&signed_in.token).await.expect("an answer").is_none());
    assert_eq!(
        world.chat.connect(signed_in.session).await.err(),
        Some(CloseCode::SessionEnded),
        "a handshake that was under way"
    );
}

#[tokio::test]
async fn a_rotated_token_replaces_the_old_one_which_stays_valid_for_a_while() {
    let world = World::new().await;
    let first = world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("an account");
    let rotate = || world.chat.rotate(first.session.id, &first.token);
    let second = rotate().await.expect("an answer").expect("rotated");
    assert_eq!(rotate().await.expect("an answer"), None, "only one of two requests rotates");
    for token in [&first.token, &second] {
        let found = world.chat.authenticate(token).await.expect("an answer").expect("found");
        assert_eq!(found.session.id, first.session.id);
    }
}

#[tokio::test]
async fn the_least_recently_used_session_is_deleted_at_the_limit() {
    let world = World::new().await;
    let first = world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("an account");
    let mut tab = world.connect(&first.session).await;
    for _ in 0..20 {
        world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    }
    assert_eq!(tab.close_code().await, CloseCode::SessionEnded);
    assert!(world.chat.authenticate(&first.token).await.expect("an answer").is_none());
}

#[tokio::test]
async fn sign_ups_from_one_address_are_limited() {
    let world = World::with(|config| {
        config.rates.sign_ups_per_hour = 2.try_into().expect("not zero");
    })
    .await;
    world.person("one").await;
    world.person("two").await;
    let third = world.chat.sign_up("three", "", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(third.map(|_| ())), ErrorCode::RateLimited);
    let elsewhere: std::net::IpAddr = "192.0.2.8".parse().expect("an address");
    assert!(world.chat.sign_up("three", "", PASSWORD, elsewhere).await.is_ok());
}

#[tokio::test]
async fn an_invalid_username_finds_nobody_and_cannot_sign_in() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    for name in ["\0", "ali\0ce", "\u{10ffff}", "%", "_____", "a' or 'a'='a", "\\", "💬"] {
        let found = world.chat.find_people(alice.user.id, name).await;
        assert!(found.expect("an answer").is_empty(), "{name:?}");
        let signed_in = world.chat.sign_in(name, PASSWORD, SOMEWHERE).await;
        assert_eq!(code(signed_in.map(|_| ())), ErrorCode::WrongCredentials, "{name:?}");
    }
    let closed = |config: &mut chat::Config| config.directory_open = false;
    let world = world.restart_with(closed).await;
    assert!(world.chat.find_people(alice.user.id, "al\0").await.expect("an answer").is_empty());
}

//! Links by which a signed-in device signs in another one: their use, their limits and their end.

use chat::store::{NewDeviceLink, NewSession, SessionLife};
use chat::{Client, NewLink, Session};
use protocol::{DeviceLinkState, ErrorCode, ServerFrame, SessionId, Timestamp};

use crate::contract::two_step::app_code;
use crate::support::{PASSWORD, SOMEWHERE, World, change, code};

fn phone() -> Client {
    Client { device: "Firefox · Android".into(), ..Client::from(SOMEWHERE) }
}

fn open() -> DeviceLinkState {
    DeviceLinkState { is_open: true, used_by: None }
}

impl World {
    async fn link(&self, who: &Session) -> NewLink {
        self.chat.create_device_link(who, PASSWORD, SOMEWHERE).await.expect("a link")
    }

    async fn link_state(&self, who: &Session, link: &NewLink) -> DeviceLinkState {
        self.chat.device_link_state(who, &link.id).await.expect("a state")
    }

    /// Asserts that a token is refused, when looked at and when used, and that no session is made.
    async fn assert_refused(&self, token: &str, why: &str) {
        let sessions = self.home.number("select count(*) from sessions");
        let looked = self.chat.device_link(token, SOMEWHERE).await;
        assert_eq!(code(looked), ErrorCode::DeviceLinkInvalid, "{why}");
        let used = self.chat.sign_in_by_link(token, SOMEWHERE).await.map(drop);
        assert_eq!(code(used), ErrorCode::DeviceLinkInvalid, "{why}");
        assert_eq!(self.home.number("select count(*) from sessions"), sessions, "{why}");
    }
}

#[tokio::test]
async fn a_link_signs_in_one_device_and_both_devices_learn_of_it() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let mut tab = world.connect(&alice).await;
    let link = world.link(&alice).await;
    assert_eq!(world.link_state(&alice, &link).await, open());
    let named = chat.device_link(&link.token, SOMEWHERE).await.expect("a user");
    assert_eq!(named, alice.user);
    assert_eq!(world.link_state(&alice, &link).await, open(), "looking does not use it up");

    let made = chat.sign_in_by_link(&link.token, phone()).await.expect("signed in");
    assert_eq!(made.session.user, alice.user);
    assert_ne!(made.session.id, alice.id);
    let found = chat.authenticate(&made.token).await.expect("an answer").expect("a session");
    assert_eq!(found.session, made.session);
    assert!(chat.sessions(&alice).await.expect("sessions").iter().any(|session| {
        session.id == made.session.id && session.device == "Firefox · Android"
    }));
    let told = tab.until(|frame| match frame {
        ServerFrame::SignedIn { device } => Some(device),
        _ => None,
    });
    assert_eq!(told.await, "Firefox · Android");
    let used = DeviceLinkState { is_open: false, used_by: Some("Firefox · Android".into()) };
    assert_eq!(world.link_state(&alice, &link).await, used);
    world.assert_refused(&link.token, "the second use").await;
    chat.sign_out(made.session.id).await.expect("signed out");
    let of_unknown = DeviceLinkState { is_open: false, used_by: Some(String::new()) };
    assert_eq!(world.link_state(&alice, &link).await, of_unknown);
}

#[tokio::test]
async fn a_link_needs_the_password_and_replaces_the_earlier_one() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let wrong = chat.create_device_link(&alice, "wrong-Harbor-92", SOMEWHERE).await;
    assert_eq!(code(wrong.map(drop)), ErrorCode::WrongPassword);
    let (first, second) = (world.link(&alice).await, world.link(&alice).await);
    assert_eq!(world.home.number("select count(*) from device_links"), 1);
    world.assert_refused(&first.token, "it was replaced").await;
    assert_eq!(world.link_state(&alice, &first).await, DeviceLinkState::default());
    for forged in ["", "x", &second.id, &second.token[1..], &"A".repeat(43)] {
        world.assert_refused(forged, "it was forged").await;
    }
    let (bob, other) = (world.person("bob").await, world.sign_in_again("alice").await);
    for stranger in [&bob, &other] {
        assert_eq!(world.link_state(stranger, &second).await, DeviceLinkState::default());
        chat.withdraw_device_link(stranger, &second.id).await.expect("an answer");
    }
    assert_eq!(world.link_state(&alice, &second).await, open());
    chat.withdraw_device_link(&alice, "no id").await.expect("an answer");
    chat.withdraw_device_link(&alice, &second.id).await.expect("withdrawn");
    world.assert_refused(&second.token, "it was withdrawn").await;
}

impl World {
    async fn sign_in_again(&self, username: &str) -> Session {
        self.chat.sign_in(username, PASSWORD, SOMEWHERE).await.expect("signed in").session
    }
}

#[tokio::test]
async fn a_link_ends_with_its_session_the_password_and_the_account() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let other = world.sign_in_again("alice").await;
    let link = world.link(&other).await;
    chat.sign_out(other.id).await.expect("signed out");
    world.assert_refused(&link.token, "its session has ended").await;
    let late = chat.create_device_link(&other, PASSWORD, SOMEWHERE).await;
    assert_eq!(code(late.map(drop)), ErrorCode::Unauthenticated);

    let link = world.link(&alice).await;
    let new = "another-Harbor-93";
    chat.change_password(&alice, change(PASSWORD, new), SOMEWHERE).await.expect("changed");
    world.assert_refused(&link.token, "the password was changed").await;
    assert_eq!(world.home.number("select count(*) from device_links"), 0);

    let link = chat.create_device_link(&alice, new, SOMEWHERE).await.expect("a link");
    chat.delete_account(&alice, new, SOMEWHERE).await.expect("deleted");
    world.assert_refused(&link.token, "the account was deleted").await;
    assert_eq!(world.home.number("select count(*) from device_links"), 0);
}

#[tokio::test]
async fn a_link_asks_for_no_code_and_makes_the_device_known() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let (key, _) = world.two_steps(&alice).await;
    let link = world.link(&alice).await;
    let made = chat.sign_in_by_link(&link.token, SOMEWHERE).await.expect("signed in");
    // Guesses of strangers, until their limit for the account is used up.
    while code(chat.sign_in("alice", "wrong-Harbor-92", SOMEWHERE).await.map(drop))
        != ErrorCode::RateLimited
    {}
    let device = Client { device_token: Some(made.device_token), ..phone() };
    let again = chat.sign_in_with_code("alice", PASSWORD, &app_code(&key, 1), device).await;
    again.expect("a known device has a count of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_uses_of_a_link_one_succeeds() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    for _ in 0..5 {
        let link = world.link(&alice).await;
        let uses = (0..4).map(|_| world.chat.sign_in_by_link(&link.token, SOMEWHERE));
        let uses = futures::future::join_all(uses).await;
        assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1);
    }
    assert_eq!(world.home.number("select count(*) from sessions"), 6);
}

#[tokio::test]
async fn the_store_refuses_a_link_after_its_time_with_an_old_session_or_another_password() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    world.chat.close().await;
    let store = world.home.store().await;
    let hash = store.password_hash(alice.user.id).await.expect("an answer").expect("a hash");
    let link = |verified, expires_at| NewDeviceLink {
        caller: alice.caller(),
        verified,
        token_hash: &[7; 32],
        expires_at: Timestamp(expires_at),
    };
    let far = 1_000_000_000_000_000;
    let life = |now, oldest_created, oldest_seen| SessionLife {
        now: Timestamp(now),
        oldest_created: Timestamp(oldest_created),
        oldest_seen: Timestamp(oldest_seen),
    };
    assert!(!store.create_device_link(link("another", far)).await.expect("an answer"));
    assert!(store.create_device_link(link(&hash, far)).await.expect("an answer"));
    let session = |token| NewSession {
        id: SessionId::new(),
        user: alice.user.id,
        token_hash: [token; 32],
        device: String::new(),
    };
    for refused in [life(far, 0, 0), life(1, far, 0), life(1, 0, far)] {
        assert_eq!(store.device_link(&[7; 32], refused).await.expect("an answer"), None);
        let used = store.use_device_link(&[7; 32], session(8), 20, refused).await;
        assert!(used.expect("an answer").is_none());
    }
    let of_another = NewSession { user: protocol::UserId::new(), ..session(8) };
    let used = store.use_device_link(&[7; 32], of_another, 20, life(1, 0, 0)).await;
    assert!(used.expect("an answer").is_none());
    // The oldest sessions end for the new one, but not the one that made the link.
    let now = Timestamp(far);
    store.create_session(session(9), &hash, 20, now).await.expect("an answer").expect("a session");
    let used = store.use_device_link(&[7; 32], session(8), 2, life(far - 1, 0, 0)).await;
    let used = used.expect("an answer").expect("used");
    assert_eq!((used.password_hash, used.removed.len()), (hash, 1));
    let left = store.good_sessions(&[alice.id], life(1, 0, 0)).await.expect("an answer");
    assert_eq!(left, [alice.id]);
    store.close().await;
}

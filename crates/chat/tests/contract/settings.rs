//! Changes to a user's own account, and their effect on the user's sessions.

use crate::support::{PASSWORD, SOMEWHERE, World, change, code};
use chat::Client;
use protocol::{CloseCode, ErrorCode, ServerFrame};

const ANOTHER: &str = "marsh-Lantern-41";

#[tokio::test]
async fn a_new_name_is_published_to_peers_and_own_tabs_and_can_be_found() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let stranger = world.person("mallory").await;
    let mut own = world.connect(&alice).await;
    let mut peers = world.connect(&bob).await;
    let mut strangers = world.connect(&stranger).await;
    let renamed = world.chat.set_display_name(&alice, "  Alice   Ash ").await.expect("named");
    assert_eq!(renamed.display_name, "Alice Ash");
    for tab in [&mut own, &mut peers] {
        let name = |frame| match frame {
            ServerFrame::User(user) => Some(user),
            _ => None,
        };
        assert_eq!(tab.until(name).await, renamed);
    }
    strangers.send_frame(&protocol::ClientFrame::Ping).await;
    assert_eq!(strangers.next_frame().await, ServerFrame::Pong, "no stranger is told");
    let seen = world.chat.conversation(bob.user.id, conversation).await.expect("read").peer.user;
    assert_eq!(seen, renamed);
    let found = world.chat.find_people(bob.user.id, "alice a").await.expect("found");
    assert_eq!(found[0].user, renamed);
    let blank = world.chat.set_display_name(&alice, " ").await.expect("named");
    assert_eq!(blank.display_name, "alice", "blank means the username");
    let refused = world.chat.set_display_name(&alice, "\u{202e}").await;
    assert_eq!(code(refused), ErrorCode::DisplayNameInvalid);
    let settings = world.chat.settings(alice.user.id).await.expect("read");
    assert_eq!(settings.user, blank);
    assert!(settings.privacy.receipts && settings.privacy.last_seen, "both are shown at first");
}

#[tokio::test]
async fn name_changes_are_rate_limited() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    for _ in 0..30 {
        world.chat.set_display_name(&alice, "Alice").await.expect("named");
    }
    assert_eq!(code(world.chat.set_display_name(&alice, "A.").await), ErrorCode::RateLimited);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_and_no_others() {
    let world = World::new().await;
    let (alice, bob, _) = world.pair().await;
    let chat = &world.chat;
    let elsewhere = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    let mut here = world.connect(&alice).await;
    let mut there = world.connect(&elsewhere.session).await;
    let mut of_bob = world.connect(&bob).await;
    let cases = [
        ("wrong-Harbor-92", ANOTHER, ErrorCode::WrongPassword),
        (PASSWORD, "short", ErrorCode::PasswordTooShort),
        (PASSWORD, "123456789012345", ErrorCode::PasswordCommon),
    ];
    for (current, new, expected) in cases {
        let refused = chat.change_password(&alice, change(current, new), SOMEWHERE).await;
        assert_eq!(code(refused), expected, "{current} {new}");
    }
    assert!(chat.authenticate(&elsewhere.token).await.expect("an answer").is_some());
    chat.change_password(&alice, change(PASSWORD, ANOTHER), SOMEWHERE).await.expect("changed");
    assert_eq!(there.close_code().await, CloseCode::SessionEnded);
    assert!(chat.authenticate(&elsewhere.token).await.expect("an answer").is_none());
    for tab in [&mut here, &mut of_bob] {
        tab.send_frame(&protocol::ClientFrame::Ping).await;
        while tab.next_frame().await != ServerFrame::Pong {}
    }
    let old = chat.sign_in("alice", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(old.map(|_| ())), ErrorCode::WrongCredentials);
    assert!(chat.sign_in("alice", ANOTHER, SOMEWHERE).await.is_ok());
}

#[tokio::test]
async fn sessions_are_listed_with_their_device_and_can_be_ended_individually() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    let bob = world.person("bob").await;
    let phone =
        Client { address: SOMEWHERE, device: "Firefox · Android".to_owned(), device_token: None };
    let phone = chat.sign_in("alice", PASSWORD, phone).await.expect("signed in").session;
    let tablet = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in").session;
    let listed = chat.sessions(&phone).await.expect("listed");
    assert_eq!(listed.len(), 3);
    assert_eq!(
        (listed[0].id, listed[0].device.as_str(), listed[0].current),
        (phone.id, "Firefox · Android", true)
    );
    assert!(listed[1..].iter().all(|one| !one.current && one.device.is_empty()));
    assert_eq!(code(chat.end_session(&bob, tablet.id).await), ErrorCode::NotFound, "not his");
    let mut on_tablet = world.connect(&tablet).await;
    chat.end_session(&phone, tablet.id).await.expect("ended");
    assert_eq!(on_tablet.close_code().await, CloseCode::SessionEnded);
    assert_eq!(code(chat.end_session(&phone, tablet.id).await), ErrorCode::NotFound, "gone");
    let mut at_first = world.connect(&alice).await;
    chat.end_other_sessions(&phone).await.expect("ended");
    assert_eq!(at_first.close_code().await, CloseCode::SessionEnded);
    let left: Vec<_> = chat.sessions(&phone).await.expect("listed");
    assert_eq!(left.iter().map(|one| one.id).collect::<Vec<_>>(), [phone.id]);
    assert_eq!(chat.sessions(&bob).await.expect("listed").len(), 1);
}

#[tokio::test]
async fn a_sign_in_is_announced_to_the_users_other_connections_only() {
    let world = World::new().await;
    let (alice, bob, _) = world.pair().await;
    let mut here = world.connect(&alice).await;
    let mut peers = world.connect(&bob).await;
    let from = Client { device: "Firefox · Linux".to_owned(), ..Client::from(SOMEWHERE) };
    let wrong = world.chat.sign_in("alice", "wrong password here", from.clone()).await;
    assert_eq!(code(wrong.map(|_| ())), ErrorCode::WrongCredentials);
    let signed_in = world.chat.sign_in("alice", PASSWORD, from).await.expect("signed in");
    let announced = here.until(|frame| match frame {
        ServerFrame::SignedIn { device } => Some(device),
        _ => None,
    });
    assert_eq!(announced.await, "Firefox · Linux");
    let mut new = world.connect(&signed_in.session).await;
    for connection in [&mut here, &mut peers, &mut new] {
        connection.send_frame(&protocol::ClientFrame::Ping).await;
        let next = connection.next_without_presence().await;
        assert_eq!(next, ServerFrame::Pong, "one announcement for one sign-in");
    }
}

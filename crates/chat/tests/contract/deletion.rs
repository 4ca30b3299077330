//! What remains after an account is deleted, and who can see it.

use crate::support::{PASSWORD, SOMEWHERE, World, code};
use protocol::{
    ClientFrame, ClientId, CloseCode, Cursor, ErrorCode, Marks, Presence, Seq, ServerFrame, UserId,
};

async fn bodies(world: &World, me: UserId, id: protocol::ConversationId) -> Vec<String> {
    let page = world.chat.history(me, id, Cursor::Latest).await.expect("read");
    page.messages.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn after_a_deletion_only_the_messages_stay_for_the_peer() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, id) = world.pair().await;
    let elsewhere = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    let invitation = chat.create_invitation(alice.caller()).await.expect("an invitation").token;
    world.send(alice.caller(), id, "I was here").await;
    world.send(bob.caller(), id, "so was I").await;
    let mut here = world.connect(&alice).await;
    let mut there = world.connect(&elsewhere.session).await;
    let mut of_bob = world.connect(&bob).await;

    let wrong = chat.delete_account(&alice, "wrong-Harbor-92", SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");

    assert_eq!(here.close_code().await, CloseCode::SessionEnded);
    assert_eq!(there.close_code().await, CloseCode::SessionEnded);
    assert!(chat.authenticate(&elsewhere.token).await.expect("an answer").is_none());
    let mut offline = false;
    let gone = loop {
        match of_bob.next_frame().await {
            ServerFrame::Presence { presence, .. } => offline = presence == Presence::default(),
            ServerFrame::User(user) => break user,
            other => panic!("received {other:?}"),
        }
    };
    assert!(offline, "nobody is shown as there who is not");
    assert_eq!((gone.id, gone.username.as_str()), (alice.user.id, ""));
    let seen = chat.conversation(bob.user.id, id).await.expect("read");
    assert_eq!((seen.peer.user, seen.peer.presence), (gone, Presence::default()));
    assert_eq!(bodies(&world, bob.user.id, id).await, ["I was here", "so was I"]);
    let left = chat.sign_in("alice", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(left.map(|_| ())), ErrorCode::WrongCredentials);
    let info = chat.invitation(&invitation, SOMEWHERE).await;
    assert_eq!(code(info), ErrorCode::InvitationInvalid);
    assert_eq!(world.home.number("select count(*) from sessions"), 1, "Bob's");
    let kept = "select count(*) from users where deleted_at is not null and (username <> '' \
                or display_name <> '' or password_hash <> '' or last_seen_at is not null \
                or username_key like '%alice%' or display_key like '%alice%' \
                or words_for like '%alice%')";
    assert_eq!(world.home.number(kept), 0);
}

#[tokio::test]
async fn a_deleted_user_cannot_be_found_opened_or_written_to() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, id) = world.pair().await;
    let (a, b) = (alice.user.id, bob.user.id);
    let first = ClientId::new();
    let by_bob = bob.caller();
    let sent = chat.send_message(by_bob, id, first, "before").await.expect("sent");
    chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");

    for typed in ["alice", "", "\u{10ffff}"] {
        let found = chat.find_people(b, typed).await.expect("found");
        assert!(found.is_empty(), "{typed:?}");
    }
    assert_eq!(code(chat.open_conversation(by_bob, a).await), ErrorCode::NotFound);
    let again =
        chat.send_message(by_bob, id, first, "before").await.expect("the first answer again");
    assert_eq!(again, sent);
    let after = chat.send_message(by_bob, id, ClientId::new(), "after").await;
    assert_eq!(code(after), ErrorCode::PeerDeleted);
    let reused = chat.send_message(by_bob, id, first, "another").await;
    assert_eq!(code(reused), ErrorCode::ClientIdReused);
    let mut tab = world.connect(&bob).await;
    tab.send_message(id, "over a line").await;
    let (re, refusal) = tab.next_refusal().await;
    assert_eq!((re.as_deref(), refusal.code), (Some("send"), ErrorCode::PeerDeleted));
    // A peer's deletion does not affect the user's own marks.
    tab.send_frame(&ClientFrame::Read { conversation: id, up_to: Seq(1) }).await;
    chat.mark(by_bob, id, Marks::default()).await.expect("marked");
    assert_eq!(chat.conversation(b, id).await.expect("read").mine.read, Seq(1));
    // A call of the deleted user that was under way is refused.
    let late = chat.send_message(alice.caller(), id, ClientId::new(), "late").await;
    assert_eq!(code(late), ErrorCode::Unauthenticated);
    let late = chat.open_conversation(alice.caller(), b).await;
    assert_eq!(code(late), ErrorCode::Unauthenticated);
    assert_eq!(code(chat.settings(a).await), ErrorCode::Unauthenticated);
    assert_eq!(bodies(&world, b, id).await, ["before"]);
}

#[tokio::test]
async fn when_both_users_are_deleted_the_conversation_is_deleted() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, id) = world.pair().await;
    let carol = world.person("carol").await;
    let kept = world.open(&carol, &bob).await;
    for n in 0..3 {
        world.send(alice.caller(), id, &n.to_string()).await;
        world.send(bob.caller(), kept, &n.to_string()).await;
    }
    chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(world.home.number("select count(*) from messages"), 6);
    chat.delete_account(&bob, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(world.home.number("select count(*) from messages"), 3);
    assert_eq!(world.home.number("select count(*) from members"), 2);
    assert_eq!(world.home.number("select count(*) from conversations"), 1);
    assert_eq!(bodies(&world, carol.user.id, kept).await, ["0", "1", "2"]);
    assert_eq!(world.home.orphans(), 0);
}

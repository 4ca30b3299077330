//! A session that has ended writes nothing more, whatever its connections have not been told yet.

use std::sync::Arc;

use chat::store::{Batch, Deferrable, MarkOutcome, NewMarks, NewMessage, Reach, SendOutcome};
use chat::{Caller, Session};
use protocol::{
    ClientFrame, ClientId, CloseCode, ConversationId, ErrorCode, Marks, Privacy, Seq, ServerFrame,
    Timestamp,
};

use crate::contract::two_step::app_code;
use crate::support::{PASSWORD, SOMEWHERE, World, change, code};

impl World {
    /// Ends a session as another node does that cannot report the end.
    fn end_silently(&self, session: &Session) {
        self.home.end_session(session.id);
    }

    fn messages(&self) -> i64 {
        self.home.number("select count(*) from messages")
    }
}

fn message(by: &Session, conversation: ConversationId) -> NewMessage {
    let Caller { user: sender, session } = by.caller();
    NewMessage { sender, session, conversation, client_id: ClientId::new(), body: "hello".into() }
}

fn marks(by: &Session, conversation: ConversationId) -> NewMarks {
    let Caller { user, session } = by.caller();
    let marks = Marks { delivered: Seq(1), read: Seq(1) };
    NewMarks { user, session, conversation, marks }
}

#[tokio::test]
async fn an_ended_session_stores_no_message_and_its_connection_is_closed() {
    let world = World::new().await;
    let (alice, _bob, conversation) = world.pair().await;
    let mut tab = world.connect(&alice).await;
    tab.send_message(conversation, "before").await;
    assert!(matches!(tab.next_frame().await, ServerFrame::Sent(_)));
    world.end_silently(&alice);
    tab.send_message(conversation, "after").await;
    assert_eq!(tab.close_code().await, CloseCode::SessionEnded);
    let call = world.chat.send_message(alice.caller(), conversation, ClientId::new(), "after");
    assert_eq!(code(call.await), ErrorCode::Unauthenticated);
    assert_eq!(world.messages(), 1);
}

#[tokio::test]
async fn a_call_that_a_sign_out_overtakes_stores_nothing() {
    let world = World::new().await;
    let (alice, _bob, conversation) = world.pair().await;
    let other = world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("in").session;
    let send =
        |by: &Session| world.chat.send_message(by.caller(), conversation, ClientId::new(), "hello");
    send(&alice).await.expect("sent");
    send(&other).await.expect("sent");
    world.chat.sign_out(alice.id).await.expect("signed out");
    assert_eq!(code(send(&alice).await), ErrorCode::Unauthenticated);
    send(&other).await.expect("the other session goes on");
    world.chat.delete_account(&other, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(code(send(&other).await), ErrorCode::Unauthenticated);
    assert_eq!(world.messages(), 3);
}

#[tokio::test]
async fn an_ended_session_moves_no_mark_and_its_connection_is_closed() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    world.send(bob.caller(), conversation, "hello").await;
    for frame in [
        ClientFrame::Delivered { conversation, up_to: Seq(1) },
        ClientFrame::Read { conversation, up_to: Seq(1) },
    ] {
        let again = world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("in").session;
        let mut tab = world.connect(&again).await;
        world.end_silently(&again);
        tab.send_frame(&frame).await;
        assert_eq!(tab.close_code().await, CloseCode::SessionEnded);
        let call = world.chat.mark(again.caller(), conversation, marks(&again, conversation).marks);
        assert_eq!(code(call.await), ErrorCode::Unauthenticated);
    }
    let mine = world.chat.conversation(alice.user.id, conversation).await.expect("read").mine;
    assert_eq!(mine, Marks::default());
}

#[tokio::test]
async fn in_one_batch_only_the_writes_of_valid_sessions_are_stored() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let ended = world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("in").session;
    world.send(bob.caller(), conversation, "first").await;
    world.end_silently(&ended);
    world.chat.close().await;
    let store = world.home.store().await;
    let repeat = message(&ended, conversation);
    let stolen = NewMessage { session: bob.id, ..message(&alice, conversation) };
    let batch = Batch {
        messages: vec![
            repeat.clone(),
            message(&alice, conversation),
            message(&ended, ConversationId::new()),
            stolen,
        ],
        marks: vec![
            marks(&ended, conversation),
            NewMarks { session: bob.id, ..marks(&alice, conversation) },
        ],
        yields: true,
        ..Batch::default()
    };
    let done = store.commit(Arc::new(batch), Timestamp(1)).await.expect("committed");
    let outcomes: Vec<_> = done.messages.iter().filter_map(Deferrable::decided).collect();
    let (seq, sent_at, peer) = (Seq(2), Timestamp(1), bob.user.id);
    let stored = SendOutcome::Stored { seq, sent_at, peer, reach: Reach::default() };
    let ended_too = SendOutcome::SessionEnded;
    assert_eq!(outcomes, [ended_too, stored, ended_too, ended_too]);
    let outcomes: Vec<_> = done.marks.iter().filter_map(Deferrable::decided).collect();
    assert_eq!(outcomes, [MarkOutcome::SessionEnded; 2]);
    assert_eq!(world.messages(), 2);
    // A message that is stored already discloses nothing to an ended session either.
    let own = NewMessage { session: alice.id, ..repeat };
    let again = NewMessage { session: ended.id, ..own.clone() };
    for (message, expected) in [(own, true), (again, false)] {
        let batch = Batch { messages: vec![message], ..Batch::default() };
        let done = store.commit(Arc::new(batch), Timestamp(2)).await.expect("committed");
        let is_stored =
            matches!(done.messages[0].decided(), Some(SendOutcome::Stored { seq: Seq(3), .. }));
        assert_eq!(is_stored, expected);
        assert!(expected || done.messages[0].decided() == Some(SendOutcome::SessionEnded));
    }
    store.close().await;
}

#[tokio::test]
async fn a_session_that_is_too_old_stores_nothing_although_its_row_and_its_connection_exist() {
    for column in ["created_at", "seen_at"] {
        let world = World::new().await;
        let (alice, _bob, conversation) = world.pair().await;
        world.send(alice.caller(), conversation, "before").await;
        let mut tab = world.connect(&alice).await;
        let days = 31_i64 * 24 * 60 * 60 * 1_000;
        world.home.execute(&format!("update sessions set {column} = {column} - {days}"));
        let call = world.chat.send_message(alice.caller(), conversation, ClientId::new(), "after");
        assert_eq!(code(call.await), ErrorCode::Unauthenticated, "{column}");
        let call = world.chat.mark(alice.caller(), conversation, marks(&alice, conversation).marks);
        assert_eq!(code(call.await), ErrorCode::Unauthenticated, "{column}");
        tab.send_message(conversation, "after").await;
        assert_eq!(tab.close_code().await, CloseCode::SessionEnded, "{column}");
        assert_eq!(world.messages(), 1, "{column}");
    }
}

/// Both sends wait in the queue when the writer takes it, so they are in one batch.
#[tokio::test]
async fn a_retry_through_a_new_session_is_not_answered_for_the_ended_one() {
    let world = World::new().await;
    let (alice, _bob, conversation) = world.pair().await;
    let again = world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("in").session;
    world.end_silently(&alice);
    for (first, second) in [(&alice, &again), (&again, &alice)] {
        let id = ClientId::new();
        let send = |by: &Session| world.chat.send_message(by.caller(), conversation, id, "once");
        let (one, two) = tokio::join!(send(first), send(second));
        let (ended, valid) = if first == &alice { (one, two) } else { (two, one) };
        assert_eq!(code(ended), ErrorCode::Unauthenticated);
        valid.expect("sent");
    }
    assert_eq!(world.messages(), 2);
}

/// What calls of an ended session could change.
async fn stored(world: &World, user: &Session) -> Vec<String> {
    let settings = world.chat.settings(user.user.id).await.expect("settings");
    let factor = world.chat.second_factor(user.user.id).await.expect("an answer");
    let counts = ["conversations", "sessions", "invitations", "second_factors", "recovery_codes"]
        .map(|table| world.home.number(&format!("select count(*) from {table}")));
    vec![
        format!("{settings:?} {factor:?} {counts:?}"),
        format!("{}", world.home.number("select count(*) from device_links")),
    ]
}

#[tokio::test]
async fn no_call_of_an_ended_session_changes_anything() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    let (key, _) = world.two_steps(&bob).await;
    let ended = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("in").session;
    let code_of_bob = app_code(&key, 1);
    let of_bob = chat.sign_in_with_code("bob", PASSWORD, &code_of_bob, SOMEWHERE).await;
    let of_bob = of_bob.expect("in").session;
    let invited = chat.create_invitation(carol.caller()).await.expect("an invitation");
    let own = chat.create_invitation(alice.caller()).await.expect("an invitation");
    let key = chat.begin_second_factor(alice.caller()).await.expect("begun");
    for session in [&ended, &of_bob] {
        world.end_silently(session);
    }
    let before = (stored(&world, &alice).await, stored(&world, &bob).await);
    let (me, privacy) = (ended.caller(), Privacy { receipts: false, last_seen: false });
    let from = SOMEWHERE;
    let refused = [
        ("a name", chat.set_display_name(&ended, "Mallory").await.map(drop)),
        ("privacy", chat.set_privacy(me, privacy).await),
        (
            "a password",
            chat.change_password(&ended, change(PASSWORD, "another-Harbor-93"), from)
                .await
                .map(drop),
        ),
        ("an invitation", chat.create_invitation(me).await.map(drop)),
        ("withdrawing", chat.withdraw_invitation(me, &own.id).await),
        ("accepting", chat.accept_invitation(&ended, &invited.token, from).await.map(drop)),
        ("a conversation", chat.open_conversation(me, carol.user.id).await.map(drop)),
        ("the end of a session", chat.end_session(&ended, alice.id).await),
        ("the end of all others", chat.end_other_sessions(&ended).await),
        ("a key", chat.begin_second_factor(me).await.map(drop)),
        ("its code", chat.confirm_second_factor(me, &app_code(&key, 0)).await.map(drop)),
        ("recovery codes", chat.renew_recovery_codes(&of_bob, PASSWORD, from).await.map(drop)),
        ("one step", chat.turn_off_second_factor(&of_bob, PASSWORD, from).await),
        ("a link", chat.create_device_link(&ended, PASSWORD, from).await.map(drop)),
        ("deletion", chat.delete_account(&ended, PASSWORD, from).await),
    ];
    for (what, refused) in refused {
        assert_eq!(code(refused), ErrorCode::Unauthenticated, "{what}");
    }
    assert_eq!((stored(&world, &alice).await, stored(&world, &bob).await), before);
}

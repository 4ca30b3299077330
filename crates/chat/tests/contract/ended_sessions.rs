//! A session that has ended writes nothing more, whatever its connections have not been told yet.

use std::sync::Arc;

use chat::store::{Batch, Deferrable, MarkOutcome, NewMarks, NewMessage, Reach, SendOutcome};
use chat::{Caller, Session};
use protocol::{
    ClientFrame, ClientId, CloseCode, ConversationId, ErrorCode, Marks, Seq, ServerFrame, Timestamp,
};

use crate::support::{PASSWORD, SOMEWHERE, World, code};

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

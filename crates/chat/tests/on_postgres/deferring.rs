//! Writes to a conversation that another node is writing are deferred, and none is lost, refused or
//! reordered.

use std::sync::Arc;

use chat::Caller;
use chat::store::Deferrable::{Decided, Deferred};
use chat::store::{Batch, MarkOutcome, NewMarks, NewMessage, SendOutcome};
use protocol::{
    ClientFrame, ClientId, ConversationId, ErrorCode, Marks, Seq, ServerFrame, Timestamp,
};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::engine::Home;
use crate::support::World;

/// Locks a conversation, like another node during a commit.
async fn writing(home: &Home, conversation: ConversationId) -> PgConnection {
    let mut other = PgConnection::connect(&home.url()).await.expect("a connection");
    sqlx::query("begin").execute(&mut other).await.expect("begun");
    sqlx::query("select 1 from conversations where id = $1 for no key update")
        .bind(conversation.0)
        .execute(&mut other)
        .await
        .expect("locked");
    other
}

/// Rolls the lock's transaction back, and returns when the lock is released; dropping the
/// connection would not wait.
async fn ended(mut other: PgConnection) {
    sqlx::query("rollback").execute(&mut other).await.expect("rolled back");
}

#[tokio::test]
async fn a_batch_defers_writes_to_a_conversation_that_another_node_is_writing() {
    let world = World::new().await;
    let (alice, bob, busy) = world.pair().await;
    let carol = world.person("carol").await;
    let free = world.open(&alice, &carol).await;
    world.send(bob.caller(), busy, "first").await;
    let store = world.home.store().await;
    let message_from = |by: Caller, conversation, body: &str| NewMessage {
        sender: by.user,
        session: by.session,
        conversation,
        client_id: ClientId::new(),
        body: body.to_owned(),
    };
    let message = |conversation, body| message_from(alice.caller(), conversation, body);
    let stranger = carol.caller();
    let marks_of = |Caller { user, session }| {
        let marks = Marks { delivered: Seq(1), read: Seq(1) };
        NewMarks { user, session, conversation: busy, marks }
    };
    let batch = Batch {
        messages: vec![
            message(busy, "second"),
            message(free, "hello"),
            message(busy, "third"),
            message_from(stranger, busy, "not one of the two"),
        ],
        marks: vec![marks_of(alice.caller()), marks_of(stranger)],
        yields: true,
        ..Batch::default()
    };
    let other = writing(&world.home, busy).await;
    let done = store.commit(Arc::new(batch.clone()), Timestamp(1)).await.expect("committed");
    let [Deferred, Decided(SendOutcome::Stored { .. }), Deferred, Decided(SendOutcome::NotFound)] =
        done.messages[..]
    else {
        panic!("{done:?}")
    };
    assert_eq!(done.marks, [Deferred, Decided(MarkOutcome::NotFound)]);
    assert_eq!(world.home.number("select count(*) from messages"), 2);
    ended(other).await;
    let again = store.commit(Arc::new(batch), Timestamp(2)).await.expect("committed");
    let seqs: Vec<_> = again
        .messages
        .iter()
        .filter_map(|outcome| match outcome {
            Decided(SendOutcome::Stored { seq, .. } | SendOutcome::Repeated { seq, .. }) => {
                Some(seq.0)
            }
            _ => None,
        })
        .collect();
    assert_eq!(seqs, [2, 1, 3]);
    assert!(matches!(
        again.marks[..],
        [Decided(MarkOutcome::Moved { .. }), Decided(MarkOutcome::NotFound)]
    ));
    assert_eq!(world.home.orphans(), 0);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deferred_writes_keep_their_order_and_other_writes_do_not_wait_for_them() {
    let world = World::new().await;
    let (alice, _bob, busy) = world.pair().await;
    let carol = world.person("carol").await;
    let free = world.open(&alice, &carol).await;
    let mut tab = world.connect(&alice).await;
    let other = writing(&world.home, busy).await;
    let mut expected = Vec::new();
    for n in 0..10 {
        expected.push(tab.send_message(busy, &n.to_string()).await);
        tokio::task::yield_now().await;
    }
    let nowhere = ConversationId::new();
    tab.send_message(nowhere, "to nobody").await;
    tab.send_frame(&ClientFrame::Read { conversation: busy, up_to: Seq(3) }).await;
    for n in 0..10 {
        // These writes do not wait for the busy conversation.
        world.send(carol.caller(), free, &n.to_string()).await;
    }
    assert_eq!(world.home.number("select count(*) from messages"), 10);
    ended(other).await;
    for n in 10..20 {
        expected.push(tab.send_message(busy, &n.to_string()).await);
    }
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    while sent.len() < expected.len() {
        match tab.next_frame().await {
            ServerFrame::Sent(one) => sent.push((one.client_id, one.seq.0)),
            ServerFrame::Refused { conversation, refusal, re, .. } => {
                refused.push((conversation, refusal.code, re));
            }
            _ => {}
        }
    }
    assert_eq!(sent, expected.into_iter().zip(1..).collect::<Vec<_>>());
    let [(Some(refused_in), ErrorCode::NotFound, _)] = refused[..] else { panic!("{refused:?}") };
    assert_eq!(refused_in, nowhere);
    let mine = world.chat.conversation(alice.user.id, busy).await.expect("mine").mine;
    assert_eq!(mine.read, Seq(3));
    assert_eq!(world.home.orphans(), 0);
}

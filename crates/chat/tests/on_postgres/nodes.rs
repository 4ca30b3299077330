//! Two nodes that write at the same time, many times over.

use std::collections::HashSet;
use std::sync::Arc;

use chat::store::{Batch, Deferrable, MarkOutcome, NewMarks, NewMessage, SendOutcome};
use chat::{Caller, Chat, Config};
use protocol::{
    ClientId, ConversationId, Cursor, ErrorCode, Marks, Message, Seq, Timestamp, UserId,
};
use tokio::task::JoinSet;

use crate::engine::Home;
use crate::support::{World, code, plenty};

/// Starts another node on a store.
pub(crate) async fn another_node(home: &Home) -> Chat {
    let mut config = Config::new(home.database());
    config.rates = plenty();
    Chat::begin(config).await.expect("a node")
}

pub(crate) async fn everything(chat: &Chat, me: UserId, id: ConversationId) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let after = all.last().map_or(Seq::ZERO, |message| message.seq);
        let page = chat.history(me, id, Cursor::After(after)).await.expect("a page");
        if page.messages.is_empty() {
            return all;
        }
        all.extend(page.messages);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conversation_is_dense_and_the_same_through_every_node() {
    let world = World::new().await;
    let other = another_node(&world.home).await;
    let (alice, bob, conversation) = world.pair().await;
    let mut sends = JoinSet::new();
    for n in 0..600 {
        let chat = if n % 3 == 0 { other.clone() } else { world.chat.clone() };
        let from = if n % 2 == 0 { alice.caller() } else { bob.caller() };
        sends.spawn(async move {
            let sent = chat.send_message(from, conversation, ClientId::new(), &n.to_string()).await;
            sent.expect("sent").seq.0
        });
        if n % 50 == 0 {
            // Splits the writes into many batches per node.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    let answered: HashSet<i64> = sends.join_all().await.into_iter().collect();
    assert_eq!(answered, (1..=600).collect());
    let here = everything(&world.chat, alice.user.id, conversation).await;
    assert_eq!(here, everything(&other, bob.user.id, conversation).await);
    assert_eq!(here.iter().map(|m| m.seq.0).collect::<Vec<_>>(), (1..=600).collect::<Vec<_>>());
    assert_eq!(world.home.orphans(), 0);
}

/// Sends two hundred messages, each through all nodes at once, and expects one answer for each
/// message.
pub(crate) async fn repeat_at_once(through: &[&Chat], from: Caller, conversation: ConversationId) {
    let mut sends = JoinSet::new();
    for n in 0..200 {
        let id = ClientId::new();
        for chat in through {
            let chat = (*chat).clone();
            sends.spawn(async move {
                let sent = chat.send_message(from, conversation, id, &n.to_string()).await;
                let sent = sent.expect("an answer");
                (n, sent.seq, sent.sent_at)
            });
        }
    }
    let answers: HashSet<_> = sends.join_all().await.into_iter().collect();
    assert_eq!(answers.len(), 200, "one answer for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_id_through_two_nodes_at_once_has_one_row_and_one_answer() {
    let world = World::new().await;
    let other = another_node(&world.home).await;
    let (alice, bob, conversation) = world.pair().await;
    repeat_at_once(&[&world.chat, &other, &other], alice.caller(), conversation).await;
    assert_eq!(everything(&other, bob.user.id, conversation).await.len(), 200);
    assert_eq!(world.home.orphans(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_id_that_two_nodes_use_at_once_for_different_messages_is_refused_by_one() {
    let world = World::new().await;
    let other = another_node(&world.home).await;
    let (alice, _, to_bob) = world.pair().await;
    let carol = world.person("carol").await;
    let to_carol = world.open(&alice, &carol).await;
    let me = alice.caller();
    for n in 0..50 {
        let id = ClientId::new();
        // Alternates between another conversation and another text.
        let (elsewhere, text) = if n % 2 == 0 { (to_carol, "one") } else { (to_bob, "other") };
        let (one, two) = tokio::join!(
            world.chat.send_message(me, to_bob, id, "one"),
            other.send_message(me, elsewhere, id, text)
        );
        let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].refusal().code, ErrorCode::ClientIdReused);
    }
    assert_eq!(world.home.number("select count(*) from messages"), 50);
}

/// The same ids in opposite order in two conversations, which could deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_with_the_same_ids_in_opposite_orders_do_not_deadlock() {
    let world = World::new().await;
    let (alice, _, to_bob) = world.pair().await;
    let carol = world.person("carol").await;
    let to_carol = world.open(&alice, &carol).await;
    let (one, two) = (world.home.store().await, world.home.store().await);
    for _ in 0..20 {
        let ids: Vec<ClientId> = (0..40).map(|_| ClientId::new()).collect();
        let batch = |ids: Vec<ClientId>, conversation| {
            let message = |client_id| NewMessage {
                sender: alice.user.id,
                session: alice.id,
                conversation,
                client_id,
                body: "hello".into(),
            };
            Arc::new(Batch { messages: ids.into_iter().map(message).collect(), ..Batch::default() })
        };
        let reversed = ids.iter().rev().copied().collect();
        let (forth, back) = tokio::join!(
            one.commit(batch(ids, to_bob), Timestamp(1)),
            two.commit(batch(reversed, to_carol), Timestamp(1))
        );
        let outcomes = [forth.expect("committed").messages, back.expect("committed").messages];
        let outcomes = || outcomes.iter().flatten().filter_map(Deferrable::decided);
        let stored = outcomes().filter(|o| matches!(o, SendOutcome::Stored { .. }));
        let reused = outcomes().filter(|o| *o == SendOutcome::Reused);
        assert_eq!((stored.count(), reused.count()), (40, 40));
    }
    assert_eq!(world.home.deadlocks(), Vec::<String>::new());
    assert_eq!(world.home.orphans(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn marks_only_move_forward_through_every_node() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    for n in 0..100 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
    }
    let stores = [world.home.store().await, world.home.store().await];
    let mut marking = JoinSet::new();
    for (at, store) in stores.into_iter().enumerate() {
        let (user, session) = (bob.user.id, bob.id);
        marking.spawn(async move {
            let mut answered = Marks::default();
            for n in 0..200_i64 {
                let (delivered, read) = (Seq((n * 37 + at as i64) % 101), Seq((n * 13) % 51));
                let marks = Marks { delivered, read };
                let new = NewMarks { user, session, conversation, marks };
                let batch = Batch { marks: vec![new], ..Batch::default() };
                let done = store.commit(Arc::new(batch), Timestamp(n)).await.expect("committed");
                if let Some(MarkOutcome::Moved { marks, .. }) = done.marks[0].decided() {
                    assert!(marks.delivered >= answered.delivered && marks.read >= answered.read);
                    answered = marks;
                }
            }
        });
    }
    let reader = world.chat.clone();
    let watched = tokio::spawn(async move {
        let mut last = Marks::default();
        while last.delivered < Seq(100) || last.read < Seq(50) {
            let page = reader.conversation(bob.user.id, conversation).await.expect("read").mine;
            assert!(page.delivered >= last.delivered && page.read >= last.read);
            assert!(page.read <= page.delivered);
            last = page;
        }
    });
    marking.join_all().await;
    watched.await.expect("forward only");
    let beyond = Marks { delivered: Seq(101), read: Seq(0) };
    let refused = world.chat.mark(bob.caller(), conversation, beyond).await;
    assert_eq!(code(refused), ErrorCode::OutOfRange);
}

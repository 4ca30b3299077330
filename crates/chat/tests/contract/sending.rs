//! A message is stored once, with a dense seq, and sent to every connection concerned.

use std::collections::HashSet;

use crate::support::{World, code};
use protocol::{
    ClientFrame, ClientId, CloseCode, ConversationId, Cursor, ErrorCode, Message, Seq, ServerFrame,
};

/// The whole conversation, in the pages that a client fetches.
async fn everything(world: &World, me: protocol::UserId, id: ConversationId) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let after = all.last().map_or(Seq::ZERO, |message| message.seq);
        let page = world.chat.history(me, id, Cursor::After(after)).await.expect("a page");
        if page.messages.is_empty() {
            return all;
        }
        all.extend(page.messages);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_concurrent_sends_get_dense_seqs_and_both_users_read_the_same() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let chat = world.chat.clone();
        let from = if n % 2 == 0 { alice.caller() } else { bob.caller() };
        sends.spawn(async move {
            let id = ClientId::new();
            let sent = chat.send_message(from, conversation, id, &n.to_string()).await;
            sent.expect("sent").seq
        });
    }
    let told: HashSet<i64> = sends.join_all().await.into_iter().map(|seq| seq.0).collect();
    assert_eq!(told, (1..=1_000).collect());

    let of_alice = everything(&world, alice.user.id, conversation).await;
    let of_bob = everything(&world, bob.user.id, conversation).await;
    assert_eq!(of_alice, of_bob);
    let numbers: Vec<i64> = of_alice.iter().map(|message| message.seq.0).collect();
    assert_eq!(numbers, (1..=1_000).collect::<Vec<_>>());
    let bodies: HashSet<&str> = of_alice.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(bodies.len(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_reach_every_other_connection_in_the_order_of_their_seqs() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut alice_here = world.connect(&alice).await;
    let mut alice_there = world.connect(&alice).await;
    let mut bob_here = world.connect(&bob).await;
    for n in 1..=50 {
        alice_here.send_message(conversation, &n.to_string()).await;
    }
    let mut numbers = Vec::new();
    while numbers.len() < 50 {
        // The sending connection receives the answer, but not the event.
        match alice_here.next_frame().await {
            ServerFrame::Sent(sent) => numbers.push(sent.seq.0),
            ServerFrame::Presence { .. } => {}
            other => panic!("received {other:?}"),
        }
    }
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    for tab in [&mut alice_there, &mut bob_here] {
        let mut received = Vec::new();
        while received.len() < 50 {
            match tab.next_frame().await {
                ServerFrame::Message(message) => {
                    assert_eq!(message.body, message.seq.to_string());
                    received.push(message.seq.0);
                }
                ServerFrame::Presence { .. } => {}
                other => panic!("received {other:?}"),
            }
        }
        assert_eq!(received, (1..=50).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_concurrent_or_later_retry_has_one_row_and_one_answer() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let id = ClientId::new();
    let mut repeats = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let chat = world.chat.clone();
        let from = alice.caller();
        repeats.spawn(async move {
            chat.send_message(from, conversation, id, "once").await.expect("an answer")
        });
    }
    let answers = repeats.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    world.send(bob.caller(), conversation, "between").await;

    let world = world.restart().await;
    let later = world.chat.send_message(alice.caller(), conversation, id, "once").await;
    assert_eq!(later.expect("an answer"), answers[0]);
    let mut tab = world.connect(&alice).await;
    tab.send_frame(&ClientFrame::Send { conversation, client_id: id, body: "once".into() }).await;
    // A repeat is published again, so the event of the previous repeat may still arrive here.
    let answer = loop {
        match tab.next_frame().await {
            ServerFrame::Message(message) => assert_eq!(message.client_id, id),
            other => break other,
        }
    };
    assert_eq!(answer, ServerFrame::Sent(answers[0]));
    assert_eq!(everything(&world, bob.user.id, conversation).await.len(), 2);
}

#[tokio::test]
async fn a_reused_id_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let carol = world.person("carol").await;
    let elsewhere = world.open(&alice, &carol).await;
    let id = ClientId::new();
    let send = |conversation, body| world.chat.send_message(alice.caller(), conversation, id, body);
    send(conversation, "first").await.expect("sent");
    assert_eq!(code(send(conversation, "second").await), ErrorCode::ClientIdReused);
    assert_eq!(code(send(elsewhere, "first").await), ErrorCode::ClientIdReused);
    // Ids of different senders are independent.
    world.chat.send_message(bob.caller(), conversation, id, "mine").await.expect("sent");
    let bodies: Vec<String> = everything(&world, bob.user.id, conversation)
        .await
        .into_iter()
        .map(|message| message.body)
        .collect();
    assert_eq!(bodies, ["first", "mine"]);
    assert!(everything(&world, carol.user.id, elsewhere).await.is_empty());
}

#[tokio::test]
async fn an_id_reused_with_another_text_in_the_same_batch_is_refused() {
    let world = World::new().await;
    let (alice, _bob, conversation) = world.pair().await;
    let mut tab = world.connect(&alice).await;
    let client_id = ClientId::new();
    for body in ["first", "first", "second"] {
        tab.send_frame(&ClientFrame::Send { conversation, client_id, body: body.into() }).await;
    }
    let (mut sent, mut refused) = (0, 0);
    for _ in 0..3 {
        match tab.next_frame().await {
            ServerFrame::Sent(answer) => {
                assert_eq!(answer.seq, Seq(1));
                sent += 1;
            }
            ServerFrame::Refused { refusal, client_id: Some(id), .. } => {
                assert_eq!((refusal.code, id), (ErrorCode::ClientIdReused, client_id));
                refused += 1;
            }
            other => panic!("received {other:?}"),
        }
    }
    assert_eq!((sent, refused), (2, 1));
}

#[tokio::test]
async fn a_foreign_and_a_missing_conversation_get_the_same_answer() {
    let world = World::new().await;
    let (_alice, _bob, foreign) = world.pair().await;
    let carol = world.person("carol").await;
    let mut tab = world.connect(&carol).await;
    for conversation in [foreign, ConversationId::new()] {
        let me = carol.user.id;
        let chat = &world.chat;
        let id = ClientId::new();
        assert_eq!(
            code(chat.send_message(carol.caller(), conversation, id, "hi").await),
            ErrorCode::NotFound
        );
        assert_eq!(code(chat.history(me, conversation, Cursor::Latest).await), ErrorCode::NotFound);
        let beyond = Cursor::After(Seq(99));
        assert_eq!(code(chat.history(me, conversation, beyond).await), ErrorCode::NotFound);
        assert_eq!(code(chat.conversation(me, conversation).await), ErrorCode::NotFound);
        let marks = protocol::Marks { delivered: Seq(1), read: Seq(1) };
        assert_eq!(code(chat.mark(carol.caller(), conversation, marks).await), ErrorCode::NotFound);
        tab.send_message(conversation, "hi").await;
        assert_eq!(tab.next_refusal().await.1.code, ErrorCode::NotFound);
        for frame in [
            ClientFrame::Delivered { conversation, up_to: Seq(1) },
            ClientFrame::Read { conversation, up_to: Seq(1) },
            ClientFrame::Typing { conversation, active: true },
        ] {
            tab.send_frame(&frame).await;
            assert_eq!(tab.next_refusal().await.1.code, ErrorCode::NotFound, "{frame:?}");
        }
    }
}

#[tokio::test]
async fn invalid_bodies_and_frames_are_refused_with_their_own_codes() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut tab = world.connect(&alice).await;
    for (body, expected) in [
        (" \n ", ErrorCode::BodyBlank),
        ("nul\0", ErrorCode::BodyControlCharacter),
        (&"x".repeat(4_001), ErrorCode::BodyTooLong),
    ] {
        let id = tab.send_message(conversation, body).await;
        match tab.next_frame().await {
            ServerFrame::Refused { re, client_id, refusal, .. } => {
                assert_eq!((re.as_deref(), client_id), (Some("send"), Some(id)));
                assert_eq!(refusal.code, expected);
            }
            other => panic!("received {other:?}"),
        }
    }
    for text in ["", "{", "[]", "{\"type\":\"shout\"}", "{\"type\":\"send\"}", "\u{0}", "null"] {
        tab.0.on_text(text).await;
        assert_eq!(tab.next_refusal().await.1.code, ErrorCode::Malformed, "{text:?}");
    }
    assert!(everything(&world, bob.user.id, conversation).await.is_empty());
}

#[tokio::test]
async fn a_rate_limited_sender_gets_a_retry_delay() {
    let world = World::with(|config| {
        config.rates.messages_per_minute = 4.try_into().expect("not zero");
    })
    .await;
    let (alice, _bob, conversation) = world.pair().await;
    let mut tab = world.connect(&alice).await;
    for _ in 0..3 {
        tab.send_message(conversation, "hi").await;
    }
    let mut refusals = Vec::new();
    for _ in 0..3 {
        if let ServerFrame::Refused { refusal, .. } = tab.next_frame().await {
            refusals.push(refusal);
        }
    }
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].code, ErrorCode::RateLimited);
    assert!(refusals[0].retry_after_ms.is_some_and(|ms| (1..=15_000).contains(&ms)));
}

#[tokio::test]
async fn only_the_slow_connection_is_closed_and_its_client_fetches_everything_it_missed() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut slow = world.connect(&bob).await;
    let mut quick = world.connect(&bob).await;
    let mut received = 0;
    for n in 1..=400 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
        loop {
            if let ServerFrame::Message(message) = quick.next_frame().await {
                received += 1;
                assert_eq!(message.seq, Seq(n));
                break;
            }
        }
    }
    assert_eq!(received, 400);
    // The close overtakes the queued events, and its code means reconnect.
    let code = slow.close_code().await;
    assert_eq!(code, protocol::CloseCode::Slow);
    assert_eq!(code.reconnect(), protocol::Reconnect::Yes);
    drop(slow);
    let _again = world.connect(&bob).await;
    assert_eq!(everything(&world, bob.user.id, conversation).await.len(), 400);
}

#[tokio::test]
async fn a_full_node_tells_clients_to_reconnect_later() {
    let world = World::with(|config| config.max_connections = 1).await;
    let (alice, bob, _) = world.pair().await;
    let tab = world.connect(&alice).await;
    let refused = world.chat.connect(bob.clone()).await.err();
    assert_eq!(refused, Some(CloseCode::Unavailable));
    drop(tab);
    world.connect(&bob).await;
}

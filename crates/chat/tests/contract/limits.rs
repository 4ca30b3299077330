//! Bounds of what one user can use up: frames, typing events, conversations, reads, stored bytes.

use std::num::NonZeroU32;

use chat::Rates;
use protocol::{
    ClientFrame, ClientId, CloseCode, Cursor, ErrorCode, Marks, Reconnect, Seq, ServerFrame,
};

use crate::support::{PASSWORD, SOMEWHERE, World, code, plenty};

fn few(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

async fn with_rates(change: impl FnOnce(&mut Rates)) -> World {
    World::with(|config| change(&mut config.rates)).await
}

#[tokio::test]
async fn a_client_that_does_not_wait_after_refusals_is_disconnected() {
    let world = with_rates(|rates| rates.frames_per_second = few(1)).await;
    let (alice, bob, _) = world.pair().await;
    let mut of_bob = world.connect(&bob).await;
    // A new connection of the same user does not begin anew.
    let mut refusals = Vec::new();
    for _ in 0..2 {
        let mut tab = world.connect(&alice).await;
        let mut refused = 0_u32;
        let closed = loop {
            tab.send_frame(&ClientFrame::Ping).await;
            match tab.next().await {
                chat::Outgoing::Frame(_) => refused += 1,
                chat::Outgoing::Close(code) => break code,
            }
        };
        assert_eq!(closed, CloseCode::TooManyRefused);
        assert_eq!(closed.reconnect(), Reconnect::Yes);
        refusals.push(refused);
    }
    assert!(refusals[0] >= 1_200 && refusals[1] < 1_200, "{refusals:?}");
    of_bob.send_frame(&ClientFrame::Ping).await;
    while of_bob.next_frame().await != ServerFrame::Pong {}
}

#[tokio::test]
async fn typing_events_of_a_conversation_are_bounded() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut of_alice = world.connect(&alice).await;
    let mut of_bob = world.connect(&bob).await;
    for n in 0..200 {
        of_alice.send_frame(&ClientFrame::Typing { conversation, active: n % 2 == 0 }).await;
    }
    of_alice.send_message(conversation, "done").await;
    let mut events = 0;
    loop {
        match of_bob.next_frame().await {
            ServerFrame::Typing { .. } => events += 1,
            ServerFrame::Message(_) => break,
            _ => {}
        }
    }
    assert!((10..100).contains(&events), "{events}");
}

#[tokio::test]
async fn new_conversations_of_a_user_are_bounded_and_existing_ones_open() {
    let world = with_rates(|rates| rates.conversations_per_hour = few(4)).await;
    let alice = world.person("alice").await;
    let mut peers = Vec::new();
    for n in 0..3 {
        peers.push(world.person(&format!("peer{n}")).await);
    }
    let open = |peer: usize| world.chat.open_conversation(alice.caller(), peers[peer].user.id);
    for peer in [0, 1] {
        open(peer).await.expect("opened");
    }
    let refused = open(2).await.expect_err("a burst of half an hour's worth").refusal();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after_ms.is_some());
    open(0).await.expect("it exists");
    world.open(&peers[2], &alice).await;
    open(2).await.expect("the peer has opened it");
}

#[tokio::test]
async fn reads_of_a_user_are_bounded() {
    let world = with_rates(|rates| rates.reads_per_minute = few(8)).await;
    let (alice, bob, conversation) = world.pair().await;
    let me = alice.user.id;
    let chat = &world.chat;
    chat.history(me, conversation, Cursor::Latest).await.expect("read");
    chat.conversations(me, None).await.expect("read");
    chat.conversation(me, conversation).await.expect("read");
    chat.tick_times(me, conversation).await.expect("read");
    let refused = [
        code(chat.history(me, conversation, Cursor::Latest).await.map(drop)),
        code(chat.conversations(me, None).await.map(drop)),
        code(chat.conversation(me, conversation).await.map(drop)),
        code(chat.tick_times(me, conversation).await.map(drop)),
    ];
    assert_eq!(refused, [ErrorCode::RateLimited; 4]);
    chat.history(bob.user.id, conversation, Cursor::Latest).await.expect("read");
}

#[tokio::test]
async fn the_stored_bytes_of_a_user_are_bounded_per_day() {
    let world = with_rates(|rates| rates.message_mebibytes_per_day = few(1)).await;
    let (alice, bob, conversation) = world.pair().await;
    let long = "😀".repeat(4_000);
    let send = |by, body| world.chat.send_message(by, conversation, ClientId::new(), body);
    for _ in 0..64 {
        send(alice.caller(), &long).await.expect("sent");
    }
    let refused = send(alice.caller(), &long).await.expect_err("a mebibyte").refusal();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after_ms.is_some_and(|ms| ms > 1_000), "{refused}");
    send(bob.caller(), &long).await.expect("another user");
    let mut tab = world.connect(&alice).await;
    tab.send_message(conversation, &long).await;
    assert_eq!(tab.next_refusal().await.1.code, ErrorCode::RateLimited);
}

#[tokio::test]
async fn a_full_store_takes_no_messages_accounts_and_conversations() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let carol = world.person("carol").await;
    let world = world.restart_with(|config| config.max_store_bytes = Some(1)).await;
    let chat = &world.chat;
    let send = || chat.send_message(alice.caller(), conversation, ClientId::new(), "hello");
    let refused = send().await.expect_err("it is full").refusal();
    assert_eq!(refused.code, ErrorCode::StorageFull);
    assert!(refused.retry_after_ms.is_some() && refused.code.retry() == protocol::Retry::Later);
    let mut tab = world.connect(&alice).await;
    tab.send_message(conversation, "hello").await;
    assert_eq!(tab.next_refusal().await.1.code, ErrorCode::StorageFull);
    let made = chat.sign_up("dora", "", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(made.map(drop)), ErrorCode::StorageFull);
    let opened = chat.open_conversation(alice.caller(), carol.user.id).await;
    assert_eq!(code(opened), ErrorCode::StorageFull);
    // What needs no room still works.
    assert_eq!(world.open(&alice, &bob).await, conversation);
    chat.mark(bob.caller(), conversation, Marks::default()).await.expect("marked");
    chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    drop(tab);

    let enough = |config: &mut chat::Config| {
        config.rates = plenty();
        config.max_store_bytes = Some(1 << 40);
    };
    let world = world.restart_with(enough).await;
    assert_eq!(world.send(alice.caller(), conversation, "hello").await, Seq(1));
}

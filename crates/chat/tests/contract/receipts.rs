//! Marks only move forward, and both users' connections receive them.

use crate::support::{World, code};
use protocol::{ClientFrame, ErrorCode, Marks, Seq, ServerFrame, TickTime, TickTimes};

async fn marks(world: &World, me: protocol::UserId, id: protocol::ConversationId) -> Marks {
    world.chat.conversation(me, id).await.expect("a conversation").mine
}

#[tokio::test]
async fn marks_only_move_forward_and_read_implies_delivered() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    for n in 0..10 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
    }
    let me = bob.user.id;
    let steps = [
        ((3, 0), (3, 0)),
        ((2, 0), (3, 0)),
        ((0, 5), (5, 5)),
        ((4, 4), (5, 5)),
        ((9, 1), (9, 5)),
        ((10, 10), (10, 10)),
        ((0, 0), (10, 10)),
    ];
    for ((delivered, read), expected) in steps {
        let new = Marks { delivered: Seq(delivered), read: Seq(read) };
        world.chat.mark(bob.caller(), conversation, new).await.expect("marked");
        let expected = Marks { delivered: Seq(expected.0), read: Seq(expected.1) };
        assert_eq!(marks(&world, me, conversation).await, expected, "after {new:?}");
    }
    for (delivered, read) in [(11, 0), (0, 11), (-1, 0), (0, -1), (i64::MAX, 0), (i64::MIN, 0)] {
        let new = Marks { delivered: Seq(delivered), read: Seq(read) };
        assert_eq!(
            code(world.chat.mark(bob.caller(), conversation, new).await),
            ErrorCode::OutOfRange
        );
    }
    let world = world.restart().await;
    assert_eq!(marks(&world, me, conversation).await, Marks { delivered: Seq(10), read: Seq(10) });
}

#[tokio::test]
async fn concurrent_marks_in_any_order_end_at_the_highest() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    for n in 0..100 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
    }
    let mut tab = world.connect(&bob).await;
    let mut numbers: Vec<i64> = (1..=100).collect();
    numbers.reverse();
    numbers.rotate_left(37);
    for n in numbers {
        let up_to = Seq(n);
        tab.send_frame(&ClientFrame::Delivered { conversation, up_to }).await;
        tab.send_frame(&ClientFrame::Read { conversation, up_to: Seq(n / 2) }).await;
    }
    // Calls and frames use the same queue, so this call is handled last.
    world.chat.mark(bob.caller(), conversation, Marks::default()).await.expect("marked");
    let expected = Marks { delivered: Seq(100), read: Seq(50) };
    assert_eq!(marks(&world, bob.user.id, conversation).await, expected);
}

#[tokio::test]
async fn a_receipt_reaches_the_peer_and_the_readers_other_tabs_and_never_moves_back() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    for n in 0..5 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
    }
    let mut bob_here = world.connect(&bob).await;
    let mut bob_there = world.connect(&bob).await;
    let mut alice_here = world.connect(&alice).await;
    for frame in [
        ClientFrame::Delivered { conversation, up_to: Seq(5) },
        ClientFrame::Delivered { conversation, up_to: Seq(1) },
        ClientFrame::Read { conversation, up_to: Seq(4) },
    ] {
        bob_here.send_frame(&frame).await;
    }
    for tab in [&mut alice_here, &mut bob_there] {
        let mut last = Marks::default();
        while last.read < Seq(4) {
            if let ServerFrame::Receipt { conversation: at, user, delivered, read } =
                tab.next_frame().await
            {
                assert_eq!((at, user), (conversation, bob.user.id));
                assert!(delivered >= last.delivered && read >= last.read && read <= delivered);
                last = Marks { delivered, read };
            }
        }
        assert_eq!(last, Marks { delivered: Seq(5), read: Seq(4) });
    }
    bob_here.send_frame(&ClientFrame::Read { conversation, up_to: Seq(6) }).await;
    let refused = |frame| match frame {
        ServerFrame::Refused { re, refusal, .. } => Some((re, refusal)),
        _ => None,
    };
    let (re, refusal) = bob_here.until(refused).await;
    assert_eq!((re.as_deref(), refusal.code), (Some("read"), ErrorCode::OutOfRange));
}

#[tokio::test]
async fn the_unread_count_is_the_number_of_the_peers_messages_after_the_read_mark() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let unread =
        async |me| world.chat.conversation(me, conversation).await.expect("a conversation").unread;
    for n in 0..4 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
    }
    world.send(bob.caller(), conversation, "answer").await;
    world.send(alice.caller(), conversation, "again").await;
    assert_eq!((unread(alice.user.id).await, unread(bob.user.id).await), (1, 5));
    let read = Marks { delivered: Seq(4), read: Seq(4) };
    world.chat.mark(bob.caller(), conversation, read).await.expect("marked");
    assert_eq!(unread(bob.user.id).await, 1);
    let read = Marks { delivered: Seq(6), read: Seq(6) };
    world.chat.mark(bob.caller(), conversation, read).await.expect("marked");
    assert_eq!(unread(bob.user.id).await, 0);
}

#[tokio::test]
async fn the_time_of_a_mark_is_the_time_of_its_last_move() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let stranger = world.person("mallory").await.user.id;
    for n in 0..3 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
    }
    let times = async || world.chat.tick_times(alice.user.id, conversation).await.expect("mine");
    let never = times().await;
    assert_eq!(never, TickTimes::default());
    let mark = async |delivered, read| {
        let marks = Marks { delivered: Seq(delivered), read: Seq(read) };
        world.chat.mark(bob.caller(), conversation, marks).await.expect("marked");
        // Makes the next time differ from this one, because times have a resolution of a
        // millisecond.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    mark(2, 0).await;
    let delivered = times().await;
    assert_eq!((delivered.delivered.up_to, delivered.read), (Seq(2), TickTime::default()));
    mark(2, 1).await;
    let read = times().await;
    assert_eq!(read.delivered, delivered.delivered, "a mark that stays keeps its time");
    assert!(read.read.at > delivered.delivered.at);
    mark(1, 1).await;
    assert_eq!(times().await, read, "a repeat moves nothing");
    mark(3, 3).await;
    let all = times().await;
    assert_eq!((all.delivered.up_to, all.read.up_to), (Seq(3), Seq(3)));
    assert!(all.delivered.at == all.read.at && all.read.at > read.read.at);
    let foreign = world.chat.tick_times(stranger, conversation).await;
    assert_eq!(code(foreign), ErrorCode::NotFound);
    let world = world.restart().await;
    assert_eq!(world.chat.tick_times(alice.user.id, conversation).await.expect("mine"), all);
}

//! A user's hidden presence and receipts appear nowhere, and the user does not see those of others.

use crate::support::{Tab, World};
use chat::Session;
use protocol::{
    ClientFrame, ConversationId, Cursor, Marks, Presence, Privacy, Seq, ServerFrame, UserId,
};

const ALL: Privacy = Privacy { receipts: true, last_seen: true };

fn marks(delivered: i64, read: i64) -> Marks {
    Marks { delivered: Seq(delivered), read: Seq(read) }
}

async fn set(world: &World, who: &Session, privacy: Privacy) {
    world.chat.set_privacy(who.caller(), privacy).await.expect("set");
}

/// The peer's marks, compared across all calls that return them.
async fn theirs(world: &World, me: UserId, id: ConversationId) -> Marks {
    let chat = &world.chat;
    let one = chat.conversation(me, id).await.expect("read").theirs;
    let list = chat.conversations(me, None).await.expect("read").conversations;
    let page = chat.history(me, id, Cursor::Latest).await.expect("read").theirs;
    let times = chat.tick_times(me, id).await.expect("read");
    let ticks = Marks { delivered: times.delivered.up_to, read: times.read.up_to };
    assert_eq!((list[0].theirs, page, ticks), (one, one, one), "all ways say the same");
    assert_eq!(times.read.at.is_some(), one.read > Seq::ZERO, "nor is the time told");
    one
}

/// Waits for the next receipt of this user.
async fn receipt_of(tab: &mut Tab, whose: UserId) -> Marks {
    tab.until(|frame| match frame {
        ServerFrame::Receipt { user, delivered, read, .. } if user == whose => {
            Some(Marks { delivered, read })
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn read_marks_are_hidden_for_both_users_if_one_hides_them() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    let (a, b) = (alice.user.id, bob.user.id);
    for n in 0..4 {
        world.send(alice.caller(), id, &n.to_string()).await;
    }
    world.chat.mark(alice.caller(), id, marks(4, 2)).await.expect("marked");
    world.chat.mark(bob.caller(), id, marks(4, 3)).await.expect("marked");
    let hides = Privacy { receipts: false, ..ALL };
    for (of_alice, of_bob, shown) in
        [(ALL, ALL, true), (hides, ALL, false), (ALL, hides, false), (hides, hides, false)]
    {
        set(&world, &alice, of_alice).await;
        set(&world, &bob, of_bob).await;
        let read = |read| if shown { read } else { 0 };
        assert_eq!(theirs(&world, a, id).await, marks(4, read(3)), "{of_alice:?} {of_bob:?}");
        assert_eq!(theirs(&world, b, id).await, marks(4, read(2)), "{of_alice:?} {of_bob:?}");
        let mine = world.chat.conversation(b, id).await.expect("read");
        assert_eq!((mine.mine, mine.unread), (marks(4, 3), 1), "one's own are always true");
    }
    set(&world, &alice, ALL).await;
    set(&world, &bob, ALL).await;
    assert_eq!(theirs(&world, a, id).await, marks(4, 3), "shown again");
}

#[tokio::test]
async fn a_hidden_read_mark_reaches_only_the_readers_own_tabs() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    let b = bob.user.id;
    for n in 0..3 {
        world.send(alice.caller(), id, &n.to_string()).await;
    }
    // Alice hides her receipts, so she does not see Bob's.
    set(&world, &alice, Privacy { receipts: false, ..ALL }).await;
    let mut of_alice = world.connect(&alice).await;
    let mut here = world.connect(&bob).await;
    let mut there = world.connect(&bob).await;
    here.send_frame(&ClientFrame::Delivered { conversation: id, up_to: Seq(2) }).await;
    assert_eq!(receipt_of(&mut of_alice, b).await, marks(2, 0));
    assert_eq!(receipt_of(&mut there, b).await, marks(2, 0));
    here.send_frame(&ClientFrame::Read { conversation: id, up_to: Seq(1) }).await;
    assert_eq!(receipt_of(&mut there, b).await, marks(2, 1));
    here.send_frame(&ClientFrame::Read { conversation: id, up_to: Seq(3) }).await;
    assert_eq!(receipt_of(&mut there, b).await, marks(3, 3));
    // No frame came in between, not even one that would disclose when Bob read.
    assert_eq!(receipt_of(&mut of_alice, b).await, marks(3, 0));
}

/// The peer's presence, compared across all calls that return it.
async fn presence(world: &World, me: &Session, peer: &Session, id: ConversationId) -> Presence {
    let (chat, me) = (&world.chat, me.user.id);
    let one = chat.conversation(me, id).await.expect("read").peer.presence;
    let list = chat.conversations(me, None).await.expect("read").conversations;
    let recent = chat.find_people(me, "").await.expect("found");
    let found = chat.find_people(me, &peer.user.username).await.expect("found");
    for other in [list[0].peer.presence, recent[0].presence, found[0].presence] {
        assert_eq!(other, one, "all ways say the same");
    }
    one
}

#[tokio::test]
async fn presence_is_hidden_for_both_users_if_one_hides_it() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    world.send(alice.caller(), id, "listed for both from now on").await;
    let mut of_alice = world.connect(&alice).await;
    let mut of_bob = world.connect(&bob).await;
    // A last-seen time is queued before its presence is pushed; the mark follows it in the same
    // queue.
    while !matches!(of_alice.next_frame().await, ServerFrame::Presence { .. }) {}
    world.chat.mark(alice.caller(), id, Marks::default()).await.expect("after what was queued");
    let hides = Privacy { last_seen: false, ..ALL };
    for (mine, theirs) in [(hides, ALL), (ALL, hides), (hides, hides)] {
        set(&world, &alice, mine).await;
        set(&world, &bob, theirs).await;
        assert_eq!(presence(&world, &alice, &bob, id).await, Presence::default());
        assert_eq!(presence(&world, &bob, &alice, id).await, Presence::default());
    }
    set(&world, &alice, ALL).await;
    set(&world, &bob, ALL).await;
    for (me, peer) in [(&alice, &bob), (&bob, &alice)] {
        let presence = presence(&world, me, peer, id).await;
        assert!(presence.online && presence.last_seen.is_some());
    }
    // Typing is sent whatever is hidden.
    set(&world, &alice, hides).await;
    of_alice.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    while !matches!(of_bob.next_frame().await, ServerFrame::Typing { active: true, .. }) {}
}

#[tokio::test]
async fn hiding_presence_is_published_at_once_and_later_changes_are_not() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    // A second peer whose presence Bob sees.
    let carol = world.person("carol").await;
    let with_carol = world.open(&carol, &bob).await;
    world.acquaint(&carol, &bob, with_carol).await;
    let mut of_bob = world.connect(&bob).await;
    let of_carol = world.connect(&carol).await;
    let carol_is_online = |frame: &ServerFrame| match frame {
        ServerFrame::Presence { user, presence } if *user == carol.user.id => presence.online,
        other => panic!("received {other:?}"),
    };
    assert!(carol_is_online(&of_bob.next_frame().await));
    let of_alice = world.connect(&alice).await;
    let told = |frame: &ServerFrame| match frame {
        ServerFrame::Presence { user, presence } if *user == alice.user.id => Some(*presence),
        _ => None,
    };
    assert!(told(&of_bob.next_frame().await).is_some_and(|presence| presence.online));
    set(&world, &alice, Privacy { last_seen: false, ..ALL }).await;
    assert_eq!(told(&of_bob.next_frame().await), Some(Presence::default()));
    drop(of_alice);
    drop(of_carol);
    // Grace periods end in the order in which they began.
    assert!(!carol_is_online(&of_bob.next_frame().await));
    let mut of_alice = world.connect(&alice).await;
    of_alice.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    let next = of_bob.next_frame().await;
    assert!(matches!(next, ServerFrame::Typing { .. }), "{next:?}");
    set(&world, &alice, ALL).await;
    assert!(told(&of_bob.next_frame().await).is_some_and(|presence| presence.online));
}

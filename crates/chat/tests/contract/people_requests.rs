//! Messages of strangers wait as a request, and disclose nothing of the user before an answer.

use std::num::NonZeroU32;

use chat::Session;
use protocol::{
    ClientFrame, ConversationId, Cursor, ErrorCode, Marks, Presence, Seq, ServerFrame, TickTimes,
    Timestamp, UserId,
};

use crate::support::{World, code, plenty};

fn marks(seq: i64) -> Marks {
    Marks { delivered: Seq(seq), read: Seq(seq) }
}

async fn list(world: &World, me: UserId) -> (Vec<ConversationId>, u32) {
    let page = world.chat.conversations(me, None).await.expect("a list");
    (page.conversations.iter().map(|one| one.id).collect(), page.requests)
}

async fn requests(world: &World, me: UserId) -> Vec<ConversationId> {
    let page = world.chat.requests(me, None).await.expect("requests");
    assert!(page.conversations.iter().all(|one| one.standing.request));
    page.conversations.iter().map(|one| one.id).collect()
}

async fn theirs(world: &World, me: &Session, id: ConversationId) -> Marks {
    world.chat.conversation(me.user.id, id).await.expect("mine").theirs
}

async fn presence(world: &World, me: &Session, id: ConversationId) -> Presence {
    world.chat.conversation(me.user.id, id).await.expect("mine").peer.presence
}

#[tokio::test]
async fn a_strangers_first_message_waits_as_a_request_until_it_is_answered() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    assert_eq!(list(&world, bob.user.id).await, (vec![], 0), "opening sends nothing");
    world.send(alice.caller(), id, "hello").await;
    assert_eq!(list(&world, bob.user.id).await, (vec![], 1));
    assert_eq!(requests(&world, bob.user.id).await, [id]);
    let seen = world.chat.conversation(bob.user.id, id).await.expect("his");
    assert!(seen.standing.request && seen.unread == 1);
    let text = world.chat.history(bob.user.id, id, Cursor::Latest).await.expect("readable");
    assert_eq!(text.messages[0].body, "hello");
    // The sender sees an ordinary conversation.
    assert_eq!(list(&world, alice.user.id).await, (vec![id], 0));
    let of_alice = world.chat.conversation(alice.user.id, id).await.expect("hers");
    assert!(of_alice.standing.is_usual());

    world.send(bob.caller(), id, "an answer accepts").await;
    assert_eq!(list(&world, bob.user.id).await, (vec![id], 0));
    assert!(requests(&world, bob.user.id).await.is_empty());
    let world = world.restart().await;
    assert_eq!(list(&world, bob.user.id).await, (vec![id], 0));
}

#[tokio::test]
async fn no_receipt_presence_or_typing_reaches_a_stranger_before_the_answer() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    let mut of_alice = world.connect(&alice).await;
    let mut of_bob = world.connect(&bob).await;
    world.send(alice.caller(), id, "hello").await;
    for up_to in [
        ClientFrame::Delivered { conversation: id, up_to: Seq(1) },
        ClientFrame::Read { conversation: id, up_to: Seq(1) },
    ] {
        of_bob.send_frame(&up_to).await;
    }
    // The call is queued behind the frames.
    world.chat.mark(bob.caller(), id, Marks::default()).await.expect("marked");
    of_bob.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    of_alice.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    let received = of_alice.frames().await;
    assert!(
        matches!(received[..], [ServerFrame::Message(_)]),
        "only the own message, sent by a call: {received:?}"
    );
    let of_message = |frame: &ServerFrame| matches!(frame, ServerFrame::Message(_));
    let received = of_bob.frames().await;
    assert!(received.iter().all(of_message), "{received:?}");
    assert_eq!(theirs(&world, &alice, id).await, Marks::default());
    assert_eq!(world.chat.tick_times(alice.user.id, id).await.expect("hers"), TickTimes::default());
    for me in [&alice, &bob] {
        assert_eq!(presence(&world, me, id).await, Presence::default());
    }
    let own = world.chat.conversation(bob.user.id, id).await.expect("his");
    assert_eq!((own.mine, own.unread), (marks(1), 0), "his own devices agree");

    world.chat.accept_request(bob.caller(), id).await.expect("accepted");
    let changed = ServerFrame::Changed { conversation: id };
    assert_eq!(of_alice.frames().await, std::slice::from_ref(&changed));
    assert_eq!(of_bob.frames().await, [changed]);
    assert_eq!(theirs(&world, &alice, id).await, marks(1));
    for me in [&alice, &bob] {
        assert!(presence(&world, me, id).await.online);
    }
    of_alice.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    let user = alice.user.id;
    let typing = ServerFrame::Typing { conversation: id, user, active: true };
    assert_eq!(of_bob.frames().await, [typing]);
}

#[tokio::test]
async fn an_answer_by_a_message_makes_both_pages_fetch_the_conversation() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    world.send(alice.caller(), id, "hello").await;
    let mut of_alice = world.connect(&alice).await;
    let mut of_bob = world.connect(&bob).await;
    world.send(bob.caller(), id, "an answer").await;
    world.send(bob.caller(), id, "another").await;
    let is_changed = |frame: &ServerFrame| *frame == ServerFrame::Changed { conversation: id };
    for tab in [&mut of_alice, &mut of_bob] {
        let frames = tab.frames().await;
        assert_eq!(frames.len(), 3, "{frames:?}");
        assert!(is_changed(&frames[1]), "once, behind the first answer: {frames:?}");
    }
    assert!(presence(&world, &alice, id).await.online);
}

#[tokio::test]
async fn presence_of_users_without_a_conversation_is_hidden_in_searches() {
    let world = World::new().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let _here = world.connect(&bob).await;
    let found = async |typed: &str| {
        let people = world.chat.find_people(alice.user.id, typed).await.expect("people");
        people.iter().map(|person| person.presence).collect::<Vec<_>>()
    };
    for typed in ["bob", ""] {
        assert_eq!(found(typed).await, [Presence::default()]);
    }
    let id = world.open(&alice, &bob).await;
    for typed in ["bob", ""] {
        assert_eq!(found(typed).await, [Presence::default()], "opened only");
    }
    world.acquaint(&alice, &bob, id).await;
    for typed in ["bob", ""] {
        assert!(found(typed).await[0].online);
    }
}

#[tokio::test]
async fn a_deleted_request_is_in_no_list_until_its_sender_writes_again() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    world.send(alice.caller(), id, "hello").await;
    let mut of_alice = world.connect(&alice).await;
    world.chat.delete_request(bob.caller(), id).await.expect("deleted");
    assert_eq!(list(&world, bob.user.id).await, (vec![], 0));
    assert!(requests(&world, bob.user.id).await.is_empty());
    let seen = world.chat.conversation(bob.user.id, id).await.expect("his");
    assert!(seen.standing.unlisted && !seen.standing.request);
    assert!(of_alice.frames().await.is_empty(), "the sender learns nothing");
    assert_eq!(list(&world, alice.user.id).await.0, [id]);
    world.send(alice.caller(), id, "again").await;
    assert_eq!(requests(&world, bob.user.id).await, [id]);
    // A conversation that is no request stays listed.
    world.chat.delete_request(alice.caller(), id).await.expect("nothing to delete");
    assert_eq!(list(&world, alice.user.id).await.0, [id]);
}

#[tokio::test]
async fn a_request_that_is_deleted_and_then_accepted_is_in_the_list() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    world.send(alice.caller(), id, "hello").await;
    world.chat.delete_request(bob.caller(), id).await.expect("deleted");
    world.chat.accept_request(bob.caller(), id).await.expect("accepted");
    assert_eq!(list(&world, bob.user.id).await, (vec![id], 0));
    let seen = world.chat.conversation(bob.user.id, id).await.expect("his");
    assert!(seen.standing.is_usual());
}

#[tokio::test]
async fn accepting_reaches_nobody_who_has_not_spoken() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    let mut of_bob = world.connect(&bob).await;
    for _ in 0..3 {
        world.chat.accept_request(alice.caller(), id).await.expect("accepted");
    }
    assert_eq!(of_bob.frames().await, []);
    // The second acceptance changes nothing, so no page fetches anything.
    let mut of_alice = world.connect(&alice).await;
    world.send(alice.caller(), id, "hello").await;
    world.chat.accept_request(bob.caller(), id).await.expect("accepted");
    world.chat.accept_request(bob.caller(), id).await.expect("accepted");
    let is_changed = |frame: &ServerFrame| matches!(frame, ServerFrame::Changed { .. });
    for tab in [&mut of_alice, &mut of_bob] {
        assert_eq!(tab.frames().await.into_iter().filter(is_changed).count(), 1);
    }
}

#[tokio::test]
async fn the_times_of_ticks_begin_with_the_answer() {
    for by_message in [false, true] {
        let world = World::new().await;
        let (alice, bob, id) = world.strangers().await;
        world.send(alice.caller(), id, "hello").await;
        world.chat.mark(bob.caller(), id, marks(1)).await.expect("read");
        let read_by = chat_time(&world, &alice, &bob).await;
        match by_message {
            true => _ = world.send(bob.caller(), id, "an answer").await,
            false => world.chat.accept_request(bob.caller(), id).await.expect("accepted"),
        }
        let times = world.chat.tick_times(alice.user.id, id).await.expect("hers");
        for time in [times.delivered, times.read] {
            assert_eq!(time.up_to, Seq(1));
            assert!(time.at > Some(read_by), "{times:?}");
        }
    }
}

/// A time of the store that is later than everything stored so far. A millisecond passes after it.
async fn chat_time(world: &World, one: &Session, other: &Session) -> Timestamp {
    let id = world.open(one, other).await;
    world.send(one.caller(), id, "what time is it?").await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let seen = world.chat.conversation(one.user.id, id).await.expect("mine");
    seen.last.expect("a message").sent_at
}

#[tokio::test]
async fn opening_a_conversation_answers_no_request_but_expects_the_first_message() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    world.send(alice.caller(), id, "hello").await;
    assert_eq!(world.open(&bob, &alice).await, id);
    assert_eq!(requests(&world, bob.user.id).await, [id]);
    assert_eq!(presence(&world, &alice, id).await, Presence::default());

    let carol = world.person("carol").await;
    let both = world.open(&carol, &bob).await;
    assert_eq!(world.open(&bob, &carol).await, both);
    world.send(carol.caller(), both, "expected").await;
    assert_eq!(list(&world, bob.user.id).await, (vec![both], 1));
}

#[tokio::test]
async fn an_invitation_counts_as_an_answer_of_both() {
    let world = World::new().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let token = world.chat.create_invitation(alice.caller()).await.expect("an invitation").token;
    let from = crate::support::SOMEWHERE;
    let id = world.chat.accept_invitation(&bob, &token, from).await.expect("accepted");
    world.send(bob.caller(), id, "hello").await;
    assert_eq!(list(&world, alice.user.id).await, (vec![id], 0));
    let _here = world.connect(&bob).await;
    assert!(presence(&world, &alice, id).await.online);
}

#[tokio::test]
async fn requests_are_paged_and_counted_and_only_their_user_answers_them() {
    let world = World::new().await;
    let bob = world.person("bob").await;
    for n in 0..52 {
        let stranger = world.person(&format!("stranger{n}")).await;
        let id = world.open(&stranger, &bob).await;
        world.send(stranger.caller(), id, "hello").await;
    }
    assert_eq!(list(&world, bob.user.id).await, (vec![], 52));
    let first = world.chat.requests(bob.user.id, None).await.expect("a page");
    assert!(first.has_more && first.conversations.len() == 50);
    let last = first.conversations.last().expect("fifty");
    let cursor = protocol::ListCursor { active_at: last.active_at, id: last.id };
    let second = world.chat.requests(bob.user.id, Some(cursor)).await.expect("a page");
    assert!(!second.has_more && second.conversations.len() == 2);
    let (mallory, id) = (world.person("mallory").await, last.id);
    let (chat, me) = (&world.chat, mallory.caller());
    assert_eq!(code(chat.accept_request(me, id).await), ErrorCode::NotFound);
    assert_eq!(code(chat.delete_request(me, id).await), ErrorCode::NotFound);
    assert_eq!(code(chat.set_blocked(me, id, true).await), ErrorCode::NotFound);
    assert_eq!(code(chat.mute(me, id, Timestamp::FOREVER).await), ErrorCode::NotFound);
    let ended = chat::Caller { session: mallory.id, ..bob.caller() };
    for refused in [
        chat.accept_request(ended, id).await,
        chat.delete_request(ended, id).await,
        chat.set_blocked(ended, id, true).await,
        chat.mute(ended, id, Timestamp::FOREVER).await,
    ] {
        assert_eq!(code(refused), ErrorCode::Unauthenticated);
    }
    assert_eq!(list(&world, bob.user.id).await, (vec![], 52), "nothing changed");
}

#[tokio::test]
async fn a_user_begins_a_bounded_number_of_conversations_a_day() {
    let world = World::with(|config| {
        config.rates =
            chat::Rates { requests_per_day: NonZeroU32::new(2).expect("not zero"), ..plenty() };
    })
    .await;
    let alice = world.person("alice").await;
    let mut opened = Vec::new();
    for n in 0..2 {
        let peer = world.person(&format!("peer{n}")).await;
        opened.push((world.open(&alice, &peer).await, peer));
    }
    let third = world.person("third").await;
    let refused = world.chat.open_conversation(alice.caller(), third.user.id).await;
    assert_eq!(code(refused), ErrorCode::RateLimited);
    let (first, peer) = &opened[0];
    assert_eq!(world.open(&alice, peer).await, *first, "existing ones open");
    world.open(&third, &alice).await;
}

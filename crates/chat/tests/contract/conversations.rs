//! Finding people, opening conversations, reading them, and who is there.

use std::time::Duration;

use protocol::{
    ClientFrame, ConversationId, Cursor, ErrorCode, Presence, Seq, ServerFrame, UserId,
};

use crate::support::{PASSWORD, SOMEWHERE, World, code};

#[tokio::test]
async fn both_may_start_and_get_the_same_conversation() {
    let world = World::new().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let (one, two) = tokio::join!(world.open(&alice, &bob), world.open(&bob, &alice));
    assert_eq!(one, two);
    assert_eq!(world.open(&alice, &bob).await, one);
    let me = alice.user.id;
    let chat = &world.chat;
    assert_eq!(code(chat.open_conversation(me, me).await), ErrorCode::NotWithOneself);
    assert_eq!(code(chat.open_conversation(me, UserId::new()).await), ErrorCode::NotFound);
}

#[tokio::test]
async fn an_opened_conversation_is_listed_for_the_other_once_something_is_said() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let listed = async |me| -> Vec<ConversationId> {
        let page = world.chat.conversations(me, None).await.expect("a list");
        page.conversations.iter().map(|one| one.id).collect()
    };
    assert_eq!(listed(alice.user.id).await, [conversation]);
    assert!(listed(bob.user.id).await.is_empty());
    world.send(alice.user.id, conversation, "hello").await;
    assert_eq!(listed(bob.user.id).await, [conversation]);
}

#[tokio::test]
async fn the_list_is_newest_first_and_paged_without_a_hole() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let mut expected = Vec::new();
    for n in 0..60 {
        let peer = world.person(&format!("peer{n}")).await;
        let id = world.open(&alice, &peer).await;
        world.send(peer.user.id, id, &format!("from {n}")).await;
        // The order is by time; two in one millisecond would be in either order.
        tokio::time::sleep(Duration::from_millis(2)).await;
        expected.push(id);
    }
    expected.reverse();
    let me = alice.user.id;
    let first = world.chat.conversations(me, None).await.expect("a page");
    assert!(first.has_more);
    let last = first.conversations.last().expect("fifty");
    let cursor = protocol::ListCursor { active_at: last.active_at, id: last.id };
    let second = world.chat.conversations(me, Some(cursor)).await.expect("a page");
    assert!(!second.has_more);
    let all: Vec<_> = first.conversations.iter().chain(&second.conversations).collect();
    assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), expected);
    let newest = all[0];
    assert_eq!(newest.last.as_ref().map(|message| message.body.as_str()), Some("from 59"));
    assert_eq!((newest.unread, newest.last_seq), (1, Seq(1)));
}

#[tokio::test]
async fn history_is_read_in_dense_pages_from_any_side() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    for n in 1..=120 {
        world.send(alice.user.id, conversation, &n.to_string()).await;
    }
    let page = async |cursor| {
        let page = world.chat.history(bob.user.id, conversation, cursor).await.expect("a page");
        let numbers: Vec<i64> = page.messages.iter().map(|message| message.seq.0).collect();
        (numbers, page.last_seq)
    };
    let run = |from: i64, to: i64| ((from..=to).collect::<Vec<_>>(), Seq(120));
    assert_eq!(page(Cursor::Latest).await, run(71, 120));
    assert_eq!(page(Cursor::Before(Seq(71))).await, run(21, 70));
    assert_eq!(page(Cursor::Before(Seq(21))).await, run(1, 20));
    assert_eq!(page(Cursor::Before(Seq(1))).await, run(1, 0));
    assert_eq!(page(Cursor::After(Seq(0))).await, run(1, 50));
    assert_eq!(page(Cursor::After(Seq(120))).await, run(1, 0));
    assert_eq!(page(Cursor::Around(Seq(60))).await, run(35, 84));
    for cursor in [Cursor::Before(Seq(-3)), Cursor::After(Seq(121)), Cursor::Around(Seq(i64::MAX))]
    {
        let refused = world.chat.history(bob.user.id, conversation, cursor).await;
        assert_eq!(code(refused), ErrorCode::OutOfRange, "{cursor:?}");
    }
}

#[tokio::test]
async fn people_are_found_by_the_start_of_either_name_and_never_oneself() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    for (username, display_name) in
        [("bob", "Robert Stone"), ("bobby", "Älva"), ("carol", "Bo Derek"), ("zed%_", "Zed")]
    {
        let made = world.chat.sign_up(username, display_name, PASSWORD, SOMEWHERE).await;
        assert_eq!(made.is_ok(), username != "zed%_");
    }
    let found = async |typed: &str| -> Vec<String> {
        let people = world.chat.find_people(alice.user.id, typed).await.expect("people");
        people.into_iter().map(|person| person.user.username).collect()
    };
    assert_eq!(found("BOB").await, ["bob", "bobby"]);
    assert_eq!(found("bo").await, ["carol", "bob", "bobby"]);
    assert_eq!(found("rob").await, ["bob"]);
    assert_eq!(found("älv").await, ["bobby"]);
    assert_eq!(found("@carol").await, ["carol"]);
    assert!(found("alice").await.is_empty());
    assert!(found("%").await.is_empty());
    assert_eq!(found("").await.len(), 3);

    let me = world.chat.find_people(alice.user.id, "carol").await.expect("people");
    let id = world.chat.open_conversation(alice.user.id, me[0].user.id).await.expect("opened");
    world.send(alice.user.id, id, "hi").await;
    assert_eq!(found("").await[0], "carol", "whom one talked with comes first");
}

#[tokio::test]
async fn a_closed_directory_shows_only_those_one_knows_or_names() {
    let world = World::with(|config| config.directory_open = false).await;
    let alice = world.person("alice").await;
    let bob = world.person("bob").await;
    world.person("bobby").await;
    let found = async |typed: &str| -> Vec<String> {
        let people = world.chat.find_people(alice.user.id, typed).await.expect("people");
        people.into_iter().map(|person| person.user.username).collect()
    };
    assert!(found("").await.is_empty());
    assert!(found("bo").await.is_empty());
    assert_eq!(found("Bob").await, ["bob"]);
    world.open(&alice, &bob).await;
    assert_eq!(found("").await, ["bob"]);
}

#[tokio::test]
async fn presence_comes_goes_after_a_grace_and_survives_a_reload() {
    // Long enough for a reload on a machine that is busy with other tests.
    let world = World::with(|config| config.presence_grace = Duration::from_secs(3)).await;
    let (alice, bob, conversation) = world.pair().await;
    world.send(alice.user.id, conversation, "hello").await;
    let mut alice_here = world.connect(&alice).await;
    let bob_here = world.connect(&bob).await;
    let presence = async |tab: &mut crate::support::Tab| loop {
        if let ServerFrame::Presence { user, presence } = tab.hears().await {
            assert_eq!(user, bob.user.id);
            return presence;
        }
    };
    assert!(presence(&mut alice_here).await.online);
    // A reload: gone and back within the grace. Nobody is told.
    drop(bob_here);
    let bob_here = world.connect(&bob).await;
    let seen = |world: &World| {
        let chat = world.chat.clone();
        let me = alice.user.id;
        async move { chat.conversation(me, conversation).await.expect("one").peer.presence }
    };
    assert!(seen(&world).await.online);
    drop(bob_here);
    let Presence { online, last_seen } = presence(&mut alice_here).await;
    assert!(!online && last_seen.is_some());
    assert!(!seen(&world).await.online);
}

#[tokio::test]
async fn presence_is_told_to_one_who_only_opened_the_conversation() {
    let world = World::new().await;
    let (alice, bob, _nothing_said) = world.pair().await;
    let mut alice_here = world.connect(&alice).await;
    let _bob_here = world.connect(&bob).await;
    let ServerFrame::Presence { user, presence } = alice_here.hears().await else {
        panic!("no presence")
    };
    assert_eq!((user, presence.online), (bob.user.id, true));
}

#[tokio::test]
async fn typing_reaches_the_peer_alone() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut alice_here = world.connect(&alice).await;
    let mut bob_here = world.connect(&bob).await;
    alice_here.says(&ClientFrame::Typing { conversation, active: true }).await;
    let heard = loop {
        match bob_here.hears().await {
            ServerFrame::Presence { .. } => {}
            other => break other,
        }
    };
    let user = alice.user.id;
    assert_eq!(heard, ServerFrame::Typing { conversation, user, active: true });
    alice_here.says(&ClientFrame::Ping).await;
    loop {
        match alice_here.hears().await {
            ServerFrame::Presence { .. } => {}
            other => {
                assert_eq!(other, ServerFrame::Pong);
                break;
            }
        }
    }
}

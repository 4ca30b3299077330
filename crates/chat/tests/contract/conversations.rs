//! User search, conversations, history pages and presence.

use std::sync::Arc;
use std::time::Duration;

use chat::Caller;
use chat::store::{Batch, NewMessage};
use protocol::{
    ClientFrame, ClientId, ConversationId, Cursor, ErrorCode, Presence, Seq, ServerFrame,
    Timestamp, UserId,
};

use crate::support::{PASSWORD, SOMEWHERE, Tab, World, code};

#[tokio::test]
async fn both_users_may_open_the_conversation_and_get_the_same_one() {
    let world = World::new().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let (one, two) = tokio::join!(world.open(&alice, &bob), world.open(&bob, &alice));
    assert_eq!(one, two);
    assert_eq!(world.open(&alice, &bob).await, one);
    let me = alice.user.id;
    let chat = &world.chat;
    assert_eq!(code(chat.open_conversation(alice.caller(), me).await), ErrorCode::NotWithOneself);
    assert_eq!(
        code(chat.open_conversation(alice.caller(), UserId::new()).await),
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn an_opened_conversation_is_listed_for_the_peer_after_the_first_message() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let listed = async |me| -> Vec<ConversationId> {
        let page = world.chat.conversations(me, None).await.expect("a list");
        page.conversations.iter().map(|one| one.id).collect()
    };
    assert_eq!(listed(alice.user.id).await, [conversation]);
    assert!(listed(bob.user.id).await.is_empty());
    world.send(alice.caller(), conversation, "hello").await;
    assert_eq!(listed(bob.user.id).await, [conversation]);
}

#[tokio::test]
async fn the_list_is_newest_first_and_paged_without_a_gap() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let mut expected = Vec::new();
    for n in 0..60 {
        let peer = world.person(&format!("peer{n}")).await;
        let id = world.open(&alice, &peer).await;
        world.send(peer.caller(), id, &format!("from {n}")).await;
        // The list is ordered by time, and two conversations of the same millisecond have no fixed
        // order.
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
async fn messages_of_one_transaction_order_the_list_by_their_order() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let mut talks = Vec::new();
    for n in 0..8 {
        let peer = world.person(&format!("peer{n}")).await;
        talks.push((peer.caller(), world.open(&alice, &peer).await));
    }
    world.chat.close().await;
    let store = world.home.store().await;
    // The second clock is behind the first commit.
    for now in [Timestamp(4_000_000_000_000), Timestamp(1)] {
        let said = [3, 1, 0, 2, 1, 7, 5, 6, 4, 3].map(|n: usize| {
            let (Caller { user: sender, session }, conversation) = talks[n];
            let (client_id, body) = (ClientId::new(), "hello".to_owned());
            NewMessage { sender, session, conversation, client_id, body }
        });
        let batch = Batch { messages: said.into(), ..Batch::default() };
        store.commit(Arc::new(batch), now).await.expect("stored");
        let listed = store.conversations(alice.user.id, None, 50).await.expect("a list");
        let listed: Vec<_> = listed.iter().map(|seen| seen.conversation.id).collect();
        assert_eq!(listed, [3, 4, 6, 5, 7, 1, 2, 0].map(|n: usize| talks[n].1));
    }
    store.close().await;
}

#[tokio::test]
async fn a_new_message_moves_its_conversation_to_the_top_after_the_clock_was_set_back() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let world = World::new().await;
    let (alice, bob, with_bob) = world.pair().await;
    let me = alice.user.id;
    world.send(bob.caller(), with_bob, "while the clock was a day ahead").await;
    world.home.execute(&format!("update members set active_at = active_at + {DAY_MS}"));
    let listed = async |me| {
        let page = world.chat.conversations(me, None).await.expect("a list");
        page.conversations.iter().map(|one| one.id).collect::<Vec<_>>()
    };

    let (carol, dora) = (world.person("carol").await, world.person("dora").await);
    let with_carol = world.open(&alice, &carol).await;
    let with_dora = world.open(&alice, &dora).await;
    assert_eq!(listed(me).await, [with_dora, with_carol, with_bob]);
    world.send(carol.caller(), with_carol, "hello").await;
    assert_eq!(listed(me).await, [with_carol, with_dora, with_bob]);
    world.send(alice.caller(), with_bob, "hello").await;
    assert_eq!(listed(me).await, [with_bob, with_carol, with_dora]);
    assert_eq!(listed(bob.user.id).await, [with_bob]);

    // `active_at` is only a sort key: the displayed time stays that of the message.
    let shown = world.chat.conversation(me, with_carol).await.expect("read");
    let sent_at = shown.last.expect("a message").sent_at;
    assert!(sent_at.0 + DAY_MS / 2 < shown.active_at.0);
}

#[tokio::test]
async fn the_first_page_contains_the_unread_counts_of_later_conversations() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let me = alice.user.id;
    let mut ids = Vec::new();
    for n in 0..55 {
        let peer = world.person(&format!("peer{n}")).await;
        let id = world.open(&alice, &peer).await;
        // The first five conversations will be after the page: one, two and three messages unread,
        // and two conversations fully read.
        for _ in 0..=n.min(2) {
            world.send(peer.caller(), id, "hello").await;
        }
        if (3..5).contains(&n) {
            let all = protocol::Marks { delivered: Seq(3), read: Seq(3) };
            world.chat.mark(alice.caller(), id, all).await.expect("marked");
        }
        world.home.execute(&format!(
            "update members set active_at = {} where active_at > 1000000",
            1_000 + n
        ));
        ids.push(id);
    }
    // A user's own messages do not count as unread.
    world.send(alice.caller(), ids[4], "mine").await;
    world.home.execute("update members set active_at = 1004 where active_at > 1000000");
    let first = world.chat.conversations(me, None).await.expect("a page");
    assert_eq!(first.conversations.len(), 50);
    let elsewhere: Vec<_> = first.unread_elsewhere.iter().map(|it| (it.id, it.unread)).collect();
    assert_eq!(elsewhere, [(ids[2], 3), (ids[1], 2), (ids[0], 1)]);
    let total: u32 = first.conversations.iter().map(|one| one.unread).sum();
    assert_eq!(total, 50 * 3);
    let last = first.conversations.last().expect("fifty");
    let cursor = protocol::ListCursor { active_at: last.active_at, id: last.id };
    let second = world.chat.conversations(me, Some(cursor)).await.expect("a page");
    assert_eq!((second.conversations.len(), second.unread_elsewhere.len()), (5, 0));
    let nobody = world.chat.conversations(UserId::new(), None).await.expect("a page");
    assert!(nobody.unread_elsewhere.is_empty());
}

#[tokio::test]
async fn history_is_read_in_dense_pages_from_any_cursor() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    for n in 1..=120 {
        world.send(alice.caller(), conversation, &n.to_string()).await;
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
async fn search_finds_users_by_word_prefixes_of_either_name_and_never_the_searcher() {
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
    assert_eq!(found("stone").await, ["bob"]);
    assert_eq!(found("rob").await, ["bob"]);
    assert_eq!(found("älv").await, ["bobby"]);
    assert_eq!(found("@carol").await, ["carol"]);
    assert!(found("alice").await.is_empty());
    assert!(found("...").await.is_empty());
    assert!(found("%").await.is_empty());
    assert_eq!(found("").await.len(), 3);

    let me = world.chat.find_people(alice.user.id, "carol").await.expect("people");
    let id = world.chat.open_conversation(alice.caller(), me[0].user.id).await.expect("opened");
    world.send(alice.caller(), id, "hi").await;
    assert_eq!(found("").await[0], "carol", "whom one talked with comes first");
}

#[tokio::test]
async fn a_closed_directory_shows_only_peers_and_exact_usernames() {
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
    assert_eq!(found("bo").await, ["bob"], "whom one talks with is no secret");
    assert_eq!(found("bob").await, ["bob"]);
}

/// Waits for the next presence, which must be of this user.
async fn presence(tab: &mut Tab, of: UserId) -> Presence {
    loop {
        if let ServerFrame::Presence { user, presence } = tab.next_frame().await {
            assert_eq!(user, of);
            return presence;
        }
    }
}

async fn peer_is_online(world: &World, me: UserId, conversation: ConversationId) -> bool {
    let seen = world.chat.conversation(me, conversation).await.expect("mine");
    seen.peer.presence.online
}

#[tokio::test]
async fn a_user_goes_offline_after_the_presence_grace() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    world.send(alice.caller(), conversation, "hello").await;
    let mut alice_here = world.connect(&alice).await;
    let bob_here = world.connect(&bob).await;
    assert!(presence(&mut alice_here, bob.user.id).await.online);
    assert!(peer_is_online(&world, alice.user.id, conversation).await);
    drop(bob_here);
    let Presence { online, last_seen } = presence(&mut alice_here, bob.user.id).await;
    assert!(!online && last_seen.is_some());
    assert!(!peer_is_online(&world, alice.user.id, conversation).await);
}

#[tokio::test]
async fn presence_survives_a_reload() {
    // Longer than a reload takes on any machine.
    let world = World::with(|config| config.presence_grace = Duration::from_secs(3_600)).await;
    let (alice, bob, conversation) = world.pair().await;
    world.send(alice.caller(), conversation, "hello").await;
    let mut alice_here = world.connect(&alice).await;
    let bob_here = world.connect(&bob).await;
    assert!(presence(&mut alice_here, bob.user.id).await.online);
    // A reconnect within the grace period notifies nobody.
    drop(bob_here);
    let _bob_here = world.connect(&bob).await;
    assert!(peer_is_online(&world, alice.user.id, conversation).await);
    alice_here.send_frame(&ClientFrame::Ping).await;
    assert_eq!(alice_here.next_frame().await, ServerFrame::Pong);
}

#[tokio::test]
async fn presence_reaches_a_user_before_the_first_message() {
    let world = World::new().await;
    let (alice, bob, _nothing_said) = world.pair().await;
    let mut alice_here = world.connect(&alice).await;
    let _bob_here = world.connect(&bob).await;
    let ServerFrame::Presence { user, presence } = alice_here.next_frame().await else {
        panic!("no presence")
    };
    assert_eq!((user, presence.online), (bob.user.id, true));
}

#[tokio::test]
async fn typing_reaches_only_the_peer() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let mut alice_here = world.connect(&alice).await;
    let mut bob_here = world.connect(&bob).await;
    alice_here.send_frame(&ClientFrame::Typing { conversation, active: true }).await;
    let received = bob_here.next_without_presence().await;
    let user = alice.user.id;
    assert_eq!(received, ServerFrame::Typing { conversation, user, active: true });
    alice_here.send_frame(&ClientFrame::Ping).await;
    assert_eq!(alice_here.next_without_presence().await, ServerFrame::Pong);
}

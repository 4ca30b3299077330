//! A block is hidden from the blocked user like an absence, and the blocker gets nothing of them.

use chat::Session;
use protocol::{
    ClientFrame, ClientId, ConversationId, Cursor, ErrorCode, Marks, Presence, Privacy, Seq,
    ServerFrame, Timestamp,
};

use crate::support::{Tab, World, code};

async fn block(world: &World, who: &Session, id: ConversationId, blocked: bool) {
    world.chat.set_blocked(who.caller(), id, blocked).await.expect("changed");
}

/// The texts of a conversation as its user reads them.
async fn texts(world: &World, me: &Session, id: ConversationId) -> Vec<String> {
    let page = world.chat.history(me.user.id, id, Cursor::Latest).await.expect("a page");
    let seqs: Vec<i64> = page.messages.iter().map(|message| message.seq.0).collect();
    assert_eq!(seqs, (1..=page.last_seq.0).collect::<Vec<_>>(), "dense");
    page.messages.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn messages_of_a_blocked_user_are_stored_for_their_sender_alone() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    world.send(alice.caller(), id, "one").await;
    world.send(bob.caller(), id, "two").await;
    let before = world.chat.conversations(bob.user.id, None).await.expect("a list");
    block(&world, &bob, id, true).await;
    let mut of_bob = world.connect(&bob).await;
    let mut of_alice = world.connect(&alice).await;
    let client_id = of_alice.send_message(id, "three").await;
    let sent = of_alice.until(|frame| match frame {
        ServerFrame::Sent(sent) => Some(sent),
        _ => None,
    });
    let sent = sent.await;
    assert_eq!((sent.client_id, sent.seq), (client_id, Seq(3)));
    of_alice.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    of_alice.send_frame(&ClientFrame::Read { conversation: id, up_to: Seq(2) }).await;
    world.chat.mark(alice.caller(), id, Marks::default()).await.expect("after the frame");
    assert_eq!(of_bob.frames().await, [], "no message, receipt, presence or typing");
    assert_eq!(texts(&world, &alice, id).await, ["one", "two", "three"]);
    assert_eq!(texts(&world, &bob, id).await, ["one", "two"]);
    let after = world.chat.conversations(bob.user.id, None).await.expect("a list");
    let [before, after] = [before, after].map(|page| page.conversations[0].clone());
    assert!(after.standing.blocked);
    assert_eq!(
        (after.last, after.last_seq, after.active_at, after.unread),
        (before.last, before.last_seq, before.active_at, 0),
    );
    let refused = world.chat.history(bob.user.id, id, Cursor::After(Seq(3))).await;
    assert_eq!(code(refused), ErrorCode::OutOfRange);
    // A repeat gets the first answer, and the block outlives a restart.
    drop((of_alice, of_bob));
    let world = world.restart().await;
    let again = world.chat.send_message(alice.caller(), id, client_id, "three").await;
    assert_eq!(again.expect("an answer"), sent);
    assert_eq!(texts(&world, &bob, id).await, ["one", "two"]);
}

#[tokio::test]
async fn after_the_block_withheld_messages_keep_their_seqs_and_lose_their_texts() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    world.send(alice.caller(), id, "one").await;
    block(&world, &bob, id, true).await;
    world.send(alice.caller(), id, "two").await;
    world.send(alice.caller(), id, "three").await;
    block(&world, &bob, id, false).await;
    assert_eq!(texts(&world, &bob, id).await, ["one", "", ""]);
    let seen = world.chat.conversation(bob.user.id, id).await.expect("his");
    assert!(seen.standing.is_usual());
    assert!(seen.last.is_some_and(|last| last.is_withheld()));
    assert_eq!((seen.last_seq, seen.unread), (Seq(3), 1), "withheld ones are never unread");
    let mut of_bob = world.connect(&bob).await;
    world.send(alice.caller(), id, "four").await;
    assert!(matches!(&of_bob.frames().await[..], [ServerFrame::Message(m)] if m.body == "four"));
    assert_eq!(texts(&world, &bob, id).await, ["one", "", "", "four"]);
    assert_eq!(texts(&world, &alice, id).await, ["one", "two", "three", "four"]);
    // A second block begins where the first ended.
    block(&world, &bob, id, true).await;
    world.send(alice.caller(), id, "five").await;
    block(&world, &bob, id, true).await;
    assert_eq!(texts(&world, &bob, id).await, ["one", "", "", "four"]);
}

#[tokio::test]
async fn a_block_by_a_user_who_is_away_changes_nothing_that_the_peer_sees() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    let mut of_alice = world.connect(&alice).await;
    drop(world.connect(&bob).await);
    let is_away = |frame: ServerFrame| match frame {
        ServerFrame::Presence { presence, .. } if !presence.online => Some(()),
        _ => None,
    };
    of_alice.until(is_away).await;
    let presence = async || {
        let seen = world.chat.conversation(alice.user.id, id).await.expect("hers");
        seen.peer.presence
    };
    // The last-seen time is stored a moment after the event.
    world.send(alice.caller(), id, "are you there?").await;
    let before = presence().await;
    assert!(before.last_seen.is_some() && !before.online);
    _ = of_alice.frames().await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    for blocked in [true, false] {
        block(&world, &bob, id, blocked).await;
        assert_eq!(of_alice.frames().await, []);
        assert_eq!(presence().await, before);
    }
}

#[tokio::test]
async fn a_blocked_user_reaches_the_blocker_by_no_acceptance_and_the_reverse() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    world.send(alice.caller(), id, "hello").await;
    block(&world, &bob, id, true).await;
    let mut of_alice = world.connect(&alice).await;
    let mut of_bob = world.connect(&bob).await;
    world.chat.accept_request(alice.caller(), id).await.expect("accepted");
    assert_eq!(of_bob.frames().await, []);
    world.chat.accept_request(bob.caller(), id).await.expect("accepted");
    assert_eq!(of_alice.frames().await, []);
}

/// Everything that a user can learn of the conversation, as text. Times of the store are replaced,
/// because no two runs have the same.
async fn everything(world: &World, me: &Session, id: ConversationId, tab: &mut Tab) -> String {
    let client_id = ClientId::new();
    tab.send_frame(&ClientFrame::Send { conversation: id, client_id, body: "hello?".into() }).await;
    tab.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
    let again = ClientFrame::Send { conversation: id, client_id, body: "hello?".into() };
    tab.send_frame(&again).await;
    let other = ClientFrame::Send { conversation: id, client_id, body: "other".into() };
    tab.send_frame(&other).await;
    tab.send_frame(&ClientFrame::Read { conversation: id, up_to: Seq(2) }).await;
    world.chat.mark(me.caller(), id, Marks::default()).await.expect("after the frames");
    let answers = tab.frames().await;
    let (chat, user) = (&world.chat, me.user.id);
    let one = chat.conversation(user, id).await.expect("mine");
    let list = chat.conversations(user, None).await.expect("a list");
    let requests = chat.requests(user, None).await.expect("a list");
    let page = chat.history(user, id, Cursor::Latest).await.expect("a page");
    let ticks = chat.tick_times(user, id).await.expect("mine");
    let opened = chat.open_conversation(me.caller(), one.peer.user.id).await.expect("opened");
    let found = chat.find_people(user, &one.peer.user.username).await.expect("found");
    let blocked = chat.blocked_users(user).await.expect("a list");
    let json =
        serde_json::json!([answers, one, list, requests, page, ticks, opened, found, blocked]);
    let mut text = json.to_string();
    for (secret, name) in [
        (id.to_string(), "CONVERSATION"),
        (client_id.to_string(), "CLIENT"),
        (user.to_string(), "ME"),
        (one.peer.user.id.to_string(), "PEER"),
        (one.peer.user.username.clone(), "USERNAME"),
    ] {
        text = text.replace(&secret, name);
    }
    without_times(&text)
}

/// Replaces every number of 13 digits, which is a time in milliseconds, and the ids of earlier
/// messages.
fn without_times(text: &str) -> String {
    let mut kept = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['.']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        kept.push_str(if digits.len() == 13 { "TIME" } else { &digits });
        digits.clear();
        kept.push(c);
    }
    let ids = kept.split('"').map(|part| {
        let is_id = part.len() == 36 && part.matches('-').count() == 4;
        if is_id { "ID" } else { part }
    });
    ids.collect::<Vec<_>>().join("\"")
}

#[tokio::test]
async fn a_block_and_an_absence_give_the_blocked_user_the_same_answers() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let mut answers = Vec::new();
    for (name, blocks) in [("bob", true), ("carl", false)] {
        let peer = world.person(name).await;
        let id = world.open(&alice, &peer).await;
        world.acquaint(&alice, &peer, id).await;
        world.send(alice.caller(), id, "one").await;
        world.send(peer.caller(), id, "two").await;
        let seen = Marks { delivered: Seq(1), read: Seq(1) };
        world.chat.mark(peer.caller(), id, seen).await.expect("marked");
        let mut here = world.connect(&peer).await;
        let mut of_alice = world.connect(&alice).await;
        if blocks {
            block(&world, &peer, id, true).await;
            let later = Marks { delivered: Seq(2), read: Seq(2) };
            world.chat.mark(peer.caller(), id, later).await.expect("moves nothing");
            here.send_frame(&ClientFrame::Typing { conversation: id, active: true }).await;
            let refused = world.chat.send_message(peer.caller(), id, ClientId::new(), "no").await;
            assert_eq!(code(refused), ErrorCode::PeerBlocked);
        } else {
            drop(here);
        }
        // The peer goes offline in both cases.
        let gone = of_alice.until(|frame| match frame {
            ServerFrame::Presence { user, presence } if user == peer.user.id => Some(presence),
            _ => None,
        });
        let Presence { online, last_seen } = gone.await;
        assert!(!online && last_seen.is_some());
        answers.push(everything(&world, &alice, id, &mut of_alice).await);
        drop(of_alice);
        // Only one conversation is in the list at a time, so that the answers can be compared.
        world.home.execute("update members set active_at = null");
    }
    let [blocked, away] = [&answers[0], &answers[1]];
    assert!(blocked.contains("hello?") && blocked.contains("client_id_reused"));
    assert_eq!(blocked, away);
}

#[tokio::test]
async fn a_request_can_be_blocked_without_a_trace_for_its_sender() {
    let world = World::new().await;
    let (alice, bob, id) = world.strangers().await;
    world.send(alice.caller(), id, "one").await;
    let before = world.chat.conversation(alice.user.id, id).await.expect("hers");
    let mut of_alice = world.connect(&alice).await;
    let _of_bob = world.connect(&bob).await;
    block(&world, &bob, id, true).await;
    assert_eq!(of_alice.frames().await, []);
    assert_eq!(world.chat.conversation(alice.user.id, id).await.expect("hers"), before);
    for page in [
        world.chat.conversations(bob.user.id, None).await.expect("a list"),
        world.chat.requests(bob.user.id, None).await.expect("a list"),
    ] {
        assert!(page.conversations.is_empty() && page.requests == 0);
    }
    let listed = world.chat.blocked_users(bob.user.id).await.expect("a list");
    assert_eq!((listed.len(), listed[0].conversation, &listed[0].user), (1, id, &alice.user));
    world.send(alice.caller(), id, "two").await;
    block(&world, &bob, id, false).await;
    assert!(world.chat.blocked_users(bob.user.id).await.expect("a list").is_empty());
    let page = world.chat.requests(bob.user.id, None).await.expect("a list");
    assert_eq!(page.conversations.len(), 1, "a request again");
    assert_eq!(texts(&world, &bob, id).await, ["one", ""]);
}

#[tokio::test]
async fn the_blocker_cannot_write_and_gets_no_presence_until_the_end_of_the_block() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    let mut of_alice = world.connect(&alice).await;
    let mut of_bob = world.connect(&bob).await;
    let client_id = ClientId::new();
    let sent = world.chat.send_message(bob.caller(), id, client_id, "before").await.expect("sent");
    block(&world, &bob, id, true).await;
    let again = world.chat.send_message(bob.caller(), id, client_id, "before").await;
    assert_eq!(again.expect("the first answer"), sent);
    of_bob.send_message(id, "while blocked").await;
    let refused = of_bob.until(|frame| match frame {
        ServerFrame::Refused { refusal, .. } => Some(refusal.code),
        _ => None,
    });
    assert_eq!(refused.await, ErrorCode::PeerBlocked);
    let seen = world.chat.conversation(bob.user.id, id).await.expect("his").peer.presence;
    assert_eq!(seen, Presence::default());
    let shown = |tab: Vec<ServerFrame>| {
        tab.into_iter().filter_map(|frame| match frame {
            ServerFrame::Presence { user, presence } if user == bob.user.id => Some(presence),
            _ => None,
        })
    };
    let of_block: Vec<_> = shown(of_alice.frames().await).collect();
    assert!(of_block.last().is_some_and(|presence| !presence.online), "{of_block:?}");
    // A change of the presence settings does not show the blocker either.
    for last_seen in [false, true] {
        let privacy = Privacy { receipts: true, last_seen };
        world.chat.set_privacy(bob.caller(), privacy).await.expect("set");
    }
    assert_eq!(shown(of_alice.frames().await).count(), 0);
    block(&world, &bob, id, false).await;
    assert!(shown(of_alice.frames().await).any(|presence| presence.online));
    world.send(bob.caller(), id, "after").await;
    assert_eq!(texts(&world, &alice, id).await, ["before", "after"]);
}

#[tokio::test]
async fn a_muted_conversation_is_muted_on_every_device_and_counts_nothing_elsewhere() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    let mut of_bob = world.connect(&bob).await;
    let mut of_alice = world.connect(&alice).await;
    let until = Timestamp(4_000_000_000_000);
    for (until, expected) in [
        (until, Some(until)),
        (Timestamp(i64::MAX), Some(Timestamp::FOREVER)),
        (Timestamp(0), None),
        (until, Some(until)),
    ] {
        world.chat.mute(bob.caller(), id, until).await.expect("muted");
        let seen = world.chat.conversation(bob.user.id, id).await.expect("his");
        assert_eq!(seen.standing.muted_until, expected);
    }
    let changed = |frame: &ServerFrame| *frame == ServerFrame::Changed { conversation: id };
    let received = of_bob.frames().await;
    assert_eq!(received.iter().filter(|frame| changed(frame)).count(), 4, "{received:?}");
    assert!(!of_alice.frames().await.iter().any(changed), "the peer learns nothing");
    // Beyond the first page, a muted conversation is not counted as unread.
    world.send(alice.caller(), id, "hello").await;
    for n in 0..51 {
        let peer = world.person(&format!("peer{n}")).await;
        world.open(&bob, &peer).await;
    }
    let page = world.chat.conversations(bob.user.id, None).await.expect("a list");
    assert!(page.has_more && page.unread_elsewhere.is_empty());
    world.chat.mute(bob.caller(), id, Timestamp(0)).await.expect("unmuted");
    let page = world.chat.conversations(bob.user.id, None).await.expect("a list");
    assert_eq!(page.unread_elsewhere.len(), 1);
}

//! Nodes whose clocks are ten minutes apart.

use std::sync::Arc;

use chat::store::{Batch, NewMessage, SendOutcome, SessionLife, TokenState};
use protocol::{ClientId, Cursor, Seq, Timestamp};

use crate::support::{PASSWORD, SOMEWHERE, World};

const TEN_MINUTES: i64 = 10 * 60 * 1_000;

#[tokio::test]
async fn messages_are_ordered_by_seq_regardless_of_clocks() {
    let world = World::new().await;
    let (alice, bob, conversation) = world.pair().await;
    let stores = [world.home.store().await, world.home.store().await];
    let now = 1_800_000_000_000;
    for n in 1..=6_i64 {
        let (ahead, sender) = if n % 2 == 0 { (0, &alice) } else { (1, &bob) };
        let message = NewMessage {
            sender: sender.user.id,
            session: sender.id,
            conversation,
            client_id: ClientId::new(),
            body: n.to_string(),
        };
        let batch = Batch { messages: vec![message], ..Batch::default() };
        let at = Timestamp(now + n + ahead * TEN_MINUTES);
        let done = stores[usize::from(ahead == 1)].commit(Arc::new(batch), at).await;
        let done = done.expect("committed").messages[0].decided().expect("not deferred");
        assert!(matches!(done, SendOutcome::Stored { seq: Seq(seq), .. } if seq == n), "{done:?}");
    }
    let page = world.chat.history(alice.user.id, conversation, Cursor::Latest).await.expect("read");
    let bodies: Vec<&str> = page.messages.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(bodies, ["1", "2", "3", "4", "5", "6"]);
    let seen = world.chat.conversation(bob.user.id, conversation).await.expect("read");
    assert_eq!(seen.last.map(|message| message.seq), Some(Seq(6)));
}

#[tokio::test]
async fn a_node_with_a_slow_clock_moves_its_conversations_to_the_top_too() {
    let world = World::new().await;
    let (alice, _, with_bob) = world.pair().await;
    let carol = world.person("carol").await;
    let with_carol = world.open(&alice, &carol).await;
    let (ahead, behind) = (world.home.store().await, world.home.store().await);
    let now = 1_800_000_000_000;
    let say = |conversation| {
        let message = NewMessage {
            sender: alice.user.id,
            session: alice.id,
            conversation,
            client_id: ClientId::new(),
            body: "hello".to_owned(),
        };
        Arc::new(Batch { messages: vec![message], ..Batch::default() })
    };
    for _ in 0..2 {
        ahead.commit(say(with_bob), Timestamp(now + TEN_MINUTES)).await.expect("committed");
        behind.commit(say(with_carol), Timestamp(now)).await.expect("committed");
        let page = world.chat.conversations(alice.user.id, None).await.expect("a list");
        let listed: Vec<_> = page.conversations.iter().map(|one| one.id).collect();
        assert_eq!(listed, [with_carol, with_bob]);
    }
}

/// After the first use of a new token the previous one stays valid for a minute, which is less than
/// the difference of the clocks.
#[tokio::test]
async fn a_token_rotated_by_one_node_is_accepted_by_a_node_with_a_fast_clock() {
    let world = World::new().await;
    let signed_in = world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("made");
    let store = world.home.store().await;
    let id = signed_in.session.id;
    let found = world.home.text("select encode(token_hash, 'hex') from sessions");
    let mut from = [0; 32];
    for (at, byte) in from.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&found[at * 2..at * 2 + 2], 16).expect("hex");
    }
    let behind = 1_800_000_000_000;
    let (now, until) = (Timestamp(behind), Timestamp(behind + 60_000));
    let done = store.rotate_session(id, &from, &[7; 32], now, Timestamp(0)).await;
    assert!(done.expect("an answer"));
    store.end_old_token(id, &[7; 32], now, until).await.expect("ended");
    let life = SessionLife {
        now: Timestamp(behind + TEN_MINUTES),
        oldest_created: Timestamp(0),
        oldest_seen: Timestamp(0),
    };
    let row = store.session(&from, life).await.expect("an answer").expect("still honoured");
    assert_eq!(row.token, TokenState::Replaced);
    // The previous token expires after that minute.
    world.home.execute("update sessions set previous_until = previous_until - 61000");
    assert!(store.session(&from, life).await.expect("an answer").is_none());
    let row = store.session(&[7; 32], life).await.expect("an answer").expect("the present one");
    assert_eq!(row.token, TokenState::Present);
}

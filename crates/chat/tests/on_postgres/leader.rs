//! One node commits for all: writes at several nodes share a transaction, and the leader may end,
//! stop answering or send garbage.

use std::time::Duration;

use chat::store::{Batch, NewMessage};
use chat::{Caller, Chat};
use futures::StreamExt;
use protocol::{ClientId, ConversationId, ErrorCode};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::Home;
use crate::events::Two;
use crate::nodes::{everything, repeat_at_once};

/// Sends until users at all of these nodes have written in one transaction, which shows that one
/// node leads.
pub(crate) async fn write_together(
    home: &Home,
    through: &[(&Chat, Caller)],
    conversation: ConversationId,
) {
    let last = home.number("select coalesce(max(seq), 0) from messages");
    let together = format!(
        "select count(*) > 0 from (select 1 from messages where seq > {last} \
         group by xmin::text having count(distinct sender_id) > 1) as together"
    );
    while home.text(&together) != "t" {
        send_at_once(through, conversation, 20).await;
    }
}

/// Sends many messages at once through each node.
pub(crate) async fn send_at_once(
    through: &[(&Chat, Caller)],
    conversation: ConversationId,
    each: usize,
) {
    let mut sends = JoinSet::new();
    for n in 0..each {
        for (chat, from) in through {
            let (chat, from) = ((*chat).clone(), *from);
            sends.spawn(async move {
                let body = n.to_string();
                let sent = chat.send_message(from, conversation, ClientId::new(), &body).await;
                sent.expect("sent");
            });
        }
    }
    sends.join_all().await;
}

impl Two {
    /// Two nodes of which one leads.
    async fn led() -> (Self, Caller, Caller, ConversationId) {
        let two = Self::new().await;
        let (alice, bob, conversation) = two.world.pair().await;
        let (alice, bob) = (alice.caller(), bob.caller());
        let through = [(&two.world.chat, alice), (&two.other, bob)];
        write_together(&two.world.home, &through, conversation).await;
        (two, alice, bob, conversation)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writes_at_two_nodes_share_a_transaction() {
    let (two, _, bob, conversation) = Two::led().await;
    let all = everything(&two.other, bob.user, conversation).await;
    let seqs: Vec<_> = all.iter().map(|message| message.seq.0).collect();
    assert_eq!(seqs, (1..=all.len() as i64).collect::<Vec<_>>());
    assert_eq!(two.world.home.orphans(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_id_through_the_leader_and_another_node_has_one_answer() {
    let (two, alice, bob, conversation) = Two::led().await;
    let before = everything(&two.other, bob.user, conversation).await.len();
    repeat_at_once(&[&two.world.chat, &two.other], alice, conversation).await;
    assert_eq!(everything(&two.other, bob.user, conversation).await.len(), before + 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_leader_may_end_while_users_write_at_another_node() {
    let (two, _, bob, conversation) = Two::led().await;
    let before = everything(&two.other, bob.user, conversation).await.len();
    // The first node has the oldest lease, so it leads.
    let ending = two.world.chat.clone();
    let ends = tokio::spawn(async move { ending.close().await });
    for _ in 0..20 {
        send_at_once(&[(&two.other, bob)], conversation, 10).await;
    }
    ends.await.expect("ended");
    assert_eq!(everything(&two.other, bob.user, conversation).await.len(), before + 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attacker_with_access_to_the_broker_only_cannot_write() {
    let (two, alice, bob, conversation) = Two::led().await;
    let before = everything(&two.other, bob.user, conversation).await.len();
    let impostor = stranger(&two).await;
    let forged = NewMessage {
        sender: alice.user,
        session: alice.session,
        conversation,
        client_id: ClientId::new(),
        body: "I never said that".into(),
    };
    let batch = Batch { messages: vec![forged], ..Batch::default() };
    let mut question = serde_json::to_vec(&batch).expect("written");
    for _ in 0..2 {
        let asking = impostor.request(subject(&two).await, question.clone().into());
        let answer = tokio::time::timeout(Duration::from_millis(500), asking).await;
        assert!(answer.is_err(), "{answer:?}");
        question.extend([0; 32]);
    }
    let after = everything(&two.other, bob.user, conversation).await.len();
    assert_eq!(before, after);
}

/// A session that another node ended, and could not report, writes neither through the leader nor,
/// without a broker, at its own node.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_ended_session_writes_neither_through_the_leader_nor_without_a_broker() {
    let (mut two, alice, bob, conversation) = Two::led().await;
    let before = everything(&two.other, bob.user, conversation).await.len();
    two.world.home.end_session(bob.session);
    let through = [(&two.world.chat, alice), (&two.other, alice)];
    write_together_with_refused(&through, bob, conversation).await;
    two.nats.crash().expect("killed");
    write_together_with_refused(&through, bob, conversation).await;
    let all = everything(&two.other, alice.user, conversation).await;
    assert_eq!(all.len(), before + 80);
    assert!(all[before..].iter().all(|message| message.sender == alice.user));
}

/// Sends valid messages and messages of an ended session at once through each node.
async fn write_together_with_refused(
    through: &[(&Chat, Caller)],
    ended: Caller,
    conversation: ConversationId,
) {
    let refused = async {
        for (chat, _) in through {
            for _ in 0..10 {
                let sent = chat.send_message(ended, conversation, ClientId::new(), "late").await;
                let refusal = sent.expect_err("its session has ended").refusal();
                assert_eq!(refusal.code, ErrorCode::Unauthenticated);
            }
        }
    };
    tokio::join!(send_at_once(through, conversation, 20), refused);
}

/// A NATS client with valid credentials that is not a node.
async fn stranger(two: &Two) -> async_nats::Client {
    let address: async_nats::ServerAddr = two.nats.url().parse().expect("an address");
    let token = address.username().expect("a token").to_owned();
    let connected = async_nats::ConnectOptions::with_token(token).connect(address).await;
    connected.expect("a connection")
}

/// The subject of requests to this database's leader.
async fn subject(two: &Two) -> String {
    let instance = two.instance().await;
    let first = "select replace(id::text, '-', '') from nodes \
                 where hears_in is not null order by id limit 1";
    let leader = two.world.home.text(first);
    format!("duet.{}.{instance}.leader.{leader}", two.world.chat.epoch())
}

/// A false leader with a lease answers the first request with garbage, and later ones not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_answers_badly_costs_only_time() {
    let (two, _, bob, conversation) = Two::led().await;
    two.world.home.execute(
        "insert into nodes (id, until, key, hears_in, hears) \
         select '00000000-0000-0000-0000-000000000000', clock_timestamp() + interval '1 h', \
                sha256('anything'), hears_in, true \
         from nodes where hears_in is not null limit 1",
    );
    let impostor = stranger(&two).await;
    let mut asked = impostor.subscribe(subject(&two).await).await.expect("subscribed");
    impostor.flush().await.expect("flushed");
    let done = CancellationToken::new();
    let (chat, enough) = (two.other.clone(), done.clone());
    let sending = tokio::spawn(async move {
        let mut seqs = Vec::new();
        while !enough.is_cancelled() {
            let sent = chat.send_message(bob, conversation, ClientId::new(), "hello").await;
            seqs.push(sent.expect("sent").seq.0);
        }
        seqs
    });
    let reply = asked.next().await.expect("a question").reply.expect("somebody waits");
    impostor.publish(reply, "nonsense".into()).await.expect("said");
    // A node without an answer commits itself, and asks the leader again after a while.
    for _ in 0..2 {
        asked.next().await.expect("a question");
    }
    done.cancel();
    let seqs = sending.await.expect("went on");
    let first = seqs.first().copied().expect("something was sent");
    assert_eq!(seqs, (first..first + seqs.len() as i64).collect::<Vec<_>>());
}

/// The transaction checks the leases of all nodes that take part in it. Nodes whose lease is gone,
/// as after a crash of the server, commit for themselves; so does the former leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_without_a_lease_commits_for_itself_and_loses_nothing() {
    let (two, alice, bob, conversation) = Two::led().await;
    let before = everything(&two.other, bob.user, conversation).await.len();
    let through = [(&two.world.chat, alice), (&two.other, bob)];
    for _ in 0..5 {
        two.world.home.execute("delete from nodes");
        send_at_once(&through, conversation, 20).await;
    }
    let all = everything(&two.other, bob.user, conversation).await;
    let seqs: Vec<_> = all.iter().map(|message| message.seq.0).collect();
    assert_eq!(seqs, (1..=before as i64 + 200).collect::<Vec<_>>());
}

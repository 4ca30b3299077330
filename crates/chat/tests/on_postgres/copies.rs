//! A store and its copy on one broker, for example a restored backup. All durable content is the
//! same in both, including the epoch and the nodes' secret. Still no node commits for a node on the
//! other store, and no event crosses over. A database whose server restarts gets a new instance
//! name, and its nodes keep working together.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chat::store::{AskedBy, Batch, Instance, NewMessage, NodeId, NodeKey, Store, StoreError};
use chat::{Caller, Chat, Config, Database, Outgoing, Session};
use harness::{Nats, Postgres};
use protocol::{ClientId, ConversationId, ServerFrame, Timestamp, UserId};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::engine::Home;
use crate::events::{broker, node, wait_until_receiving};
use crate::leader::write_together;
use crate::nodes::everything;
use crate::support::{PASSWORD, SOMEWHERE, Tab, World, plenty};

/// Two nodes on one store; a second site stands on another store.
struct Site<'a> {
    name: &'static str,
    home: &'a Home,
    nodes: [Chat; 2],
}

impl<'a> Site<'a> {
    async fn new(name: &'static str, home: &'a Home, nats: &Nats) -> Self {
        let begin = async || node(home, |config| config.broker = broker(nats.url())).await;
        let nodes = [begin().await, begin().await];
        wait_until_receiving(&[&nodes[0], &nodes[1]]).await;
        Self { name, home, nodes }
    }

    /// Sends through both nodes at once; each text names the site.
    async fn send(&self, from: Caller, conversation: ConversationId) -> Vec<ClientId> {
        let mut sends = JoinSet::new();
        for n in 0..200 {
            let chat = self.nodes[n % 2].clone();
            let (id, body) = (ClientId::new(), format!("{} {n}", self.name));
            sends.spawn(async move {
                chat.send_message(from, conversation, id, &body).await.expect("sent");
                id
            });
        }
        sends.join_all().await
    }

    async fn lead(&self, alice: Caller, bob: Caller, conversation: ConversationId) {
        let through = [(&self.nodes[0], alice), (&self.nodes[1], bob)];
        write_together(self.home, &through, conversation).await;
    }

    async fn ids(&self, me: UserId, conversation: ConversationId) -> HashSet<ClientId> {
        let all = everything(&self.nodes[0], me, conversation).await;
        all.into_iter().map(|message| message.client_id).collect()
    }

    async fn connect(&self, who: &Session) -> Tab {
        Tab(self.nodes[1].connect(who.clone()).await.expect("a connection"))
    }
}

/// The original, and a copy restored from a dump of it while in use. One node leads at each site.
async fn original_and_copy<'a>(
    nats: &Nats,
    home: &'a Home,
    copied: &'a OnceLock<Home>,
    (alice, bob, conversation): (Caller, Caller, ConversationId),
) -> (Site<'a>, Site<'a>) {
    let original = Site::new("original", home, nats).await;
    original.lead(alice, bob, conversation).await;
    // The leases are valid and are part of the dump.
    let copy = Site::new("copy", copied.get_or_init(|| home.dump()), nats).await;
    copy.lead(alice, bob, conversation).await;
    (original, copy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_acknowledged_by_a_store_is_in_that_store_and_not_in_its_copy() {
    let (nats, world, copied) = (Nats::start().expect("NATS"), World::new().await, OnceLock::new());
    let (alice, bob, conversation) = world.pair().await;
    let (alice, bob) = (alice.caller(), bob.caller());
    let sites = original_and_copy(&nats, &world.home, &copied, (alice, bob, conversation)).await;
    let (original, copy) = sites;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let sent = tokio::join!(original.send(alice, conversation), copy.send(bob, conversation));
        here.extend(sent.0);
        there.extend(sent.1);
    }
    let stored_here = original.ids(alice.user, conversation).await;
    let stored_there = copy.ids(alice.user, conversation).await;
    let within = |ids: &[ClientId], stored: &HashSet<ClientId>| {
        ids.iter().filter(|id| stored.contains(id)).count()
    };
    let found = [
        within(&here, &stored_here),
        within(&here, &stored_there),
        within(&there, &stored_there),
        within(&there, &stored_here),
    ];
    assert_eq!(found, [1_000, 0, 1_000, 0], "acknowledged here; of these there; and the reverse");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_of_a_copy_reaches_a_connection_of_the_original() {
    let (nats, world, copied) = (Nats::start().expect("NATS"), World::new().await, OnceLock::new());
    let (alice, bob, conversation) = world.pair().await;
    let people = (alice.caller(), bob.caller(), conversation);
    let (original, copy) = original_and_copy(&nats, &world.home, &copied, people).await;
    let mut tabs = [original.connect(&bob).await, copy.connect(&bob).await];
    // At the copy: a message, a name change, a presence change and the end of a session.
    copy.send(alice.caller(), conversation).await;
    copy.nodes[0].set_display_name(&alice, "Somebody else").await.expect("renamed");
    let came = copy.nodes[0].connect(alice.clone()).await.expect("a connection");
    copy.nodes[0].sign_out(bob.id).await.expect("signed out");
    drop(came);
    // Bob's connection at the copy receives all events, then the close.
    while let Outgoing::Frame(_) = tabs[1].next().await {}
    original.send(alice.caller(), conversation).await;
    let mut bodies = HashSet::new();
    while bodies.len() < 200 {
        match tabs[0].next_frame().await {
            ServerFrame::Message(message) => {
                assert!(message.body.starts_with("original"), "received {:?}", message.body);
                bodies.insert(message.body);
            }
            ServerFrame::Hello { .. } | ServerFrame::Receipt { .. } => {}
            other => panic!("received {other:?}"),
        }
    }
}

/// Commits for other nodes, on a store that has their leases and on stores that do not.
#[tokio::test]
async fn a_store_commits_only_for_nodes_with_a_lease_in_it() {
    let world = World::new().await;
    let (alice, _, conversation) = world.pair().await;
    let store = world.home.store().await;
    let shared = store.cluster_state().expect("shared");
    let (me, asker, key) = (NodeId(Uuid::now_v7()), NodeId(Uuid::now_v7()), NodeKey([7; 32]));
    let (here, lease) = (shared.instance().clone(), Duration::from_secs(3_600));
    for node in [me, asker] {
        shared.renew(node, &key, Some(&here), lease).await.expect("there");
    }
    // The copy has the same leases.
    let copied = world.home.dump().store().await;
    let elsewhere = copied.cluster_state().expect("shared").instance().clone();
    assert_ne!(here, elsewhere);
    let batch = |instance: &Instance, nodes: &[NodeId]| {
        let message = NewMessage {
            sender: alice.user.id,
            session: alice.id,
            conversation,
            client_id: ClientId::new(),
            body: "hello".into(),
        };
        let asked_by = Some(AskedBy { instance: instance.clone(), nodes: nodes.to_vec() });
        let seen_users = vec![alice.user.id];
        Arc::new(Batch { messages: vec![message], seen_users, asked_by, ..Batch::default() })
    };
    let is_refused = async |store: &Arc<dyn Store>, batch| {
        let refused = store.commit(batch, Timestamp(1)).await;
        matches!(refused, Err(StoreError::Elsewhere))
    };
    let stranger = NodeId(Uuid::now_v7());
    assert!(is_refused(&store, batch(&elsewhere, &[me, asker])).await, "of a copy");
    assert!(is_refused(&store, batch(&here, &[me, stranger])).await, "unknown");
    assert!(is_refused(&store, batch(&here, &[stranger, asker])).await, "who leads is unknown");
    assert!(is_refused(&copied, batch(&here, &[me, asker])).await, "at a copy");
    let nobody = "select count(*) from messages";
    assert_eq!(world.home.number(nobody), 0);
    let again = [me, asker, asker, me];
    store.commit(batch(&here, &again), Timestamp(1)).await.expect("committed");
    shared.renew(asker, &key, Some(&here), Duration::ZERO).await.expect("over");
    assert!(is_refused(&store, batch(&here, &[me, asker])).await, "its lease is over");
    assert_eq!(world.home.number(nobody), 1);
    store.close().await;
    copied.close().await;
}

/// The database's instance name changes at each start of its server, and all nodes follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_receive_each_others_events_after_a_restart_of_the_database() {
    let nats = Nats::start().expect("a private NATS");
    let mut server = Postgres::start().expect("a private Postgres");
    server.create_database("duet", None).expect("a database");
    let url = server.url("duet");
    let begin = async || {
        let mut config = Config::new(Database::Postgres { url: url.clone(), connections: 4 });
        config.rates = plenty();
        config.broker = broker(nats.url());
        Chat::begin(config).await.expect("a node")
    };
    let (one, other) = (begin().await, begin().await);
    wait_until_receiving(&[&one, &other]).await;
    let up =
        async |name| one.sign_up(name, "", PASSWORD, SOMEWHERE).await.expect("an account").session;
    let (alice, bob) = (up("alice").await, up("bob").await);
    let opened = one.open_conversation(alice.caller(), bob.user.id).await;
    let conversation = opened.expect("a conversation");
    let mut bob_there = Tab(other.connect(bob.clone()).await.expect("a connection"));
    bob_there.wait_for_resync().await;
    let instance = "select distinct hears_in from nodes where hears";
    let before = server.sql("duet", instance).expect("an answer");
    server.crash().expect("crashed");
    server.start_again().expect("started");
    let moved = format!(
        "select count(*) = 2 and count(distinct hears_in) = 1 and min(hears_in) <> '{before}' \
         from nodes where hears"
    );
    while server.sql("duet", &moved).expect("an answer") != "t" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bob_there.wait_for_resync().await;
    // Each node triggers a resync after its move, so events may be lost until both have moved.
    let mut said = 0;
    while said < 20 {
        let body = format!("{said}");
        let sent = one.send_message(alice.caller(), conversation, ClientId::new(), &body).await;
        sent.expect("sent");
        said += 1;
    }
    loop {
        if bob_there.message().await == "19" {
            break;
        }
    }
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_restored_store_gets_a_new_epoch_when_the_operator_requests_it() {
    let home = Home::new().await;
    let life = async || {
        let store = home.store().await;
        let epoch = store.epoch();
        store.close().await;
        epoch
    };
    let before = life().await;
    assert_eq!(life().await, before, "an ordinary start changes nothing");
    // As described in docs/RELIABILITY.md.
    home.execute("delete from meta where key = 'epoch'");
    let after = life().await;
    assert_ne!(after, before);
    assert_eq!(life().await, after);
}

//! Nodes that share events through a broker: an event at one node arrives at the other, and a loss
//! leads to a resync.

use chat::store::{NodeId, NodeKey};
use chat::{BeginError, Broker, Chat, Config, Database, Session};
use harness::Nats;
use protocol::{ClientFrame, ClientId, CloseCode, Presence, Seq, ServerFrame, UserId};
use std::num::NonZeroU32;
use std::time::Duration;
use uuid::Uuid;

use crate::engine::Home;
use crate::nodes::another_node;
use crate::support::{PASSWORD, SOMEWHERE, Tab, World, change, code};

pub(crate) fn broker(url: String) -> Option<Broker> {
    Some(Broker { url, credentials: None, authority: None })
}

/// A node on this store, with a changed configuration.
pub(crate) async fn node(home: &Home, change: impl FnOnce(&mut Config)) -> Chat {
    let mut config = Config::new(home.database());
    config.rates = crate::support::plenty();
    config.presence_grace = Duration::from_millis(50);
    change(&mut config);
    Chat::begin(config).await.expect("a node")
}

/// Two nodes on one database and one broker.
pub(crate) struct Two {
    pub nats: Nats,
    pub world: World,
    pub other: Chat,
}

impl Two {
    pub(crate) async fn new() -> Self {
        let nats = Nats::start().expect("a private NATS");
        let world = World::with(|config| config.broker = broker(nats.url())).await;
        let other = node(&world.home, |config| config.broker = broker(nats.url())).await;
        let two = Self { nats, world, other };
        two.wait_until_receiving().await;
        two
    }

    async fn wait_until_receiving(&self) {
        wait_until_receiving(&[&self.world.chat, &self.other]).await;
    }

    /// The name of the running database, which is part of all subjects. A node writes the name to
    /// its lease a moment after the node begins to receive events.
    pub(crate) async fn instance(&self) -> String {
        self.world.home.until("select count(hears_in) > 0 from nodes").await;
        self.world.home.text("select max(hears_in) from nodes")
    }

    pub(crate) async fn at_the_other(&self, who: &Session) -> Tab {
        let mut tab = Tab(self.other.connect(who.clone()).await.expect("a connection"));
        assert!(matches!(tab.next_frame().await, ServerFrame::Hello { .. }));
        tab
    }
}

/// Waits until the nodes receive events, a moment after their start.
pub(crate) async fn wait_until_receiving(nodes: &[&Chat]) {
    for chat in nodes {
        while !chat.receives_other_nodes() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Tab {
    pub(crate) async fn message(&mut self) -> String {
        self.until(|frame| match frame {
            ServerFrame::Message(message) => Some(message.body),
            _ => None,
        })
        .await
    }

    async fn online(&mut self, of: UserId) -> bool {
        self.until(|frame| match frame {
            ServerFrame::Presence { user, presence } if user == of => Some(presence.online),
            _ => None,
        })
        .await
    }

    pub(crate) async fn wait_for_resync(&mut self) {
        self.until(|frame| matches!(frame, ServerFrame::Hello { .. }).then_some(())).await;
    }
}

/// The error line of a `duet` that does not start.
async fn refusal(home: &Home, broker: Broker) -> String {
    let mut config = Config::new(home.database());
    config.broker = Some(broker);
    Chat::begin(config).await.err().expect("a refusal").to_string()
}

#[tokio::test]
async fn a_broker_with_tls_and_credentials_is_used() {
    let nats = Nats::start_secured().expect("a private NATS");
    let known =
        || Broker { url: nats.url(), credentials: nats.credentials(), authority: nats.authority() };
    let world = World::with(|config| config.broker = Some(known())).await;
    let other = node(&world.home, |config| config.broker = Some(known())).await;
    let two = Two { nats, world, other };
    two.wait_until_receiving().await;
    let (alice, bob, conversation) = two.world.pair().await;
    let mut bob_there = two.at_the_other(&bob).await;
    two.world.send(alice.caller(), conversation, "hello").await;
    assert_eq!(bob_there.message().await, "hello");
}

#[tokio::test]
async fn a_broker_that_refuses_a_node_is_reported_at_start() {
    let nats = Nats::start_secured().expect("a private NATS");
    let home = Home::new().await;
    let (authority, stranger) = (nats.authority(), nats.credentials_of_a_stranger());
    let nobody = Broker { url: nats.url(), credentials: None, authority: authority.clone() };
    let line = refusal(&home, nobody).await;
    assert!(line.contains("refused the connection"), "{line}");
    let stranger = Broker { url: nats.url(), credentials: stranger, authority };
    let line = refusal(&home, stranger).await;
    assert!(line.contains("refused the connection"), "{line}");
    let missing = Some("no/such/file.creds".into());
    let missing = Broker { url: nats.url(), credentials: missing, authority: None };
    let line = refusal(&home, missing).await;
    assert!(line.contains("cannot read the NATS credentials in no/such/file.creds"), "{line}");
    let untrusted = Broker { url: nats.url(), credentials: nats.credentials(), authority: None };
    let line = refusal(&home, untrusted).await;
    assert!(
        line.contains("certificate of NATS is not trusted") && line.contains("DUET_NATS_AUTHORITY"),
        "{line}"
    );
}

#[tokio::test]
async fn events_of_one_node_reach_connections_of_the_other() {
    let two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    let mut alice_here = two.world.connect(&alice).await;
    let mut alice_there = two.at_the_other(&alice).await;
    let mut bob_there = two.at_the_other(&bob).await;
    alice_here.send_message(conversation, "hello").await;
    assert_eq!(bob_there.message().await, "hello");
    assert_eq!(alice_there.message().await, "hello");
    bob_there.send_frame(&ClientFrame::Read { conversation, up_to: Seq(1) }).await;
    let read = |frame| match frame {
        ServerFrame::Receipt { user, read, .. } => Some((user, read)),
        _ => None,
    };
    assert_eq!(alice_here.until(read).await, (bob.user.id, Seq(1)));
    bob_there.send_frame(&ClientFrame::Typing { conversation, active: true }).await;
    let typing = |frame| match frame {
        ServerFrame::Typing { user, active, .. } => Some((user, active)),
        _ => None,
    };
    assert_eq!(alice_here.until(typing).await, (bob.user.id, true));
    two.other.set_display_name(&bob, "Bobby").await.expect("renamed");
    let name = |frame| match frame {
        ServerFrame::User(user) => Some(user.display_name),
        _ => None,
    };
    assert_eq!(alice_here.until(name).await, "Bobby");
}

#[tokio::test]
async fn a_connection_never_receives_its_own_message_and_no_connection_receives_one_twice() {
    let two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    let mut alice_here = two.world.connect(&alice).await;
    let mut bob_here = two.world.connect(&bob).await;
    let mut bob_there = two.at_the_other(&bob).await;
    for n in 0..20 {
        alice_here.send_message(conversation, &n.to_string()).await;
        let sent = |frame| match frame {
            ServerFrame::Sent(sent) => Some(sent.seq),
            ServerFrame::Message(message) => panic!("received its own {message:?}"),
            _ => None,
        };
        assert_eq!(alice_here.until(sent).await, Seq(n + 1));
    }
    for n in 0..20 {
        assert_eq!(bob_here.message().await, n.to_string());
        assert_eq!(bob_there.message().await, n.to_string());
    }
}

#[tokio::test]
async fn a_message_that_a_node_stored_and_did_not_publish_is_published_with_the_retry() {
    let two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    let mut bob_there = two.at_the_other(&bob).await;
    // This node stores the message but has no broker to publish it.
    let mute = another_node(&two.world.home).await;
    let id = ClientId::new();
    let first = mute.send_message(alice.caller(), conversation, id, "still there?").await;
    let again = two.world.chat.send_message(alice.caller(), conversation, id, "still there?").await;
    assert_eq!(first.expect("sent"), again.expect("the same"));
    assert_eq!(bob_there.message().await, "still there?");
}

#[tokio::test]
async fn signing_out_at_one_node_closes_connections_at_the_other() {
    let two = Two::new().await;
    let alice = two.world.person("alice").await;
    let sign_in = || two.world.chat.sign_in("alice", PASSWORD, SOMEWHERE);
    let laptop = sign_in().await.expect("signed in").session;
    let phone = sign_in().await.expect("signed in").session;
    let mut laptop_there = two.at_the_other(&laptop).await;
    let mut phone_there = two.at_the_other(&phone).await;
    two.world.chat.sign_out(laptop.id).await.expect("signed out");
    assert_eq!(laptop_there.close_code().await, CloseCode::SessionEnded);
    let new = "another-Harbor-93";
    let changed = two.world.chat.change_password(&alice, change(PASSWORD, new), SOMEWHERE).await;
    changed.expect("changed");
    assert_eq!(phone_there.close_code().await, CloseCode::SessionEnded);
}

#[tokio::test]
async fn signing_out_closes_connections_at_the_other_node_without_a_broker_too() {
    let mut two = Two::new().await;
    let alice = two.world.person("alice").await;
    let mut there = two.at_the_other(&alice).await;
    two.nats.crash().expect("killed");
    two.world.chat.sign_out(alice.id).await.expect("signed out");
    assert_eq!(there.close_code().await, CloseCode::SessionEnded);
}

#[tokio::test]
async fn a_user_is_online_while_connected_to_any_node() {
    let two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    two.world.send(alice.caller(), conversation, "hello").await;
    let mut alice_here = two.world.connect(&alice).await;
    let bob_there = two.at_the_other(&bob).await;
    assert!(alice_here.online(bob.user.id).await);
    let sees = async |chat: &Chat| {
        let seen = chat.conversation(alice.user.id, conversation).await.expect("mine");
        let found = chat.find_people(alice.user.id, "bob").await.expect("found");
        let Presence { online, .. } = seen.peer.presence;
        assert_eq!(found.first().map(|person| person.presence.online), Some(online));
        online
    };
    assert!(sees(&two.world.chat).await && sees(&two.other).await);
    // Bob moves from one node to the other without a presence event.
    let bob_here = two.world.connect(&bob).await;
    drop(bob_there);
    let id = bob.user.id;
    let at_one = format!("select count(*) = 1 from presences where user_id = '{id}'");
    two.world.home.until(&at_one).await;
    assert!(sees(&two.world.chat).await && sees(&two.other).await);
    drop(bob_here);
    assert!(!alice_here.online(bob.user.id).await, "told once, at the end");
    assert!(!sees(&two.world.chat).await && !sees(&two.other).await);
}

#[tokio::test]
async fn users_of_a_failed_node_go_offline_and_all_clients_resync() {
    let two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    two.world.send(alice.caller(), conversation, "hello").await;
    let mut alice_here = two.world.connect(&alice).await;
    let mut alice_there = two.at_the_other(&alice).await;
    let store = two.world.home.store().await;
    let shared = store.cluster_state().expect("shared");
    let (fallen, key, hears) = (NodeId(Uuid::now_v7()), NodeKey([7; 32]), shared.instance());
    let (long, over) = (Duration::from_secs(3_600), Duration::ZERO);
    shared.renew(fallen, &key, Some(hears), long).await.expect("there");
    assert!(shared.arrive(fallen, bob.user.id).await.expect("arrived"));
    shared.renew(fallen, &key, Some(hears), over).await.expect("and not again");
    alice_here.wait_for_resync().await;
    alice_there.wait_for_resync().await;
    assert_eq!(shared.present(&[bob.user.id]).await.expect("an answer"), []);
    // A node that ended its lease has published all its events.
    let ended = NodeId(Uuid::now_v7());
    shared.renew(ended, &key, Some(hears), long).await.expect("there");
    shared.end(ended).await.expect("goodbye");
    shared.renew(ended, &key, Some(hears), over).await.expect("and not again");
    let back = shared.renew(fallen, &key, Some(hears), long).await.expect("back");
    assert!(!back.node_failed);
    store.close().await;
}

/// A node of the previous version writes no key and no instance name. It assumes that it receives
/// the events of every node whose lease has `hears` set.
#[tokio::test]
async fn clients_resync_beside_a_node_of_an_older_version() {
    let two = Two::new().await;
    let alice = two.world.person("alice").await;
    let mut here = two.world.connect(&alice).await;
    let home = &two.world.home;
    let hears = |all| format!("select bool_and(hears) = {all} from nodes where key is not null");
    home.until(&hears(true)).await;
    home.execute(
        "insert into nodes (id, until, hears) \
         values (gen_random_uuid(), clock_timestamp() + interval '1 h', true)",
    );
    home.until(&hears(false)).await;
    here.wait_for_resync().await;
    home.execute("delete from nodes where key is null");
    home.until(&hears(true)).await;
}

#[tokio::test]
async fn clients_resync_after_an_outage_of_the_broker() {
    let mut two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    let mut bob_there = two.at_the_other(&bob).await;
    two.nats.crash().expect("killed");
    let mut alice_here = two.world.connect(&alice).await;
    two.world.send(alice.caller(), conversation, "one").await;
    // The event is lost, so every client is told to resync.
    bob_there.wait_for_resync().await;
    alice_here.wait_for_resync().await;
    two.nats.start_again().expect("started");
    bob_there.wait_for_resync().await;
    two.wait_until_receiving().await;
    two.world.send(alice.caller(), conversation, "two").await;
    // NATS clients buffer while disconnected, so the first message may arrive late.
    let said = match bob_there.message().await {
        late if late == "one" => bob_there.message().await,
        said => said,
    };
    assert_eq!(said, "two");
}

#[tokio::test]
async fn a_silent_broker_is_detected() {
    let two = Two::new().await;
    let (alice, bob, conversation) = two.world.pair().await;
    let mut bob_there = two.at_the_other(&bob).await;
    two.nats.freeze().expect("stopped");
    two.world.send(alice.caller(), conversation, "one").await;
    bob_there.wait_for_resync().await;
    two.nats.thaw().expect("goes on");
    two.wait_until_receiving().await;
    bob_there.wait_for_resync().await;
}

#[tokio::test]
async fn wrong_passwords_and_rate_limits_count_across_all_nodes() {
    let two = Two::new().await;
    two.world.person("alice").await;
    for n in 0..6 {
        let chat = if n % 2 == 0 { &two.world.chat } else { &two.other };
        let refused = chat.sign_in("alice", "not the one", SOMEWHERE).await.map(drop);
        assert_eq!(code(refused), protocol::ErrorCode::WrongCredentials);
    }
    for chat in [&two.world.chat, &two.other] {
        let refused = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.map(drop);
        assert_eq!(code(refused), protocol::ErrorCode::RateLimited);
    }
    let guess = async |n: u8| {
        let from = std::net::IpAddr::from([100, n, 0, 1]);
        let chat = if n.is_multiple_of(2) { &two.world.chat } else { &two.other };
        code(chat.sign_in("alice", "not the one", from).await.map(drop))
    };
    let codes = futures::future::join_all((0..120).map(guess)).await;
    let answered = codes.iter().filter(|code| **code != protocol::ErrorCode::RateLimited).count();
    assert!(answered <= 20 - 6, "{answered}");
    let few = |config: &mut Config| {
        config.rates.sign_ups_per_hour = NonZeroU32::new(2).expect("not zero");
    };
    let (one, other) = (node(&two.world.home, few).await, node(&two.world.home, few).await);
    let up = async |chat: &Chat, name| chat.sign_up(name, "", PASSWORD, SOMEWHERE).await.map(drop);
    assert!(up(&one, "bob").await.is_ok() && up(&other, "carol").await.is_ok());
    assert_eq!(code(up(&one, "dave").await), protocol::ErrorCode::RateLimited);
    assert_eq!(code(up(&other, "dave").await), protocol::ErrorCode::RateLimited);
}

#[tokio::test]
async fn an_unusable_broker_is_an_error_at_start() {
    let home = Home::new().await;
    let nats = Nats::start().expect("a private NATS");
    let begin = async |url: String, database: Database| {
        let mut config = Config::new(database);
        config.broker = broker(url);
        Chat::begin(config).await
    };
    let wrong = nats.url().replace("nats://", "nats://not-");
    let refused = begin(wrong, home.database()).await.err().expect("refused");
    assert!(matches!(refused, BeginError::Broker(_)), "{refused}");
    assert!(!refused.to_string().contains("not-"), "{refused}");
    let nonsense = begin("nonsense url".into(), home.database()).await.err().expect("refused");
    assert!(nonsense.to_string().contains("DUET_NATS_URL"), "{nonsense}");
    let directory = tempfile::tempdir().expect("a directory");
    let alone = begin(nats.url(), directory.path().join("duet.db").into()).await;
    assert!(matches!(alone.err(), Some(BeginError::BrokerAlone)));
    // A broker that is down at the start does not prevent it.
    let away = begin("nats://127.0.0.1:1".into(), home.database()).await.expect("a chat");
    assert!(!away.receives_other_nodes());
    away.close().await;
}

//! A program that reads and publishes everything on NATS, but has no access to the store: the
//! program stops no event, and no message of it reaches a connection. Nodes accept an event once
//! and for one user only.

use std::time::Duration;

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use chat::{Caller, Session};
use futures::StreamExt;
use harness::Nats;
use protocol::{ConversationId, ServerFrame, SessionId, UserId};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::events::{Two, broker, node, wait_until_receiving};
use crate::support::{Tab, World};

/// Far longer than events take. On a node that has missed events, a resync arrives in this time.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// A NATS client with valid credentials that is not a node.
pub(crate) struct Stranger {
    client: async_nats::Client,
    seen: Subscriber,
}

impl Stranger {
    pub(crate) async fn on(nats: &Nats) -> Self {
        let client = connect(nats).await;
        let seen = client.subscribe(">").await.expect("subscribed");
        client.flush().await.expect("flushed");
        Self { client, seen }
    }

    /// Publishes on a subject, and waits until NATS has passed the message on.
    pub(crate) async fn publish(&mut self, subject: &str, payload: impl Into<Bytes>) {
        let payload = payload.into();
        // NATS passes on no message whose subject has an empty part.
        assert!(!subject.contains(".."), "{subject}");
        self.client.publish(subject.to_owned(), payload.clone()).await.expect("published");
        self.until(|seen| (seen.payload == payload).then_some(())).await;
    }

    /// Publishes on a subject.
    pub(crate) async fn publish_unseen(&self, subject: &str, payload: impl Into<Bytes>) {
        self.client.publish(subject.to_owned(), payload.into()).await.expect("published");
    }

    /// Skips messages until one of them is wanted.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(&Message) -> Option<T>) -> T {
        let found = async {
            loop {
                let message = self.seen.next().await.expect("connected");
                if let Some(found) = wanted(&message) {
                    return found;
                }
            }
        };
        timeout(LONG_ENOUGH, found).await.expect("seen in time")
    }

    /// The event to this user that contains `text`.
    pub(crate) async fn event(&mut self, of: UserId, text: &str) -> Message {
        let ending = format!(".to.{}", of.0.as_simple());
        self.until(|message| {
            let is_wanted = message.subject.ends_with(&ending)
                && message.payload.windows(text.len()).any(|part| part == text.as_bytes());
            is_wanted.then(|| message.clone())
        })
        .await
    }
}

async fn connect(nats: &Nats) -> async_nats::Client {
    let address: async_nats::ServerAddr = nats.url().parse().expect("an address");
    let token = address.username().expect("a token").to_owned();
    let connected = async_nats::ConnectOptions::with_token(token).connect(address).await;
    connected.expect("a connection")
}

/// Receives everything on NATS, and answers every request with garbage if `answers`.
async fn receive_everything(nats: &Nats, answers: bool) -> AbortOnDropHandle<()> {
    let client = connect(nats).await;
    let mut seen = client.subscribe(">").await.expect("subscribed");
    client.flush().await.expect("flushed");
    let receives: JoinHandle<()> = tokio::spawn(async move {
        while let Some(message) = seen.next().await {
            if let Some(reply) = message.reply.filter(|_| answers) {
                client.publish(reply, "nonsense".into()).await.expect("published");
            }
        }
    });
    AbortOnDropHandle::new(receives)
}

impl Two {
    /// The subject of the running database's nodes, with another ending.
    pub(crate) async fn subject(&self, ending: &str) -> String {
        let (epoch, instance) = (self.world.chat.epoch(), self.instance().await);
        format!("duet.{epoch}.{instance}.{ending}")
    }

    pub(crate) async fn subject_of(&self, user: UserId) -> String {
        self.subject(&format!("to.{}", user.0.as_simple())).await
    }

    /// Sends a valid message, and expects its event before anything else but presence.
    pub(crate) async fn expect_only_valid_events(
        &self,
        tab: &mut Tab,
        (from, conversation): (Caller, ConversationId),
    ) {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let body = format!("valid {count}");
        self.world.send(from, conversation, &body).await;
        match tab.next_without_presence().await {
            ServerFrame::Message(message) => assert_eq!(message.body, body),
            other => panic!("received {other:?}"),
        }
    }
}

/// A frame that was never sent.
fn forged_frame(from: UserId, conversation: ConversationId) -> String {
    json!({ "type": "typing", "conversation": conversation, "user": from, "active": true })
        .to_string()
}

/// A text without a valid signature, in several lengths and with several endings.
fn unsigned(text: &str) -> Vec<Bytes> {
    let bytes = text.as_bytes();
    let with = |ending: &[u8]| Bytes::from([bytes, ending].concat());
    vec![with(b""), with(&[0; 32]), with(&[0; 56]), with(&[7; 56]), with(&[0xff; 200]), with(b" ")]
}

/// Two nodes, with Alice at one and Bob at the other.
pub(crate) struct Talk {
    pub(crate) two: Two,
    pub(crate) alice: Session,
    pub(crate) bob: Session,
    pub(crate) conversation: ConversationId,
    pub(crate) bob_there: Tab,
}

impl Talk {
    pub(crate) async fn new() -> Self {
        Self::on(Two::new().await).await
    }

    async fn on(two: Two) -> Self {
        let (alice, bob, conversation) = two.world.pair().await;
        let mut bob_there = two.at_the_other(&bob).await;
        two.expect_only_valid_events(&mut bob_there, (alice.caller(), conversation)).await;
        Self { two, alice, bob, conversation, bob_there }
    }

    pub(crate) async fn expect_only_valid_events(&mut self) {
        let from = (self.alice.caller(), self.conversation);
        self.two.expect_only_valid_events(&mut self.bob_there, from).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_pass_beside_a_listener_on_all_subjects() {
    expect_events_beside_a_listener(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_pass_beside_a_listener_that_answers_everything() {
    expect_events_beside_a_listener(true).await;
}

async fn expect_events_beside_a_listener(answers: bool) {
    let nats = Nats::start().expect("a private NATS");
    let _listener = receive_everything(&nats, answers).await;
    let world = World::with(|config| config.broker = broker(nats.url())).await;
    let other = node(&world.home, |config| config.broker = broker(nats.url())).await;
    let nodes = [&world.chat, &other];
    let receiving = timeout(LONG_ENOUGH, wait_until_receiving(&nodes)).await;
    receiving.expect("the nodes receive each other's events");
    let mut talk = Talk::on(Two { nats, world, other }).await;
    // A node that takes itself for cut off makes its clients resync every 10 s.
    let later = tokio::time::Instant::now() + Duration::from_secs(12);
    while tokio::time::Instant::now() < later {
        talk.expect_only_valid_events().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_forged_event_reaches_no_connection() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let subject = talk.two.subject_of(talk.bob.user.id).await;
    for payload in unsigned(&forged_frame(talk.alice.user.id, talk.conversation)) {
        stranger.publish(&subject, payload).await;
        talk.expect_only_valid_events().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_forged_notice_ends_no_session_and_causes_no_resync() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let ends: Vec<SessionId> = vec![talk.bob.id];
    let notices = [json!("read_again"), json!({ "sessions_ended": ends }), json!("nodes_changed")];
    for notice in notices {
        for payload in unsigned(&notice.to_string()) {
            stranger.publish(&talk.two.subject("nodes").await, payload).await;
        }
        talk.expect_only_valid_events().await;
    }
    let (subject, notice) = (talk.two.subject("nodes").await, json!("read_again").to_string());
    for _ in 0..10_000 {
        stranger.publish_unseen(&subject, notice.clone()).await;
    }
    stranger.publish(&subject, "the last").await;
    for _ in 0..10 {
        talk.expect_only_valid_events().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_is_accepted_once_and_for_its_user_only() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let (alice, bob) = (talk.alice.caller(), talk.bob.user.id);
    talk.two.world.send(alice, talk.conversation, "captured").await;
    assert_eq!(talk.bob_there.message().await, "captured");
    let captured = stranger.event(bob, "captured").await;
    for _ in 0..3 {
        stranger.publish(&captured.subject, captured.payload.clone()).await;
    }
    talk.expect_only_valid_events().await;
    // Alice is connected at the node that received Bob's event, and at the node that sent it.
    for at in [&talk.two.other, &talk.two.world.chat] {
        let mut tab = Tab(at.connect(talk.alice.clone()).await.expect("a connection"));
        assert!(matches!(tab.next_frame().await, ServerFrame::Hello { .. }));
        stranger.publish(&talk.two.subject_of(alice.user).await, captured.payload.clone()).await;
        talk.two.expect_only_valid_events(&mut tab, (alice, talk.conversation)).await;
        talk.bob_there.message().await;
    }
    // Bob's new subscriptions, at the node that received the event and at the node that sent it.
    drop(talk.bob_there);
    for at in [&talk.two.other, &talk.two.world.chat] {
        let mut tab = Tab(at.connect(talk.bob.clone()).await.expect("a connection"));
        assert!(matches!(tab.next_frame().await, ServerFrame::Hello { .. }));
        stranger.publish(&captured.subject, captured.payload.clone()).await;
        talk.two.expect_only_valid_events(&mut tab, (alice, talk.conversation)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_probes_and_of_their_answers_causes_no_resync() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let is_probe =
        |message: &Message| message.subject.contains("probe").then(|| message.subject.to_string());
    let subjects = [stranger.until(is_probe).await, stranger.until(is_probe).await];
    drop(stranger);
    let flooder = connect(&talk.two.nats).await;
    let mut over = flooder.subscribe("over").await.expect("subscribed");
    for subject in subjects {
        for n in 0..70_000_u32 {
            let payload = n.to_be_bytes().repeat(4);
            flooder.publish(subject.clone(), payload.into()).await.expect("published");
        }
        flooder.publish("over", "".into()).await.expect("published");
        over.next().await.expect("NATS has passed the flood on");
        talk.expect_only_valid_events().await;
    }
}

//! Messages that are signed with the secret in the store: those of a node that repeats itself, and
//! those of nodes whose secret is replaced.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use chat::{Config, ReplaceSecretError};
use hmac::{Hmac, KeyInit, Mac};
use protocol::ServerFrame;
use serde_json::json;
use sha2::Sha256;
use uuid::Uuid;

use crate::events::Two;
use crate::untrusted_broker::{Stranger, Talk};

type Sha256Mac = Hmac<Sha256>;

/// Signs as a node does: with the key of the running database, in the format of
/// `cluster/signed_events.rs`.
struct ConfusedNode {
    node: Uuid,
    stamp: i64,
    key: Sha256Mac,
}

impl ConfusedNode {
    /// Takes the present secret from the store.
    async fn on(two: &Two) -> Self {
        let home = &two.world.home;
        let secret = home.text("select value from meta where key = 'nodes_secret'");
        let instance = two.instance().await;
        let mut key = mac(&BASE64.decode(secret).expect("a secret"));
        key.update(format!("events{}\0{instance}", two.world.chat.epoch()).as_bytes());
        let key = mac(&key.finalize().into_bytes());
        let now = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";
        Self { node: Uuid::now_v7(), stamp: home.number(now), key }
    }

    fn sign(&mut self, subject: &str, content: &str) -> Bytes {
        self.stamp += 1;
        let mut message = content.as_bytes().to_vec();
        message.extend_from_slice(self.node.as_bytes());
        message.extend_from_slice(&self.stamp.to_be_bytes());
        let signed = self.key.clone().chain_update(subject).chain_update(&message);
        message.extend_from_slice(&signed.finalize().into_bytes());
        message.into()
    }

    /// Whether a message is signed with this key.
    fn has_signed(&self, subject: &str, message: &[u8]) -> bool {
        let Some((body, tag)) = message.split_last_chunk::<32>() else { return false };
        let signed = self.key.clone().chain_update(subject).chain_update(body);
        signed.verify_slice(tag).is_ok()
    }
}

fn mac(key: &[u8]) -> Sha256Mac {
    Sha256Mac::new_from_slice(key).expect("any length")
}

impl Talk {
    /// Sends a valid message, and returns the number of resyncs before its event.
    async fn count_resyncs(&mut self) -> usize {
        let sent = self.two.world.send(self.alice.caller(), self.conversation, "counted").await;
        let mut resyncs = 0;
        loop {
            match self.bob_there.next_without_presence().await {
                ServerFrame::Hello { .. } => resyncs += 1,
                ServerFrame::Message(message) if message.seq == sent => return resyncs,
                other => panic!("received {other:?}"),
            }
        }
    }

    /// Waits until both nodes have renewed their leases twice, and so have read the secrets.
    async fn wait_for_renewals(&self) {
        for _ in 0..2 {
            let now = self.two.world.home.text("select clock_timestamp()");
            let renewed = format!("bool_and(until > '{now}'::timestamptz + interval '10 s')");
            self.two.world.home.until(&format!("select {renewed} from nodes")).await;
        }
    }

    /// Lets the replacement of the secret be older than it is.
    fn age_secret(&self, seconds: u32) {
        self.two.world.home.execute(&format!(
            "update meta set value = split_part(value, ' ', 1) || ' ' \
                 || (split_part(value, ' ', 2)::bigint - {seconds} * 1000000::bigint) \
             where key = 'nodes_secret_before'"
        ));
    }

    async fn replace_secret(&self) -> Result<(), ReplaceSecretError> {
        chat::replace_secret(&Config::new(self.two.world.home.database())).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_signed_notices_causes_few_resyncs() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let mut confused = ConfusedNode::on(&talk.two).await;
    let (subject, notice) = (talk.two.subject("nodes").await, json!("read_again").to_string());
    for _ in 0..10_000 {
        let signed = confused.sign(&subject, &notice);
        stranger.publish_unseen(&subject, signed).await;
    }
    stranger.publish(&subject, confused.sign(&subject, &notice)).await;
    // A run begins at most every 5 s, and one may follow.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let resyncs = talk.count_resyncs().await;
    assert!((1..=5).contains(&resyncs), "{resyncs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_signed_notice_has_an_effect_once() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let subject = talk.two.subject("nodes").await;
    let signed = ConfusedNode::on(&talk.two).await.sign(&subject, &json!("read_again").to_string());
    stranger.publish(&subject, signed.clone()).await;
    talk.bob_there.wait_for_resync().await;
    for _ in 0..10_000 {
        stranger.publish_unseen(&subject, signed.clone()).await;
    }
    // Longer than the shortest interval between two resyncs.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(talk.count_resyncs().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_follow_a_replaced_secret_and_then_refuse_the_old_one() {
    let mut talk = Talk::new().await;
    let mut stranger = Stranger::on(&talk.two.nats).await;
    let subject = talk.two.subject_of(talk.bob.user.id).await;
    let mut old = ConfusedNode::on(&talk.two).await;
    talk.replace_secret().await.expect("replaced");
    let again = talk.replace_secret().await;
    assert!(matches!(again, Err(ReplaceSecretError::TooSoon)), "{again:?}");
    let mut new = ConfusedNode::on(&talk.two).await;
    // No event is lost in any phase, and no client resyncs.
    let mut signed_with_new = false;
    for seconds in [0, 15] {
        talk.age_secret(seconds);
        for _ in 0..20 {
            talk.expect_only_valid_events().await;
            let event = stranger.event(talk.bob.user.id, "valid").await;
            signed_with_new = new.has_signed(&subject, &event.payload);
            assert!(signed_with_new || old.has_signed(&subject, &event.payload));
        }
        talk.wait_for_renewals().await;
    }
    talk.expect_only_valid_events().await;
    let event = stranger.event(talk.bob.user.id, "valid").await;
    signed_with_new |= new.has_signed(&subject, &event.payload);
    assert!(signed_with_new, "the nodes sign with the new secret");
    talk.age_secret(30);
    talk.wait_for_renewals().await;
    let frame = json!({ "type": "typing", "conversation": talk.conversation,
        "user": talk.alice.user.id, "active": true });
    stranger.publish(&subject, old.sign(&subject, &frame.to_string())).await;
    talk.expect_only_valid_events().await;
    stranger.publish(&subject, new.sign(&subject, &frame.to_string())).await;
    let accepted = talk.bob_there.next_without_presence().await;
    assert!(matches!(accepted, ServerFrame::Typing { .. }), "{accepted:?}");
}

//! Leader requests over NATS. This module does not interpret their contents. Called by
//! [`super::leader`].

use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;

use super::broker::Broker;
use super::leader::LeaderNode;
use super::subject_space::SubjectSpace;

impl Broker {
    /// Sends a request to the leader. `None` if the leader does not answer in time or leads on
    /// another instance, or if the request exceeds the payload limit of NATS.
    pub(super) async fn request_leader(
        &self,
        leader: &LeaderNode,
        request: Bytes,
        within: Duration,
    ) -> Option<Bytes> {
        if !self.is_receiving() || request.len() > self.client().max_payload() {
            return None;
        }
        let answer = self.client().request(self.subject_of(leader)?, request);
        Some(timeout(within, answer).await.ok()?.ok()?.payload)
    }

    /// Subscribes to leader requests to this node.
    pub(super) async fn leader_requests(&self, leader: &LeaderNode) -> Option<LeaderRequests> {
        let subject =
            SubjectSpace::new(self.epoch(), leader.instance.clone()).of_leader(leader.node);
        let subscriber = self.client().subscribe(subject).await.ok()?;
        Some(LeaderRequests { client: self.client().clone(), subscriber })
    }

    fn subject_of(&self, leader: &LeaderNode) -> Option<String> {
        let spaces = self.subject_space();
        let space = spaces.borrow();
        (*space.instance() == leader.instance).then(|| space.of_leader(leader.node))
    }
}

/// A subscription to leader requests.
pub(super) struct LeaderRequests {
    client: Client,
    subscriber: Subscriber,
}

impl LeaderRequests {
    /// Waits for the next request; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<LeaderRequest> {
        let message = self.subscriber.next().await?;
        Some(LeaderRequest { client: self.client.clone(), message })
    }

    /// Unsubscribes. Requests that have arrived can still be taken.
    pub(super) async fn close(&mut self) {
        // An error means that the NATS client has ended, and no request will come.
        let _ = self.subscriber.drain().await;
    }
}

/// A leader request.
pub(super) struct LeaderRequest {
    client: Client,
    message: Message,
}

impl LeaderRequest {
    pub(super) fn payload(&self) -> &[u8] {
        &self.message.payload
    }

    /// Sends the answer. Errors are ignored, because the requesting node may not wait any longer.
    pub(super) async fn answer(self, answer: Bytes) {
        if let Some(reply) = self.message.reply {
            let _ = self.client.publish(reply, answer).await;
        }
    }
}

//! Leader requests over NATS. This module does not interpret their contents. Called by
//! [`super::Relay`].

use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;

use super::broker::Broker;
use super::space::Space;
use crate::writer::Lead;

impl Broker {
    /// Sends a request to the leader. `None` if the leader does not answer in time or leads on
    /// another instance, or if the request exceeds the payload limit of NATS.
    pub(super) async fn ask_leader(
        &self,
        lead: &Lead,
        question: Bytes,
        within: Duration,
    ) -> Option<Bytes> {
        if !self.hears() || question.len() > self.client().max_payload() {
            return None;
        }
        let asking = self.client().request(self.subject_of(lead)?, question);
        Some(timeout(within, asking).await.ok()?.ok()?.payload)
    }

    /// Subscribes to leader requests to this node.
    pub(super) async fn questions(&self, lead: &Lead) -> Option<Questions> {
        let subject = Space::new(self.epoch(), lead.instance.clone()).of_leader(lead.node);
        let subscribed = self.client().subscribe(subject).await.ok()?;
        Some(Questions { client: self.client().clone(), subscribed })
    }

    fn subject_of(&self, lead: &Lead) -> Option<String> {
        let spaces = self.space();
        let space = spaces.borrow();
        (*space.instance() == lead.instance).then(|| space.of_leader(lead.node))
    }
}

/// A subscription to leader requests.
pub(crate) struct Questions {
    client: Client,
    subscribed: Subscriber,
}

impl Questions {
    /// Waits for the next request; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        let message = self.subscribed.next().await?;
        Some(Question { client: self.client.clone(), message })
    }

    /// Unsubscribes. Requests that have arrived can still be taken.
    pub(crate) async fn close(&mut self) {
        // An error means that the NATS client has ended, and no request will come.
        let _ = self.subscribed.drain().await;
    }
}

/// A leader request.
pub(crate) struct Question {
    client: Client,
    message: Message,
}

impl Question {
    pub(crate) fn payload(&self) -> &[u8] {
        &self.message.payload
    }

    /// Sends the answer. Errors are ignored, because the requesting node may not wait any longer.
    pub(crate) async fn answer(self, answer: Bytes) {
        if let Some(reply) = self.message.reply {
            let _ = self.client.publish(reply, answer).await;
        }
    }
}

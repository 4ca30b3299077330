//! What nodes ask of the one that leads, through the broker. What is asked and answered is no
//! matter of this module. Called by [`super::Relay`].

use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;

use super::broker::Broker;
use super::space::Space;
use crate::writer::Lead;

impl Broker {
    /// Asks the one that leads. `None` where it does not answer in time, or leads on a database that
    /// is none of ours any more, or the question is more than the broker carries.
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

    /// From now on, what is asked of this node as the one that leads comes here.
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

/// What is asked of this node.
pub(crate) struct Questions {
    client: Client,
    subscribed: Subscriber,
}

impl Questions {
    /// The next one; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        let message = self.subscribed.next().await?;
        Some(Question { client: self.client.clone(), message })
    }

    /// No more are to come but those that have.
    pub(crate) async fn close(&mut self) {
        // An error means that the client has ended, and with it what comes.
        let _ = self.subscribed.drain().await;
    }
}

/// One question.
pub(crate) struct Question {
    client: Client,
    message: Message,
}

impl Question {
    pub(crate) fn payload(&self) -> &[u8] {
        &self.message.payload
    }

    /// Whoever asked may not wait any more.
    pub(crate) async fn answer(self, answer: Bytes) {
        if let Some(reply) = self.message.reply {
            let _ = self.client.publish(reply, answer).await;
        }
    }
}

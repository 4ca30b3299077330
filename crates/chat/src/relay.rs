//! Passing events on to people's connections, wherever those are.
//!
//! An event is serialised once, however many receive it. It carries only what is committed, or
//! what may be lost (presence, typing). Those who are at this node find it in the hub; for those at
//! others it goes through the broker, if there is one. What a broker loses costs time and nothing
//! else: whoever may have missed something is told to read again.
//!
//! - `broker`: the connection to NATS, what goes out by it, and whether it carries
//! - `connect`: how it is made, and why not
//! - `ears`: what comes in by it, a subject for each person who has a connection here
//! - `questions`: what nodes ask of the one that leads
//! - `space`: the subjects of one running database
//! - `again`: telling everybody here to read again, not all at once

mod again;
mod broker;
mod connect;
mod ears;
mod questions;
mod space;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{CloseCode, Epoch, ServerFrame, SessionId, UserId};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hub::{ConnectionId, Hub, Line};
use crate::store::Instance;
use crate::supervision::Supervisor;
use crate::writer::Lead;
use again::Again;
use broker::Broker;

pub use connect::BrokerError;
pub(crate) use ears::Ear;
pub(crate) use questions::{Question, Questions};

#[derive(Clone)]
pub(crate) struct Relay {
    hub: Arc<Hub>,
    again: Again,
    broker: Option<Arc<Broker>>,
}

impl Relay {
    /// A relay within this process.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, again: Again::default(), broker: None }
    }

    /// Goes through a broker as well; the epoch and the running database keep stores that share a
    /// broker apart.
    ///
    /// # Errors
    /// What the operator has to change. A broker that cannot be reached just now is no error.
    pub(crate) async fn with_broker(
        mut self,
        broker: &crate::config::Broker,
        epoch: Epoch,
        instance: &Instance,
    ) -> Result<Self, BrokerError> {
        let (hub, again) = (self.hub.clone(), self.again.clone());
        let epoch = epoch.to_string();
        self.broker = Some(Broker::connect(broker, &epoch, instance, hub, again).await?);
        Ok(self)
    }

    /// Starts what runs beside: telling people to read again, and the broker's own. Ends with the
    /// token.
    pub(crate) fn start(
        &self,
        tasks: &TaskTracker,
        end: &CancellationToken,
        supervisor: &Supervisor,
    ) {
        let again = self.again.clone().run(self.hub.clone(), end.clone());
        tasks.spawn(supervisor.essential("the task that lets people read again", again));
        if let Some(broker) = &self.broker {
            broker.start(tasks, end, supervisor);
        }
    }

    /// From when this has returned until it is dropped, what others pass on to this person comes
    /// here.
    pub(crate) async fn listen_for(&self, user: UserId) -> Option<Arc<Ear>> {
        match &self.broker {
            Some(broker) => Some(ears::open(broker, user).await),
            None => None,
        }
    }

    /// Whether what other nodes pass on comes here.
    pub(crate) fn hears(&self) -> bool {
        self.broker.as_ref().is_some_and(|broker| broker.hears())
    }

    /// Of which database's nodes, if it does.
    pub(crate) fn hears_in(&self) -> Option<Instance> {
        self.broker.as_ref()?.hears_in()
    }

    /// From now on the nodes of this database are heard, and no others; nothing changes where they
    /// are heard already.
    pub(crate) fn move_to(&self, instance: &Instance) {
        if let Some(broker) = &self.broker {
            broker.move_to(instance);
        }
    }

    /// Tells other nodes that this one came or goes, or hears or does not.
    pub(crate) fn say_nodes_changed(&self) {
        if let Some(broker) = &self.broker {
            broker.say_nodes_changed();
        }
    }

    /// Until the leases should be looked at; never, without a broker.
    pub(crate) async fn nodes_changed(&self) {
        match &self.broker {
            Some(broker) => broker.nodes_changed().await,
            None => std::future::pending().await,
        }
    }

    /// Asks the node that leads; `None` where no answer comes in time.
    pub(crate) async fn ask_leader(
        &self,
        lead: &Lead,
        question: Bytes,
        within: Duration,
    ) -> Option<Bytes> {
        self.broker.as_ref()?.ask_leader(lead, question, within).await
    }

    /// What is asked of this node as the one that leads; nothing without a broker.
    pub(crate) async fn questions(&self, lead: &Lead) -> Option<Questions> {
        self.broker.as_ref()?.questions(lead).await
    }

    /// Whether there is a broker at all.
    pub(crate) fn has_broker(&self) -> bool {
        self.broker.is_some()
    }

    /// Tells everybody at this node to read again.
    pub(crate) fn read_again_here(&self) {
        self.again.ask();
    }

    /// Tells everybody to read again.
    pub(crate) fn read_again_everywhere(&self) {
        self.again.ask();
        if let Some(broker) = &self.broker {
            broker.ask_again();
        }
    }

    /// Ends the connections of sessions that have ended, wherever they are.
    pub(crate) fn end_sessions(&self, sessions: &[SessionId]) {
        self.hub.close_sessions(sessions, CloseCode::SessionEnded);
        if let (Some(broker), false) = (&self.broker, sessions.is_empty()) {
            broker.say_ended(sessions);
        }
    }

    /// Whether an event for this person goes anywhere.
    pub(crate) fn reaches(&self, user: UserId) -> bool {
        self.broker.is_some() || self.hub.is_connected(user)
    }

    /// Passes a frame to every connection of these people, except the one it came from.
    pub(crate) fn publish(&self, to: &[UserId], frame: &ServerFrame, except: Option<ConnectionId>) {
        let mut wave = self.wave();
        wave.publish(to, frame, except);
        wave.send();
    }

    /// Begins a wave.
    pub(crate) fn wave(&self) -> Wave<'_> {
        Wave { relay: self, frames: Vec::new() }
    }

    /// Lets what waits for the broker leave. Called when nothing more is published.
    pub(crate) async fn close(&self) {
        if let Some(broker) = &self.broker {
            broker.close().await;
        }
    }
}

/// Frames that follow from one thing, mostly a commit. They are queued connection by connection, each in the
/// order in which they were added: a socket that gets several finds them together and writes once.
pub(crate) struct Wave<'relay> {
    relay: &'relay Relay,
    frames: Vec<(Line, Bytes)>,
}

impl Wave<'_> {
    /// Adds an answer to one connection.
    pub(crate) fn answer(&mut self, line: Line, frame: &ServerFrame) {
        self.frames.push((line, encode(frame)));
    }

    /// Adds an event for every connection of these people, except the one it came from.
    pub(crate) fn publish(
        &mut self,
        to: &[UserId],
        frame: &ServerFrame,
        except: Option<ConnectionId>,
    ) {
        let frame = encode(frame);
        for user in to {
            self.relay.hub.for_each_line(*user, except, |line| {
                self.frames.push((line.clone(), frame.clone()));
            });
            if let Some(broker) = &self.relay.broker {
                broker.pass_on(*user, frame.clone());
            }
        }
    }

    /// Queues them all.
    pub(crate) fn send(mut self) {
        // Stable: what a connection gets stays in its order.
        self.frames.sort_by_key(|(line, _)| line.id());
        for (line, frame) in self.frames {
            line.push(frame);
        }
    }
}

/// A frame as it goes over the wire.
pub(crate) fn encode(frame: &ServerFrame) -> Bytes {
    // Frames hold strings, numbers and ids: there is nothing in them that cannot be written.
    serde_json::to_vec(frame).map(Bytes::from).unwrap_or_default()
}

//! Delivers events to users' connections, on this node and on others.
//!
//! An event is serialised once for all receivers. It carries committed data, or ephemeral data that
//! may be lost (presence, typing). Connections of this node get it through the hub, those of other
//! nodes through the broker, if there is one. A loss in the broker costs only time, because clients
//! that may have missed an event are told to resync.
//!
//! - `broker`: the connection to NATS, publishing, and the check that events pass
//! - `connect`: opening that connection, and its errors
//! - `ears`: the subscriptions, one per user with a connection here
//! - `questions`: leader requests
//! - `space`: the subjects of one running database
//! - `again`: resyncs of all connections here, spread over time

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
    /// Creates a relay within this process.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, again: Again::default(), broker: None }
    }

    /// Adds a broker. The epoch and the instance keep stores that share a broker apart.
    ///
    /// # Errors
    /// One line for the operator. A broker that cannot be reached at present is not an error.
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

    /// Starts the resync task and the broker's tasks. They end with the token.
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

    /// Subscribes to a user's events from other nodes, until the returned value is dropped. `None`
    /// without a broker.
    pub(crate) async fn listen_for(&self, user: UserId) -> Option<Arc<Ear>> {
        match &self.broker {
            Some(broker) => Some(ears::open(broker, user).await),
            None => None,
        }
    }

    /// Returns whether this node receives the events of other nodes.
    pub(crate) fn hears(&self) -> bool {
        self.broker.as_ref().is_some_and(|broker| broker.hears())
    }

    /// Returns the instance whose events this node receives, if it does.
    pub(crate) fn hears_in(&self) -> Option<Instance> {
        self.broker.as_ref()?.hears_in()
    }

    /// Subscribes to the events of this instance in place of any other; does nothing if it is the
    /// present one.
    pub(crate) fn move_to(&self, instance: &Instance) {
        if let Some(broker) = &self.broker {
            broker.move_to(instance);
        }
    }

    /// Tells other nodes to check the leases, because this node's lease has changed.
    pub(crate) fn say_nodes_changed(&self) {
        if let Some(broker) = &self.broker {
            broker.say_nodes_changed();
        }
    }

    /// Waits until the leases should be checked; never returns without a broker.
    pub(crate) async fn nodes_changed(&self) {
        match &self.broker {
            Some(broker) => broker.nodes_changed().await,
            None => std::future::pending().await,
        }
    }

    /// Sends a leader request; `None` if no answer comes in time.
    pub(crate) async fn ask_leader(
        &self,
        lead: &Lead,
        question: Bytes,
        within: Duration,
    ) -> Option<Bytes> {
        self.broker.as_ref()?.ask_leader(lead, question, within).await
    }

    /// Subscribes to leader requests to this node; `None` without a broker.
    pub(crate) async fn questions(&self, lead: &Lead) -> Option<Questions> {
        self.broker.as_ref()?.questions(lead).await
    }

    /// Returns whether there is a broker.
    pub(crate) fn has_broker(&self) -> bool {
        self.broker.is_some()
    }

    /// Tells every client of this node to resync.
    pub(crate) fn read_again_here(&self) {
        self.again.ask();
    }

    /// Tells every client of every node to resync.
    pub(crate) fn read_again_everywhere(&self) {
        self.again.ask();
        if let Some(broker) = &self.broker {
            broker.ask_again();
        }
    }

    /// Closes the connections of ended sessions on every node.
    pub(crate) fn end_sessions(&self, sessions: &[SessionId]) {
        self.hub.close_sessions(sessions, CloseCode::SessionEnded);
        if let (Some(broker), false) = (&self.broker, sessions.is_empty()) {
            broker.say_ended(sessions);
        }
    }

    /// Returns whether an event for this user can reach a connection.
    pub(crate) fn reaches(&self, user: UserId) -> bool {
        self.broker.is_some() || self.hub.is_connected(user)
    }

    /// Sends a frame to every connection of these users, except the one that caused it.
    pub(crate) fn publish(&self, to: &[UserId], frame: &ServerFrame, except: Option<ConnectionId>) {
        let mut wave = self.wave();
        wave.publish(to, frame, except);
        wave.send();
    }

    /// Starts a fan-out.
    pub(crate) fn wave(&self) -> Wave<'_> {
        Wave { relay: self, frames: Vec::new() }
    }

    /// Flushes events that are queued for the broker. Called when nothing more is published.
    pub(crate) async fn close(&self) {
        if let Some(broker) = &self.broker {
            broker.close().await;
        }
    }
}

/// A fan-out: the frames that follow from one event, mostly a commit. They are queued connection by
/// connection, each in the order in which they were added, so that a socket with several frames
/// finds them together and writes once.
pub(crate) struct Wave<'relay> {
    relay: &'relay Relay,
    frames: Vec<(Line, Bytes)>,
}

impl Wave<'_> {
    /// Adds an answer to one connection.
    pub(crate) fn answer(&mut self, line: Line, frame: &ServerFrame) {
        self.frames.push((line, encode(frame)));
    }

    /// Adds an event for every connection of these users, except the one that caused it.
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

    /// Queues all frames.
    pub(crate) fn send(mut self) {
        // A stable sort keeps the order of each connection's frames.
        self.frames.sort_by_key(|(line, _)| line.id());
        for (line, frame) in self.frames {
            line.push(frame);
        }
    }
}

/// Serialises a frame for the wire.
pub(crate) fn encode(frame: &ServerFrame) -> Bytes {
    // Cannot fail: frames contain only strings, numbers and ids.
    serde_json::to_vec(frame).map(Bytes::from).unwrap_or_default()
}

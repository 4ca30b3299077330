//! Delivers events to users' connections, on this node and on others.
//!
//! An event is serialised once for all receivers. It carries committed data, or ephemeral data that
//! may be lost (presence, typing). Connections of this node get it through the hub, those of other
//! nodes through the [`Cluster`].

use std::sync::Arc;

use protocol::{CloseCode, ServerFrame, SessionId, UserId};

use crate::cluster::Cluster;
use crate::hub::{ConnectionId, FrameText, Hub, Outbound};

#[derive(Clone)]
pub(crate) struct Relay {
    hub: Arc<Hub>,
    cluster: Cluster,
}

impl Relay {
    pub(crate) fn new(hub: Arc<Hub>, cluster: Cluster) -> Self {
        Self { hub, cluster }
    }

    /// Returns the way to the other nodes.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Closes the connections of ended sessions on every node.
    pub(crate) fn end_sessions(&self, sessions: &[SessionId]) {
        self.hub.close_sessions(sessions, CloseCode::SessionEnded);
        if !sessions.is_empty() {
            self.cluster.publish_ended(sessions);
        }
    }

    /// Returns whether an event for this user can reach a connection.
    pub(crate) fn reaches(&self, user: UserId) -> bool {
        self.cluster.has_broker() || self.hub.is_connected(user)
    }

    /// Sends a frame to every connection of these users, except the connection that caused the event.
    pub(crate) fn publish(&self, to: &[UserId], frame: &ServerFrame, except: Option<ConnectionId>) {
        let mut fanout = self.fanout();
        fanout.publish(to, frame, except);
        fanout.send();
    }

    /// Starts a fan-out.
    pub(crate) fn fanout(&self) -> Fanout<'_> {
        Fanout { relay: self, frames: Vec::new(), closes: Vec::new() }
    }
}

/// A fan-out: the frames that follow from one event, mostly a commit. They are queued connection by
/// connection, each in the order in which they were added, so that a socket with several frames
/// finds them together and writes once.
pub(crate) struct Fanout<'relay> {
    relay: &'relay Relay,
    frames: Vec<(Outbound, FrameText)>,
    /// Connections to close after their frames.
    closes: Vec<(Outbound, CloseCode)>,
}

impl Fanout<'_> {
    /// Adds an answer to one connection.
    pub(crate) fn answer(&mut self, outbound: Outbound, frame: &ServerFrame) {
        self.frames.push((outbound, encode(frame)));
    }

    /// Adds an event for every connection of these users, except the connection that caused the event.
    pub(crate) fn publish(
        &mut self,
        to: &[UserId],
        frame: &ServerFrame,
        except: Option<ConnectionId>,
    ) {
        let frame = encode(frame);
        self.relay.hub.for_each_outbound(to, except, |outbound| {
            self.frames.push((outbound.clone(), frame.clone()));
        });
        for user in to {
            self.relay.cluster.publish(*user, &frame);
        }
    }

    /// Closes a connection after its frames are queued; the close overtakes frames that the socket
    /// has not taken yet. Does nothing without a connection.
    pub(crate) fn close(&mut self, outbound: Option<Outbound>, code: CloseCode) {
        self.closes.extend(outbound.map(|outbound| (outbound, code)));
    }

    /// Queues all frames, then closes connections.
    pub(crate) fn send(mut self) {
        // A stable sort keeps the order of each connection's frames.
        self.frames.sort_by_key(|(outbound, _)| outbound.id());
        for (outbound, frame) in self.frames {
            outbound.push(frame);
        }
        for (outbound, code) in self.closes {
            outbound.close(code);
        }
    }
}

/// The initial size of the buffer for a frame: most frames fit without growth.
const USUAL_FRAME_BYTES: usize = 512;

/// Serialises a frame for the wire.
pub(crate) fn encode(frame: &ServerFrame) -> FrameText {
    let mut json = Vec::with_capacity(USUAL_FRAME_BYTES);
    // Neither step can fail, because frames contain only strings, numbers and ids, and JSON is UTF-8.
    let written = serde_json::to_writer(&mut json, frame).ok();
    written.and_then(|()| String::from_utf8(json).ok()).map(FrameText::from).unwrap_or_default()
}

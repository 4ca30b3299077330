//! Passing events on to people's connections, wherever those are.
//!
//! An event is serialised once, however many receive it. It carries only what is committed, or
//! what may be lost (presence, typing). The receivers' nodes find it here; with one node that is
//! the hub of this process.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{ServerFrame, UserId};

use crate::hub::{ConnectionId, Hub, Line};

#[derive(Clone)]
pub(crate) struct Relay {
    hub: Arc<Hub>,
}

impl Relay {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Passes a frame to every connection of these people, except the one it came from.
    pub(crate) fn publish(&self, to: &[UserId], frame: &ServerFrame, except: Option<ConnectionId>) {
        let mut wave = self.wave();
        wave.publish(to, frame, except);
        wave.send();
    }

    /// Begins a wave.
    pub(crate) fn wave(&self) -> Wave<'_> {
        Wave { hub: &self.hub, frames: Vec::new() }
    }
}

/// Frames that follow from one thing, mostly a commit. They are queued connection by connection, each in the
/// order in which they were added: a socket that gets several finds them together and writes once.
pub(crate) struct Wave<'hub> {
    hub: &'hub Hub,
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
            self.hub.for_each_line(*user, except, |line| {
                self.frames.push((line.clone(), frame.clone()));
            });
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

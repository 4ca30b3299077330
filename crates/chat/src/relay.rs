//! Passing events on to people's connections, wherever those are.
//!
//! An event is serialised once, however many receive it. It carries only what is committed, or
//! what may be lost (presence, typing). The receivers' nodes find it here; with one node that is
//! the hub of this process.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{ServerFrame, UserId};

use crate::hub::{ConnectionId, Hub};

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
        let frame = encode(frame);
        for user in to {
            self.hub.push(*user, &frame, except);
        }
    }
}

/// A frame as it goes over the wire.
pub(crate) fn encode(frame: &ServerFrame) -> Bytes {
    // Frames hold strings, numbers and ids: there is nothing in them that cannot be written.
    serde_json::to_vec(frame).map(Bytes::from).unwrap_or_default()
}

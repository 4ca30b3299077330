//! Notices: messages from one node to all others, and the task that receives them.
//!
//! A notice must not be needed: every node also checks sessions and leases regularly, and clients
//! resync after a loss. Nodes of other versions must read the same names. Called by
//! [`crate::cluster::Cluster`] and [`super::probe`]; the task ends with the chat.

use std::sync::Arc;

use futures::StreamExt;
use protocol::{CloseCode, SessionId};
use serde::{Deserialize, Serialize};

use super::{Broker, Outgoing};
use crate::cluster::signed_events::Rejected;

/// A message to all nodes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Notice {
    /// These sessions have ended.
    SessionsEnded(Vec<SessionId>),
    /// Events were lost: every client must resync.
    #[serde(rename = "read_again")]
    Resync,
    /// A node's lease changed: check the leases.
    #[serde(rename = "nodes_changed")]
    LeasesChanged,
}

impl Broker {
    pub(in crate::cluster) fn publish_ended(&self, sessions: &[SessionId]) {
        self.publish_notice(&Notice::SessionsEnded(sessions.to_vec()));
    }

    pub(in crate::cluster) fn publish_resync(&self) {
        self.publish_notice(&Notice::Resync);
    }

    /// A lost notice does no harm, because every node checks the leases regularly.
    pub(in crate::cluster) fn publish_leases_changed(&self) {
        if self.is_receiving() {
            self.publish_notice(&Notice::LeasesChanged);
        }
    }

    fn publish_notice(&self, notice: &Notice) {
        // Serialising cannot fail, because notices contain only ids.
        self.enqueue(Outgoing::Notice(serde_json::to_vec(notice).unwrap_or_default().into()));
    }

    /// Receives notices of other nodes.
    pub(super) async fn receive_notices(self: Arc<Self>) {
        let (mut spaces, keys) = (self.subject_space(), self.keys());
        loop {
            let subject = spaces.borrow_and_update().of_nodes();
            let mut check = self.check(subject.clone());
            let Ok(mut notices) = self.client.subscribe(subject).await else { return };
            loop {
                tokio::select! {
                    biased;
                    notice = notices.next() => match notice {
                        Some(notice) => {
                            let keys = keys.borrow().clone();
                            if let Some(notice) = self.content(&mut check, &keys, &notice.payload) {
                                self.on_notice(&notice);
                            }
                        }
                        None => return,
                    },
                    _ = spaces.changed() => break,
                }
            }
        }
    }

    fn on_notice(&self, notice: &[u8]) {
        match serde_json::from_slice(notice) {
            Ok(Notice::SessionsEnded(sessions)) => {
                self.hub.close_sessions(&sessions, CloseCode::SessionEnded);
            }
            Ok(Notice::Resync) => self.resync.request(),
            Ok(Notice::LeasesChanged) => self.changed.notify_one(),
            // A newer node may send a notice that this version does not support.
            Err(_) => self.count_rejected(Rejected::Unreadable),
        }
    }
}

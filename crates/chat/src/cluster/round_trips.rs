//! Proves that this node's connection to NATS works and that its subscriptions are active, by
//! messages of the node's own.
//!
//! NATS does not return a message on the connection that published it. A second connection, the
//! witness, therefore receives each probe and publishes its content again on a subject to which the
//! first connection subscribes. NATS handles the commands of a connection in order, so a probe that
//! the witness received proves that earlier subscriptions of the first connection are active; its
//! return proves that events reach the first connection.
//!
//! A probe is a number that nobody can predict, so only a message that follows from the probe can
//! contain the number. Other messages on both subjects are ignored: other programs on NATS may
//! receive everything, and publish anything, without an effect.
//!
//! Callers that wait at the same time share a probe. A caller that arrives while a probe is under way
//! waits for the next one, because the present one was published before.
//!
//! Bounds: [`WAITING`] callers queue, others wait to enter the queue. Tasks: one sends probes, one is
//! the witness; they end with the chat. Called by [`super::broker`].

use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::{interval, timeout};

use super::subject_space;
use crate::store::NodeId;

/// A probe that has not returned in this time has failed.
const RETURNED_WITHIN: Duration = Duration::from_secs(2);
/// Interval in which a probe is published again. The witness may just have connected.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// Callers that may wait for the next probe.
const WAITING: usize = 1_024;

/// The answer to a caller: whether the probe returned.
type Caller = oneshot::Sender<bool>;
/// The number in a probe.
type Number = [u8; 16];

/// The two connections and the callers that wait.
pub(super) struct RoundTrips {
    node: NodeId,
    client: Client,
    witness: Client,
    callers: mpsc::Sender<Caller>,
    /// Taken by the task that sends probes.
    waiting: Mutex<mpsc::Receiver<Caller>>,
    /// The number of the present probe, for the witness.
    number: watch::Sender<Number>,
}

impl RoundTrips {
    pub(super) fn new(node: NodeId, client: Client, witness: Client) -> Self {
        let (callers, waiting) = mpsc::channel(WAITING);
        let (waiting, number) = (Mutex::new(waiting), watch::Sender::new([0; 16]));
        Self { node, client, witness, callers, waiting, number }
    }

    /// Returns whether a probe that was published after this call returned.
    pub(super) async fn probe(&self) -> bool {
        let (caller, answer) = oneshot::channel();
        self.callers.send(caller).await.is_ok() && answer.await.unwrap_or(false)
    }

    /// Connects the witness anew, if its connection is established but does not carry anything.
    pub(super) async fn reconnect_witness(&self) {
        if is_connected(&self.witness) {
            // An error means that the NATS client has ended.
            let _ = self.witness.force_reconnect().await;
        }
    }

    /// Sends probes for the callers.
    pub(super) async fn send_probes(&self) {
        let mut waiting = self.waiting.lock().await;
        let subject = subject_space::of_returned_probes(self.node);
        let Ok(mut returned) = self.client.subscribe(subject).await else { return };
        let mut callers = Vec::new();
        loop {
            tokio::select! {
                count = waiting.recv_many(&mut callers, WAITING) => {
                    if count == 0 {
                        return;
                    }
                    let has_returned = self.send_probe(&mut returned).await;
                    if !has_returned {
                        // Those that came meanwhile would only wait for another failure.
                        while let Ok(caller) = waiting.try_recv() {
                            callers.push(caller);
                        }
                    }
                    for caller in callers.drain(..) {
                        // The caller may not wait any longer.
                        let _ = caller.send(has_returned);
                    }
                }
                // Taken so that the queue of the subscription does not fill.
                Some(_) = returned.next() => {}
            }
        }
    }

    async fn send_probe(&self, returned: &mut Subscriber) -> bool {
        let mut number = Number::default();
        if getrandom::fill(&mut number).is_err() {
            return false;
        }
        self.number.send_replace(number);
        let subject = subject_space::of_probes(self.node);
        let round_trip = async {
            let mut publish = interval(PUBLISH_EVERY);
            loop {
                tokio::select! {
                    _ = publish.tick() => {
                        let probe = Bytes::copy_from_slice(&number);
                        // While disconnected, the client would keep every probe.
                        if is_connected(&self.client)
                            && self.client.publish(subject.clone(), probe).await.is_err()
                        {
                            return false;
                        }
                    }
                    message = returned.next() => match message {
                        Some(message) if message.payload[..] == number => return true,
                        Some(_) => {}
                        None => return false,
                    },
                }
            }
        };
        timeout(RETURNED_WITHIN, round_trip).await.unwrap_or(false)
    }

    /// Returns the present probe to the first connection.
    pub(super) async fn be_witness(&self) {
        let (probes, returned) =
            (subject_space::of_probes(self.node), subject_space::of_returned_probes(self.node));
        let Ok(mut probes) = self.witness.subscribe(probes).await else { return };
        let number = self.number.subscribe();
        while let Some(probe) = probes.next().await {
            let is_present = probe.payload[..] == *number.borrow();
            if is_present && self.witness.publish(returned.clone(), probe.payload).await.is_err() {
                return;
            }
        }
    }
}

/// Whether a connection is established, as far as its client can tell.
pub(super) fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

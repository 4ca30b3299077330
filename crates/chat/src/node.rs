//! This process among others on the same store: it says again and again that it is there, and
//! learns of those that are not there any more.
//!
//! Without nodes that share a store there is nothing to do here. One task, which ends with the
//! chat. Called by [`crate::Chat`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::presence::PresenceBoard;
use crate::relay::Relay;
use crate::store::{self, Instance, NodeId, NodeKey, Renewed, Shared, Store};
use crate::writer::{Lead, Leads};

/// How long others wait before they give this node up.
const LEASE: Duration = Duration::from_secs(10);
/// How often it says that it is there.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often people read again while a node does not hear the others: then nothing tells them.
const READ_AGAIN_EVERY: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// What is asked of it as the one that leads is signed with this.
    pub(crate) key: NodeKey,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) relay: Relay,
    pub(crate) presence: Arc<PresenceBoard>,
    /// Who commits is said here.
    pub(crate) leads: watch::Sender<Leads>,
}

impl Node {
    /// Holds the lease until the token ends, and says goodbye.
    pub(crate) async fn hold_lease(self, end: CancellationToken) {
        let Some(shared) = self.store.shared() else { return };
        let mut state =
            State { has_begun: false, heard: None, is_divided: false, read_at: Instant::now() };
        loop {
            let hears_in = self.relay.hears_in();
            match shared.renew(self.id, &self.key, hears_in.as_ref(), LEASE).await {
                Ok(renewed) => {
                    let is_news = renewed.is_new || state.heard != hears_in;
                    state.heard = hears_in;
                    // Another name of the database: it started again, or another took its place.
                    self.relay.move_to(&renewed.instance);
                    self.on_renewed(shared, renewed, &mut state).await;
                    if is_news {
                        self.relay.say_nodes_changed();
                    }
                }
                Err(error) => tracing::warn!(%error, "this node could not say that it is there"),
            }
            if state.is_divided && state.read_at.elapsed() >= READ_AGAIN_EVERY {
                state.read_at = Instant::now();
                self.relay.read_again_here();
            }
            tokio::select! {
                () = end.cancelled() => break,
                () = self.relay.nodes_changed() => {}
                () = tokio::time::sleep(RENEW_EVERY) => {}
            }
        }
        if let Err(error) = shared.end(self.id).await {
            tracing::warn!(%error, "the other nodes were not told that this one ends");
        }
        self.relay.say_nodes_changed();
    }

    async fn on_renewed(&self, shared: &dyn Shared, renewed: Renewed, state: &mut State) {
        let mut read_again = renewed.one_fell;
        if renewed.is_new {
            if let Err(error) = self.announce(shared).await {
                tracing::warn!(%error, "who is at this node could not be said");
            }
            // At first nobody is here. Later, others may have been told that those who are were not.
            read_again |= state.has_begun;
        }
        state.has_begun = true;
        self.say_who_leads(shared, &renewed, state.heard.as_ref());
        if read_again {
            self.relay.read_again_everywhere();
        }
        for user in renewed.gone {
            self.presence.tell(user, false).await;
        }
        let is_divided = renewed.others > 0 && (renewed.one_is_deaf || !self.relay.hears());
        if is_divided && !state.is_divided {
            self.warn_of_division();
        }
        state.is_divided = is_divided;
    }

    /// The one that is there the longest leads, among nodes that hear each other.
    fn say_who_leads(&self, shared: &dyn Shared, renewed: &Renewed, hears_in: Option<&Instance>) {
        let hears = hears_in == Some(&renewed.instance) && self.relay.hears();
        let leads = match renewed.first {
            Some((first, key)) if renewed.others > 0 && hears => {
                let lead = Lead::new(first, key, renewed.instance.clone(), shared.secret());
                match first == self.id {
                    true => Leads::Here(Arc::new(lead)),
                    false => Leads::Elsewhere(Arc::new(lead)),
                }
            }
            _ => Leads::Nobody,
        };
        let is_changed = self.leads.send_if_modified(|now| {
            let is_other = *now != leads;
            if is_other {
                *now = leads;
            }
            is_other
        });
        if is_changed {
            tracing::info!(leads = ?*self.leads.borrow(), "which node commits has changed");
        }
    }

    async fn announce(&self, shared: &dyn Shared) -> store::Result<()> {
        for some in self.hub.present().chunks(1_000) {
            shared.announce(self.id, some).await?;
        }
        Ok(())
    }

    fn warn_of_division(&self) {
        if self.relay.has_broker() {
            tracing::warn!(
                "a node does not hear the others, or is of another version: people read again \
                 every 10 s"
            );
        } else {
            tracing::warn!(
                "another node stands on this database, and this one has no NATS to hear it by: \
                 people read again every 10 s. Set DUET_NATS_URL on each of them"
            );
        }
    }
}

struct State {
    has_begun: bool,
    /// In which database the lease says that this node hears the others.
    heard: Option<Instance>,
    /// Whether a node does not hear the others.
    is_divided: bool,
    /// When people were last told to read again because of it.
    read_at: Instant,
}

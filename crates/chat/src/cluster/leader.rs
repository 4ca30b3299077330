//! The node that commits for all: requests to it, and answers when this node leads.
//!
//! The leases determine the leader ([`crate::store::LeaseStore::renew`]), but only as a hint: two
//! leaders, or none, cost only time. A batch travels as one request through the broker, and its
//! result as one answer. Used by [`super::merge`]; the task that answers ends with the chat.
//!
//! Nodes on a copy of the store may share the broker, and the copy contains all of the store's
//! durable secrets. For this reason a request goes to the leader's own subject, signed with the key
//! in its lease, and the transaction checks that the leader and the requesting nodes all have a
//! lease in this database ([`Batch::asked_by`]).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::broker::Broker;
use super::leader_requests::LeaderRequest;
use super::merge::ClusterCommits;
use super::signed_events::Rejected;
use super::signing::SigningKeys;
use crate::store::{
    AskedBy, Batch, Committed, Instance, NodeId, NodeKey, NodesSecrets, StoreError,
};

/// How long to wait for the leader before committing here.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long no request is sent after the leader did not answer or did not find this node's lease.
const PAUSE: Duration = Duration::from_secs(3);
/// Longest request, in bytes: half of NATS' default payload limit.
const MAX_REQUEST_BYTES: usize = 512 * 1024;

/// Which node commits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Leadership {
    /// Each node commits for itself.
    Nobody,
    /// This node commits for all.
    Here(Arc<LeaderNode>),
    /// Another node commits for all.
    Elsewhere(Arc<LeaderNode>),
}

/// Prints only the variant, because the key is a secret.
impl fmt::Debug for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Here(_) => "Here",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

/// A node that commits for the others on its database.
pub(crate) struct LeaderNode {
    pub(crate) node: NodeId,
    pub(crate) instance: Instance,
    key: NodeKey,
    secrets: NodesSecrets,
    keys: SigningKeys,
}

impl LeaderNode {
    pub(crate) fn new(
        node: NodeId,
        key: NodeKey,
        instance: Instance,
        secrets: NodesSecrets,
    ) -> Self {
        let keys = SigningKeys::of_leader(&secrets, &key);
        Self { node, instance, key, secrets, keys }
    }
}

impl PartialEq for LeaderNode {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
            && self.key == other.key
            && self.instance == other.instance
            && self.secrets == other.secrets
    }
}

impl Eq for LeaderNode {}

/// The body of a leader request.
#[derive(Serialize, Deserialize)]
struct CommitRequest<B> {
    /// The requesting node.
    from: NodeId,
    batch: B,
}

/// The leader's answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Committed(Committed),
    /// The leader is busy or its commit failed: the requesting node commits itself.
    #[serde(rename = "not")]
    NotCommitted,
    /// The leader's database does not contain the requesting node's lease. Nothing was stored.
    Elsewhere,
}

/// Sends leader requests.
pub(super) struct LeaderClient {
    broker: Arc<Broker>,
    /// This node.
    me: NodeId,
    leadership: watch::Receiver<Leadership>,
    /// No request is sent before this time.
    not_before: Mutex<Option<Instant>>,
}

impl LeaderClient {
    pub(super) fn new(
        broker: Arc<Broker>,
        me: NodeId,
        leadership: watch::Receiver<Leadership>,
    ) -> Self {
        Self { broker, me, leadership, not_before: Mutex::default() }
    }

    /// Lets the leader commit a batch, if another node leads. `None` after a request does not mean
    /// that nothing was stored: the batch may be on disk.
    pub(super) async fn commit(&self, batch: &Batch) -> Option<Committed> {
        let leader = match &*self.leadership.borrow() {
            Leadership::Elsewhere(leader) => leader.clone(),
            Leadership::Nobody | Leadership::Here(_) => return None,
        };
        if self.is_paused() {
            return None;
        }
        // Cannot fail: a batch contains only ids, numbers and texts.
        let request = CommitRequest { from: self.me, batch };
        let request = serde_json::to_vec(&request).unwrap_or_default();
        if request.len() > MAX_REQUEST_BYTES {
            return None;
        }
        let key = leader.keys.signing();
        let request = key.sign_request(request);
        let answer = self.broker.request_leader(&leader, request.clone(), ANSWER_WITHIN);
        let Some(answer) = answer.await else {
            tracing::warn!("the leader does not answer: this node commits its own batches");
            self.pause();
            return None;
        };
        let Some(answer) = key.verify_answer(&request, &answer) else {
            // Another program answered first; the leader may still commit the batch.
            self.broker.count_rejected(Rejected::Forged);
            self.pause();
            return None;
        };
        match serde_json::from_slice(answer) {
            Ok(Answer::Committed(committed)) if committed.is_of(batch) => Some(committed),
            Ok(Answer::Elsewhere) => {
                tracing::info!("the leader does not find this node's lease");
                self.pause();
                None
            }
            _ => None,
        }
    }

    fn is_paused(&self) -> bool {
        let not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.is_some_and(|at| Instant::now() < at)
    }

    fn pause(&self) {
        let at = Instant::now() + PAUSE;
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Answers other nodes while this one leads.
pub(crate) async fn answer_leader_requests(
    commits: Arc<ClusterCommits>,
    tasks: TaskTracker,
    end: CancellationToken,
) {
    let mut leadership = commits.leader().leadership.clone();
    loop {
        let begins = tokio::select! {
            biased;
            () = end.cancelled() => return,
            now = leadership.wait_for(|now| matches!(now, Leadership::Here(_))) => {
                now.map(|now| now.clone())
            }
        };
        let Ok(Leadership::Here(leader)) = begins else { return };
        let answer = |request| drop(tasks.spawn(answer(commits.clone(), leader.clone(), request)));
        let requests = commits.leader().broker.leader_requests(&leader).await;
        let Some(mut requests) = requests else { return };
        let is_other = |now: &Leadership| !matches!(now, Leadership::Here(now) if *now == leader);
        loop {
            tokio::select! {
                () = end.cancelled() => break,
                _ = leadership.wait_for(is_other) => break,
                Some(request) = requests.next() => answer(request),
            }
        }
        // Requests that have arrived are still answered.
        let rest = async {
            requests.close().await;
            while let Some(request) = requests.next().await {
                answer(request);
            }
        };
        if timeout(ANSWER_WITHIN, rest).await.is_err() {
            tracing::debug!(
                "NATS does not answer: the nodes that sent requests commit their own batches"
            );
        }
    }
}

async fn answer(commits: Arc<ClusterCommits>, leader: Arc<LeaderNode>, request: LeaderRequest) {
    let verified = leader.keys.find(|key| key.verify_request(request.payload()));
    let Some((key, body)) = verified else {
        commits.leader().broker.count_rejected(Rejected::Forged);
        return;
    };
    let answer = match serde_json::from_slice::<CommitRequest<Batch>>(body) {
        Ok(request) if !commits.is_full() => commit(&commits, &leader, request).await,
        // A newer node may send a request that this version does not support.
        _ => Answer::NotCommitted,
    };
    let answer = serde_json::to_vec(&answer).unwrap_or_default();
    let answer = key.sign_answer(request.payload(), answer);
    request.answer(answer).await;
}

async fn commit(
    commits: &ClusterCommits,
    leader: &LeaderNode,
    CommitRequest { from, mut batch }: CommitRequest<Batch>,
) -> Answer {
    let (instance, nodes) = (leader.instance.clone(), vec![leader.node, from]);
    batch.asked_by = Some(AskedBy { instance, nodes });
    match commits.commit_here(Arc::new(batch)).await {
        Ok(committed) => Answer::Committed(committed),
        Err(error) if matches!(*error, StoreError::Elsewhere) => Answer::Elsewhere,
        Err(_) => Answer::NotCommitted,
    }
}

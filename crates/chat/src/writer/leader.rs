//! The node that commits for all: requests to it, and answers when this node leads.
//!
//! The leases determine the leader ([`crate::store::LeaseStore::renew`]), but only as a hint: two
//! leaders, or none, cost only time. A batch travels as one request through the broker, and its
//! result as one answer. Used by [`super::commits`]; the task that answers ends with the chat.
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

use super::commits::Commits;
use super::seal::Seal;
use crate::relay::{Question, Relay};
use crate::store::{AskedBy, Batch, Committed, Instance, NodeId, NodeKey, NodesSecret, StoreError};

/// How long to wait for the leader before committing here.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long no request is sent after the leader did not answer or did not find this node's lease.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// Longest request, in bytes: half of NATS' default payload limit.
const LONGEST: usize = 512 * 1024;

/// Which node commits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Each node commits for itself.
    Nobody,
    /// This node commits for all.
    Here(Arc<Lead>),
    /// Another node commits for all.
    Elsewhere(Arc<Lead>),
}

/// Prints only the variant, because the key is a secret.
impl fmt::Debug for Leads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Here(_) => "Here",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

/// A node that commits for the others on its database.
pub(crate) struct Lead {
    pub(crate) node: NodeId,
    pub(crate) instance: Instance,
    key: NodeKey,
    seal: Seal,
}

impl Lead {
    pub(crate) fn new(
        node: NodeId,
        key: NodeKey,
        instance: Instance,
        secret: &NodesSecret,
    ) -> Self {
        let seal = Seal::of_leader(secret.bytes(), &key.0);
        Self { node, instance, key, seal }
    }
}

impl PartialEq for Lead {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node && self.key == other.key && self.instance == other.instance
    }
}

impl Eq for Lead {}

/// A leader request.
#[derive(Serialize, Deserialize)]
struct Asked<B> {
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
    Not,
    /// The leader's database does not contain the requesting node's lease. Nothing was stored.
    Elsewhere,
}

/// Sends leader requests.
pub(crate) struct Leader {
    relay: Relay,
    /// This node.
    me: NodeId,
    leads: watch::Receiver<Leads>,
    not_before: Mutex<Option<Instant>>,
}

impl Leader {
    pub(crate) fn new(relay: Relay, me: NodeId, leads: watch::Receiver<Leads>) -> Self {
        Self { relay, me, leads, not_before: Mutex::default() }
    }

    /// Lets the leader commit a batch, if another node leads. `None` after a request does not mean
    /// that nothing was stored: the batch may be on disk.
    pub(super) async fn ask(&self, batch: &Batch) -> Option<Committed> {
        let lead = match &*self.leads.borrow() {
            Leads::Elsewhere(lead) => lead.clone(),
            Leads::Nobody | Leads::Here(_) => return None,
        };
        if !self.is_time() {
            return None;
        }
        // Cannot fail: a batch contains only ids, numbers and texts.
        let question = serde_json::to_vec(&Asked { from: self.me, batch }).unwrap_or_default();
        if question.len() > LONGEST {
            return None;
        }
        let question = lead.seal.question(question);
        let asking = self.relay.ask_leader(&lead, question.clone(), ANSWER_WITHIN);
        let Some(answer) = asking.await else {
            tracing::warn!("the node that leads does not answer: this one commits for itself");
            self.put_off();
            return None;
        };
        match serde_json::from_slice(lead.seal.open_answer(&question, &answer)?) {
            Ok(Answer::Committed(committed)) if committed.is_of(batch) => Some(committed),
            Ok(Answer::Elsewhere) => {
                tracing::info!("the node that leads does not find this node's lease");
                self.put_off();
                None
            }
            _ => None,
        }
    }

    fn is_time(&self) -> bool {
        let not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.is_none_or(|at| Instant::now() >= at)
    }

    fn put_off(&self) {
        let at = Instant::now() + ASK_AGAIN;
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

/// Answers other nodes while this one leads.
pub(crate) async fn answer_others(
    commits: Arc<Commits>,
    tasks: TaskTracker,
    end: CancellationToken,
) {
    let mut leads = commits.leader().leads.clone();
    loop {
        let begins = tokio::select! {
            biased;
            () = end.cancelled() => return,
            leads = leads.wait_for(|leads| matches!(leads, Leads::Here(_))) => leads.map(|now| now.clone()),
        };
        let Ok(Leads::Here(lead)) = begins else { return };
        let answer = |question| drop(tasks.spawn(answer(commits.clone(), lead.clone(), question)));
        let Some(mut questions) = commits.leader().relay.questions(&lead).await else { return };
        let is_other = |now: &Leads| !matches!(now, Leads::Here(now) if *now == lead);
        loop {
            tokio::select! {
                () = end.cancelled() => break,
                _ = leads.wait_for(is_other) => break,
                Some(question) = questions.next() => answer(question),
            }
        }
        // Requests that have arrived are still answered.
        let rest = async {
            questions.close().await;
            while let Some(question) = questions.next().await {
                answer(question);
            }
        };
        if timeout(ANSWER_WITHIN, rest).await.is_err() {
            tracing::debug!("the broker is away: whoever asked commits by themselves");
        }
    }
}

async fn answer(commits: Arc<Commits>, lead: Arc<Lead>, question: Question) {
    let Some(body) = lead.seal.open_question(question.payload()) else {
        tracing::warn!(
            "somebody who is none of the nodes asks NATS for a commit; see who gets in there"
        );
        return;
    };
    let answer = match serde_json::from_slice::<Asked<Batch>>(body) {
        Ok(asked) if !commits.is_full() => commit(&commits, &lead, asked).await,
        // A newer node may send a request that this version does not support.
        _ => Answer::Not,
    };
    let answer = serde_json::to_vec(&answer).unwrap_or_default();
    let answer = lead.seal.answer(question.payload(), answer);
    question.answer(answer).await;
}

async fn commit(commits: &Commits, lead: &Lead, Asked { from, mut batch }: Asked<Batch>) -> Answer {
    let (instance, nodes) = (lead.instance.clone(), vec![lead.node, from]);
    batch.asked_by = Some(AskedBy { instance, nodes });
    match commits.commit_here(Arc::new(batch)).await {
        Ok(committed) => Answer::Committed(committed),
        Err(error) if matches!(*error, StoreError::Elsewhere) => Answer::Elsewhere,
        Err(_) => Answer::Not,
    }
}

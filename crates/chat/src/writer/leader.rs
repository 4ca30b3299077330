//! The node that commits for all: asking it, and being it.
//!
//! Which one leads is said by the leases ([`crate::store::Shared::renew`]); it is a hint. Two that
//! lead, or none, cost time and nothing else. A group goes as one question through the broker, and
//! its outcome comes back as one answer. Used by [`super::commits`]; the task that answers ends with
//! the chat.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::commits::Commits;
use crate::relay::{Question, Relay};
use crate::store::{Batch, Committed};

/// How long the one that leads may take; then a group is committed here.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long one that did not answer is not asked.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// Bytes of a question: half of what NATS carries at once, unless it is told otherwise.
const LONGEST: usize = 512 * 1024;

/// Which node commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Each for itself.
    Nobody,
    /// This one, for all.
    Here,
    /// Another.
    Elsewhere,
}

/// What the one that leads answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Committed(Committed),
    /// It has enough to do, or could not: let the asker commit.
    Not,
}

/// See the module.
pub(crate) struct Leader {
    relay: Relay,
    leads: watch::Receiver<Leads>,
    not_before: Mutex<Option<Instant>>,
}

impl Leader {
    pub(crate) fn new(relay: Relay, leads: watch::Receiver<Leads>) -> Self {
        Self { relay, leads, not_before: Mutex::default() }
    }

    /// Lets another node commit a group, if one leads. Nothing is known of the group where there is
    /// no answer: it may be on disk.
    pub(super) async fn ask(&self, batch: &Batch) -> Option<Committed> {
        if *self.leads.borrow() != Leads::Elsewhere || !self.is_time() {
            return None;
        }
        // Ids, numbers and texts: there is nothing in them that cannot be written.
        let question = serde_json::to_vec(batch).unwrap_or_default();
        if question.len() > LONGEST {
            return None;
        }
        let Some(answer) = self.relay.ask_leader(question.into(), ANSWER_WITHIN).await else {
            tracing::warn!("the node that leads does not answer: this one commits for itself");
            self.put_off();
            return None;
        };
        match serde_json::from_slice(&answer) {
            Ok(Answer::Committed(committed)) if committed.is_of(batch) => Some(committed),
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

/// Answers the other nodes while this one leads.
pub(crate) async fn answer_others(
    commits: Arc<Commits>,
    relay: Relay,
    mut leads: watch::Receiver<Leads>,
    tasks: TaskTracker,
    end: CancellationToken,
) {
    let answer = |question| drop(tasks.spawn(answer(commits.clone(), question)));
    loop {
        let begins = tokio::select! {
            biased;
            () = end.cancelled() => false,
            leads = leads.wait_for(|leads| *leads == Leads::Here) => leads.is_ok(),
        };
        let Some(mut questions) = relay.questions().await.filter(|_| begins) else { return };
        loop {
            tokio::select! {
                () = end.cancelled() => break,
                _ = leads.wait_for(|leads| *leads != Leads::Here) => break,
                Some(question) = questions.next() => answer(question),
            }
        }
        // What has come is still answered.
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

async fn answer(commits: Arc<Commits>, question: Question) {
    let answer = match serde_json::from_slice::<Batch>(question.payload()) {
        Ok(batch) if !commits.is_full() => match commits.commit_here(Arc::new(batch)).await {
            Ok(committed) => Answer::Committed(committed),
            Err(_) => Answer::Not,
        },
        // A newer node may ask what this one does not know.
        _ => Answer::Not,
    };
    question.answer(serde_json::to_vec(&answer).unwrap_or_default().into()).await;
}

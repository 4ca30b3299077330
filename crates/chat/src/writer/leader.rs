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
use super::seal::Seal;
use crate::relay::{Question, Relay};
use crate::store::{Batch, Committed, Store};

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
    /// None where one process has the store to itself.
    seal: Option<Seal>,
    leads: watch::Receiver<Leads>,
    not_before: Mutex<Option<Instant>>,
}

impl Leader {
    pub(crate) fn new(relay: Relay, store: &dyn Store, leads: watch::Receiver<Leads>) -> Self {
        let seal = store.shared().map(|shared| Seal::new(shared.secret().bytes()));
        Self { relay, seal, leads, not_before: Mutex::default() }
    }

    /// Lets another node commit a group, if one leads. Nothing is known of the group where there is
    /// no answer: it may be on disk.
    pub(super) async fn ask(&self, batch: &Batch) -> Option<Committed> {
        let seal = self.seal.as_ref()?;
        if *self.leads.borrow() != Leads::Elsewhere || !self.is_time() {
            return None;
        }
        // Ids, numbers and texts: there is nothing in them that cannot be written.
        let question = serde_json::to_vec(batch).unwrap_or_default();
        if question.len() > LONGEST {
            return None;
        }
        let question = seal.question(question);
        let Some(answer) = self.relay.ask_leader(question.clone(), ANSWER_WITHIN).await else {
            tracing::warn!("the node that leads does not answer: this one commits for itself");
            self.put_off();
            return None;
        };
        match serde_json::from_slice(seal.open_answer(&question, &answer)?) {
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
    tasks: TaskTracker,
    end: CancellationToken,
) {
    let mut leads = commits.leader().leads.clone();
    let answer = |question| drop(tasks.spawn(answer(commits.clone(), question)));
    loop {
        let begins = tokio::select! {
            biased;
            () = end.cancelled() => false,
            leads = leads.wait_for(|leads| *leads == Leads::Here) => leads.is_ok(),
        };
        if !begins {
            return;
        }
        let Some(mut questions) = commits.leader().relay.questions().await else { return };
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
    let Some(seal) = &commits.leader().seal else { return };
    let Some(batch) = seal.open_question(question.payload()) else {
        tracing::warn!(
            "somebody who is none of the nodes asks NATS for a commit; see who gets in there"
        );
        return;
    };
    let answer = match serde_json::from_slice::<Batch>(batch) {
        Ok(batch) if !commits.is_full() => match commits.commit_here(Arc::new(batch)).await {
            Ok(committed) => Answer::Committed(committed),
            Err(_) => Answer::Not,
        },
        // A newer node may ask what this one does not know.
        _ => Answer::Not,
    };
    let answer = serde_json::to_vec(&answer).unwrap_or_default();
    let answer = seal.answer(question.payload(), answer);
    question.answer(answer).await;
}

//! Commits batches: at the leader if another node leads, otherwise here, in one transaction with all
//! other batches that wait here.
//!
//! If every node committed on its own, there would be many small transactions, which would block
//! each other in conversations whose users are on different nodes. Hence one node commits for all
//! where possible. Other nodes send it their batches through the broker; without an answer, or if
//! the leader is busy, a node commits its batch itself. That costs only time, because the store
//! assigns the seqs and recognises repeats. Called by the writer task through [`Commits`], and by
//! [`super::leader`] for other nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use protocol::{ClientId, UserId};
use tokio::sync::oneshot;

use super::leader::LeaderClient;
use crate::clock;
use crate::health::{Health, Work};
use crate::store::{self, Batch, Committed, Store, StoreError};
use crate::writer::{CommitResult, Commits, MAX_BATCH};

/// Commits batches at the leader or here.
pub(crate) struct ClusterCommits {
    store: Arc<dyn Store>,
    leader: LeaderClient,
    health: Arc<Health>,
    /// Its holder commits the waiting batches.
    turn: tokio::sync::Mutex<()>,
    /// Held to add and remove batches, never across an await.
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    batch: Arc<Batch>,
    done: oneshot::Sender<CommitResult>,
}

#[async_trait]
impl Commits for ClusterCommits {
    async fn commit(&self, batch: Arc<Batch>) -> CommitResult {
        match self.leader.commit(&batch).await {
            Some(committed) => Ok(committed),
            None => self.commit_here(batch).await,
        }
    }
}

impl ClusterCommits {
    pub(super) fn new(store: Arc<dyn Store>, leader: LeaderClient, health: Arc<Health>) -> Self {
        let (turn, waiting) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { store, leader, health, turn, waiting }
    }

    pub(super) fn leader(&self) -> &LeaderClient {
        &self.leader
    }

    /// Commits a batch at this node. No reference to the batch remains when the call returns.
    ///
    /// # Cancel safety
    /// Not cancel safe: the caller may hold the turn and be committing the batches of others.
    pub(super) async fn commit_here(&self, batch: Arc<Batch>) -> CommitResult {
        let (done, mut outcome) = oneshot::channel();
        self.waiting().push(Waiting { batch, done });
        let _turn = self.turn.lock().await;
        loop {
            match outcome.try_recv() {
                Ok(outcome) => return outcome,
                Err(oneshot::error::TryRecvError::Empty) => self.commit_waiting().await,
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(Arc::new(StoreError::Closed));
                }
            }
        }
    }

    /// Returns whether the waiting batches would fill a transaction.
    pub(super) fn is_full(&self) -> bool {
        self.waiting().iter().map(|waiting| waiting.batch.len()).sum::<usize>() >= MAX_BATCH
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit_waiting(&self) {
        let (batches, parts) = self.take_waiting();
        let batch = merge(batches);
        let is_mixed = batch.asked_by.is_some() && parts.iter().any(|part| part.is_own);
        let copy = is_mixed.then(|| batch.clone());
        let committed = self.store.commit(batch, clock::now()).await;
        if let Err(error) = &committed {
            self.health.failed(Work::Commit, error);
        }
        match (committed, copy) {
            (Err(StoreError::Elsewhere), Some(batch)) => self.requeue_own(batch, parts),
            (committed, _) => distribute(parts, committed),
        }
    }

    /// Answers [`StoreError::Elsewhere`] to other nodes, and puts this node's own batches back at
    /// the front of the queue. The failed transaction stored nothing.
    fn requeue_own(&self, batch: Arc<Batch>, parts: Vec<Part>) {
        let batches = split(Arc::unwrap_or_clone(batch), &parts);
        let error = Arc::new(StoreError::Elsewhere);
        let mut own = Vec::new();
        for (part, batch) in parts.into_iter().zip(batches) {
            if part.is_own {
                own.push(Waiting { batch: Arc::new(batch), done: part.done });
            } else {
                // The requesting task may have ended.
                let _ = part.done.send(Err(error.clone()));
            }
        }
        self.waiting().splice(0..0, own);
    }

    /// Takes the batches of the next transaction, at least one.
    fn take_waiting(&self) -> (Vec<Arc<Batch>>, Vec<Part>) {
        let mut waiting = self.waiting();
        let count = fitting(&waiting);
        waiting
            .drain(..count)
            .map(|Waiting { batch, done }| {
                let part = Part::of(&batch, done);
                (batch, part)
            })
            .unzip()
    }
}

/// A batch's share of a transaction, and the receiver of its result.
struct Part {
    messages: usize,
    marks: usize,
    seen_users: usize,
    seen_sessions: usize,
    yields: bool,
    /// False if another node requested the batch.
    is_own: bool,
    done: oneshot::Sender<CommitResult>,
}

impl Part {
    fn of(batch: &Batch, done: oneshot::Sender<CommitResult>) -> Self {
        Self {
            messages: batch.messages.len(),
            marks: batch.marks.len(),
            seen_users: batch.seen_users.len(),
            seen_sessions: batch.seen_sessions.len(),
            yields: batch.yields,
            is_own: batch.asked_by.is_none(),
            done,
        }
    }
}

/// Returns how many waiting batches fit into one transaction. A message id may occur only once in
/// it, so a repeat through another node waits for the next transaction.
fn fitting(waiting: &[Waiting]) -> usize {
    if waiting.len() < 2 {
        return waiting.len();
    }
    let mut ids: HashSet<(UserId, ClientId)> = HashSet::new();
    let (mut len, mut count) = (0, 0);
    let mut instance = None;
    for Waiting { batch, .. } in waiting {
        // A transaction runs on one database, so requests for another instance wait.
        let requested_in = batch.asked_by.as_ref().map(|asked_by| &asked_by.instance);
        if requested_in.is_some() && *instance.get_or_insert(requested_in) != requested_in {
            break;
        }
        len += batch.len();
        let ids_are_new = batch.messages.iter().all(|new| ids.insert((new.sender, new.client_id)));
        if !ids_are_new || len > MAX_BATCH {
            break;
        }
        count += 1;
    }
    count.max(1)
}

fn merge(mut batches: Vec<Arc<Batch>>) -> Arc<Batch> {
    if batches.len() == 1
        && let Some(only) = batches.pop()
    {
        return only;
    }
    let mut merged = Batch { yields: true, ..Batch::default() };
    for batch in batches {
        let batch = Arc::unwrap_or_clone(batch);
        merged.messages.extend(batch.messages);
        merged.marks.extend(batch.marks);
        merged.seen_users.extend(batch.seen_users);
        merged.seen_sessions.extend(batch.seen_sessions);
        merged.yields &= batch.yields;
        merged.oldest = merged.oldest.and(batch.oldest);
        match (&mut merged.asked_by, batch.asked_by) {
            (Some(merged), Some(asked_by)) => merged.nodes.extend(asked_by.nodes),
            (none @ None, asked_by) => *none = asked_by,
            (Some(_), None) => {}
        }
    }
    Arc::new(merged)
}

/// Splits a merged batch into its parts, without `asked_by`.
fn split(merged: Batch, parts: &[Part]) -> Vec<Batch> {
    let mut messages = merged.messages.into_iter();
    let mut marks = merged.marks.into_iter();
    let mut seen_users = merged.seen_users.into_iter();
    let mut seen_sessions = merged.seen_sessions.into_iter();
    let batch = |part: &Part| Batch {
        messages: messages.by_ref().take(part.messages).collect(),
        marks: marks.by_ref().take(part.marks).collect(),
        seen_users: seen_users.by_ref().take(part.seen_users).collect(),
        seen_sessions: seen_sessions.by_ref().take(part.seen_sessions).collect(),
        yields: part.yields,
        oldest: merged.oldest,
        asked_by: None,
    };
    parts.iter().map(batch).collect()
}

/// Sends each part its share of the results.
fn distribute(parts: Vec<Part>, committed: store::Result<Committed>) {
    let (mut messages, mut marks) = match committed {
        Ok(committed) => (committed.messages.into_iter(), committed.marks.into_iter()),
        Err(error) => {
            let error = Arc::new(error);
            for part in parts {
                // The requesting task may have ended.
                let _ = part.done.send(Err(error.clone()));
            }
            return;
        }
    };
    for part in parts {
        let committed = Committed {
            messages: messages.by_ref().take(part.messages).collect(),
            marks: marks.by_ref().take(part.marks).collect(),
        };
        // The requesting task may have ended.
        let _ = part.done.send(Ok(committed));
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, Seq, SessionId, Timestamp};

    use super::*;
    use crate::store::{
        AskedBy, Deferrable, Instance, MarkOutcome, NewMessage, NodeId, Reach, SendOutcome,
    };

    fn waiting(messages: Vec<NewMessage>) -> (Waiting, oneshot::Receiver<CommitResult>) {
        let (done, outcome) = oneshot::channel();
        (Waiting { batch: Arc::new(Batch { messages, ..Batch::default() }), done }, outcome)
    }

    fn message() -> NewMessage {
        NewMessage {
            sender: UserId::new(),
            session: SessionId::new(),
            conversation: ConversationId::new(),
            client_id: ClientId::new(),
            body: "hello".into(),
        }
    }

    fn stored(seq: i64) -> SendOutcome {
        let (seq, sent_at, peer) = (Seq(seq), Timestamp(1), UserId::new());
        SendOutcome::Stored { seq, sent_at, peer, reach: Reach::default() }
    }

    #[test]
    fn an_id_occurs_only_once_in_a_transaction() {
        let repeated = message();
        let lists = [vec![repeated.clone()], vec![message()], vec![repeated], vec![message()]];
        let (waiting, _outcomes): (Vec<_>, Vec<_>) = lists.map(waiting).into_iter().unzip();
        assert_eq!(fitting(&waiting), 2, "the repeat waits, and the batch after it");
        assert_eq!(fitting(&waiting[2..]), 2);
    }

    #[test]
    fn a_transaction_is_bounded_and_a_batch_that_is_too_large_is_committed_alone() {
        let many = |count| (0..count).map(|_| message()).collect();
        let lists = [many(MAX_BATCH - 1), many(1), many(1), many(MAX_BATCH + 1)];
        let (waiting, _outcomes): (Vec<_>, Vec<_>) = lists.map(waiting).into_iter().unzip();
        assert_eq!(fitting(&waiting), 2);
        assert_eq!(fitting(&waiting[2..]), 1);
        assert_eq!(fitting(&waiting[3..]), 1);
    }

    #[test]
    fn each_batch_gets_its_own_results() {
        let (one, mut of_one) = oneshot::channel();
        let (other, mut of_other) = oneshot::channel();
        let batch = |messages: usize| Batch {
            messages: (0..messages).map(|_| message()).collect(),
            ..Batch::default()
        };
        let parts = vec![Part::of(&batch(1), one), Part { marks: 1, ..Part::of(&batch(2), other) }];
        let outcomes = [stored(1), stored(2), SendOutcome::Reused].map(Deferrable::Decided);
        let unchanged = Deferrable::Decided(MarkOutcome::Unchanged);
        let committed = Committed { messages: outcomes.to_vec(), marks: vec![unchanged] };
        distribute(parts, Ok(committed));
        let one = of_one.try_recv().expect("a result").expect("committed");
        assert_eq!((one.messages, one.marks), (vec![outcomes[0]], vec![]));
        let other = of_other.try_recv().expect("a result").expect("committed");
        assert_eq!(other.messages, outcomes[1..]);
        assert_eq!(other.marks, [unchanged]);
    }

    #[test]
    fn all_batches_of_a_transaction_get_its_error() {
        let (one, mut of_one) = oneshot::channel();
        let (other, mut of_other) = oneshot::channel();
        let batch = Batch { messages: vec![message()], ..Batch::default() };
        let part = |done| Part::of(&batch, done);
        distribute(vec![part(one), part(other)], Err(StoreError::Silent));
        for outcome in [&mut of_one, &mut of_other] {
            assert!(outcome.try_recv().expect("a result").is_err());
        }
    }

    #[test]
    fn a_merged_batch_defers_writes_only_if_all_its_parts_do() {
        let batch =
            |yields| Arc::new(Batch { yields, messages: vec![message()], ..Batch::default() });
        assert!(merge(vec![batch(true), batch(true)]).yields);
        assert!(!merge(vec![batch(true), batch(false)]).yields);
    }

    fn requested_in(instance: &str) -> Option<AskedBy> {
        Some(AskedBy { instance: Instance::named(instance), nodes: vec![NodeId::new()] })
    }

    #[test]
    fn requests_for_two_databases_are_in_two_transactions() {
        let lists = [vec![message()], vec![message()], vec![message()]];
        let (mut waiting, _outcomes): (Vec<_>, Vec<_>) = lists.map(waiting).into_iter().unzip();
        for (index, instance) in [(0, "one"), (2, "other")] {
            Arc::make_mut(&mut waiting[index].batch).asked_by = requested_in(instance);
        }
        assert_eq!(fitting(&waiting), 2, "the node's own batch may be merged with either");
        Arc::make_mut(&mut waiting[2].batch).asked_by = requested_in("one");
        assert_eq!(fitting(&waiting), 3);
    }

    #[test]
    fn a_merged_batch_is_split_into_the_same_parts() {
        let seen = |user: UserId| Batch { seen_users: vec![user], ..Batch::default() };
        let user = UserId::new();
        let batches = [
            Batch {
                messages: vec![message(), message()],
                asked_by: requested_in("one"),
                ..seen(user)
            },
            Batch { messages: vec![message()], yields: true, ..Batch::default() },
        ];
        let ids = |batch: &Batch| batch.messages.iter().map(|m| m.client_id).collect::<Vec<_>>();
        let before = batches.each_ref().map(|batch| (ids(batch), batch.seen_users.clone()));
        let parts: Vec<_> =
            batches.iter().map(|batch| Part::of(batch, oneshot::channel().0)).collect();
        let merged = merge(batches.map(Arc::new).into());
        assert!(merged.asked_by.is_some());
        let batches = split(Arc::unwrap_or_clone(merged), &parts);
        let after: Vec<_> =
            batches.iter().map(|batch| (ids(batch), batch.seen_users.clone())).collect();
        assert_eq!(after, before);
        assert_eq!(batches.iter().map(|batch| batch.yields).collect::<Vec<_>>(), [false, true]);
        assert!(batches.iter().all(|batch| batch.asked_by.is_none()));
    }
}

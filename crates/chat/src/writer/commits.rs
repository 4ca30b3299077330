//! Where a group is committed: at the node that leads, if that is another, or else at this one,
//! in one transaction with whatever else waits for that here.
//!
//! Nodes that commit each for themselves make many small transactions, and meet in conversations of
//! two who are at different ones. So one commits for all while that works: it is asked through the
//! broker, and if no answer comes, or it has enough to do, a group is committed here. That costs
//! time and nothing else: the numbers are taken in the store, and a repeat is recognised there.
//! Called by the writer's task, and by [`super::leader`] for the other nodes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{ClientId, UserId};
use tokio::sync::oneshot;

use super::leader::Leader;
use crate::clock;
use crate::store::{self, Batch, Committed, Store, StoreError};

/// Writes in one transaction. More gains nothing: at this size the fsync is already a small part.
pub(super) const MAX_BATCH: usize = 512;

/// What became of a group. One failure may be that of several.
pub(super) type Outcome = Result<Committed, Arc<StoreError>>;

/// See the module.
pub(crate) struct Commits {
    store: Arc<dyn Store>,
    leader: Leader,
    /// Whoever holds it commits what waits.
    turn: tokio::sync::Mutex<()>,
    /// The lock is held to put in and take out, never across an await.
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    batch: Arc<Batch>,
    done: oneshot::Sender<Outcome>,
}

impl Commits {
    pub(crate) fn new(store: Arc<dyn Store>, leader: Leader) -> Self {
        Self { store, leader, turn: tokio::sync::Mutex::default(), waiting: Mutex::default() }
    }

    pub(super) fn leader(&self) -> &Leader {
        &self.leader
    }

    /// Commits a group, and returns when it is on disk.
    pub(super) async fn commit(&self, batch: Arc<Batch>) -> Outcome {
        match self.leader.ask(&batch).await {
            Some(committed) => Ok(committed),
            None => self.commit_here(batch).await,
        }
    }

    /// Commits a group at this node. It has let go of the batch when it returns.
    pub(super) async fn commit_here(&self, batch: Arc<Batch>) -> Outcome {
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

    /// Whether a transaction of those that wait would be full.
    pub(super) fn is_full(&self) -> bool {
        self.waiting().iter().map(|one| one.batch.len()).sum::<usize>() >= MAX_BATCH
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit_waiting(&self) {
        let (batches, parts) = self.take_waiting();
        let committed = self.store.commit(merge(batches), clock::now()).await;
        tell(parts, committed);
    }

    /// Takes what goes into one transaction, at least one.
    fn take_waiting(&self) -> (Vec<Arc<Batch>>, Vec<Part>) {
        let mut waiting = self.waiting();
        let count = fitting(&waiting);
        waiting
            .drain(..count)
            .map(|Waiting { batch, done }| {
                let part = Part { messages: batch.messages.len(), marks: batch.marks.len(), done };
                (batch, part)
            })
            .unzip()
    }
}

/// Who waits for which part of a transaction.
struct Part {
    messages: usize,
    marks: usize,
    done: oneshot::Sender<Outcome>,
}

/// How many of those that wait fit into one transaction, in which an id may stand once: whoever
/// repeats a message at another node waits for the next.
fn fitting(waiting: &[Waiting]) -> usize {
    if waiting.len() < 2 {
        return waiting.len();
    }
    let mut ids: HashSet<(UserId, ClientId)> = HashSet::new();
    let mut len = 0;
    let fits = |one: &&Waiting| {
        len += one.batch.len();
        let ids_are_new =
            one.batch.messages.iter().all(|new| ids.insert((new.sender, new.client_id)));
        ids_are_new && len <= MAX_BATCH
    };
    waiting.iter().take_while(fits).count().max(1)
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
    }
    Arc::new(merged)
}

fn tell(parts: Vec<Part>, committed: store::Result<Committed>) {
    let (mut messages, mut marks) = match committed {
        Ok(committed) => (committed.messages.into_iter(), committed.marks.into_iter()),
        Err(error) => {
            let error = Arc::new(error);
            for part in parts {
                // Whoever waited may have ended.
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
        // As above.
        let _ = part.done.send(Ok(committed));
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, Seq, Timestamp};

    use super::*;
    use crate::store::{MarkOutcome, NewMessage, SendOutcome};

    fn waiting(messages: Vec<NewMessage>) -> (Waiting, oneshot::Receiver<Outcome>) {
        let (done, outcome) = oneshot::channel();
        (Waiting { batch: Arc::new(Batch { messages, ..Batch::default() }), done }, outcome)
    }

    fn message() -> NewMessage {
        NewMessage {
            sender: UserId::new(),
            conversation: ConversationId::new(),
            client_id: ClientId::new(),
            body: "hello".into(),
        }
    }

    fn stored(seq: i64) -> SendOutcome {
        SendOutcome::Stored { seq: Seq(seq), sent_at: Timestamp(1), peer: UserId::new() }
    }

    #[test]
    fn an_id_stands_once_in_a_transaction() {
        let repeated = message();
        let lists = [vec![repeated.clone()], vec![message()], vec![repeated], vec![message()]];
        let (waiting, _outcomes): (Vec<_>, Vec<_>) = lists.map(waiting).into_iter().unzip();
        assert_eq!(fitting(&waiting), 2, "the repeat waits, and what came after it");
        assert_eq!(fitting(&waiting[2..]), 2);
    }

    #[test]
    fn a_transaction_has_an_end_and_what_is_too_long_goes_alone() {
        let many = |count| (0..count).map(|_| message()).collect();
        let lists = [many(MAX_BATCH - 1), many(1), many(1), many(MAX_BATCH + 1)];
        let (waiting, _outcomes): (Vec<_>, Vec<_>) = lists.map(waiting).into_iter().unzip();
        assert_eq!(fitting(&waiting), 2);
        assert_eq!(fitting(&waiting[2..]), 1);
        assert_eq!(fitting(&waiting[3..]), 1);
    }

    #[test]
    fn everyone_is_told_of_their_own_part() {
        let (one, mut of_one) = oneshot::channel();
        let (other, mut of_other) = oneshot::channel();
        let parts = vec![
            Part { messages: 1, marks: 0, done: one },
            Part { messages: 2, marks: 1, done: other },
        ];
        let outcomes = [stored(1), stored(2), SendOutcome::Reused];
        let committed =
            Committed { messages: outcomes.to_vec(), marks: vec![MarkOutcome::Unchanged] };
        tell(parts, Ok(committed));
        let one = of_one.try_recv().expect("told").expect("committed");
        assert_eq!((one.messages, one.marks), (vec![outcomes[0]], vec![]));
        let other = of_other.try_recv().expect("told").expect("committed");
        assert_eq!(other.messages, outcomes[1..]);
        assert_eq!(other.marks, [MarkOutcome::Unchanged]);
    }

    #[test]
    fn a_failure_is_that_of_all() {
        let (one, mut of_one) = oneshot::channel();
        let (other, mut of_other) = oneshot::channel();
        let part = |done| Part { messages: 1, marks: 0, done };
        tell(vec![part(one), part(other)], Err(StoreError::Silent));
        for outcome in [&mut of_one, &mut of_other] {
            assert!(outcome.try_recv().expect("told").is_err());
        }
    }

    #[test]
    fn who_gives_way_to_other_nodes_does_not_in_company_of_one_who_does_not() {
        let batch =
            |yields| Arc::new(Batch { yields, messages: vec![message()], ..Batch::default() });
        assert!(merge(vec![batch(true), batch(true)]).yields);
        assert!(!merge(vec![batch(true), batch(false)]).yields);
    }
}

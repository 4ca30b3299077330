//! Detects the end of an essential task or thread, so that the process can exit.
//!
//! A task that panics leaves the senders of its channel without a receiver: messages would be
//! refused for ever while the process looks alive. systemd, Docker or another supervisor restarts a
//! process that exits, and nothing is lost. [`crate::begin`] and [`crate::cluster`] wrap each task
//! here; `server` waits for [`crate::Chat::failed`]. This module itself ends nothing.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Records the first failure. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Supervisor {
    /// Tasks may end after this is cancelled.
    end: CancellationToken,
    /// The name of the first failed task. Holds one value for any number of readers; ends with the
    /// chat.
    failed: watch::Sender<Option<&'static str>>,
}

impl Supervisor {
    pub(crate) fn new(end: CancellationToken) -> Self {
        Self { end, failed: watch::Sender::new(None) }
    }

    /// Wraps an essential task: its end is a failure, unless the chat ends.
    pub(crate) fn essential<F: Future<Output = ()>>(
        &self,
        name: &'static str,
        task: F,
    ) -> impl Future<Output = ()> + use<F> {
        self.guard(name, true, task)
    }

    /// Wraps a task that may end at any time: only a panic is a failure.
    pub(crate) fn temporary<F: Future<Output = ()>>(
        &self,
        name: &'static str,
        task: F,
    ) -> impl Future<Output = ()> + use<F> {
        self.guard(name, false, task)
    }

    fn guard<F: Future<Output = ()>>(
        &self,
        name: &'static str,
        essential: bool,
        task: F,
    ) -> impl Future<Output = ()> + use<F> {
        let guard = Guard { name, essential, supervisor: self.clone() };
        async move {
            task.await;
            drop(guard);
        }
    }

    /// Records a failure. Later ones are ignored, because they follow from the first.
    pub(crate) fn fail(&self, name: &'static str) {
        self.failed.send_if_modified(|failed| {
            let is_first = failed.is_none();
            if is_first {
                tracing::error!("{name} has ended unexpectedly; Duet cannot run without it");
                *failed = Some(name);
            }
            is_first
        });
    }

    /// Returns the name of the failed task, if any.
    pub(crate) fn has_failed(&self) -> Option<&'static str> {
        *self.failed.borrow()
    }

    /// Waits for a failure and returns the task's name.
    pub(crate) async fn failed(&self) -> &'static str {
        let mut failed = self.failed.subscribe();
        match failed.wait_for(Option::is_some).await.map(|failed| *failed) {
            Ok(Some(name)) => name,
            // Unreachable while `self` holds the sender.
            _ => std::future::pending().await,
        }
    }
}

/// Dropped at the end of a task, even after a panic.
struct Guard {
    name: &'static str,
    essential: bool,
    supervisor: Supervisor,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let ended_early = self.essential && !self.supervisor.end.is_cancelled();
        if ended_early || std::thread::panicking() {
            self.supervisor.fail(self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor() -> (Supervisor, CancellationToken) {
        let end = CancellationToken::new();
        (Supervisor::new(end.clone()), end)
    }

    #[tokio::test]
    async fn a_panic_in_any_task_is_reported_as_a_failure() {
        for essential in [true, false] {
            let (supervisor, _end) = supervisor();
            let broken = async { panic!("on purpose") };
            let task = match essential {
                true => tokio::spawn(supervisor.essential("the broken task", broken)),
                false => tokio::spawn(supervisor.temporary("the broken task", broken)),
            };
            assert!(task.await.is_err());
            assert_eq!(supervisor.failed().await, "the broken task");
            assert_eq!(supervisor.has_failed(), Some("the broken task"));
        }
    }

    #[tokio::test]
    async fn an_essential_task_may_only_end_with_the_chat() {
        let (supervisor, end) = supervisor();
        supervisor.temporary("a short task", async {}).await;
        assert_eq!(supervisor.has_failed(), None);
        supervisor.essential("the first", async {}).await;
        supervisor.essential("the second", async {}).await;
        assert_eq!(supervisor.has_failed(), Some("the first"), "the others follow from it");

        let (supervisor, _) = (Supervisor::new(end.clone()), end.cancel());
        supervisor.essential("the writer", async {}).await;
        assert_eq!(supervisor.has_failed(), None);
    }
}

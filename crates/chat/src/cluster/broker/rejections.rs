//! Counts the messages that this node dropped, and logs the count at most once a minute. Used by
//! [`super::Broker`] and [`super::probe`].

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::signed_events::Rejected;
use crate::mutex::lock;

/// Shortest interval between two log lines.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The messages that were dropped since the last log line.
#[derive(Default)]
pub(super) struct Rejections {
    forged: AtomicU64,
    replayed: AtomicU64,
    /// Messages with a valid signature that this version cannot read.
    unreadable: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

impl Rejections {
    pub(super) fn count(&self, rejected: Rejected) {
        let counter = match rejected {
            Rejected::Forged => &self.forged,
            Rejected::Replayed => &self.replayed,
            Rejected::Unreadable => &self.unreadable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Logs the counts, unless there is nothing to log or the last line is too recent.
    pub(super) fn log(&self) {
        let counters = [&self.forged, &self.replayed, &self.unreadable];
        if counters.iter().all(|counter| counter.load(Ordering::Relaxed) == 0) {
            return;
        }
        let mut logged = lock(&self.logged);
        if logged.is_some_and(|at| at.elapsed() < LOG_EVERY) {
            return;
        }
        *logged = Some(Instant::now());
        let [forged, replayed, unreadable] =
            counters.map(|counter| counter.swap(0, Ordering::Relaxed));
        tracing::warn!(
            forged,
            replayed,
            unreadable,
            "dropped messages from NATS: without a valid signature, repeated or old, or unreadable. \
             Check who can publish to NATS, and that all nodes run the same version"
        );
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Event, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt};

    use super::*;

    /// Counts log lines.
    struct Lines(std::sync::Arc<AtomicU64>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dropped_messages_are_logged_once_a_minute() {
        let lines = std::sync::Arc::<AtomicU64>::default();
        let counting = tracing_subscriber::registry().with(Lines(lines.clone()));
        let _logged_here = tracing::subscriber::set_default(counting);
        let rejections = Rejections::default();
        rejections.log();
        assert_eq!(lines.load(Ordering::Relaxed), 0, "nothing was dropped");
        for second in 0..150_u64 {
            for _ in 0..1_000 {
                rejections.count(Rejected::Forged);
            }
            rejections.log();
            assert_eq!(lines.load(Ordering::Relaxed), second / 60 + 1, "{second} s");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
}

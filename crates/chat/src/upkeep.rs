//! The periodic work of a chat: ended sessions, use of sessions, expired data, the size of the store. A failed step is
//! reported, and the next tick retries.
//!
//! No call may depend on this work: an expired session, for example, is refused before its row is
//! deleted. [`crate::Chat::begin`] starts the task, which ends with the chat.

use std::time::Duration;

use protocol::CloseCode;

use crate::error::Result;
use crate::{Chat, clock};

/// How often the sessions of open connections are checked. Sign-out closes connections at once; the
/// check finds expired sessions, and sessions that another node ended and could not report.
const SESSIONS_EVERY: Duration = Duration::from_secs(5);
/// How often expired sessions, reservations of usernames and limiter state are removed.
const TIDY_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often the size of the store is compared with the operator's bound.
const SPACE_EVERY: Duration = Duration::from_secs(10);
/// Sessions per query.
const SESSIONS_AT_ONCE: usize = 500;

impl Chat {
    /// Works until the chat ends.
    pub(crate) async fn keep_tidy(self) {
        let mut sessions = tokio::time::interval(SESSIONS_EVERY);
        let seen_every = TIDY_EVERY.min(self.seen_every() / 2).max(Duration::from_millis(1));
        let mut seen = tokio::time::interval(seen_every);
        let mut rest = tokio::time::interval(TIDY_EVERY);
        let mut space = tokio::time::interval(SPACE_EVERY);
        loop {
            let done = tokio::select! {
                () = self.0.end.cancelled() => return,
                _ = sessions.tick() => self.close_ended_sessions().await,
                _ = seen.tick() => self.record_use_of_connected_sessions().await,
                _ = rest.tick() => {
                    self.delete_expired().await
                }
                _ = space.tick() => self.space().measure(self.store()).await.map_err(Into::into),
            };
            // The next tick retries.
            if let Err(error) = done {
                self.note_failure(&error);
            }
        }
    }

    async fn delete_expired(&self) -> Result<()> {
        self.throttle().tidy().await?;
        self.store().forget_reservations(clock::now()).await?;
        self.store().forget_ceremonies(clock::now()).await?;
        Ok(self.store().forget_old_sessions(self.session_life(clock::now())).await?)
    }

    /// Counts an open connection as use of its session, even if the connection only receives: the
    /// user reads the page, and an expired session would sign them out of it.
    async fn record_use_of_connected_sessions(&self) -> Result<()> {
        let now = clock::now();
        let noted_before = clock::before(now, self.seen_every());
        for some in self.hub().sessions().chunks(SESSIONS_AT_ONCE) {
            self.store().see_sessions(some, now, noted_before).await?;
        }
        Ok(())
    }

    async fn close_ended_sessions(&self) -> Result<()> {
        let life = self.session_life(clock::now());
        for some in self.hub().sessions().chunks(SESSIONS_AT_ONCE) {
            let good = self.store().good_sessions(some, life).await?;
            let ended: Vec<_> = some.iter().copied().filter(|id| !good.contains(id)).collect();
            self.hub().close_sessions(&ended, CloseCode::SessionEnded);
        }
        Ok(())
    }
}

//! A session that ends during the round, after which nothing may reach it.
//!
//! The client connects to a server directly, because data that a faulty network delivers late would
//! prove nothing. With several servers, it ends its session at another one than the one it is
//! connected to. If its server is killed, the client only proves that the session stays ended.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use harness::{Connection, HttpClient, Random, TestUser};
use protocol::{Cursor, Marks, ServerFrame};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::client::Membership;
use crate::client_log::{ClientLog, Observation, SeenMessage, Tab};
use crate::test_server::Address;

/// Time for which the client reads beyond the limit for ending its session.
const READS_LONGER: Duration = Duration::from_secs(2);
/// Time after which an answer counts as missing.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A client whose session ends during the round.
pub(super) struct EndingSession {
    pub tab: Tab,
    pub username: String,
    /// Its conversations.
    pub memberships: Vec<Membership>,
    pub address: Address,
    pub log: ClientLog,
    /// Determines the time of its sign-out.
    pub random: Random,
    /// Latest time of its sign-out.
    pub latest: Duration,
    /// Time limit for the servers to end the session, if promised.
    pub ends_within: Option<Duration>,
    /// Whether the server must close the open connection within that limit.
    pub must_close: bool,
}

impl EndingSession {
    /// Signs in, reads, signs out, and continues to read.
    pub(super) async fn run(mut self) -> Result<()> {
        let me = self.address.http()?.sign_in(&self.username).await?;
        let longest = u64::try_from(self.latest.as_millis())?.max(400);
        let stays_for = self.random.millis(200..longest);
        let mut connection = self.connect(&me).await?;
        self.receive_until(&mut connection, &me, Instant::now() + stays_for).await;
        self.sign_out(&me).await;
        self.log.write(self.tab, me.id, Observation::SignedOut);
        let closed =
            self.receive_until(&mut connection, &me, Instant::now() + self.reads_for()).await;
        if self.must_close && !closed {
            self.log_accepted(&me, "an open connection".to_owned());
        }
        self.try_ended_session(&me).await;
        Ok(())
    }

    fn reads_for(&self) -> Duration {
        self.ends_within.unwrap_or(READS_LONGER) + READS_LONGER
    }

    /// Maximum duration of [`EndingSession::run`].
    pub(super) fn longest(&self) -> Duration {
        self.latest + self.reads_for() + 4 * ANSWER_WITHIN
    }

    async fn connect(&self, me: &TestUser) -> Result<Connection> {
        let Some(server) = self.address.direct() else { bail!("no server is running") };
        let origin = self.address.origin();
        let opening = Connection::establish(server, &origin, &me.cookie, "");
        timeout(ANSWER_WITHIN, opening).await.context("the connection did not open in time")?
    }

    /// Repeats until a server has confirmed the sign-out.
    async fn sign_out(&self, me: &TestUser) {
        loop {
            match self.address.http() {
                Ok(http)
                    if matches!(timeout(ANSWER_WITHIN, http.sign_out(me)).await, Ok(Ok(()))) =>
                {
                    return;
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Logs events until this moment. Returns true if the connection ended earlier.
    async fn receive_until(
        &self,
        connection: &mut Connection,
        me: &TestUser,
        until: Instant,
    ) -> bool {
        while let Ok(frame) = timeout_at(until, connection.receive()).await {
            let observation = match frame {
                Err(_) => return true,
                Ok(ServerFrame::Message(message)) => Observation::Received {
                    conversation: message.conversation,
                    seen: SeenMessage::from(&message),
                },
                Ok(ServerFrame::Receipt { conversation, user, delivered, read }) => {
                    let marks = Marks { delivered, read };
                    Observation::Receipt { connection: 0, conversation, whose: user, marks }
                }
                Ok(_) => continue,
            };
            self.log.write(self.tab, me.id, observation);
        }
        false
    }

    /// Logs a violation if the cookie is still accepted.
    async fn try_ended_session(&self, me: &TestUser) {
        if self.connect(me).await.is_ok() {
            self.log_accepted(me, "a new connection".to_owned());
        }
        let Some(membership) = self.memberships.first() else { return };
        if let Ok(http) = self.address.http()
            && let Ok(messages) = read(&http, me, membership).await
        {
            self.log_accepted(me, format!("a page of {messages}"));
        }
    }

    fn log_accepted(&self, me: &TestUser, what: String) {
        self.log.write(self.tab, me.id, Observation::AcceptedAfterSignOut(what));
    }
}

async fn read(http: &HttpClient, me: &TestUser, membership: &Membership) -> Result<usize> {
    Ok(http.history(me, membership.conversation, Cursor::Latest).await?.messages.len())
}

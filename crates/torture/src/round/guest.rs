//! A session that ends during the round, after which nothing may reach it.
//!
//! The guest connects to a server directly, because data that a faulty network delivers late would
//! prove nothing. With several servers, it ends its session at another one than it listens at. If
//! its server is killed, the guest only proves that the session does not come back.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use harness::{Http, Line, Person};
use protocol::{Cursor, Marks, ServerFrame};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::chance::Chance;
use crate::log::{Log, Seen, Tab, What};
use crate::page::With;
use crate::site::Address;

/// Time for which the guest listens beyond the limit for ending its session.
const LISTENS_ON: Duration = Duration::from_secs(2);
/// Time after which an answer counts as missing.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A client whose session ends during the round.
pub struct Guest {
    pub tab: Tab,
    pub username: String,
    /// Its conversations.
    pub with: Vec<With>,
    pub address: Address,
    pub log: Log,
    /// Determines the time of its sign-out.
    pub chance: Chance,
    /// Latest time of its sign-out.
    pub lasts: Duration,
    /// Time limit for the servers to end the session, if promised.
    pub ends_within: Option<Duration>,
    /// Whether the server must close the open connection within that limit.
    pub must_close: bool,
}

impl Guest {
    /// Signs in, listens, signs out, and continues to listen.
    pub async fn live(mut self) -> Result<()> {
        let me = self.address.http()?.sign_in(&self.username).await?;
        let longest = u64::try_from(self.lasts.as_millis())?.max(400);
        let stays = self.chance.millis(200..longest);
        let mut line = self.connect(&me).await?;
        self.listen(&mut line, &me, Instant::now() + stays).await;
        self.sign_out(&me).await;
        self.log.write(self.tab, me.id, What::SignedOut);
        let closed = self.listen(&mut line, &me, Instant::now() + self.listens()).await;
        if self.must_close && !closed {
            self.after_end(&me, "an open line".to_owned());
        }
        self.try_again(&me).await;
        Ok(())
    }

    fn listens(&self) -> Duration {
        self.ends_within.unwrap_or(LISTENS_ON) + LISTENS_ON
    }

    /// Maximum duration of [`Guest::live`].
    pub fn longest(&self) -> Duration {
        self.lasts + self.listens() + 4 * ANSWER_WITHIN
    }

    async fn connect(&self, me: &Person) -> Result<Line> {
        let Some(server) = self.address.direct() else { bail!("there is no server") };
        let opening = async {
            let mut line = Line::open_at(server, &self.address.origin(), &me.cookie, "").await?;
            line.hello().await?;
            Ok(line)
        };
        timeout(ANSWER_WITHIN, opening).await.context("no line in time")?
    }

    /// Repeats until a server has confirmed the sign-out.
    async fn sign_out(&self, me: &Person) {
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
    async fn listen(&self, line: &mut Line, me: &Person, until: Instant) -> bool {
        while let Ok(frame) = timeout_at(until, line.hear()).await {
            let what = match frame {
                Err(_) => return true,
                Ok(ServerFrame::Message(message)) => {
                    What::Heard { conversation: message.conversation, seen: Seen::from(&message) }
                }
                Ok(ServerFrame::Receipt { conversation, user, delivered, read }) => {
                    let marks = Marks { delivered, read };
                    What::Receipt { line: 0, conversation, whose: user, marks }
                }
                Ok(_) => continue,
            };
            self.log.write(self.tab, me.id, what);
        }
        false
    }

    /// Logs a violation if the cookie is still accepted.
    async fn try_again(&self, me: &Person) {
        if self.connect(me).await.is_ok() {
            self.after_end(me, "a new line".to_owned());
        }
        let Some(with) = self.with.first() else { return };
        if let Ok(http) = self.address.http()
            && let Ok(messages) = read(&http, me, with).await
        {
            self.after_end(me, format!("a page of {messages}"));
        }
    }

    fn after_end(&self, me: &Person, what: String) {
        self.log.write(self.tab, me.id, What::AfterEnd(what));
    }
}

async fn read(http: &Http, me: &Person, with: &With) -> Result<usize> {
    Ok(http.history(me, with.conversation, Cursor::Latest).await?.messages.len())
}

//! A session that is ended during the round: nothing may reach it any more.
//!
//! It goes to a server directly, and ends its session at another one if there are several: what a broken network brings late would prove nothing. When the
//! server is killed under it, it only proves that the session does not come back.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use harness::{Http, Line, Person};
use protocol::{Cursor, Marks, ServerFrame};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::chance::Chance;
use crate::log::{Log, Seen, Tab, What};
use crate::page::With;
use crate::site::Address;

/// How much longer it listens than the news of its end may take.
const LISTENS_ON: Duration = Duration::from_secs(2);
/// An answer that takes longer is none.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// See the module.
pub struct Guest {
    /// Which.
    pub tab: Tab,
    /// Signs in with this.
    pub username: String,
    /// What it may read.
    pub with: Vec<With>,
    /// Where.
    pub address: Address,
    /// Where it writes.
    pub log: Log,
    /// When it leaves.
    pub chance: Chance,
    /// Until when it leaves at the latest.
    pub lasts: Duration,
    /// How soon the servers must know of its end, if that is promised.
    pub ends_within: Option<Duration>,
    /// Whether its open line must be ended then: no server was killed under it.
    pub must_close: bool,
}

impl Guest {
    /// Signs in, listens, signs out, and listens on.
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

    /// How long all of it may take.
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

    /// Until a server has said that the session is over.
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

    /// Writes down what comes until this moment; true if the line ended before.
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

    /// The cookie opens nothing any more, neither now nor after a crash.
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

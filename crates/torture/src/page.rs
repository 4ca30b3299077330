//! A tab that behaves like Duet's own page: a persistent outbox, then connect, hello, catch up,
//! merge, send marks; and all of that again after the connection is lost.
//!
//! The tab logs its requests and the answers and judges nothing. Each tab is one task, which ends
//! with the round. Its deviations (repeat, reload, stop reading) are its [`Habits`].
//!
//! # Layout
//! - `talk`: one conversation as a tab holds it, pure
//! - `visit`: one connection, from hello to its end

mod talk;
mod visit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use harness::{Http, Person};
use protocol::{ConversationId, Marks, UserId};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::checker::Screen;
use crate::log::{Log, Tab, What};
use crate::site::Address;
use talk::Talk;

/// The phases of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Clients write, and deviate as their [`Habits`] say.
    Writing,
    /// Clients write nothing new, send their outbox and read everything.
    Settling,
    /// Clients end.
    Over,
}

/// A client's behaviour. Probabilities are in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// Per message: sends the message twice at once, or an old message again.
    pub repeats: u64,
    /// Sends another text under an old id.
    pub forges: u64,
    /// Sends a mark far behind the current one.
    pub stale_marks: u64,
    /// Per message: sends by an HTTP call instead of the socket.
    pub calls: u64,
    /// Reloads, about once a second with this probability.
    pub reloads: u64,
    /// Stops reading for a while, about once a second with this probability.
    pub stops_reading: u64,
    /// Writes nothing, and stops reading early until the other clients have sent their last
    /// messages.
    pub deaf: bool,
    /// Maximum length of a body.
    pub body: u64,
    /// Number of messages written at once in addition to the first.
    pub burst: u64,
    /// Maximum pause before a message, in milliseconds.
    pub pause: u64,
}

/// State of a tab, from which the round detects that all tabs have settled.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Number of messages in the outbox.
    pub unsent: usize,
    /// The seq up to which each conversation is complete.
    pub held: HashMap<ConversationId, i64>,
    /// The peers' marks.
    pub theirs: HashMap<(ConversationId, UserId), Marks>,
    /// Whether the tab has a live connection.
    pub connected: bool,
}

/// The states of all tabs.
pub type Board = Arc<Mutex<HashMap<Tab, Progress>>>;

/// A conversation and its other participant.
#[derive(Clone, Copy, Debug)]
pub struct With {
    pub conversation: ConversationId,
    pub peer: UserId,
}

/// A tab.
pub struct Page {
    pub tab: Tab,
    pub me: Person,
    address: Address,
    http: Http,
    talks: HashMap<ConversationId, Talk>,
    log: Log,
    chance: Chance,
    habits: Habits,
    phase: watch::Receiver<Phase>,
    board: Board,
    line: u32,
    ordinal: u64,
    /// Whether events may have been lost, so that every conversation needs a resync.
    is_behind: bool,
}

impl Page {
    /// Creates a tab without a connection.
    ///
    /// # Errors
    /// Fails if the HTTP client cannot be created.
    #[expect(clippy::too_many_arguments, reason = "each is another thing of the round")]
    pub fn open(
        tab: Tab,
        me: Person,
        address: Address,
        with: &[With],
        log: Log,
        chance: Chance,
        habits: Habits,
        phase: watch::Receiver<Phase>,
        board: Board,
    ) -> anyhow::Result<Self> {
        let http = Http::at(address.proxy, address.origin())?;
        let talks = with.iter().map(|with| (with.conversation, Talk::new(*with))).collect();
        Ok(Self {
            tab,
            me,
            address,
            http,
            talks,
            log,
            chance,
            habits,
            phase,
            board,
            line: 0,
            ordinal: 0,
            is_behind: true,
        })
    }

    /// Runs until the round is over. Returns the final screens.
    pub async fn live(mut self) -> Vec<Screen> {
        while *self.phase.borrow() != Phase::Over {
            let ended = self.visit().await;
            if let Err(error) = &ended {
                self.log.write(self.tab, self.me.id, What::Left(format!("{error:#}")));
            }
            self.left(ended.is_err());
            if *self.phase.borrow() != Phase::Over {
                self.report(false);
                sleep(self.chance.millis(20..400)).await;
            }
        }
        self.screens()
    }

    /// Resets the state of the old connection, on which no answer can arrive any more.
    fn left(&mut self, lost: bool) {
        for talk in self.talks.values_mut() {
            if let Some(id) = talk.lose_line()
                && lost
            {
                self.log.write(self.tab, self.me.id, What::Unknown { id });
            }
        }
    }

    fn report(&self, connected: bool) {
        let progress = Progress {
            unsent: self.talks.values().map(Talk::unsent).sum(),
            held: self.talks.iter().map(|(id, talk)| (*id, talk.held())).collect(),
            theirs: self
                .talks
                .iter()
                .map(|(id, talk)| ((*id, talk.with.peer), talk.theirs()))
                .collect(),
            connected,
        };
        self.board.lock().unwrap_or_else(PoisonError::into_inner).insert(self.tab, progress);
    }

    fn screens(&self) -> Vec<Screen> {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = |(id, talk): (&ConversationId, &Talk)| Screen {
            tab: self.tab,
            user: self.me.id,
            conversation: *id,
            rows: talk.rows(),
            peer: talk.with.peer,
            theirs: talk.theirs(),
            unsent: talk.unsent(),
            connected: board.get(&self.tab).is_some_and(|progress| progress.connected),
        };
        self.talks.iter().map(screen).collect()
    }
}

/// Returns a unique body of at most about this length.
fn body(chance: &mut Chance, tab: Tab, ordinal: u64, length: u64) -> String {
    const WORDS: [&str; 8] =
        ["tulip", "harbour", "näher", "\u{1F337}", "a+b=c&d%", "<b>no</b>", "line\nbreak", "\"q\""];
    let mut body = format!("{} #{ordinal}", tab.0);
    let length = usize::try_from(chance.within(1..length.max(2))).unwrap_or_default();
    while body.chars().count() < length {
        body.push(' ');
        body.push_str(WORDS[chance.index(WORDS.len())]);
    }
    body
}

/// Time for other clients to send their last messages after writing has ended.
const LAST_WORDS: Duration = Duration::from_millis(1_500);
/// Time after which the answer to a call counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

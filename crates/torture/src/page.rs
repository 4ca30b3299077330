//! A tab, as Duet's own page behaves: an outbox that outlives everything, connect, hello, catch up,
//! merge, say how far one is; and again from the start when the line is lost.
//!
//! Writes down what it asks and what it is told, and judges nothing. One task a tab; it ends when the
//! round says so. What it does besides (repeat, reload, stop reading) are its [`Habits`].
//!
//! # Layout
//! - `talk`: one conversation as a tab holds it, pure
//! - `visit`: one line, from hello to its end

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

/// What a round wants of its people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Write and be mischievous.
    Writing,
    /// Write nothing new; send what is left, read everything.
    Settling,
    /// Go.
    Over,
}

/// How much mischief there is, in percent of the occasions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// Sends a message twice at once, or an old one again.
    pub repeats: u64,
    /// Uses an old id for another text.
    pub forges: u64,
    /// Says a mark that is long behind.
    pub stale_marks: u64,
    /// Sends without the socket.
    pub calls: u64,
    /// Reloads, at each heartbeat.
    pub reloads: u64,
    /// Reads nothing for a while, at each heartbeat.
    pub stops_reading: u64,
    /// Writes nothing, and soon reads nothing until the others have written their last.
    pub deaf: bool,
    /// How long the bodies are.
    pub body: u64,
    /// How many it writes at once besides the first.
    pub burst: u64,
    /// How long a tab waits before it writes, at most, in milliseconds.
    pub pause: u64,
}

/// How far a tab is, for the round to know when all is settled.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Messages to be sent.
    pub unsent: usize,
    /// Complete up to here.
    pub held: HashMap<ConversationId, i64>,
    /// The peers' marks.
    pub theirs: HashMap<(ConversationId, UserId), Marks>,
    /// Whether it is on the line.
    pub connected: bool,
}

/// What all tabs report.
pub type Board = Arc<Mutex<HashMap<Tab, Progress>>>;

/// A conversation to take part in.
#[derive(Clone, Copy, Debug)]
pub struct With {
    /// Which.
    pub conversation: ConversationId,
    /// Whom with.
    pub peer: UserId,
}

/// See the module.
pub struct Page {
    /// Which.
    pub tab: Tab,
    /// Whose.
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
    /// Events may have been lost: whatever it holds is read again.
    is_behind: bool,
}

impl Page {
    /// A tab that was opened and has not connected yet.
    ///
    /// # Errors
    /// No HTTP client can be made.
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

    /// Lives until the round is over; what it shows then.
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

    /// Nothing will be answered any more on the line that was.
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

/// A body of about this length that no other message has.
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

/// Until the others have written their last, once they write nothing new.
const LAST_WORDS: Duration = Duration::from_millis(1_500);
/// How long any call may take before its answer counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

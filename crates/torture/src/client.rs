//! A tab that behaves like Duet's own page: a persistent outbox, then connect, hello, resync,
//! merge, send marks; and all of that again after the connection is lost.
//!
//! The tab logs its requests and the answers and judges nothing. Each tab is one task, which ends
//! with the round. Its deviations (repeat, reload, stop reading) are its [`Behaviour`].
//!
//! # Layout
//! - `conversation`: one conversation as a tab holds it, pure
//! - `connection`: one connection, from hello to its end
//! - `receiving`: frames and answers; `sending`: messages and marks

mod connection;
mod conversation;
mod receiving;
mod sending;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use harness::{HttpClient, Random, TestUser};
use protocol::{ConversationId, Marks, UserId};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::checker::Screen;
use crate::client_log::{ClientLog, Observation, Tab};
use crate::test_server::Address;
use conversation::ConversationState;

/// The phases of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients write, and deviate as their [`Behaviour`] says.
    Writing,
    /// Clients write nothing new, send their outbox and read everything.
    Settling,
    /// Clients end.
    Ended,
}

/// A client's behaviour. Probabilities are in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
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
    /// Simulates a suspended browser: writes nothing, and stops reading early until the other
    /// clients have sent their last messages.
    pub suspended: bool,
    /// Maximum length of a body.
    pub body: u64,
    /// Number of messages written at once in addition to the first.
    pub burst: u64,
    /// Maximum pause before a message, in milliseconds.
    pub pause: u64,
}

/// State of a tab, from which the round detects that all tabs have settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Number of messages in the outbox.
    pub unsent: usize,
    /// The seq up to which each conversation is complete.
    pub complete_to: HashMap<ConversationId, i64>,
    /// The peers' marks.
    pub theirs: HashMap<(ConversationId, UserId), Marks>,
    /// Whether the tab has a live connection.
    pub connected: bool,
}

/// The states of all tabs.
pub(crate) type ProgressMap = Arc<Mutex<HashMap<Tab, Progress>>>;

/// A conversation and its other participant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    pub conversation: ConversationId,
    pub peer: UserId,
}

/// A tab.
pub(crate) struct Client {
    pub tab: Tab,
    pub me: TestUser,
    address: Address,
    http: HttpClient,
    conversations: HashMap<ConversationId, ConversationState>,
    log: ClientLog,
    random: Random,
    behaviour: Behaviour,
    phase: watch::Receiver<Phase>,
    progress: ProgressMap,
    connection_number: u32,
    ordinal: u64,
    /// Whether events may have been lost, so that every conversation needs a resync.
    is_behind: bool,
}

impl Client {
    /// Creates a tab without a connection.
    ///
    /// # Errors
    /// Fails if the HTTP client cannot be created.
    #[expect(clippy::too_many_arguments, reason = "each argument is a different part of the round")]
    pub(crate) fn open(
        tab: Tab,
        me: TestUser,
        address: Address,
        memberships: &[Membership],
        log: ClientLog,
        random: Random,
        behaviour: Behaviour,
        phase: watch::Receiver<Phase>,
        progress: ProgressMap,
    ) -> anyhow::Result<Self> {
        let http = HttpClient::at(address.proxy, address.origin())?;
        let conversations = memberships
            .iter()
            .map(|membership| (membership.conversation, ConversationState::new(*membership)))
            .collect();
        Ok(Self {
            tab,
            me,
            address,
            http,
            conversations,
            log,
            random,
            behaviour,
            phase,
            progress,
            connection_number: 0,
            ordinal: 0,
            is_behind: true,
        })
    }

    /// Runs until the round is over. Returns the final screens.
    pub(crate) async fn run(mut self) -> Vec<Screen> {
        while *self.phase.borrow() != Phase::Ended {
            let ended = self.run_connection().await;
            if let Err(error) = &ended {
                self.observe(Observation::Disconnected(format!("{error:#}")));
            }
            self.on_disconnect(ended.is_err());
            if *self.phase.borrow() != Phase::Ended {
                self.report_progress(false);
                sleep(self.random.millis(20..400)).await;
            }
        }
        self.screens()
    }

    /// Resets the state of the old connection, on which no answer can arrive any more.
    fn on_disconnect(&mut self, lost: bool) {
        let states = self.conversations.values_mut();
        let pending: Vec<_> = states.filter_map(ConversationState::connection_lost).collect();
        if lost {
            pending.into_iter().for_each(|id| self.observe(Observation::Unknown { id }));
        }
    }

    /// Logs an observation of this tab.
    fn observe(&self, observation: Observation) {
        self.log.write(self.tab, self.me.id, observation);
    }

    fn report_progress(&self, connected: bool) {
        let progress = Progress {
            unsent: self.conversations.values().map(ConversationState::unsent).sum(),
            complete_to: self
                .conversations
                .iter()
                .map(|(id, state)| (*id, state.complete_to()))
                .collect(),
            theirs: self
                .conversations
                .iter()
                .map(|(id, state)| ((*id, state.membership.peer), state.theirs()))
                .collect(),
            connected,
        };
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).insert(self.tab, progress);
    }

    fn screens(&self) -> Vec<Screen> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let screen = |(id, state): (&ConversationId, &ConversationState)| Screen {
            tab: self.tab,
            user: self.me.id,
            conversation: *id,
            rows: state.rows(),
            peer: state.membership.peer,
            theirs: state.theirs(),
            unsent: state.unsent(),
            connected: progress.get(&self.tab).is_some_and(|progress| progress.connected),
        };
        self.conversations.iter().map(screen).collect()
    }
}

/// Returns a unique body of at most about this length.
fn body(random: &mut Random, tab: Tab, ordinal: u64, length: u64) -> String {
    const WORDS: [&str; 8] =
        ["tulip", "harbour", "näher", "\u{1F337}", "a+b=c&d%", "<b>no</b>", "line\nbreak", "\"q\""];
    let mut body = format!("{} #{ordinal}", tab.0);
    let length = usize::try_from(random.within(1..length.max(2))).unwrap_or_default();
    while body.chars().count() < length {
        body.push(' ');
        body.push_str(WORDS[random.index(WORDS.len())]);
    }
    body
}

/// Time for other clients to send their last messages after writing has ended.
const FINAL_MESSAGES: Duration = Duration::from_millis(1_500);
/// Time after which the answer to a call counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

//! What the page of a conversation shows: a pure projection of everything that is held.
//!
//! Timeline, outbox, marks and divider go in; rows come out. `state` compares them with what is
//! on the page and touches only the rows that changed, so an incoming message costs one row.

use std::collections::HashSet;

use protocol::{ClientId, ErrorCode, Marks, Message, Seq, Timestamp, UserId};

use super::outbox::Entry;
use crate::time::{self, Local};

/// Messages of one person closer than this stand together.
const GROUP_MS: u64 = 3 * 60 * 1_000;

/// What a row is known by, from the keystroke on: the id comes from the sender's client and stays
/// when the message is stored, so the row on the page stays too. Ids are unique per sender only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whether it is my message.
    pub mine: bool,
    /// Its id.
    pub client_id: ClientId,
}

/// How far one of my messages has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// On its way.
    Sending,
    /// Stored.
    Sent,
    /// Reached one of the peer's devices.
    Delivered,
    /// Seen by the peer.
    Read,
    /// Refused for good.
    NotSent(ErrorCode),
}

impl Progress {
    /// That of a message that is stored.
    pub fn of(message: &Message, theirs: Marks) -> Self {
        if message.seq <= theirs.read {
            Self::Read
        } else if message.seq <= theirs.delivered {
            Self::Delivered
        } else {
            Self::Sent
        }
    }

    /// That of a message that is not.
    pub fn of_unsent(entry: &Entry) -> Self {
        entry.refused.map_or(Self::Sending, Self::NotSent)
    }
}

/// The line above the first unread message, fixed when the conversation is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divider {
    /// What was read before.
    pub after: Seq,
    /// How many were unread.
    pub unread: u32,
}

/// One message, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub key: Key,
    /// Its place; `None` while it is not stored.
    pub seq: Option<Seq>,
    /// What was said.
    pub body: String,
    /// When.
    pub at: Timestamp,
    /// Whether a new day begins with it.
    pub new_day: bool,
    /// The unread divider above it, with its count.
    pub unread_above: Option<u32>,
    /// Whether it begins a group.
    pub opens_group: bool,
    /// How far it has come, if it is mine.
    pub progress: Option<Progress>,
    /// Whether a reload would lose it, because the browser's storage refused it.
    pub unkept: bool,
}

/// What goes into the projection beside the messages.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Who looks.
    pub me: UserId,
    /// How far the peer has come.
    pub theirs: Marks,
    /// The unread divider.
    pub divider: Option<Divider>,
    /// By whose clock a day begins.
    pub local: Local,
}

/// Makes the rows: the messages in their order, then what is not yet sent.
pub fn project<'a>(
    scene: Scene,
    messages: impl Iterator<Item = &'a Message>,
    unsent: &[&Entry],
) -> Vec<Row> {
    let mut rows: Vec<Row> = messages.map(|message| stored(scene, message)).collect();
    if !unsent.is_empty() {
        // A message can be stored and still be in the outbox, when the answer was lost.
        let shown: HashSet<Key> = rows.iter().map(|row| row.key).collect();
        let unsent = unsent.iter().map(|entry| waiting(entry));
        rows.extend(unsent.filter(|row| !shown.contains(&row.key)));
    }
    place_divider(scene, &mut rows);
    group(scene, &mut rows);
    rows
}

fn stored(scene: Scene, message: &Message) -> Row {
    let mine = message.sender == scene.me;
    Row {
        key: Key { mine, client_id: message.client_id },
        seq: Some(message.seq),
        body: message.body.clone(),
        at: message.sent_at,
        new_day: false,
        unread_above: None,
        opens_group: false,
        progress: mine.then(|| Progress::of(message, scene.theirs)),
        unkept: false,
    }
}

fn waiting(entry: &Entry) -> Row {
    Row {
        key: Key { mine: true, client_id: entry.client_id },
        seq: None,
        body: entry.body.clone(),
        at: time::own_time(entry.written_at),
        new_day: false,
        unread_above: None,
        opens_group: false,
        progress: Some(Progress::of_unsent(entry)),
        unkept: entry.unkept,
    }
}

/// The divider stands above the peer's first message after the place; never above one's own.
fn place_divider(scene: Scene, rows: &mut [Row]) {
    let Some(divider) = scene.divider else { return };
    let first =
        rows.iter_mut().find(|row| !row.key.mine && row.seq.is_some_and(|seq| seq > divider.after));
    if let Some(row) = first {
        row.unread_above = Some(divider.unread);
    }
}

fn group(scene: Scene, rows: &mut [Row]) {
    let day = |at| scene.local.day_number(at);
    for index in 0..rows.len() {
        let (before, rest) = rows.split_at_mut(index);
        let (before, row) = (before.last(), &mut rest[0]);
        row.new_day = before.is_none_or(|before| day(before.at) != day(row.at));
        row.opens_group = row.new_day
            || row.unread_above.is_some()
            || before.is_none_or(|before| {
                before.key.mine != row.key.mine || row.at.0.abs_diff(before.at.0) >= GROUP_MS
            });
    }
}

#[cfg(test)]
mod tests {
    use protocol::ConversationId;

    use super::*;

    struct Talk {
        me: UserId,
        peer: UserId,
        id: ConversationId,
        messages: Vec<Message>,
    }

    impl Talk {
        fn new() -> Self {
            let (me, peer, id) = (UserId::new(), UserId::new(), ConversationId::new());
            Self { me, peer, id, messages: Vec::new() }
        }

        fn say(&mut self, sender: UserId, minute: i64) {
            let seq = Seq(self.messages.len().try_into().unwrap_or(0) + 1);
            self.messages.push(Message {
                conversation: self.id,
                seq,
                client_id: ClientId::new(),
                sender,
                body: format!("message {seq}"),
                sent_at: Timestamp(minute * 60_000),
            });
        }

        fn scene(&self) -> Scene {
            Scene {
                me: self.me,
                theirs: Marks { delivered: Seq(2), read: Seq(1) },
                divider: None,
                local: Local::default(),
            }
        }
    }

    fn unsent(talk: &Talk, client_id: ClientId) -> Entry {
        Entry {
            client_id,
            conversation: talk.id,
            body: "later".into(),
            written_at: Timestamp(10 * 60_000),
            refused: None,
            tab: 0,
            unkept: false,
        }
    }

    #[test]
    fn my_messages_say_how_far_they_have_come() {
        let mut talk = Talk::new();
        for _ in 0..3 {
            talk.say(talk.me, 0);
        }
        talk.say(talk.peer, 1);
        let entry = unsent(&talk, ClientId::new());
        let rows = project(talk.scene(), talk.messages.iter(), &[&entry]);
        let progress: Vec<_> = rows.iter().map(|row| row.progress).collect();
        let (read, delivered) = (Some(Progress::Read), Some(Progress::Delivered));
        let (sent, sending) = (Some(Progress::Sent), Some(Progress::Sending));
        assert_eq!(progress, [read, delivered, sent, None, sending]);
    }

    #[test]
    fn a_stored_message_whose_answer_was_lost_is_shown_once() {
        let mut talk = Talk::new();
        talk.say(talk.me, 0);
        let entry = unsent(&talk, talk.messages[0].client_id);
        assert_eq!(project(talk.scene(), talk.messages.iter(), &[&entry]).len(), 1);
    }

    #[test]
    fn groups_end_with_the_sender_the_pause_the_day_and_the_divider() {
        let mut talk = Talk::new();
        let (me, peer) = (talk.me, talk.peer);
        for (sender, minute) in
            [(peer, 0), (peer, 2), (peer, 5), (me, 5), (peer, 6), (peer, 7), (peer, 1_440)]
        {
            talk.say(sender, minute);
        }
        let divider = Some(Divider { after: Seq(3), unread: 3 });
        let rows = project(Scene { divider, ..talk.scene() }, talk.messages.iter(), &[]);
        let opens: Vec<bool> = rows.iter().map(|row| row.opens_group).collect();
        assert_eq!(opens, [true, false, true, true, true, false, true]);
        let days: Vec<bool> = rows.iter().map(|row| row.new_day).collect();
        assert_eq!(days, [true, false, false, false, false, false, true]);
        let divided: Vec<usize> =
            (0..rows.len()).filter(|i| rows[*i].unread_above.is_some()).collect();
        assert_eq!(divided, [4], "never above one's own");
    }
}

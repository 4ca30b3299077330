//! Projects everything cached of a conversation to the rows of its page. Pure.
//!
//! Inputs are the timeline, the outbox, the marks and the divider. `state` compares the result with
//! the rows on the page and updates only those that changed, so an incoming message costs one row.

use std::collections::HashSet;

use protocol::{ClientId, ErrorCode, Marks, Message, Seq, Timestamp, UserId};

use super::outbox::UnsentMessage;
use crate::time::{self, TimeContext};

/// Consecutive messages of one user closer than this form a group.
const GROUP_MS: u64 = 3 * 60 * 1_000;

/// Identity of a row. The sender's client makes the id when the message is written, and the id
/// stays when the message is stored, so the row stays too. Ids are unique per sender only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whether the page's user sent the message.
    pub mine: bool,
    pub client_id: ClientId,
}

/// Delivery state of one of the user's own messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Not acknowledged yet.
    Sending,
    /// Stored by the server.
    Sent,
    /// Reached one of the peer's devices.
    Delivered,
    /// Seen by the peer.
    Read,
    /// Refused for good.
    NotSent(ErrorCode),
}

impl Tick {
    /// Returns the state of a stored message.
    pub fn of(message: &Message, theirs: Marks) -> Self {
        if message.seq <= theirs.read {
            Self::Read
        } else if message.seq <= theirs.delivered {
            Self::Delivered
        } else {
            Self::Sent
        }
    }

    /// Returns the state of an unsent message.
    pub fn of_unsent(entry: &UnsentMessage) -> Self {
        entry.refused.map_or(Self::Sending, Self::NotSent)
    }
}

/// The unread divider, fixed when the conversation is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadDivider {
    /// The read mark at that time.
    pub after: Seq,
    /// The unread count at that time.
    pub unread: u32,
}

/// One message, as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Key,
    /// `None` while the message is not stored.
    pub seq: Option<Seq>,
    pub body: String,
    pub at: Timestamp,
    /// Whether the message is the first of a day.
    pub new_day: bool,
    /// Unread count of the divider above the row, if there is one.
    pub unread_above: Option<u32>,
    /// Whether the row begins a group.
    pub opens_group: bool,
    /// The delivery state, for the user's own messages.
    pub tick: Option<Tick>,
    /// Whether a reload would lose the message, because the browser's storage refused it.
    pub unsaved: bool,
}

/// Inputs of the projection other than the messages.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// The page's user.
    pub me: UserId,
    /// The peer's marks.
    pub theirs: Marks,
    pub divider: Option<UnreadDivider>,
    /// The time zone that decides when a day begins.
    pub local: TimeContext,
}

/// Returns the rows: stored messages in order, then unsent ones.
pub fn project<'a>(
    scene: Scene,
    messages: impl Iterator<Item = &'a Message>,
    unsent: &[&UnsentMessage],
) -> Vec<Row> {
    let mut rows: Vec<Row> = messages.map(|message| stored(scene, message)).collect();
    if !unsent.is_empty() {
        // A stored message can still be in the outbox if its acknowledgement was lost.
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
        tick: mine.then(|| Tick::of(message, scene.theirs)),
        unsaved: false,
    }
}

fn waiting(entry: &UnsentMessage) -> Row {
    Row {
        key: Key { mine: true, client_id: entry.client_id },
        seq: None,
        body: entry.body.clone(),
        at: time::own_time(entry.written_at),
        new_day: false,
        unread_above: None,
        opens_group: false,
        tick: Some(Tick::of_unsent(entry)),
        unsaved: entry.unsaved,
    }
}

/// Puts the divider above the peer's first message after the read mark, never above an own message.
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

    struct TestConversation {
        me: UserId,
        peer: UserId,
        id: ConversationId,
        messages: Vec<Message>,
    }

    impl TestConversation {
        fn new() -> Self {
            let (me, peer, id) = (UserId::new(), UserId::new(), ConversationId::new());
            Self { me, peer, id, messages: Vec::new() }
        }

        fn add_message(&mut self, sender: UserId, minute: i64) {
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
                local: TimeContext::default(),
            }
        }
    }

    fn unsent(conversation: &TestConversation, client_id: ClientId) -> UnsentMessage {
        UnsentMessage {
            client_id,
            conversation: conversation.id,
            body: "later".into(),
            written_at: Timestamp(10 * 60_000),
            refused: None,
            tab: 0,
            unsaved: false,
        }
    }

    #[test]
    fn own_messages_show_their_progress() {
        let mut conversation = TestConversation::new();
        for _ in 0..3 {
            conversation.add_message(conversation.me, 0);
        }
        conversation.add_message(conversation.peer, 1);
        let entry = unsent(&conversation, ClientId::new());
        let rows = project(conversation.scene(), conversation.messages.iter(), &[&entry]);
        let tick: Vec<_> = rows.iter().map(|row| row.tick).collect();
        let (read, delivered) = (Some(Tick::Read), Some(Tick::Delivered));
        let (sent, sending) = (Some(Tick::Sent), Some(Tick::Sending));
        assert_eq!(tick, [read, delivered, sent, None, sending]);
    }

    #[test]
    fn a_stored_message_still_in_the_outbox_is_shown_once() {
        let mut conversation = TestConversation::new();
        conversation.add_message(conversation.me, 0);
        let entry = unsent(&conversation, conversation.messages[0].client_id);
        assert_eq!(project(conversation.scene(), conversation.messages.iter(), &[&entry]).len(), 1);
    }

    #[test]
    fn groups_end_at_another_sender_a_pause_a_new_day_or_the_divider() {
        let mut conversation = TestConversation::new();
        let (me, peer) = (conversation.me, conversation.peer);
        for (sender, minute) in
            [(peer, 0), (peer, 2), (peer, 5), (me, 5), (peer, 6), (peer, 7), (peer, 1_440)]
        {
            conversation.add_message(sender, minute);
        }
        let divider = Some(UnreadDivider { after: Seq(3), unread: 3 });
        let rows =
            project(Scene { divider, ..conversation.scene() }, conversation.messages.iter(), &[]);
        let opens: Vec<bool> = rows.iter().map(|row| row.opens_group).collect();
        assert_eq!(opens, [true, false, true, true, true, false, true]);
        let days: Vec<bool> = rows.iter().map(|row| row.new_day).collect();
        assert_eq!(days, [true, false, false, false, false, false, true]);
        let divided: Vec<usize> =
            (0..rows.len()).filter(|i| rows[*i].unread_above.is_some()).collect();
        assert_eq!(divided, [4], "never above one's own");
    }
}

//! What the open conversation shows when messages come out of turn.

use leptos::prelude::*;
use protocol::{
    ClientId, Conversation, ConversationId, Cursor, HistoryPage, Marks, Message, Person, Presence,
    Sent, Seq, Timestamp, User, UserId,
};

use super::{FirstPage, OpenConversation, State};
use crate::live::summary::Known;

/// A conversation of two, open in one tab.
struct Talk {
    state: State,
    open: OpenConversation,
    id: ConversationId,
    me: UserId,
    peer: UserId,
    _owner: Owner,
}

impl Talk {
    /// Opened when nothing had been said.
    fn empty() -> Self {
        let owner = Owner::new();
        owner.set();
        let (me, peer, id) = (user("ben"), user("anna"), ConversationId::new());
        let state = State::new(Some(me.clone()));
        let conversation = Conversation {
            id,
            peer: Person { user: peer.clone(), presence: Presence::default() },
            last: None,
            last_seq: Seq::ZERO,
            active_at: Timestamp(0),
            unread: 0,
            mine: Marks::default(),
            theirs: Marks::default(),
        };
        let open = state.open(&FirstPage { conversation, page: page(id, Vec::new()) });
        Self { state, open, id, me: me.id, peer: peer.id, _owner: owner }
    }

    fn message(&self, seq: i64, sender: UserId) -> Message {
        Message {
            conversation: self.id,
            seq: Seq(seq),
            client_id: ClientId::new(),
            sender,
            body: format!("message {seq}"),
            sent_at: Timestamp(seq),
        }
    }

    fn shown(&self) -> Vec<i64> {
        let keys = self.open.keys.get_untracked();
        let rows = keys.iter().filter_map(|key| self.open.row(*key));
        rows.filter_map(|row| row.with_untracked(|row| row.seq)).map(|seq| seq.0).collect()
    }
}

fn user(name: &str) -> User {
    User { id: UserId::new(), username: name.into(), display_name: name.into() }
}

fn page(conversation: ConversationId, messages: Vec<Message>) -> HistoryPage {
    let last_seq = messages.last().map_or(Seq::ZERO, |message| message.seq);
    let (mine, theirs) = (Marks::default(), Marks::default());
    HistoryPage { conversation, messages, last_seq, mine, theirs }
}

#[test]
fn a_conversation_that_was_empty_reads_what_it_missed_from_the_beginning() {
    let talk = Talk::empty();
    let third = talk.message(3, talk.peer);
    assert_eq!(talk.state.apply_message(&third).known, Known::Inexactly);
    assert_eq!(talk.shown(), [0; 0], "nothing is shown above a hole");
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq::ZERO))));
    let missed = vec![talk.message(1, talk.me), talk.message(2, talk.peer), third];
    talk.state.merge_page(&page(talk.id, missed));
    assert_eq!(talk.shown(), [1, 2, 3]);
    assert_eq!(talk.state.missing_newer(), None);
}

#[test]
fn an_acknowledged_message_whose_words_are_gone_is_read_again() {
    let talk = Talk::empty();
    let first = talk.message(1, talk.peer);
    assert_eq!(talk.state.apply_message(&first).known, Known::Exactly);
    let second = talk.message(2, talk.me);
    let sent = Sent {
        conversation: talk.id,
        client_id: second.client_id,
        seq: second.seq,
        sent_at: second.sent_at,
    };
    assert_eq!(talk.state.apply_sent(sent).known, Known::Inexactly);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq(1)))));
    // The next one does not hide that one is missing.
    _ = talk.state.apply_message(&talk.message(3, talk.peer));
    assert_eq!(talk.shown(), [1]);
    assert_eq!(talk.state.missing_newer(), Some((talk.id, Cursor::After(Seq(1)))));
    talk.state.merge_page(&page(talk.id, vec![second]));
    assert_eq!(talk.shown(), [1, 2, 3]);
    assert_eq!(talk.state.apply_sent(sent).known, Known::Exactly);
}

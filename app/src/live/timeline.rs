//! The cached messages of one conversation, and the only merge of messages into them.
//!
//! First page, older page, resync and live messages are merged here. Any order and any repetition
//! gives the same timeline. Messages are ordered by seq, never by a clock. Pure; `state` owns one
//! timeline per conversation and queries it for gaps.

use std::collections::VecDeque;

use protocol::{HistoryPage, Message, Seq};

/// The cached messages, as runs without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Ascending; at least one message is missing between two runs.
    runs: Vec<Run>,
    /// The newest seq known to exist, cached or not.
    last_seq: Seq,
}

/// Consecutive messages; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    messages: VecDeque<Message>,
}

impl Run {
    fn of(message: Message) -> Self {
        Self { messages: VecDeque::from([message]) }
    }

    /// Returns the oldest seq.
    pub fn first(&self) -> Seq {
        self.messages.front().map_or(Seq::ZERO, |message| message.seq)
    }

    /// Returns the newest seq.
    pub fn last(&self) -> Seq {
        self.messages.back().map_or(Seq::ZERO, |message| message.seq)
    }

    /// Returns the oldest and the newest seq.
    pub fn span(&self) -> (Seq, Seq) {
        (self.first(), self.last())
    }

    /// Returns the messages from a seq on, oldest first.
    pub fn from(&self, seq: Seq) -> impl Iterator<Item = &Message> {
        let skipped = usize::try_from(seq.0.saturating_sub(self.first().0)).unwrap_or(0);
        self.messages.range(skipped.min(self.messages.len())..)
    }

    pub fn get(&self, seq: Seq) -> Option<&Message> {
        let index = usize::try_from(seq.0.checked_sub(self.first().0)?).ok()?;
        self.messages.get(index)
    }

    fn contains(&self, seq: Seq) -> bool {
        self.first() <= seq && seq <= self.last()
    }

    /// Appends the run that starts where this one ends. The shorter run is moved, so that an older
    /// page costs its own length and not the length of everything cached.
    fn join(&mut self, mut newer: Self) {
        if self.messages.len() < newer.messages.len() {
            while let Some(message) = self.messages.pop_back() {
                newer.messages.push_front(message);
            }
            *self = newer;
        } else {
            self.messages.append(&mut newer.messages);
        }
    }
}

impl Timeline {
    /// Merges a page of history.
    pub fn merge_page(&mut self, page: &HistoryPage) {
        self.note_last(page.last_seq);
        for message in &page.messages {
            self.merge(message.clone());
        }
    }

    /// Merges one message. A cached seq changes nothing.
    pub fn merge(&mut self, message: Message) {
        let seq = message.seq;
        if seq <= Seq::ZERO {
            return;
        }
        self.note_last(seq);
        // The runs before `next` begin at or before the message.
        let next = self.runs.partition_point(|run| run.first() <= seq);
        let follows = match next.checked_sub(1).map(|index| &mut self.runs[index]) {
            Some(run) if run.contains(seq) => return,
            Some(run) if run.last().next() == seq => {
                run.messages.push_back(message.clone());
                true
            }
            _ => false,
        };
        let touches_next = self.runs.get(next).is_some_and(|run| seq.next() == run.first());
        match (follows, touches_next) {
            (true, true) => {
                let newer = self.runs.remove(next);
                self.runs[next - 1].join(newer);
            }
            (true, false) => {}
            (false, true) => self.runs[next].messages.push_front(message),
            (false, false) => self.runs.insert(next, Run::of(message)),
        }
    }

    /// Returns whether another message is cached under the same seq. That proves that the store was
    /// restored from a backup.
    pub fn contradicts(&self, message: &Message) -> bool {
        let held = self.run_around(message.seq).and_then(|run| run.get(message.seq));
        held.is_some_and(|held| held.client_id != message.client_id)
    }

    /// Records that a seq exists.
    pub fn note_last(&mut self, seq: Seq) {
        self.last_seq = self.last_seq.max(seq);
    }

    /// Returns the newest seq known to exist.
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Returns the run that contains a seq.
    pub fn run_around(&self, seq: Seq) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.first() <= seq).checked_sub(1)?;
        self.runs.get(index).filter(|run| run.contains(seq))
    }

    /// Returns the run with the newest cached messages.
    pub fn newest_run(&self) -> Option<&Run> {
        self.runs.last()
    }

    /// Returns the gaps after the oldest cached message: first and last seq of each.
    pub fn gaps(&self) -> Vec<(Seq, Seq)> {
        let ends = self.runs.iter().skip(1).map(Run::first);
        let ends = ends.chain([self.last_seq.next()]);
        self.runs
            .iter()
            .zip(ends)
            .map(|(run, end)| (run.last().next(), Seq(end.0 - 1)))
            .filter(|(first, last)| first <= last)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::{ClientId, ConversationId, Marks, Timestamp, UserId};

    use super::*;

    fn conversation() -> Vec<Message> {
        let (id, sender) = (ConversationId::new(), UserId::new());
        (1..=60)
            .map(|seq| Message {
                conversation: id,
                seq: Seq(seq),
                client_id: ClientId::new(),
                sender,
                body: format!("message {seq}"),
                sent_at: Timestamp(seq),
            })
            .collect()
    }

    fn page(messages: &[Message], last_seq: i64) -> HistoryPage {
        HistoryPage {
            conversation: messages[0].conversation,
            messages: messages.to_vec(),
            last_seq: Seq(last_seq),
            mine: Marks::default(),
            theirs: Marks::default(),
        }
    }

    fn held(timeline: &Timeline) -> Vec<Message> {
        timeline.newest_run().map(|run| run.from(Seq(1)).cloned().collect()).unwrap_or_default()
    }

    proptest! {
        /// Guards law 4: pages and live messages that arrive late, early or twice give one timeline
        /// once the gaps are fetched.
        #[test]
        fn any_order_with_repeats_and_gaps_merges_to_the_same_timeline(
            pieces in proptest::collection::vec((0_usize..60, 1_usize..12), 1..40),
        ) {
            let all = conversation();
            let mut timeline = Timeline::default();
            for (from, length) in pieces {
                let slice = &all[from..(from + length).min(all.len())];
                if let [message] = slice {
                    timeline.merge(message.clone());
                } else {
                    timeline.merge_page(&page(slice, slice.last().unwrap().seq.0));
                }
                for pair in timeline.runs.windows(2) {
                    prop_assert!(pair[0].last().next() < pair[1].first(), "runs touch");
                }
            }
            timeline.note_last(Seq(60));
            let oldest = timeline.runs[0].first();
            timeline.merge_page(&page(&all[..usize::try_from(oldest.0).unwrap()], 60));
            for (first, last) in timeline.gaps() {
                let (first, last) = (first.0 - 1, last.0);
                let missing = &all[usize::try_from(first).unwrap()..usize::try_from(last).unwrap()];
                timeline.merge_page(&page(missing, 60));
            }
            prop_assert!(timeline.gaps().is_empty());
            prop_assert_eq!(held(&timeline), all);
        }
    }

    #[test]
    fn a_message_after_a_gap_reports_the_gap() {
        let all = conversation();
        let mut timeline = Timeline::default();
        timeline.merge_page(&page(&all[..10], 10));
        timeline.merge(all[13].clone());
        assert_eq!(timeline.gaps(), [(Seq(11), Seq(13))]);
        timeline.note_last(Seq(20));
        assert_eq!(timeline.gaps(), [(Seq(11), Seq(13)), (Seq(15), Seq(20))]);
        assert_eq!(timeline.run_around(Seq(4)).unwrap().last(), Seq(10));
        assert!(timeline.run_around(Seq(12)).is_none());
    }

    #[test]
    fn a_seq_below_one_is_ignored() {
        let mut timeline = Timeline::default();
        let mut message = conversation().remove(0);
        message.seq = Seq(-3);
        timeline.merge(message);
        assert_eq!(timeline, Timeline::default());
    }
}

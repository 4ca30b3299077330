//! The part of a conversation that is on the page: a window that slides in both directions over the
//! cached messages.
//!
//! The page never holds more than [`MOST_ROWS`] rows, however long the conversation; memory may.
//! Pure; `open` bounds the window before each projection.

use protocol::Seq;
use protocol::limits::PAGE_MESSAGES;

/// Upper bound of rows on the page.
const MOST_ROWS: i64 = 300;
/// Rows that remain when the bound is exceeded at the newest message. The gap to [`MOST_ROWS`]
/// avoids removing a row with every new message.
const KEPT_ROWS: i64 = 150;
/// Last seq of a window that includes new messages as they arrive.
const OPEN_END: Seq = Seq(i64::MAX);
/// Number of messages by which the window grows.
#[expect(clippy::cast_possible_wrap, reason = "a few dozen")]
const PAGE: i64 = PAGE_MESSAGES as i64;

/// The first and the last seq that may be on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    first: Seq,
    last: Seq,
}

impl Window {
    /// Creates a window from a seq to the end.
    pub(super) fn from(first: Seq) -> Self {
        Self { first, last: OPEN_END }
    }

    /// Creates a window of the newest page of a run.
    pub(super) fn newest(run: (Seq, Seq)) -> Self {
        Self::from(Seq((run.1.0 - PAGE + 1).max(run.0.0)))
    }

    /// Creates a window of one page before and one page after a seq.
    pub(super) fn around(seq: Seq, run: (Seq, Seq)) -> Self {
        let mut window = Self { first: Seq((seq.0 - PAGE).max(run.0.0)), last: seq };
        window.widen_newer(run);
        window
    }

    /// Returns the first seq; older cached messages are not shown.
    pub(super) fn first(&self) -> Seq {
        self.first
    }

    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// Returns whether the window includes new messages as they arrive.
    pub(super) fn is_open(&self) -> bool {
        self.last == OPEN_END
    }

    /// Extends the window by an older page, which may not be cached yet. Returns the former first
    /// seq.
    pub(super) fn widen_older(&mut self, run: (Seq, Seq)) -> Seq {
        let from = self.first.max(run.0);
        self.first = Seq((from.0 - PAGE).max(1));
        from
    }

    /// Extends the window by a newer page. At the end of the run the window is open again.
    pub(super) fn widen_newer(&mut self, run: (Seq, Seq)) {
        self.last = Seq(self.last.0.saturating_add(PAGE));
        if self.last >= run.1 {
            self.last = OPEN_END;
        }
    }

    /// Enforces the bound: removes the oldest rows if the newest message is in view, else rows at
    /// the end that is farther from the reader's seq.
    pub(super) fn bound(&mut self, run: (Seq, Seq), position: Seq, at_bottom: bool) {
        let (first, last) = (self.first.max(run.0), self.last.min(run.1));
        if last.0 - first.0 < MOST_ROWS {
            return;
        }
        if at_bottom && self.is_open() {
            self.first = Seq(last.0 - KEPT_ROWS + 1);
        } else if position.0 - first.0 > last.0 - position.0 {
            self.first = Seq(last.0 - MOST_ROWS + 1);
        } else {
            self.last = Seq(first.0 + MOST_ROWS - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: (Seq, Seq) = (Seq(1), Seq(10_000));

    fn shown(window: Window) -> i64 {
        window.last.min(RUN.1).0 - window.first.max(RUN.0).0 + 1
    }

    #[test]
    fn the_window_slides_to_the_first_message_and_back_within_its_bound() {
        let mut window = Window::newest(RUN);
        assert_eq!((window.first(), window.is_open()), (Seq(10_000 - PAGE + 1), true));
        while window.first > Seq(1) {
            window.widen_older(RUN);
            window.bound(RUN, window.first, false);
            assert!(shown(window) <= MOST_ROWS);
        }
        assert_eq!((window.last, window.is_open()), (Seq(MOST_ROWS), false));
        while !window.is_open() {
            window.widen_newer(RUN);
            window.bound(RUN, window.last.min(RUN.1), false);
            assert!(shown(window) <= MOST_ROWS);
        }
        assert_eq!(shown(window), MOST_ROWS);
    }

    #[test]
    fn new_messages_remove_the_oldest_rows_at_once() {
        let mut window = Window::from(Seq(9_700));
        window.bound(RUN, Seq(10_000), true);
        assert_eq!((shown(window), window.is_open()), (KEPT_ROWS, true));
        let before = window;
        window.bound(RUN, Seq(10_000), true);
        assert_eq!(window, before);
    }

    #[test]
    fn rows_in_view_stay_while_new_messages_arrive() {
        let mut window = Window::from(Seq(9_700));
        window.bound(RUN, Seq(9_720), false);
        assert_eq!((window.first(), window.last()), (Seq(9_700), Seq(9_999)));
    }
}

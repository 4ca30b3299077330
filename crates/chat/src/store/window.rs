//! Computes which part of a conversation a page holds, for both engines. A conversation's `seq`
//! numbers have no gaps, so the page is a range. The function is pure; the engines check membership
//! and read the range.

use protocol::{Cursor, Seq};

/// The first and last `seq` of the page; `None` for a cursor outside the conversation. The range
/// ends at `last_seq` even if newer messages have been stored since, because the page reports
/// `last_seq` as the newest.
pub(super) fn window(cursor: Cursor, last_seq: i64, limit: i64) -> Option<(i64, i64)> {
    let (first, last) = match cursor {
        Cursor::Latest => Some((last_seq.saturating_sub(limit) + 1, last_seq)),
        Cursor::Before(Seq(seq)) if (0..=last_seq + 1).contains(&seq) => {
            Some((seq - limit, seq - 1))
        }
        Cursor::After(Seq(seq)) if (0..=last_seq).contains(&seq) => Some((seq + 1, seq + limit)),
        Cursor::Around(Seq(seq)) if (1..=last_seq).contains(&seq) => {
            let first = (seq - limit / 2).clamp(1, (last_seq - limit + 1).max(1));
            Some((first, first + limit - 1))
        }
        _ => None,
    }?;
    Some((first, last.min(last_seq)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_at_most_a_page_and_inside_the_conversation() {
        let cases = [
            (Cursor::Latest, Some((51, 100))),
            (Cursor::Before(Seq(101)), Some((51, 100))),
            (Cursor::Before(Seq(10)), Some((-40, 9))),
            (Cursor::Before(Seq(102)), None),
            (Cursor::Before(Seq(-1)), None),
            (Cursor::Before(Seq(i64::MIN)), None),
            (Cursor::After(Seq(0)), Some((1, 50))),
            (Cursor::After(Seq(80)), Some((81, 100))),
            (Cursor::After(Seq(100)), Some((101, 100))),
            (Cursor::After(Seq(101)), None),
            (Cursor::After(Seq(i64::MAX)), None),
            (Cursor::Around(Seq(50)), Some((25, 74))),
            (Cursor::Around(Seq(1)), Some((1, 50))),
            (Cursor::Around(Seq(100)), Some((51, 100))),
            (Cursor::Around(Seq(0)), None),
        ];
        for (cursor, expected) in cases {
            assert_eq!(window(cursor, 100, 50), expected, "{cursor:?}");
        }
    }
}

//! Whether the line to the server lives: when to ask, and when an answer is overdue. A line can die
//! without a word, so only an answer shows that it lives; each question costs battery and a little of
//! the server, so it is asked often only where somebody would notice. Pure: `connection` brings clock
//! and person.

/// Who would notice a dead line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nobody: the page is hidden.
    Hidden,
    /// The page is in view, and nobody has touched it for a while.
    Idle,
    /// Somebody is there.
    There,
    /// A message waits for its answer.
    Waiting,
}

/// How long an answer may take where somebody would notice.
const ANSWER_MS: i64 = 4_000;
/// The pause between two questions where nobody would, and how long an answer may take there.
const CALM_MS: i64 = 25_000;
/// A timer that is later than this comes from a page that slept: what was heard meanwhile is not
/// read yet.
const LATE_MS: i64 = 2_000;
/// An idle page looks this often whether somebody came back.
const LOOK_MS: i64 = 4_000;

impl Interest {
    /// How long a line may be silent before it is asked.
    fn quiet_ms(self) -> i64 {
        match self {
            Self::Hidden | Self::Idle => CALM_MS,
            Self::There => 4_000,
            Self::Waiting => 3_000,
        }
    }

    fn answer_ms(self) -> i64 {
        match self {
            Self::Hidden | Self::Idle => CALM_MS,
            Self::There | Self::Waiting => ANSWER_MS,
        }
    }
}

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing yet.
    Quiet,
    /// Ask whether it lives.
    Ask,
    /// It is dead.
    Lost,
}

/// What is known of one line.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    heard_ms: i64,
    /// When it was asked without an answer since, and how long that one may take.
    asked: Option<(i64, i64)>,
    /// Whether it was asked again because the page slept.
    excused: bool,
}

impl Pulse {
    /// A line from which something was just heard.
    pub fn new(now_ms: i64) -> Self {
        Self { heard_ms: now_ms, asked: None, excused: false }
    }

    /// When something was heard last.
    pub fn heard_ms(&self) -> i64 {
        self.heard_ms
    }

    /// The line is asked now, out of turn: whoever wants that does not wait long.
    pub fn ask(&mut self, now_ms: i64) {
        self.asked = Some((now_ms, ANSWER_MS));
    }

    /// How long to wait before the next look.
    pub fn wait_ms(&self, now_ms: i64, interest: Interest) -> i64 {
        let wait = (self.due_ms(interest) - now_ms).max(0);
        if interest == Interest::Idle { wait.min(LOOK_MS) } else { wait }
    }

    /// What to do now.
    pub fn look(&mut self, now_ms: i64, interest: Interest) -> Beat {
        let late = now_ms - self.due_ms(interest);
        if late < 0 {
            return Beat::Quiet;
        }
        if self.asked.is_some() {
            if late < LATE_MS || self.excused {
                return Beat::Lost;
            }
            self.excused = true;
        }
        self.asked = Some((now_ms, interest.answer_ms()));
        Beat::Ask
    }

    fn due_ms(&self, interest: Interest) -> i64 {
        match self.asked {
            Some((at, within)) => at + within.min(interest.answer_ms()),
            None => self.heard_ms + interest.quiet_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_line_is_known_within_ten_seconds_where_somebody_is_there() {
        for (interest, dead_at) in [(Interest::There, 8_000), (Interest::Waiting, 7_000)] {
            let mut pulse = Pulse::new(0);
            let ask_at = pulse.wait_ms(0, interest);
            assert_eq!(pulse.look(ask_at - 1, interest), Beat::Quiet);
            assert_eq!(pulse.look(ask_at, interest), Beat::Ask);
            assert_eq!(pulse.wait_ms(ask_at, interest), ANSWER_MS);
            assert_eq!(pulse.look(dead_at - 1, interest), Beat::Quiet);
            assert_eq!(pulse.look(dead_at, interest), Beat::Lost);
        }
    }

    #[test]
    fn a_page_that_nobody_looks_at_asks_seldom_and_heeds_who_comes_back() {
        let mut pulse = Pulse::new(0);
        assert_eq!(pulse.wait_ms(0, Interest::Hidden), CALM_MS);
        assert_eq!(pulse.wait_ms(0, Interest::Idle), LOOK_MS);
        assert_eq!(pulse.look(LOOK_MS, Interest::Idle), Beat::Quiet);
        assert_eq!(pulse.look(LOOK_MS, Interest::There), Beat::Ask);
        let mut asked = Pulse::new(0);
        assert_eq!(asked.look(CALM_MS, Interest::Hidden), Beat::Ask);
        assert_eq!(asked.wait_ms(CALM_MS, Interest::Hidden), CALM_MS);
        assert_eq!(asked.wait_ms(CALM_MS, Interest::There), ANSWER_MS);
    }

    #[test]
    fn what_a_page_did_not_read_while_it_slept_is_not_held_against_the_line() {
        let mut pulse = Pulse::new(0);
        assert_eq!(pulse.look(4_000, Interest::There), Beat::Ask);
        assert_eq!(pulse.look(60_000, Interest::There), Beat::Ask, "the page slept");
        assert_eq!(pulse.look(120_000, Interest::There), Beat::Lost, "twice is enough");
    }
}

//! Moments, as words.
//!
//! Server and browser write the same words by the same code ([`calendar`]), so nothing changes when the
//! page goes live. The server knows the viewer's zone and customs by what their browser tells
//! (`customs`); where it does not know the zone it writes UTC, and the browser's first render repeats
//! that. Words are written anew when day or zone change, at midnight or on a journey (`live::today`).

#[cfg(feature = "hydrate")]
mod browser;
pub mod calendar;
mod civil;
#[cfg(feature = "ssr")]
pub mod customs;
mod zone;

use protocol::Timestamp;

use crate::language::Texts;
use calendar::{Calendar, Pattern};
use civil::Civil;
use zone::Zone;

#[cfg(feature = "hydrate")]
pub use browser::{heard, own_time, until_midnight_ms};

/// By whose clock and customs moments are written, and which one is now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local {
    zone: Zone,
    calendar: Calendar,
    now: Timestamp,
}

impl Local {
    /// In a zone, with a calendar, at a moment.
    pub const fn new(zone: Zone, calendar: Calendar, now: Timestamp) -> Self {
        Self { zone, calendar, now }
    }

    /// What the browser must know of it to write the same: it travels inside the page.
    pub fn sent(self) -> String {
        let (now, zone) = (self.now.0, i32::from(self.zone.is_known()));
        format!("{now}|{zone}|{}", self.calendar.sent())
    }

    /// The number of the day that a moment is in.
    pub fn day_number(self, at: Timestamp) -> i64 {
        (at.0 + self.zone.ahead_ms(at)).div_euclid(86_400_000)
    }

    fn days_ago(self, at: Timestamp) -> i64 {
        self.day_number(self.now) - self.day_number(at)
    }

    fn write(self, pattern: Pattern, at: Timestamp) -> String {
        self.calendar.write(pattern, Civil::at(at, self.zone.ahead_ms(at)))
    }
}

/// The time of day: "14:03".
pub fn clock(at: Timestamp, local: Local) -> String {
    local.write(Pattern::Clock, at)
}

/// A day, as a separator names it: "Today", "Yesterday", "Monday, 3 November".
pub fn day(t: &Texts, at: Timestamp, local: Local) -> String {
    match local.days_ago(at) {
        // What came just after midnight is not of tomorrow.
        -1..=0 => t.today.to_owned(),
        1 => t.yesterday.to_owned(),
        2..=300 => local.write(Pattern::Day, at),
        _ => local.write(Pattern::DayOfYear, at),
    }
}

/// A moment in few letters, for the list: the time today, else the day.
pub fn short(t: &Texts, at: Timestamp, local: Local) -> String {
    match local.days_ago(at) {
        -1..=0 => clock(at, local),
        1 => t.yesterday.to_owned(),
        2..=6 => local.write(Pattern::Weekday, at),
        7..=300 => local.write(Pattern::Short, at),
        _ => local.write(Pattern::Digits, at),
    }
}

/// A moment in full, for those who point at it.
pub fn moment(_: &Texts, at: Timestamp, local: Local) -> String {
    let mut text = local.write(Pattern::Moment, at);
    if !local.zone.is_known() {
        text.push_str(" UTC");
    }
    text
}

/// A day with its year.
pub fn date(at: Timestamp, local: Local) -> String {
    local.write(Pattern::DayOfYear, at)
}

/// When somebody was last there.
pub fn last_seen(t: &Texts, at: Timestamp, local: Local) -> String {
    match local.days_ago(at) {
        1 => t.last_seen_yesterday.replace("{}", &clock(at, local)),
        _ => t.last_seen.replace("{}", &short(t, at, local)),
    }
}

/// A moment as machines read it, for the `datetime` attribute.
pub fn machine(at: Timestamp) -> String {
    let Civil { year, month, day, minutes, .. } = Civil::at(at, 0);
    let second = at.0.div_euclid(1_000).rem_euclid(60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The server's clock.
#[cfg(feature = "ssr")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or_default()))
}

/// A moment of this device's clock, which is taken to be right.
#[cfg(not(feature = "hydrate"))]
pub const fn own_time(at: Timestamp) -> Timestamp {
    at
}

#[cfg(test)]
mod tests;

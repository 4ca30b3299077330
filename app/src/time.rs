//! Formats points in time for display.
//!
//! Server and browser use the same code ([`calendar`]), so the text does not change when the page
//! goes live. The server takes the viewer's time zone and locale from the browser (`conventions`).
//! Without a known time zone it writes UTC, and the browser's first render repeats that.
//! `live::today` renders times again when the day or the time zone changes.

#[cfg(feature = "hydrate")]
mod browser;
pub mod calendar;
mod civil;
#[cfg(feature = "ssr")]
pub mod conventions;
mod zone;

use std::cell::Cell;

use protocol::Timestamp;

use crate::language::Texts;
use calendar::{Calendar, Pattern};
use civil::Civil;
use zone::Zone;

#[cfg(feature = "hydrate")]
pub use browser::{note_server_time, provide_time_context, until_midnight_ms};

/// The viewer's time zone and calendar, and the current time.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimeContext {
    zone: Zone,
    calendar: Calendar,
    now: Timestamp,
}

impl TimeContext {
    /// Returns the time at which this context was made.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    pub const fn new(zone: Zone, calendar: Calendar, now: Timestamp) -> Self {
        Self { zone, calendar, now }
    }

    /// Serialises the values that the browser needs to render the same text; embedded in the page.
    pub fn sent(self) -> String {
        let (now, zone) = (self.now.0, i32::from(self.zone.is_known()));
        format!("{now}|{zone}|{}", self.calendar.sent())
    }

    /// Returns the number of the day since 1970 in the viewer's time zone.
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

/// Formats the time of day: "14:03".
pub fn clock(at: Timestamp, local: TimeContext) -> String {
    local.write(Pattern::Clock, at)
}

/// Formats a day for a date separator: "Today", "Yesterday", "Monday, 3 November".
pub fn day(t: &Texts, at: Timestamp, local: TimeContext) -> String {
    match local.days_ago(at) {
        // A time just after midnight counts as today while `now` is still before midnight.
        -1..=0 => t.today.to_owned(),
        1 => t.yesterday.to_owned(),
        2..=300 => local.write(Pattern::Day, at),
        _ => local.write(Pattern::DayOfYear, at),
    }
}

/// Formats a time for the list: the time of day for today, else the day.
pub fn short(t: &Texts, at: Timestamp, local: TimeContext) -> String {
    match local.days_ago(at) {
        -1..=0 => clock(at, local),
        1 => t.yesterday.to_owned(),
        2..=6 => local.write(Pattern::Weekday, at),
        7..=300 => local.write(Pattern::Short, at),
        _ => local.write(Pattern::Digits, at),
    }
}

/// Formats the full date and time for a tooltip.
pub fn moment(_: &Texts, at: Timestamp, local: TimeContext) -> String {
    let mut text = local.write(Pattern::Moment, at);
    if !local.zone.is_known() {
        text.push_str(" UTC");
    }
    text
}

/// Formats a day with its year.
pub fn date(at: Timestamp, local: TimeContext) -> String {
    local.write(Pattern::DayOfYear, at)
}

/// Formats the sentence about when a user was last online.
pub fn last_seen(t: &Texts, at: Timestamp, local: TimeContext) -> String {
    match local.days_ago(at) {
        1 => t.last_seen_yesterday.replace("{}", &clock(at, local)),
        _ => t.last_seen.replace("{}", &short(t, at, local)),
    }
}

/// Formats a time in UTC as ISO 8601, for the `datetime` attribute.
pub fn machine(at: Timestamp) -> String {
    let Civil { year, month, day, minutes, .. } = Civil::at(at, 0);
    let second = at.0.div_euclid(1_000).rem_euclid(60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

thread_local! {
    /// Offset of the server's clock from this device's, or zero if the device's clock is right. The
    /// server's own clock is right.
    static AHEAD_MS: Cell<i64> = const { Cell::new(0) };
}

/// Corrects a time of this device's clock by the offset of the server's.
pub fn own_time(at: Timestamp) -> Timestamp {
    Timestamp(at.0 + AHEAD_MS.get())
}

#[cfg(test)]
mod tests;

//! Moments, as words.
//!
//! The server does not know the viewer's clock, so it writes UTC, always in the same words, and
//! the browser's first render repeats exactly that. Once the page is live the same places are
//! written anew by the viewer's own clock and customs (`Intl`), without any time library.

#[cfg(feature = "hydrate")]
mod browser;
#[cfg(not(feature = "hydrate"))]
mod browser {
    //! Without a browser there is no other clock than UTC.
    pub use super::utc_day as local_day;
    pub(super) use super::{
        utc_clock as clock, utc_date as day, utc_date as short, utc_last_seen as last_seen,
        utc_moment as moment,
    };
}

use protocol::Timestamp;

use crate::language::Texts;

pub use browser::local_day;

/// The time of day: "14:03".
pub fn clock(at: Timestamp, local: bool) -> String {
    if local { browser::clock(at) } else { utc_clock(at) }
}

/// A day, as a separator names it: "Today", "Yesterday", "Monday, 3 November".
pub fn day(t: &Texts, at: Timestamp, local: bool) -> String {
    if local { browser::day(t, at) } else { utc_date(t, at) }
}

/// A moment in few letters, for the list: the time today, else the day.
pub fn short(t: &Texts, at: Timestamp, local: bool) -> String {
    if local { browser::short(t, at) } else { utc_date(t, at) }
}

/// A moment in full, for those who point at it.
pub fn moment(t: &Texts, at: Timestamp, local: bool) -> String {
    if local { browser::moment(t, at) } else { utc_moment(t, at) }
}

/// When somebody was last there.
pub fn last_seen(t: &Texts, at: Timestamp, local: bool) -> String {
    if local { browser::last_seen(t, at) } else { utc_last_seen(t, at) }
}

/// A moment as machines read it, for the `datetime` attribute.
pub fn machine(at: Timestamp) -> String {
    let (year, month, day) = date(at);
    let ms = at.0.rem_euclid(86_400_000);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The number of the day in UTC.
pub fn utc_day(at: Timestamp) -> i64 {
    at.0.div_euclid(86_400_000)
}

fn utc_clock(at: Timestamp) -> String {
    let minutes = at.0.rem_euclid(86_400_000) / 60_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn utc_date(t: &Texts, at: Timestamp) -> String {
    let (year, month, day) = date(at);
    let month = usize::try_from(month - 1).ok().and_then(|index| t.months.get(index));
    t.date
        .replace("{day}", &day.to_string())
        .replace("{month}", month.copied().unwrap_or_default())
        .replace("{year}", &year.to_string())
}

fn utc_moment(t: &Texts, at: Timestamp) -> String {
    format!("{}, {} UTC", utc_date(t, at), utc_clock(at))
}

fn utc_last_seen(t: &Texts, at: Timestamp) -> String {
    t.last_seen.replace("{}", &utc_moment(t, at))
}

/// Year, month and day in UTC (days to civil, after Howard Hinnant).
fn date(at: Timestamp) -> (i64, i64, i64) {
    let days = utc_day(at) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn the_server_writes_utc() {
        let cases = [
            (0, "1 January 1970", "00:00", "1970-01-01T00:00:00Z"),
            (951_782_399_000, "28 February 2000", "23:59", "2000-02-28T23:59:59Z"),
            (951_782_400_000, "29 February 2000", "00:00", "2000-02-29T00:00:00Z"),
            (1_795_478_645_000, "24 November 2026", "00:04", "2026-11-24T00:04:05Z"),
            (-1, "31 December 1969", "23:59", "1969-12-31T23:59:59Z"),
        ];
        for (ms, date, clock, machine_text) in cases {
            let at = Timestamp(ms);
            assert_eq!(utc_date(Language::English.texts(), at), date);
            assert_eq!(utc_clock(at), clock);
            assert_eq!(machine(at), machine_text);
        }
    }
}

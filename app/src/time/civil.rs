//! Converts a timestamp to civil date and time.

use protocol::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// Civil date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: usize,
    /// 1 to 12.
    pub month: usize,
    /// 1 to 31.
    pub day: usize,
    /// 0 to 6, from Sunday.
    pub weekday: usize,
    /// Minutes since midnight.
    pub minutes: usize,
}

impl Civil {
    /// Converts a timestamp at the given offset from UTC (days to civil, after Howard Hinnant).
    pub fn at(at: Timestamp, ahead_ms: i64) -> Self {
        let wall = at.0.saturating_add(ahead_ms);
        let days_since_1970 = wall.div_euclid(DAY_MS);
        let days = days_since_1970 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: whole(year_of_era + era * 400 + i64::from(month <= 2)),
            month: whole(month),
            day: whole(day_of_year - (153 * shifted_month + 2) / 5 + 1),
            // 1 January 1970 was a Thursday.
            weekday: whole((days_since_1970 + 4).rem_euclid(7)),
            minutes: whole(wall.rem_euclid(DAY_MS) / 60_000),
        }
    }
}

/// Converts a number to `usize`. Only years before the common era are negative; they become zero.
fn whole(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

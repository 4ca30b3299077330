//! Offset of the viewer's time zone from UTC.
//!
//! The server looks the zone up by the name that the browser sends (`super::conventions`); the
//! browser uses its own.

use protocol::Timestamp;

/// A source of time zone offsets.
#[derive(Clone, Copy, Debug, Default)]
pub enum Zone {
    /// The viewer's time zone is unknown.
    #[default]
    Utc,
    /// A zone of the time zone database.
    #[cfg(feature = "ssr")]
    Of(&'static jiff::tz::TimeZone),
    /// The browser's own zone.
    #[cfg(feature = "hydrate")]
    Own,
}

impl Zone {
    /// Returns whether the viewer's time zone is known.
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Utc)
    }

    /// Returns the offset from UTC at a given time, in milliseconds.
    pub fn ahead_ms(self, at: Timestamp) -> i64 {
        match self {
            Self::Utc => 0,
            #[cfg(feature = "ssr")]
            Self::Of(zone) => jiff::Timestamp::from_millisecond(at.0)
                .map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1_000),
            #[cfg(feature = "hydrate")]
            Self::Own => super::browser::ahead_ms(at),
        }
    }
}

//! How far the viewer's clock is ahead of UTC.
//!
//! The server looks it up in a table of zones by the name that the browser tells (`super::customs`);
//! the browser knows its own.

use protocol::Timestamp;

/// Whose clock counts.
#[derive(Clone, Copy, Debug, Default)]
pub enum Zone {
    /// Nobody's: the viewer's zone is not known.
    #[default]
    Utc,
    /// That of a place.
    #[cfg(feature = "ssr")]
    Of(&'static jiff::tz::TimeZone),
    /// The browser's own.
    #[cfg(feature = "hydrate")]
    Own,
}

impl Zone {
    /// Whether it is a viewer's.
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Utc)
    }

    /// How far its clock is ahead of UTC at a moment, in milliseconds.
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

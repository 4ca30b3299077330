//! The browser's clock and time zone.

use std::cell::Cell;

use js_sys::Date;
use leptos::prelude::provide_context;
use protocol::Timestamp;
use wasm_bindgen::JsValue;

use super::calendar::Calendar;
use super::{AHEAD_MS, TimeContext, Zone, own_time};

const DAY_MS: i64 = 86_400_000;
/// A device clock within this distance of the server's counts as right.
const RIGHT_WITHIN_MS: i64 = 60_000;

thread_local! {
    /// The day and the time zone offsets (now and in half a year) that the displayed times are
    /// based on.
    static BASIS: Cell<[i64; 3]> = const { Cell::new([0; 3]) };
}

/// Updates the clock correction from a server time that is at most `ago_ms` old.
pub fn note_server_time(server: Timestamp, ago_ms: i64) {
    let off = date_now() - server.0;
    let wrong = if off < 0 { off < -RIGHT_WITHIN_MS } else { off - ago_ms > RIGHT_WITHIN_MS };
    AHEAD_MS.set(if wrong { -off } else { 0 });
}

fn now() -> Timestamp {
    own_time(Timestamp(date_now()))
}

fn date_now() -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for ever")]
    let now = Date::now() as i64;
    now
}

/// Returns the offset of the viewer's time zone from UTC.
pub fn ahead_ms(at: Timestamp) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to the year 287396")]
    let date = Date::new(&JsValue::from_f64(at.0 as f64));
    #[expect(clippy::cast_possible_truncation, reason = "an offset is a few hundred minutes")]
    let minutes = date.get_timezone_offset() as i64;
    minutes * -60_000
}

/// Returns the time until the viewer's next midnight.
pub fn until_midnight_ms() -> i64 {
    let now = now();
    DAY_MS - (now.0 + ahead_ms(now)).rem_euclid(DAY_MS)
}

/// Provides the context that the server sent with the page.
pub fn provide_time_context(sent: String) {
    provide_context(TimeContext::received(sent));
}

impl TimeContext {
    /// Parses the value of [`TimeContext::sent`].
    fn received(sent: String) -> Self {
        // Leaked once per page load; the text is needed as long as the page lives.
        let mut parts = String::leak(sent).splitn(4, '|');
        let mut part = || parts.next().unwrap_or_default();
        let now = Timestamp(part().parse().unwrap_or_default());
        let zone = if part() == "1" { Zone::Own } else { Zone::Utc };
        let twelve = part() == "1";
        Self::new(zone, Calendar::new(part(), twelve), now)
    }

    /// Returns the server's time when it rendered the page.
    pub const fn written_at(self) -> Timestamp {
        self.now
    }

    /// Returns the current values if displayed times must be rendered again. `None` while they are
    /// still correct.
    pub fn renewed(self) -> Option<Self> {
        let own = Self { zone: Zone::Own, now: now(), ..self };
        let half_a_year_on = Timestamp(own.now.0 + 182 * DAY_MS);
        let basis = [own.day_number(own.now), ahead_ms(own.now), ahead_ms(half_a_year_on)];
        let before = BASIS.replace(basis);
        let is_right = if before == [0; 3] {
            self.zone.is_known() && self.day_number(self.now) == basis[0]
        } else {
            before == basis
        };
        (!is_right).then_some(own)
    }
}

use super::*;

#[test]
fn the_datetime_attribute_is_in_utc() {
    let cases = [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399_000, "2000-02-28T23:59:59Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (1_795_478_645_000, "2026-11-24T00:04:05Z"),
        (-1, "1969-12-31T23:59:59Z"),
    ];
    for (ms, text) in cases {
        assert_eq!(machine(Timestamp(ms)), text);
    }
}

#[cfg(feature = "ssr")]
#[test]
fn days_begin_at_midnight_in_the_viewers_time_zone() {
    use crate::language::Language;

    const HOUR_MS: i64 = 3_600_000;
    let t = Language::English.texts();
    let reported = conventions::ReportedClock::parse("Asia/Kolkata.h23.en-GB");
    // Tuesday, half past six in the evening in Kolkata.
    let now = Timestamp(1_795_525_200_000);
    let local =
        TimeContext { now, ..conventions::time_context(reported, "", Language::English, None) };
    let ago = |hours: i64| Timestamp(now.0 - hours * HOUR_MS);
    let cases = [
        (-3, "Today", "21:30"),
        // Tomorrow, because a clock was ahead.
        (-8, "Today", "02:30"),
        (18, "Today", "00:30"),
        (19, "Yesterday", "Yesterday"),
        (49, "Sunday 22 November", "Sun"),
        (24 * 8, "Monday 16 November", "16 Nov"),
        (24 * 320, "Thu, 8 January 2026", "08/01/26"),
        (-72, "Fri, 27 November 2026", "27/11/26"),
    ];
    for (hours, long, brief) in cases {
        assert_eq!(day(t, ago(hours), local), long, "{hours}");
        assert_eq!(short(t, ago(hours), local), brief, "{hours}");
    }
    assert_eq!(moment(t, now, local), "Tuesday, 24 November 2026 at 18:30");
    assert!(moment(t, now, TimeContext { zone: Zone::Utc, ..local }).ends_with(" at 13:00 UTC"));
}

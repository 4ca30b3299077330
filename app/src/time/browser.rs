//! Moments by the viewer's own clock and customs.

use js_sys::{Array, Date, Function, Object, Reflect};
use protocol::Timestamp;
use wasm_bindgen::JsValue;

/// Days since 1970 by the viewer's clock, daylight saving included.
pub fn local_day(at: Timestamp) -> i64 {
    let minutes = date(at).get_timezone_offset();
    #[expect(clippy::cast_possible_truncation, reason = "an offset is a few hundred minutes")]
    let offset_ms = minutes as i64 * 60_000;
    (at.0 - offset_ms).div_euclid(86_400_000)
}

pub fn clock(at: Timestamp) -> String {
    thread_local! { static FORMAT: Function = format(&[("hour", "2-digit"), ("minute", "2-digit")]); }
    FORMAT.with(|format| write(format, at))
}

pub fn day(at: Timestamp) -> String {
    thread_local! {
        static THIS_YEAR: Function =
            format(&[("weekday", "long"), ("day", "numeric"), ("month", "long")]);
        static OTHER_YEAR: Function = format(&[
            ("weekday", "short"), ("day", "numeric"), ("month", "long"), ("year", "numeric"),
        ]);
    }
    match days_ago(at) {
        0 => "Today".to_owned(),
        1 => "Yesterday".to_owned(),
        2..=300 => THIS_YEAR.with(|format| write(format, at)),
        _ => OTHER_YEAR.with(|format| write(format, at)),
    }
}

pub fn short(at: Timestamp) -> String {
    thread_local! {
        static WEEKDAY: Function = format(&[("weekday", "short")]);
        static THIS_YEAR: Function = format(&[("day", "numeric"), ("month", "short")]);
        static OTHER_YEAR: Function =
            format(&[("day", "numeric"), ("month", "numeric"), ("year", "2-digit")]);
    }
    match days_ago(at) {
        0 => clock(at),
        1 => "Yesterday".to_owned(),
        2..=6 => WEEKDAY.with(|format| write(format, at)),
        7..=300 => THIS_YEAR.with(|format| write(format, at)),
        _ => OTHER_YEAR.with(|format| write(format, at)),
    }
}

pub fn moment(at: Timestamp) -> String {
    thread_local! { static FORMAT: Function = format(&[("dateStyle", "full"), ("timeStyle", "short")]); }
    FORMAT.with(|format| write(format, at))
}

pub fn last_seen(at: Timestamp) -> String {
    match days_ago(at) {
        0 => format!("last seen {}", clock(at)),
        1 => format!("last seen yesterday {}", clock(at)),
        _ => format!("last seen {}", short(at)),
    }
}

fn days_ago(at: Timestamp) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit for ever")]
    let now = Timestamp(Date::now() as i64);
    local_day(now) - local_day(at)
}

fn date(at: Timestamp) -> Date {
    #[expect(clippy::cast_precision_loss, reason = "exact up to the year 287396")]
    let ms = at.0 as f64;
    Date::new(&JsValue::from_f64(ms))
}

/// The bound `format` function of an `Intl.DateTimeFormat` in the browser's own locale. Making one
/// costs far more than using it.
fn format(options: &[(&str, &str)]) -> Function {
    let object = Object::new();
    for (name, value) in options {
        // Setting a property of a fresh object cannot fail.
        _ = Reflect::set(&object, &(*name).into(), &(*value).into());
    }
    js_sys::Intl::DateTimeFormat::new(&Array::new(), &object).format()
}

fn write(format: &Function, at: Timestamp) -> String {
    format
        .call1(&JsValue::UNDEFINED, &date(at))
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_default()
}

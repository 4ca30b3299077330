//! Moments by the viewer's own clock and customs.

use js_sys::{Array, Date, Function, Object, Reflect};
use leptos::prelude::{document, window};
use protocol::Timestamp;
use wasm_bindgen::JsValue;

use crate::language::{Language, Texts};

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

pub fn day(t: &Texts, at: Timestamp) -> String {
    thread_local! {
        static THIS_YEAR: Function =
            format(&[("weekday", "long"), ("day", "numeric"), ("month", "long")]);
        static OTHER_YEAR: Function = format(&[
            ("weekday", "short"), ("day", "numeric"), ("month", "long"), ("year", "numeric"),
        ]);
    }
    match days_ago(at) {
        0 => t.today.to_owned(),
        1 => t.yesterday.to_owned(),
        2..=300 => THIS_YEAR.with(|format| write(format, at)),
        _ => OTHER_YEAR.with(|format| write(format, at)),
    }
}

pub fn short(t: &Texts, at: Timestamp) -> String {
    thread_local! {
        static WEEKDAY: Function = format(&[("weekday", "short")]);
        static THIS_YEAR: Function = format(&[("day", "numeric"), ("month", "short")]);
        static OTHER_YEAR: Function =
            format(&[("day", "numeric"), ("month", "numeric"), ("year", "2-digit")]);
    }
    match days_ago(at) {
        0 => clock(at),
        1 => t.yesterday.to_owned(),
        2..=6 => WEEKDAY.with(|format| write(format, at)),
        7..=300 => THIS_YEAR.with(|format| write(format, at)),
        _ => OTHER_YEAR.with(|format| write(format, at)),
    }
}

pub fn moment(_: &Texts, at: Timestamp) -> String {
    thread_local! { static FORMAT: Function = format(&[("dateStyle", "full"), ("timeStyle", "short")]); }
    FORMAT.with(|format| write(format, at))
}

pub fn last_seen(t: &Texts, at: Timestamp) -> String {
    match days_ago(at) {
        0 => t.last_seen.replace("{}", &clock(at)),
        1 => t.last_seen_yesterday.replace("{}", &clock(at)),
        _ => t.last_seen.replace("{}", &short(t, at)),
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

/// The bound `format` function of an `Intl.DateTimeFormat` of this page. Making one costs far more
/// than using it.
fn format(options: &[(&str, &str)]) -> Function {
    let object = Object::new();
    let attribute = |name| document().document_element()?.get_attribute(name);
    if let Some(hours) = attribute("data-hours") {
        _ = Reflect::set(&object, &"hourCycle".into(), &hours.into());
    }
    for (name, value) in options {
        // Setting a property of a fresh object cannot fail.
        _ = Reflect::set(&object, &(*name).into(), &(*value).into());
    }
    js_sys::Intl::DateTimeFormat::new(&Array::of1(&locale().into()), &object).format()
}

/// Whose customs count: the browser's own where it speaks the page's language (a Briton's dates
/// stay British), else those of that language. The digits are those of the page's own numbers.
fn locale() -> String {
    let page = document().document_element().and_then(|root| root.get_attribute("lang"));
    let page = page.as_deref().and_then(Language::from_tag).unwrap_or_default();
    let browser = window().navigator().language().unwrap_or_default();
    let tag = match Language::from_tag(&browser) {
        Some(same) if same == page && !browser.contains("-u-") => browser,
        _ => page.tag().to_owned(),
    };
    format!("{tag}-u-nu-latn")
}

fn write(format: &Function, at: Timestamp) -> String {
    format
        .call1(&JsValue::UNDEFINED, &date(at))
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_default()
}

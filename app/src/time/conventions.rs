//! The viewer's time zone, region and hour format, as reported by the browser. Server only.
//!
//! `page.js` writes the time zone, the hour cycle and the locale of the browser into a cookie.
//! Before it has run, the region comes from `Accept-Language`.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::{TimeZone, TimeZoneDatabase};
use protocol::Timestamp;

use super::TimeContext;
use super::calendar::Calendar;
use super::zone::Zone;
use crate::language::Language;
use crate::preferences::Hours;

/// Name of the cookie. Scripts can read it; it holds no secret.
pub const COOKIE: &str = "duet-clock";

/// One calendar per line: language and regions, hour format, then the fields of the calendar.
static CALENDARS: &str = include_str!("calendars.txt");

/// The parsed cookie, for example "Europe/Berlin.h23.de-AT".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportedClock<'a> {
    /// Name of a known time zone, or empty.
    pub zone: &'a str,
    hours: Option<Hours>,
    locale: &'a str,
}

impl<'a> ReportedClock<'a> {
    /// Parses the cookie's value; invalid parts count as absent.
    pub fn parse(value: &'a str) -> Self {
        let mut parts = value.split('.');
        let mut part = || parts.next().unwrap_or_default();
        let (zone, hours, locale) = (part(), part(), part());
        let hours = match hours {
            "h11" | "h12" => Some(Hours::Twelve),
            "h23" | "h24" => Some(Hours::TwentyFour),
            _ => None,
        };
        Self { zone: if named(zone).is_some() { zone } else { "" }, hours, locale }
    }
}

/// Returns the time format for a page in `language`. The hour format is the user's choice, else the
/// browser's, else that of the region.
pub fn time_context(
    reported: ReportedClock,
    accepted: &str,
    language: Language,
    chosen: Option<Hours>,
) -> TimeContext {
    let speaks = |tag: &str| Language::from_tag(tag) == Some(language);
    // A browser locale in another language says nothing about this language's region.
    let own = Some(reported.locale).filter(|tag| speaks(tag));
    let tags = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    let tag = own.or_else(|| tags.into_iter().find(|tag| speaks(tag)));
    let (hours, line) = conventions(language, tag.and_then(region).unwrap_or_default());
    let hours = chosen.or(reported.hours.filter(|_| own.is_some())).unwrap_or(hours);
    let zone = named(reported.zone).map_or(Zone::Utc, Zone::Of);
    TimeContext::new(zone, Calendar::new(line, hours == Hours::Twelve), now())
}

/// Returns the server's current time.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or_default()))
}

/// Returns the region of a tag such as `de-AT` or `ar-u-nu-latn`, if there is one.
fn region(tag: &str) -> Option<&str> {
    let subtags = tag.split(['-', '_', '@']).skip(1).take_while(|subtag| subtag.len() > 1);
    let is_region = |subtag: &&str| match subtag.len() {
        2 => subtag.bytes().all(|byte| byte.is_ascii_alphabetic()),
        3 => subtag.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    subtags.into_iter().find(is_region)
}

/// Returns the hour format and the calendar of a region.
fn conventions(language: Language, region: &str) -> (Hours, &'static str) {
    let mut found = ("", "");
    for line in CALENDARS.lines() {
        let Some((head, rest)) = line.split_once('|') else { continue };
        let mut words = head.split(' ');
        if words.next() != Some(language.tag()) {
            continue;
        }
        let is_of = |name: &str| words.clone().any(|word| word.eq_ignore_ascii_case(name));
        if is_of(region) || (found.1.is_empty() && is_of("*")) {
            found = rest.split_once('|').unwrap_or_default();
        }
    }
    let hours = if found.0 == Hours::Twelve.cycle() { Hours::Twelve } else { Hours::TwentyFour };
    (hours, found.1)
}

/// Returns the time zone of this name. Zones are leaked once each under their canonical name, so
/// memory stays bounded by the time zone database whatever browsers send.
fn named(name: &str) -> Option<&'static TimeZone> {
    static TABLE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    static HELD: LazyLock<Mutex<HashMap<String, &'static TimeZone>>> =
        LazyLock::new(Mutex::default);
    if name.is_empty() {
        return None;
    }
    let zone = TABLE.get(name).ok()?;
    let known = zone.iana_name()?.to_owned();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    Some(held.entry(known).or_insert_with(|| Box::leak(Box::new(zone))))
}

#[cfg(test)]
mod tests;

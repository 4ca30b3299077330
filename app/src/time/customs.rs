//! Where a viewer lives, as their browser tells: their zone, their customs, their hours. Server only.
//!
//! The zone comes in a cookie that `page.js` writes, with the locale of the browser's own times and how
//! it counts hours there; the customs of a browser that has not run it yet, by `Accept-Language`.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Local;
use super::calendar::Calendar;
use super::zone::Zone;
use crate::language::Language;
use crate::look::Hours;

/// The cookie's name. No secret: the page writes it.
pub const COOKIE: &str = "duet-clock";

/// The calendars, one a line: language and regions, how hours are counted there, then the calendar itself.
static CALENDARS: &str = include_str!("calendars.txt");

/// What a browser tells of the clock of the one who looks at it: "Europe/Berlin.h23.de-AT".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// The name of their zone.
    pub zone: &'a str,
    hours: Option<Hours>,
    locale: &'a str,
}

impl<'a> Told<'a> {
    /// Reads the cookie's value; what is not understood counts as not told.
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

/// By what times are written for one who reads a language: as they chose, else as their browser tells,
/// else as their region has it.
pub fn local(told: Told, accepted: &str, language: Language, chosen: Option<Hours>) -> Local {
    let speaks = |tag: &str| Language::from_tag(tag) == Some(language);
    // A browser in another language says nothing of this one's customs.
    let own = Some(told.locale).filter(|tag| speaks(tag));
    let tags = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    let tag = own.or_else(|| tags.into_iter().find(|tag| speaks(tag)));
    let (hours, line) = customs(language, tag.and_then(region).unwrap_or_default());
    let hours = chosen.or(told.hours.filter(|_| own.is_some())).unwrap_or(hours);
    let zone = named(told.zone).map_or(Zone::Utc, Zone::Of);
    Local::new(zone, Calendar::new(line, hours == Hours::Twelve), super::now())
}

/// The region of a tag such as `de-AT` or `ar-u-nu-latn`, if it has one.
fn region(tag: &str) -> Option<&str> {
    let subtags = tag.split(['-', '_', '@']).skip(1).take_while(|subtag| subtag.len() > 1);
    let is_region = |subtag: &&str| match subtag.len() {
        2 => subtag.bytes().all(|byte| byte.is_ascii_alphabetic()),
        3 => subtag.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    subtags.into_iter().find(is_region)
}

/// How hours are counted in a region, and its calendar.
fn customs(language: Language, region: &str) -> (Hours, &'static str) {
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

/// The zone of this name. Zones are held for as long as the process lives, each of them once, under the
/// name that the table has for it: a few hundred at most, whatever browsers tell.
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

use std::process::Command;

use protocol::Timestamp;

use super::*;
use crate::time::calendar::Pattern;

const HOUR_MS: i64 = 3_600_000;
/// 1 January 2026, 00:05 UTC.
const START: Timestamp = Timestamp(1_767_225_900_000);

fn parsed(cookie: &str, accepted: &str, language: Language, chosen: Option<Hours>) -> TimeContext {
    time_context(ReportedClock::parse(cookie), accepted, language, chosen)
}

#[test]
fn conventions_follow_the_browsers_region_if_its_language_is_the_pages() {
    use Language::{Arabic, English, German};
    let (twelve, twenty_four) = (Some(Hours::Twelve), Some(Hours::TwentyFour));
    let cases = [
        ("", "en-US,en;q=0.9", English, None, "3:05 PM", "1/1/26"),
        ("", "en-GB,en;q=0.9", English, None, "15:05", "01/01/26"),
        ("", "", English, None, "3:05 PM", "1/1/26"),
        ("UTC.h12.en-GB", "en-US", English, None, "3:05 pm", "01/01/26"),
        ("UTC.h23.en-US", "en-GB", English, None, "15:05", "1/1/26"),
        // A browser in English says nothing about the German hour format.
        ("UTC.h12.en-US", "en-US,de-AT;q=0.5", German, None, "15:05", "1.1.26"),
        ("UTC.h23.de", "de", German, twelve, "3:05 PM", "1.1.26"),
        ("UTC.h12.en-US-u-va-posix", "", English, twenty_four, "15:05", "1/1/26"),
        ("UTC.h12.ar", "ar", Arabic, None, "3:05 م", "1\u{200f}/1\u{200f}/26"),
        ("Nowhere/At.all.h0", "xx;;q", English, None, "3:05 PM", "1/1/26"),
    ];
    let at = Timestamp(START.0 + 15 * HOUR_MS);
    for (cookie, accepted, language, chosen, clock, digits) in cases {
        let local = parsed(cookie, accepted, language, chosen);
        let written = local.write(Pattern::Clock, at).replace(['\u{202f}', '\u{a0}'], " ");
        assert_eq!(written, clock, "{cookie} {accepted}");
        assert_eq!(local.write(Pattern::Digits, at), digits, "{cookie} {accepted}");
    }
}

#[test]
fn a_time_zone_has_daylight_saving_time_and_an_unknown_one_is_utc() {
    let july = Timestamp(START.0 + 181 * 24 * HOUR_MS);
    for (name, winter, summer) in [
        ("Europe/Berlin", 1.0, 2.0),
        ("Asia/Kolkata", 5.5, 5.5),
        ("Asia/Calcutta", 5.5, 5.5),
        ("America/St_Johns", -3.5, -2.5),
        ("Etc/GMT+1", -1.0, -1.0),
        ("Nowhere/Atall", 0.0, 0.0),
        ("../../etc/passwd", 0.0, 0.0),
    ] {
        let zone = named(name).map_or(Zone::Utc, Zone::Of);
        let hours = |at| zone.ahead_ms(at) as f64 / HOUR_MS as f64;
        assert_eq!((hours(START), hours(july)), (winter, summer), "{name}");
        assert_eq!(ReportedClock::parse(name).zone.is_empty(), !zone.is_known(), "{name}");
    }
    // All spellings share one leaked zone, so browsers cannot make memory grow.
    assert!(std::ptr::eq(named("europe/BERLIN").unwrap(), named("Europe/Berlin").unwrap()));
}

/// Prints the days of a year and the hours of a day as a browser formats them.
const INTL: &str = r#"
const at = (hours) => new Date(Date.UTC(2026, 0, 1, 0, 5) + hours * 3600000);
for (const [tag, zone] of JSON.parse(process.argv[1])) {
  const write = (options, at) =>
    new Intl.DateTimeFormat(tag + "-u-nu-latn-ca-gregory", { timeZone: zone, ...options }).format(at);
  for (let day = 0; day < 365; day++) {
    const date = at(day * 25);
    console.log([
      write({ hour: "numeric", minute: "2-digit", hourCycle: "h12" }, date),
      write({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, date),
      write({ weekday: "long", day: "numeric", month: "long" }, date),
      write({ weekday: "short", day: "numeric", month: "long", year: "numeric" }, date),
      write({ weekday: "short" }, date),
      write({ day: "numeric", month: "short" }, date),
      write({ day: "numeric", month: "numeric", year: "2-digit" }, date),
      write({ dateStyle: "full", timeStyle: "short" }, date),
    ].join("|"));
  }
}"#;

#[test]
fn a_years_dates_are_formatted_as_by_intl() {
    const CASES: [(&str, &str, Language); 7] = [
        ("en-US", "America/New_York", Language::English),
        ("en-GB", "Europe/London", Language::English),
        ("en-AU", "Australia/Sydney", Language::English),
        ("de-DE", "Europe/Berlin", Language::German),
        ("de-AT", "Europe/Vienna", Language::German),
        ("ar-EG", "Africa/Cairo", Language::Arabic),
        ("ar-JO", "Asia/Amman", Language::Arabic),
    ];
    let cldr = Command::new("node").args(["-p", "process.versions.cldr"]).output();
    let cldr = cldr.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let head = CALENDARS.lines().next().unwrap_or_default();
    if !cldr.as_ref().is_ok_and(|cldr| head.contains(&format!("CLDR {cldr}."))) {
        eprintln!("not compared: no Node.js with the CLDR that the calendars were made from");
        return;
    }
    let pairs: Vec<_> = CASES.iter().map(|(tag, zone, _)| [tag, zone]).collect();
    let pairs = serde_json::to_string(&pairs).expect("texts are JSON");
    let output = Command::new("node").args(["-e", INTL, &pairs]).output().expect("node runs");
    let output = String::from_utf8(output.stdout).expect("node writes UTF-8");
    let mut lines = output.lines();
    for (tag, zone, language) in CASES {
        let hours = |hours| parsed(&format!("{zone}.h23.{tag}"), "", language, Some(hours));
        let own = parsed(zone, tag, language, None);
        for day in 0..365 {
            let at = Timestamp(START.0 + day * 25 * HOUR_MS);
            let written = [
                hours(Hours::Twelve).write(Pattern::Clock, at),
                hours(Hours::TwentyFour).write(Pattern::Clock, at),
                own.write(Pattern::Day, at),
                own.write(Pattern::DayOfYear, at),
                own.write(Pattern::Weekday, at),
                own.write(Pattern::Short, at),
                own.write(Pattern::Digits, at),
                own.write(Pattern::Moment, at),
            ];
            assert_eq!(Some(written.join("|").as_str()), lines.next(), "{tag} {day}");
        }
    }
}

//! Names and order of days, months and hours in the viewer's region.
//!
//! The data is one line of `calendars.txt`, generated from Unicode's CLDR. The server chooses the
//! line (`super::conventions`) and sends it inside the page. Server and browser therefore write the
//! same text, and a page contains the names of one region only. The browser's `Intl` is not used:
//! each browser has another version of CLDR, so the text would change when the page goes live.

use super::civil::Civil;

/// Field indices of the line.
const MONTHS: usize = 0;
const SHORT_MONTHS: usize = 12;
const WEEKDAYS: usize = 24;
const SHORT_WEEKDAYS: usize = 31;
const HALVES: usize = 38;
const TWELVE_HOURS: usize = 40;

/// Patterns of the line; each value is the field index.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// The time of day.
    Clock = 41,
    /// A day without its year.
    Day = 42,
    /// A day with its year.
    DayOfYear = 43,
    /// A short day without its year.
    Short = 44,
    /// A day with its year, in digits.
    Digits = 45,
    /// The full date and time.
    Moment = 46,
    /// The short weekday, which has no field in the line.
    Weekday = 47,
}

/// The calendar of one region.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar {
    line: &'static str,
    /// Whether times use the 12-hour clock.
    twelve: bool,
}

impl Calendar {
    pub const fn new(line: &'static str, twelve: bool) -> Self {
        Self { line, twelve }
    }

    /// Serialises the calendar for the browser.
    pub fn sent(self) -> String {
        format!("{}|{}", i32::from(self.twelve), self.line)
    }

    fn field(self, index: usize) -> &'static str {
        self.line.split('|').nth(index).unwrap_or_default()
    }

    /// Formats a time by a pattern.
    pub fn write(self, pattern: Pattern, at: Civil) -> String {
        let mut text = String::new();
        self.put(&mut text, pattern, at);
        text
    }

    fn put(self, text: &mut String, pattern: Pattern, at: Civil) {
        let pattern = match pattern {
            Pattern::Clock if self.twelve => self.field(TWELVE_HOURS),
            Pattern::Weekday => "%w",
            other => self.field(other as usize),
        };
        let mut signs = pattern.chars();
        while let Some(sign) = signs.next() {
            match sign {
                '%' => self.put_part(text, signs.next().unwrap_or_default(), at),
                sign => text.push(sign),
            }
        }
    }

    /// Writes the part that a letter after `%` stands for; `scripts/calendars.mjs` generates the
    /// letters.
    fn put_part(self, text: &mut String, letter: char, at: Civil) {
        let hour = at.minutes / 60;
        match letter {
            'W' => text.push_str(self.field(WEEKDAYS + at.weekday)),
            'w' => text.push_str(self.field(SHORT_WEEKDAYS + at.weekday)),
            'M' => text.push_str(self.field(MONTHS + at.month - 1)),
            'm' => text.push_str(self.field(SHORT_MONTHS + at.month - 1)),
            'a' => text.push_str(self.field(HALVES + hour / 12)),
            'n' => put_number(text, at.month),
            'N' => put_two(text, at.month),
            'd' => put_number(text, at.day),
            'D' => put_two(text, at.day),
            'y' => put_number(text, at.year),
            'Y' => put_two(text, at.year % 100),
            'h' => put_number(text, (hour + 11) % 12 + 1),
            'H' => put_two(text, hour),
            'i' => put_two(text, at.minutes % 60),
            _ => self.put(text, Pattern::Clock, at),
        }
    }
}

fn put_number(text: &mut String, number: usize) {
    text.push_str(&number.to_string());
}

/// Pads to two digits.
fn put_two(text: &mut String, number: usize) {
    if number < 10 {
        text.push('0');
    }
    put_number(text, number);
}

//! How days, months and hours are named and put in order, where the viewer lives.
//!
//! One line of `calendars.txt`, which is made from Unicode's CLDR: the server picks it
//! (`super::customs`) and sends it inside the page, so server and browser write the same words, and a
//! page carries the names of one region alone. Not the browser's `Intl`, because each browser has
//! another CLDR, and the words would change when the page goes live.

use super::civil::Civil;

/// What stands at which place of the line.
const MONTHS: usize = 0;
const SHORT_MONTHS: usize = 12;
const WEEKDAYS: usize = 24;
const SHORT_WEEKDAYS: usize = 31;
const HALVES: usize = 38;
const TWELVE_HOURS: usize = 40;

/// A pattern of the line.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// The time of day.
    Clock = 41,
    /// A day of these months.
    Day = 42,
    /// A day of another year.
    DayOfYear = 43,
    /// A day of these months, short.
    Short = 44,
    /// A day of another year, in digits.
    Digits = 45,
    /// All of it.
    Moment = 46,
    /// The day of the week, short. Not in the line: it is the name and nothing else.
    Weekday = 47,
}

/// The line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar {
    line: &'static str,
    /// Whether hours are counted to twelve.
    twelve: bool,
}

impl Calendar {
    /// A line, and how hours are counted.
    pub const fn new(line: &'static str, twelve: bool) -> Self {
        Self { line, twelve }
    }

    /// What the browser must know of it.
    pub fn sent(self) -> String {
        format!("{}|{}", i32::from(self.twelve), self.line)
    }

    fn field(self, index: usize) -> &'static str {
        self.line.split('|').nth(index).unwrap_or_default()
    }

    /// The moment, as the pattern has it.
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

    /// What a letter after `%` stands for; `scripts/calendars.mjs` writes them.
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

/// In two digits at least.
fn put_two(text: &mut String, number: usize) {
    if number < 10 {
        text.push('0');
    }
    put_number(text, number);
}

//! A small JSON reader for the page.
//!
//! It supports the shapes that Duet sends, for example integers but no fractions. Other input is an
//! error without a text, because error texts are most of the code size of a general reader. This
//! module holds the code that does not depend on the type read, so that it is compiled once;
//! `shapes` calls it.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de;

/// Deepest nesting accepted; Duet's data is flatter.
const MOST_DEPTH: u8 = 64;

/// The text is not JSON, or has another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

pub(super) type Result<T> = std::result::Result<T, Unreadable>;

impl Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not readable")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// A text and the read position.
pub struct JsonReader<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
}

impl<'de> JsonReader<'de> {
    pub fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Returns whether only whitespace is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Returns the next byte that is not whitespace, without consuming it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += blanks.count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn skips(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<()> {
        if self.skips(byte) { Ok(()) } else { Err(Unreadable) }
    }

    pub(super) fn word(&mut self, word: &str) -> Result<()> {
        self.peek();
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(Unreadable)
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        if self.peek() == Some(b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    pub(super) fn is_null(&mut self) -> Result<bool> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    pub(super) fn integer(&mut self) -> Result<i64> {
        self.peek();
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|byte| matches!(byte, b'-' | b'0'..=b'9')).count();
        let digits = rest[..length].trim_start_matches('-');
        let leads = digits.len() > 1 && digits.starts_with('0');
        let follows = rest.as_bytes().get(length);
        if leads || matches!(follows, Some(b'.' | b'e' | b'E')) {
            return Err(Unreadable);
        }
        let number = rest[..length].parse().map_err(|_| Unreadable)?;
        self.at += length;
        Ok(number)
    }

    pub(super) fn string(&mut self) -> Result<Cow<'de, str>> {
        self.expect(b'"')?;
        let (text, mut from) = (self.text, self.at);
        let mut whole = String::new();
        loop {
            match text.as_bytes().get(self.at).ok_or(Unreadable)? {
                b'"' => break,
                b'\\' => {
                    whole.push_str(&text[from..self.at]);
                    self.at += 1;
                    whole.push(self.escaped()?);
                    from = self.at;
                }
                0..0x20 => return Err(Unreadable),
                _ => self.at += 1,
            }
        }
        let last = &text[from..self.at];
        self.at += 1;
        if whole.is_empty() {
            return Ok(Cow::Borrowed(last));
        }
        whole.push_str(last);
        Ok(Cow::Owned(whole))
    }

    /// Reads the character after a backslash.
    fn escaped(&mut self) -> Result<char> {
        let sign = *self.text.as_bytes().get(self.at).ok_or(Unreadable)?;
        self.at += 1;
        Ok(match sign {
            b'"' | b'\\' | b'/' => char::from(sign),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.by_number(),
            _ => return Err(Unreadable),
        })
    }

    /// Reads a `\u` escape; characters outside the basic plane are two escapes.
    fn by_number(&mut self) -> Result<char> {
        let first = self.unit()?;
        let mut units = vec![first];
        if matches!(first, 0xd800..0xdc00) {
            if !self.text[self.at..].starts_with("\\u") {
                return Err(Unreadable);
            }
            self.at += 2;
            units.push(self.unit()?);
        }
        match char::decode_utf16(units).next() {
            Some(Ok(sign)) => Ok(sign),
            _ => Err(Unreadable),
        }
    }

    fn unit(&mut self) -> Result<u16> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Unreadable)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Unreadable);
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).map_err(|_| Unreadable)
    }

    /// Returns whether another element follows. Consumes the closing byte if none does.
    pub(super) fn another(&mut self, first: &mut bool, end: u8) -> Result<bool> {
        if self.skips(end) {
            self.depth -= 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Returns the next key of an object; its value must be read next.
    pub(super) fn key(&mut self, first: &mut bool) -> Result<Option<Cow<'de, str>>> {
        if !self.another(first, b'}')? {
            return Ok(None);
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Skips a value of any shape. A number is checked for valid characters, not for their order.
    pub(super) fn skip(&mut self) -> Result<()> {
        match self.peek().ok_or(Unreadable)? {
            b'"' => self.string().map(drop),
            b't' | b'f' => self.boolean().map(drop),
            b'n' => self.is_null().map(drop),
            b'[' => {
                let mut first = true;
                self.open(b'[')?;
                while self.another(&mut first, b']')? {
                    self.skip()?;
                }
                Ok(())
            }
            b'{' => {
                let mut first = true;
                self.open(b'{')?;
                while self.key(&mut first)?.is_some() {
                    self.skip()?;
                }
                Ok(())
            }
            _ => {
                let rest = &self.text.as_bytes()[self.at..];
                let number =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(number).count();
                self.at += length;
                if length == 0 { Err(Unreadable) } else { Ok(()) }
            }
        }
    }

    /// Reads the byte that opens a list or an object.
    pub(super) fn open(&mut self, sign: u8) -> Result<()> {
        self.expect(sign)?;
        self.depth += 1;
        if self.depth > MOST_DEPTH { Err(Unreadable) } else { Ok(()) }
    }

    /// Reads the byte that closes a list or an object.
    pub(super) fn close(&mut self, sign: u8) -> Result<()> {
        self.depth -= 1;
        self.expect(sign)
    }
}

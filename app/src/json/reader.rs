//! A small reader of JSON, for the page alone.
//!
//! It knows the shapes that Duet sends and no others: integers, and no fractions. A text of
//! another shape is refused without a word, because nobody is there to read one: the words of an
//! error are most of what a reader for every purpose brings into the page. What does not depend on
//! the type that is read stands in functions of its own, so that it is there once.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess};
use serde::de::{VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Deeper than this nothing of ours is nested.
const MOST_DEPTH: u8 = 64;

/// The text is no JSON, or of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

type Result<T> = std::result::Result<T, Unreadable>;

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

/// A text, and how far it was read.
pub struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
}

impl<'de> Reader<'de> {
    /// At the beginning.
    pub fn new(text: &'de str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Whether nothing but blanks is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The next sign that is no blank; it is not read yet.
    fn peek(&mut self) -> Option<u8> {
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

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.skips(byte) { Ok(()) } else { Err(Unreadable) }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        self.peek();
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(Unreadable)
    }

    fn boolean(&mut self) -> Result<bool> {
        if self.peek() == Some(b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    fn is_null(&mut self) -> Result<bool> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    fn integer(&mut self) -> Result<i64> {
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

    fn string(&mut self) -> Result<Cow<'de, str>> {
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

    /// The sign that stands behind a backslash.
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

    /// A sign by its number; what UTF-16 writes as two is written as two.
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

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MOST_DEPTH { Err(Unreadable) } else { Ok(()) }
    }

    /// Whether another element follows before the closing sign, which is read.
    fn another(&mut self, first: &mut bool, end: u8) -> Result<bool> {
        if self.skips(end) {
            self.depth -= 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// The next key of an object, whose value then follows.
    fn key(&mut self, first: &mut bool) -> Result<Option<Cow<'de, str>>> {
        if !self.another(first, b'}')? {
            return Ok(None);
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Passes over a value, of whatever shape it is.
    fn skip(&mut self) -> Result<()> {
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

    fn open(&mut self, sign: u8) -> Result<()> {
        self.expect(sign)?;
        self.deeper()
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek().ok_or(Unreadable)? {
            b'"' => self.deserialize_str(visitor),
            b'{' => self.deserialize_map(visitor),
            b'[' => self.deserialize_seq(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => self.deserialize_i64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(&self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.word("null")?;
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.is_null()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.open(b'[')?;
        visitor.visit_seq(Inside { reader: self, first: true })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        let whole = visitor.visit_seq({
            self.open(b'[')?;
            Inside { reader: &mut *self, first: true }
        })?;
        // A tuple takes what it needs and no more.
        self.expect(b']')?;
        self.depth -= 1;
        Ok(whole)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.open(b'{')?;
        visitor.visit_map(Inside { reader: self, first: true })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.peek() == Some(b'"') {
            return visitor.visit_enum(self.string()?.into_deserializer());
        }
        self.open(b'{')?;
        let value = visitor.visit_enum(Variant(&mut *self))?;
        self.expect(b'}')?;
        self.depth -= 1;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    // No type that the page reads has one of these.
    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit_struct tuple_struct
    }
}

/// What stands between brackets or braces.
struct Inside<'reader, 'de> {
    reader: &'reader mut Reader<'de>,
    first: bool,
}

impl<'de> SeqAccess<'de> for Inside<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.reader.another(&mut self.first, b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Inside<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        match self.reader.key(&mut self.first)? {
            Some(key) => seed.deserialize(StrDeserializer::<Unreadable>::new(&key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

/// `{"variant": value}`, behind its brace.
struct Variant<'reader, 'de>(&'reader mut Reader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = self.0.string()?;
        self.0.expect(b':')?;
        Ok((seed.deserialize(StrDeserializer::<Unreadable>::new(&name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<()> {
        self.0.word("null")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.0.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.0.deserialize_map(visitor)
    }
}

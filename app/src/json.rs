//! JSON in the page: the only place that reads and writes it.
//!
//! serde generates a reader for each type and input kind, and `serde_json` adds the texts of all
//! errors: together a tenth of the page's code. In the browser everything is read by a small
//! `JsonReader` for the shapes that Duet sends. The server, which reads untrusted input, uses
//! `serde_json`.

mod reader;
mod shapes;
#[cfg(test)]
mod tests;

use codee::{Decoder, Encoder};
use leptos::server_fn::codec::Post;
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use reader::Unreadable;

/// Reads a value that the server or this page wrote.
///
/// # Errors
/// When the text is not JSON, or has another shape.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let mut reader = reader::JsonReader::new(text);
    let value = T::deserialize(&mut reader)?;
    if reader.is_at_end() { Ok(value) } else { Err(Unreadable) }
}

/// Encoding of data inside the page and of HTTP responses.
pub struct Json;

/// Encoding of HTTP requests with a JSON body.
pub type JsonCall = Post<Json>;

impl<T: Serialize> Encoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> serde_json::Result<String> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Json {
    type Error = Unreadable;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Unreadable> {
        read(text)
    }
}

impl ContentType for Json {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for Json {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for Json {
    type Error = serde_json::Error;

    fn encode(value: &T) -> serde_json::Result<Bytes> {
        serde_json::to_vec(value).map(Bytes::from)
    }
}

#[cfg(feature = "ssr")]
impl<T: DeserializeOwned> Decodes<T> for Json {
    type Error = serde_json::Error;

    /// Reads the arguments of a call.
    fn decode(bytes: Bytes) -> serde_json::Result<T> {
        use serde::de::Error as _;

        use crate::strict;

        if !strict::call_is_of_type(Self::CONTENT_TYPE) {
            return Err(serde_json::Error::custom("another content type"));
        }
        strict::json(&bytes)
    }
}

#[cfg(not(feature = "ssr"))]
impl<T: DeserializeOwned> Decodes<T> for Json {
    type Error = Unreadable;

    fn decode(bytes: Bytes) -> Result<T, Unreadable> {
        std::str::from_utf8(&bytes).map_err(|_| Unreadable).and_then(read)
    }
}

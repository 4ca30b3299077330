//! The encoding of calls whose arguments are a form. The server reads the form strictly; the encoding
//! of Leptos would accept any content type and ignore unknown fields.

use leptos::server_fn::codec::Post;
use leptos::server_fn::{Bytes, ContentType, Encodes, Format, FormatType};
use serde::Serialize;

/// Encoding of a form.
pub struct Form;

/// Encoding of HTTP requests with a form as their body.
pub type FormCall = Post<Form>;

impl ContentType for Form {
    const CONTENT_TYPE: &'static str = "application/x-www-form-urlencoded";
}

impl FormatType for Form {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for Form {
    type Error = serde_qs::Error;

    fn encode(value: &T) -> Result<Bytes, serde_qs::Error> {
        serde_qs::to_string(value).map(Bytes::from)
    }
}

#[cfg(feature = "ssr")]
impl<T: serde::de::DeserializeOwned> leptos::server_fn::Decodes<T> for Form {
    type Error = serde_urlencoded::de::Error;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        use serde::de::Error as _;

        use crate::strict;

        if !strict::call_is_of_type(strict::FORM) {
            return Err(Self::Error::custom("another content type"));
        }
        strict::form(&bytes, &[])
    }
}

#[cfg(not(feature = "ssr"))]
impl<T> leptos::server_fn::Decodes<T> for Form {
    type Error = crate::json::Unreadable;

    /// Never called, because only the server reads forms.
    fn decode(_: Bytes) -> Result<T, Self::Error> {
        Err(crate::json::Unreadable)
    }
}

//! Reads request bodies strictly: a body that has another content type than the route expects, that
//! is not UTF-8, or that has unknown or repeated fields, is no input. Otherwise a client's mistake,
//! or text that a proxy inserted, would be ignored silently. Server only; the calls and the plain
//! forms use it.

use std::collections::HashSet;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use leptos::prelude::use_context;
use serde::de::{DeserializeOwned, Error as _};

/// The content type of forms.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Whether the headers name this content type, in UTF-8, once.
pub(crate) fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let mut named = headers.get_all(CONTENT_TYPE).iter();
    let (Some(Ok(kind)), None) = (named.next().map(|kind| kind.to_str()), named.next()) else {
        return false;
    };
    let mut parts = kind.split(';').map(str::trim);
    let is_utf8 = |parameter: &str| {
        let value =
            parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
        value.is_some_and(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"))
    };
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(expected)) && parts.all(is_utf8)
}

/// Whether the call that is being decoded has this content type.
pub(crate) fn call_is_of_type(expected: &str) -> bool {
    use_context::<axum::http::request::Parts>()
        .is_none_or(|parts| is_of_type(&parts.headers, expected))
}

/// Reads a JSON object.
///
/// # Errors
/// When the body is not one JSON object, or has unknown or repeated fields.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    // serde would also accept a list of the values.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(serde_json::Error::custom("not an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut unknown = false;
    let value = serde_ignored::deserialize(&mut reader, |_| unknown = true)?;
    reader.end()?;
    if unknown { Err(serde_json::Error::custom("an unknown field")) } else { Ok(value) }
}

/// Reads a form. `others` are the names of fields that `T` may lack.
///
/// # Errors
/// When the body is not a form in UTF-8, or has unknown or repeated fields.
pub(crate) fn form<T: DeserializeOwned>(
    body: &[u8],
    others: &[&str],
) -> Result<T, serde_urlencoded::de::Error> {
    if !has_plain_fields(body) {
        return Err(serde_urlencoded::de::Error::custom("repeated fields, or not UTF-8"));
    }
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(body));
    let mut unknown = false;
    let value = serde_ignored::deserialize(reader, |path| {
        unknown |= !others.contains(&path.to_string().as_str());
    })?;
    if unknown { Err(serde_urlencoded::de::Error::custom("an unknown field")) } else { Ok(value) }
}

/// Whether every name and value of a form is UTF-8, and no name occurs twice. The parser of forms
/// replaces what is not UTF-8.
fn has_plain_fields(body: &[u8]) -> bool {
    let mut names = HashSet::new();
    body.split(|byte| *byte == b'&').filter(|field| !field.is_empty()).all(|field| {
        let equals = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
        let (name, value) = field.split_at(equals);
        decoded(value).is_some() && decoded(name).is_some_and(|name| names.insert(name))
    })
}

/// Decodes a name or value. `None` if the result is not UTF-8, or if a `%` is no escape.
fn decoded(text: &[u8]) -> Option<String> {
    let digit = |byte: Option<&u8>| {
        char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let byte = digit(after.first())? << 4 | digit(after.get(1))?;
                rest = &after[2..];
                byte
            }
            b'+' => b' ',
            plain => *plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Example {
        text: String,
        #[serde(default)]
        number: Option<u64>,
    }

    fn example(text: &str, number: Option<u64>) -> Example {
        Example { text: text.to_owned(), number }
    }

    #[test]
    fn a_form_has_known_fields_once_and_is_utf8() {
        let read = |body: &str| form::<Example>(body.as_bytes(), &["for"]).ok();
        assert_eq!(read("text=a+b%C3%A4&number=7"), Some(example("a bä", Some(7))));
        assert_eq!(read("for=x&text="), Some(example("", None)));
        assert_eq!(read("text=ä&"), Some(example("ä", None)));
        for refused in [
            "",
            "number=7",
            "text=a&text=b",
            "text=a&te%78t=b",
            "text=a&for=1&for=2",
            "text=a&other=b",
            "text=a&other",
            "text=a&number=x",
            "text=a&number=-1",
            "text=%FF",
            "text=%ED%A0%80",
            "text=%C3",
            "text=%",
            "text=%4",
            "text=%zz",
            "%FF=a&text=b",
            "text[0]=a",
            "{\"text\":\"a\"}",
        ] {
            assert_eq!(read(refused), None, "{refused}");
        }
        assert!(form::<Example>(b"text=\xff", &[]).is_err());
    }

    #[test]
    fn json_is_one_object_with_known_fields_once() {
        let read = |body: &str| json::<Example>(body.as_bytes()).ok();
        assert_eq!(read(" {\"text\":\"a\",\"number\":null}\n"), Some(example("a", None)));
        for refused in [
            "",
            "null",
            "[\"a\",1]",
            "\"a\"",
            "{}",
            "{\"text\":1}",
            "{\"text\":null}",
            "{\"text\":\"a\",\"text\":\"b\"}",
            "{\"text\":\"a\",\"te\\u0078t\":\"b\"}",
            "{\"text\":\"a\",\"other\":{}}",
            "{\"text\":\"a\"}x",
            "{\"text\":\"a\"}{}",
            "{\"text\":\"\\ud800\"}",
            "text=a",
        ] {
            assert_eq!(read(refused), None, "{refused}");
        }
        assert!(json::<Example>(b"{\"text\":\"\xff\"}").is_err());
    }

    #[test]
    fn the_content_type_is_the_expected_one_in_utf8() {
        let is_form = |kinds: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            is_of_type(&headers, FORM)
        };
        assert!(is_form(&[FORM]));
        assert!(is_form(&["Application/X-WWW-Form-URLencoded; charset=UTF-8"]));
        for refused in [
            &[][..],
            &[""],
            &["text/plain"],
            &["application/json"],
            &["multipart/form-data; boundary=x"],
            &["application/x-www-form-urlencodedx"],
            &["application/x-www-form-urlencoded; charset=iso-8859-1"],
            &["application/x-www-form-urlencoded, text/plain"],
            &[FORM, FORM],
        ] {
            assert!(!is_form(refused), "{refused:?}");
        }
    }
}

//! Complete answers that no route produces: the refusal of a connection, and the answers to request
//! heads that `hyper` cannot parse. `hyper` writes the latter itself, without the headers that every
//! other answer has, and has no hook for them, so [`super::stream`] exchanges the bytes.

use axum::http::HeaderValue;
use axum::http::StatusCode;
use bytes::Bytes;

use crate::headers;

/// Longest head that `hyper` writes by itself, in bytes.
const MAX_OWN_HEAD: usize = 200;
/// The headers that such a head can have.
const OWN_HEADERS: [&[u8]; 3] = [b"connection: close", b"content-length: 0", b"date: "];

/// The answers of one server, made once at start.
pub(crate) struct Answers {
    /// Answer to a connection beyond a connection limit.
    pub(super) full: Bytes,
    malformed: Bytes,
    uri_too_long: Bytes,
    head_too_large: Bytes,
}

impl Answers {
    pub(crate) fn new(hsts: Option<&HeaderValue>) -> Self {
        let answer = |status, more, text| answer(status, more, text, hsts);
        Self {
            full: answer(
                StatusCode::SERVICE_UNAVAILABLE,
                "retry-after: 5\r\n",
                "Too many connections. Please try again soon.",
            ),
            malformed: answer(StatusCode::BAD_REQUEST, "", "The request cannot be read."),
            uri_too_long: answer(StatusCode::URI_TOO_LONG, "", "The URL is too long."),
            head_too_large: answer(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "",
                "The headers are too large.",
            ),
        }
    }

    /// Returns the answer that replaces a head written by `hyper` itself; `None` for all other
    /// bytes. Answers of routes never look like such a head, because they have further headers.
    pub(super) fn replacement(&self, written: &[u8]) -> Option<&Bytes> {
        let rest = written.strip_prefix(b"HTTP/1.").filter(|_| written.len() <= MAX_OWN_HEAD)?;
        let answer = match rest.get(2..5)? {
            b"400" => &self.malformed,
            b"414" => &self.uri_too_long,
            b"431" => &self.head_too_large,
            _ => return None,
        };
        let text = written.strip_suffix(b"\r\n\r\n")?;
        let is_own = |line: &[u8]| OWN_HEADERS.iter().any(|own| line.starts_with(own));
        let mut lines = text.split(|byte| *byte == b'\n').skip(1);
        lines.all(is_own).then_some(answer)
    }
}

fn answer(status: StatusCode, more: &str, text: &str, hsts: Option<&HeaderValue>) -> Bytes {
    let length = text.len();
    let headers = headers::of_plain_answer(hsts);
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {length}\r\nconnection: close\r\n{more}{headers}\r\n{text}"
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_head_that_hyper_wrote_itself_is_replaced() {
        let hsts = HeaderValue::from_static("max-age=1");
        let answers = Answers::new(Some(&hsts));
        let own = "connection: close\r\ncontent-length: 0\r\ndate: Mon, 30 Nov 2026 10:00:00 GMT";
        for (status, answer) in [
            ("1 400 Bad Request", &answers.malformed),
            ("0 400 Bad Request", &answers.malformed),
            ("1 414 URI Too Long", &answers.uri_too_long),
            ("1 431 Request Header Fields Too Large", &answers.head_too_large),
        ] {
            let head = format!("HTTP/1.{status}\r\n{own}\r\n\r\n");
            assert_eq!(answers.replacement(head.as_bytes()), Some(answer), "{head}");
            for other in [
                format!("HTTP/1.{status}\r\n{own}\r\nx-request-id: 1\r\n\r\n"),
                format!("HTTP/1.{status}\r\n{own}\r\n\r\nbody"),
                format!("x{head}"),
            ] {
                assert_eq!(answers.replacement(other.as_bytes()), None, "{other}");
            }
        }
        let good = format!("HTTP/1.1 200 OK\r\n{own}\r\n\r\n");
        assert_eq!(answers.replacement(good.as_bytes()), None);
        assert_eq!(answers.replacement(b""), None);
    }

    #[test]
    fn every_answer_is_complete() {
        let hsts = HeaderValue::from_static("max-age=1");
        let answers = Answers::new(Some(&hsts));
        for answer in
            [&answers.full, &answers.malformed, &answers.uri_too_long, &answers.head_too_large]
        {
            let text = String::from_utf8_lossy(answer);
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{text}");
            assert!(head.contains("\r\nstrict-transport-security: max-age=1"), "{text}");
            assert!(head.contains("\r\ncontent-security-policy: default-src 'none'"), "{text}");
            assert!(head.contains("\r\ncache-control: no-store"), "{text}");
        }
    }
}

//! Hashes the structure of each page that the server sends, so that the browser can verify it
//! before hydration.
//!
//! Extensions, translators and proxies may change a page. Hydration matches nodes with code by
//! position alone, so a page with another structure must be rendered from scratch. The middleware
//! scans each HTML response while streaming it, without copying, and appends a hash of the element
//! [`crate::ROOT_ID`]. The hash covers element names, texts and comments in order, but not
//! attributes or the content of texts. `page.js` computes the same hash from the document.
//!
//! Server only; `server` wraps the pages in [`middleware`]. Must not change the response otherwise.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::Response;
use futures::{StreamExt, stream};

use crate::ROOT_ID;

/// Elements without an end tag.
const VOID: [&[u8]; 13] = [
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta",
    b"source", b"track", b"wbr",
];
/// Elements whose content is not hashed, because browsers with scripts parse some of it as text
/// only.
const OPAQUE: [&str; 5] = ["noscript", "script", "style", "template", "textarea"];

/// Appends the hash to HTML responses.
pub async fn middleware(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    let chunks =
        stream::unfold(Some((body.into_data_stream(), Scanner::new())), |step| async move {
            let (mut rest, mut scanner) = step?;
            match rest.next().await {
                Some(Ok(chunk)) => {
                    scanner.read(&chunk);
                    Some((Ok(chunk), Some((rest, scanner))))
                }
                Some(Err(error)) => Some((Err(error), None)),
                None => Some((Ok(Bytes::from(scanner.mark()?)), None)),
            }
        });
    // The compression layer polls again after the end.
    Response::from_parts(head, Body::from_stream(chunks.fuse()))
}

/// Scans HTML as Leptos writes it, in chunks of any size.
struct Scanner {
    hash: u32,
    /// Number of open elements including the root; zero outside the root.
    depth: usize,
    /// Whether the root has ended.
    complete: bool,
    /// Whether there was text since the last tag or comment.
    text: bool,
    /// The element whose content is being skipped.
    opaque: Option<&'static str>,
    /// The start of a tag or comment that ends in a later chunk.
    pending: Vec<u8>,
}

impl Scanner {
    fn new() -> Self {
        Self {
            hash: 0x811c_9dc5,
            depth: 0,
            complete: false,
            text: false,
            opaque: None,
            pending: Vec::new(),
        }
    }

    /// Returns the element to append; `None` without a root.
    fn mark(self) -> Option<String> {
        let hash = self.hash;
        self.complete.then(|| format!("<meta name=\"structure\" content=\"{hash:x}\">"))
    }

    fn read(&mut self, chunk: &[u8]) {
        if self.complete {
            return;
        }
        if self.pending.is_empty() {
            self.scan(chunk);
        } else {
            let mut all = std::mem::take(&mut self.pending);
            all.extend_from_slice(chunk);
            self.scan(&all);
        }
    }

    fn scan(&mut self, mut html: &[u8]) {
        while !self.complete && !html.is_empty() {
            let tag = html.iter().position(|byte| *byte == b'<').unwrap_or(html.len());
            self.text |= tag > 0;
            html = &html[tag..];
            if html.is_empty() {
                return;
            }
            match self.token(html) {
                Some(length) => html = &html[length..],
                None => return self.pending.extend_from_slice(html),
            }
        }
    }

    /// Reads the tag or comment at the start of `html` and returns its length, or `None` if it is
    /// incomplete.
    fn token(&mut self, html: &[u8]) -> Option<usize> {
        if let Some(name) = self.opaque {
            let end = format!("</{name}");
            if html.len() < end.len() {
                return None;
            }
            if !html.starts_with(end.as_bytes()) {
                return Some(1);
            }
        }
        match html.get(1)? {
            b'!' => {
                let comment = html.get(1..4)? == b"!--";
                let length = if comment { find(html, b"-->", 4)? } else { find(html, b">", 2)? };
                self.comment();
                Some(length)
            }
            b'/' => {
                let length = find(html, b">", 2)?;
                self.close();
                Some(length)
            }
            _ => {
                let length = tag_length(html)?;
                self.open(&html[..length]);
                Some(length)
            }
        }
    }

    fn open(&mut self, tag: &[u8]) {
        let name = tag[1..].split(|byte| b" \t\n/>".contains(byte)).next().unwrap_or_default();
        let closed = VOID.contains(&name) || tag.ends_with(b"/>");
        if !closed {
            self.opaque = OPAQUE.into_iter().find(|opaque| opaque.as_bytes() == name);
        }
        if self.depth == 0 {
            if tag == format!("<div id=\"{ROOT_ID}\">").as_bytes() {
                self.depth = 1;
                self.text = false;
            }
            return;
        }
        self.end_text();
        self.add(b"<");
        self.add(name);
        if closed {
            self.add(b">");
        } else {
            self.depth += 1;
        }
    }

    fn close(&mut self) {
        // Text of an opaque element is not hashed.
        if self.opaque.take().is_some() {
            self.text = false;
        }
        if self.depth == 0 {
            return;
        }
        self.end_text();
        self.depth -= 1;
        self.complete = self.depth == 0;
        if !self.complete {
            self.add(b">");
        }
    }

    fn comment(&mut self) {
        if self.depth > 0 {
            self.end_text();
            self.add(b"!");
        }
    }

    fn end_text(&mut self) {
        if std::mem::take(&mut self.text) {
            self.add(b"t");
        }
    }

    /// Hashes bytes with FNV-1a.
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// Returns the position after the first `what` at or after `from`.
fn find(html: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = html.get(from..)?;
    let at = rest.windows(what.len()).position(|window| window == what)?;
    Some(from + at + what.len())
}

/// Returns the length of a start tag. A `>` inside a quoted value does not end it.
fn tag_length(html: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let end = html.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b'>' && !quoted
    });
    end.map(|end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the hash of a page with this root content, scanned in chunks of the given size.
    fn hash(inside: &str, size: usize) -> Option<String> {
        let page = format!(
            "<!DOCTYPE html><html><head><script>if (a < \"b\") c</script></head>\
             <body><div id=\"app\">{inside}</div><script>b < c</script></body></html>"
        );
        let mut scanner = Scanner::new();
        for chunk in page.as_bytes().chunks(size) {
            scanner.read(chunk);
        }
        scanner.mark()
    }

    #[test]
    fn text_attributes_and_chunk_sizes_do_not_change_the_hash() {
        let page = "<main class=\"a>b\"><!><p>one <b>two</b></p><!----><input value=\"<\"><br>\
                    <noscript><p>x</p></noscript><textarea>\n<i</textarea></main>";
        let other = "<main><!--bo--><p lang=\"de\">eins <b title=\"x\">zwei</b></p><!><input><br>\
                     <noscript></noscript><textarea></textarea></main>";
        let whole = hash(page, 10_000);
        assert!(whole.is_some());
        assert_eq!(hash(other, 10_000), whole);
        for size in 1..40 {
            assert_eq!(hash(page, size), whole, "chunks of {size}");
        }
    }

    #[test]
    fn every_change_of_the_structure_changes_the_hash() {
        let sent = "<form><label>a</label><input><!><p>b<!>c</p></form>";
        for changed in [
            "<form><label>a</label><div></div><input><!><p>b<!>c</p></form>",
            "<form><label>a</label><input><p>b<!>c</p></form>",
            "<form><label>a</label><input><!><p>bc</p></form>",
            "<form><label><font>a</font></label><input><!><p>b<!>c</p></form>",
            "<form><label>a</label><!><p>b<!>c</p></form>",
            "<form><label>a</label><input><!><p>b<!>c</p></form><div></div>",
            "<form><label></label><input><!><p>b<!>c</p></form>",
            "<form> <label>a</label><input><!><p>b<!>c</p></form>",
        ] {
            assert_ne!(hash(changed, 10_000), hash(sent, 10_000), "{changed}");
        }
    }

    #[test]
    fn a_page_without_the_root_gets_no_hash() {
        let mut scanner = Scanner::new();
        scanner.read(b"<html><body><div id=\"other\">text</div></body></html>");
        assert_eq!(scanner.mark(), None);
    }

    #[test]
    fn the_hash_equals_the_hash_that_page_js_computes() {
        // "<p>t" and ">" as FNV-1a over "<pt>": end2end/tests/starting.spec.ts compares whole
        // pages.
        let expected = b"<pt>".iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let mark = format!("<meta name=\"structure\" content=\"{expected:x}\">");
        assert_eq!(hash("<p>text</p>", 10_000), Some(mark));
    }
}

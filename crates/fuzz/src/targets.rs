//! The targets, by the code that they give input to.

pub(crate) mod accounts;
pub(crate) mod connection;
pub(crate) mod frames;
pub(crate) mod page;
pub(crate) mod requests;

/// Returns the input as text; the callers of the real parsers refuse other bytes first.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

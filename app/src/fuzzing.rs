//! The readers of request bodies, for the fuzz targets. Part of no release build.

use serde::de::DeserializeOwned;

use crate::strict;

/// Reads the body of a call in JSON.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    strict::json(body).ok()
}

/// Reads a form.
pub fn form<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    strict::form(body, &[]).ok()
}

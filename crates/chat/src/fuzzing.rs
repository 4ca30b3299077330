//! The parsers of untrusted input that the fuzz targets call. Part of no release build.

pub use crate::accounts::properties::check as check_account_text;

use crate::accounts::names;

/// Returns the display form of a valid display name.
pub fn display_name(typed: &str) -> Option<String> {
    names::display_name(typed, "anna").ok().map(|(name, _)| name)
}

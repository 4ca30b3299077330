//! The fuzz targets: each takes any bytes, gives them to code that reads untrusted input, and
//! panics when a property of that code does not hold.
//!
//! `duet-fuzz` runs one target under libFuzzer, which mutates inputs and keeps those that reach new
//! code; `scripts/fuzz` builds and runs it. The tests run every target on its corpus, without the
//! fuzzer. A new target is a function in `targets/`, a line in [`TARGETS`] and seeds in
//! `corpus/NAME/`. An input that broke a property becomes a file there.
//!
//! This crate holds no parser of its own, and no other crate depends on it.

mod targets;

use targets::{accounts, connection, frames, page, requests};

/// A function that checks one input.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Target); 11] = [
    ("client_frame", frames::client_frame),
    ("server_frame", frames::server_frame),
    ("json_reader", page::json_reader),
    ("links", page::links),
    ("page_text", page::page_text),
    ("search", page::search),
    ("accounts", accounts::names_passwords_tokens),
    ("ids", accounts::ids),
    ("json_call", requests::json_call),
    ("form", requests::form),
    ("connection", connection::frames_of_one_connection),
];

/// Returns the target with this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

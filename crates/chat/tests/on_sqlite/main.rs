//! The contract of the chat on the embedded store.

#[path = "../contract/mod.rs"]
mod contract;
mod engine;
mod left_behind;

use contract::support;

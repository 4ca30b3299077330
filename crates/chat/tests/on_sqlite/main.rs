//! The contract of the chat on the embedded store.

#[path = "../contract/mod.rs"]
mod contract;
mod engine;

use contract::support;

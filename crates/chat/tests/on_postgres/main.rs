//! The contract of the chat on the shared store, and tests specific to that store: concurrent
//! nodes, outages of the server, TLS, and the move from SQLite.

mod clocks;
#[path = "../contract/mod.rs"]
mod contract;
mod copies;
mod engine;
mod leader;
mod moving;
mod nodes;
mod opening;
mod outage;
mod people_at_once;
mod silence;
mod storm;
mod together;
mod yielding;

use contract::support;

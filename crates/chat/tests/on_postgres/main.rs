//! The contract of the chat on the shared store, and tests specific to that store: concurrent
//! nodes, outages of the server, TLS, and the move from SQLite.

mod bounded_rows;
mod clocks;
mod concurrency;
mod concurrent_users;
#[path = "../contract/mod.rs"]
mod contract;
mod copies;
mod deferring;
mod engine;
mod events;
mod leader;
mod moving;
mod nodes;
mod opening;
mod outage;
mod signed_messages;
mod silent_server;
mod untrusted_broker;

use contract::support;

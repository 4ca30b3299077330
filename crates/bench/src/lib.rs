//! The parts of the bench: measured servers, loads, statistics and reports.
//!
//! Used by `duet-bench`, and by `duet-bench-peers`, which also measures other chat servers. Depends
//! only on the protocol, except in `seed`. Starts servers as an operator would, as separate
//! processes with their own data.
//!
//! # Layout
//! - `schedule`: the scenarios of a run and their order
//! - `targets`: the measured systems and disks; `ceiling`: the baseline servers
//! - `server`: a running server, or several nodes
//! - `nodes`: comparison of several nodes with one
//! - `scenario`: the measurements; `seed`: rows written before a server starts
//! - `call`: a minimal HTTP client
//! - `latency`, `report`: statistics and tables

mod call;
pub mod ceiling;
pub mod latency;
mod nodes;
pub mod report;
pub mod scenario;
pub mod schedule;
mod seed;
pub mod server;
pub mod targets;

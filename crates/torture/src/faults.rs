//! The faults of a round: their schedule, and their injection over time.
//!
//! # Layout
//! - `schedule`: kinds of rounds, and their faults and client behaviour, from a seed
//! - `server`: injects the faults of one server; `disk`: a failing disk
//! - `nodes`: injects the faults of several nodes
//! - `network`: injects faults of the network between clients and servers

mod disk;
mod network;
pub mod nodes;
pub mod schedule;
pub mod server;

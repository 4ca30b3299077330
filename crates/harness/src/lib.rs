//! Starts Duet servers as an operator does, each in its own process with its own data, and speaks
//! their protocol as a client. Shared by the bench and the torture. Does not measure or judge
//! anything.
//!
//! # Layout
//! - `process`: a running server and its use of resources; `processor`: processor time
//! - `people`: users with sessions, and the HTTP half of the protocol
//! - `line`: the WebSocket half of the protocol
//! - `postgres`: a private Postgres, also for the tests of the store
//! - `nats`, `haproxy`, `pgbouncer`: private servers around the nodes; `guard`: ends all of them
//! - `tls`: certificates for these servers
//! - `cluster`: several nodes with all of these servers

mod cluster;
mod guard;
mod haproxy;
mod line;
mod nats;
mod people;
mod pgbouncer;
mod postgres;
mod process;
mod processor;
mod tls;

pub use cluster::{Cluster, DATABASE, Node, Plan};
pub use haproxy::Haproxy;
pub use line::{Ear, Line, Mouth};
pub use nats::Nats;
pub use people::{Http, Person, Town, cookie_at};
pub use pgbouncer::{PgBouncer, PoolMode};
pub use postgres::Postgres;
pub use process::{Running, duet, duet_at};

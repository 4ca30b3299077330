//! A Duet server as an operator starts it, a process of its own with its own data, and clients that
//! speak its protocol and know nothing else of it. The bench and the torture stand on this; it
//! measures nothing and judges nothing.
//!
//! # Layout
//! - `process`: a server that runs, and what the kernel says of it; `processor`: the time it took
//! - `people`: who has signed up, and the protocol's HTTP half
//! - `line`: the protocol's live half
//! - `postgres`: a private Postgres, for the tests of the store as well
//! - `nats`, `haproxy`, `pgbouncer`: the same of what stands between nodes, before them and before Postgres; `guard`: the end of all
//! - `tls`: certificates for them
//! - `cluster`: nodes on all of these

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

//! Starts Duet servers as an operator does, each in its own process with its own data, and speaks
//! their protocol as a client. Shared by the bench and the torture. Does not measure or judge
//! anything.
//!
//! # Layout
//! - `process`: a running server and its use of resources; `cpu_time`: CPU time
//! - `fixture`: prepared users with sessions; `http_client`: the HTTP half of the protocol
//! - `connection`: the WebSocket half of the protocol
//! - `authenticator`: passkeys in software
//! - `one_time_code`: the codes of an authenticator app
//! - `postgres`: a private Postgres, also for the tests of the store
//! - `nats`, `haproxy`, `pgbouncer`: private servers around the nodes
//! - `process_guard`: ends all servers with this process
//! - `random`: reproducible random numbers; `shim`: compiles libraries that simulate faults
//! - `tls`: certificates for these servers
//! - `cluster`: several nodes with all of these servers

mod authenticator;
mod cluster;
mod connection;
mod cpu_time;
mod fixture;
mod haproxy;
mod http_client;
mod nats;
mod one_time_code;
mod pgbouncer;
mod postgres;
mod process;
mod process_guard;
mod random;
mod shim;
mod tls;

pub use authenticator::Authenticator;
pub use cluster::{Cluster, ClusterConfig, DATABASE, Node};
pub use connection::{Connection, FrameReceiver, FrameSender};
pub use fixture::{Fixture, TestUser, copy_files};
pub use haproxy::Haproxy;
pub use http_client::{HttpClient, cookie_at};
pub use nats::Nats;
pub use one_time_code::app_code;
pub use pgbouncer::{PgBouncer, PoolMode};
pub use postgres::{Postgres, PostgresPrograms, free_port, run_command};
pub use process::{ServerProcess, duet_command, duet_command_at};
pub use random::Random;
pub use shim::compile_shim;

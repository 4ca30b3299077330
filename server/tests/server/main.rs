//! Tests of the whole server over real HTTP and `WebSocket` connections, each with its own store.

mod accounts;
mod crash;
mod forwarded;
mod hostile;
mod invitations;
mod limits;
mod live;
mod log;
mod moving;
mod origin;
mod other_user;
mod pages;
mod process;
mod protocol_page;
mod requests;
mod settings;
mod shutdown;
mod starting;
mod store_failures;
mod store_files;
mod support;
mod wrong_address;

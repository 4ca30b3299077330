//! Tests of the whole server over real HTTP and `WebSocket` connections, each with its own store.

mod accounts;
mod broken_frames;
mod crash;
mod device_links;
mod devices;
mod forwarded;
mod hostile;
mod invitations;
mod limits;
mod live;
mod log;
mod moving;
#[cfg(feature = "oidc")]
mod oidc;
mod origin;
mod other_user;
mod pages;
mod passkeys;
mod people;
mod plain_answers;
mod process;
mod protocol_page;
mod requests;
mod security_log;
mod settings;
mod shutdown;
mod slow_clients;
mod starting;
mod store_copies;
mod store_failures;
mod store_files;
mod strict;
mod support;
mod two_step;
mod wrong_address;

//! The contract of [`chat::Chat`] on every store, tested without a port. Each engine's tests
//! include this module and provide the `Home` of its stores.

mod accounts;
mod conversations;
mod deletion;
mod device_links;
mod ended_sessions;
mod guessing;
pub(crate) mod identities;
mod invitations;
mod limits;
pub(crate) mod passkeys;
mod people_blocking;
mod people_reports;
mod people_requests;
mod privacy;
mod receipts;
mod search;
mod sending;
mod settings;
mod sign_ins;
pub(crate) mod support;
pub(crate) mod two_step;
mod usernames;

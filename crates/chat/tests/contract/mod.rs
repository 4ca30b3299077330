//! The contract of [`chat::Chat`] on every store, tested without a port. Each engine's tests
//! include this module and provide the `Home` of its stores.

mod accounts;
mod conversations;
mod deletion;
mod invitations;
mod privacy;
mod receipts;
mod search;
mod sending;
mod settings;
mod sign_ins;
pub mod support;

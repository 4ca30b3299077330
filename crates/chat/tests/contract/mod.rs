//! The chat as its callers see it, without a port: what holds on every store. Each engine's tests
//! include this, and bring the `Home` of its stores.

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

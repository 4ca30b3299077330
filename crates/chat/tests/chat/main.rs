//! The chat as its callers see it: on a real store, without a port.

mod accounts;
mod conversations;
mod deletion;
mod invitations;
mod privacy;
mod receipts;
mod sending;
mod settings;
mod support;

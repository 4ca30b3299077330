//! The chat as its callers see it: on a real store, without a port.

mod accounts;
mod conversations;
mod receipts;
mod sending;
mod support;

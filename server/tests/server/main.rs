//! The whole process over real HTTP and real sockets, on a store of its own.

mod accounts;
mod crash;
mod documented;
mod hostile;
mod invitations;
mod live;
mod origin;
mod pages;
mod requests;
mod settings;
mod shutdown;
mod support;
mod transfer;

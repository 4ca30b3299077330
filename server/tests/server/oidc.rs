//! Sign-in through a provider of OpenID Connect: with a real provider, whose forms the tests fill in, and
//! with one that lies.

mod account;
mod lies;
mod sign_in;
mod world;

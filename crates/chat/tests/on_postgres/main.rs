//! The contract of the chat on the shared store, and what only a store that is shared has to keep:
//! nodes that do things at the same moment, a server that goes away, a way there that is guarded, a
//! store that moves there.

mod clocks;
#[path = "../contract/mod.rs"]
mod contract;
mod copies;
mod engine;
mod leader;
mod nodes;
mod opening;
mod outage;
mod people_at_once;
mod silence;
mod storm;
mod together;
mod transfer;
mod yielding;

use contract::support;

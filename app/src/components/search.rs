//! The search for people and conversations.
//!
//! [`query`] is the state of a search, [`input`] the box, [`answers`] what cached users and the
//! server answer, [`results`] and [`option`] the view of the answers. In the browser, `keys` handles
//! the keyboard.

mod answers;
mod input;
#[cfg(feature = "hydrate")]
mod keys;
mod option;
mod query;
pub(super) mod results;

pub use input::{Found, PeopleSearch};
pub use query::Search;

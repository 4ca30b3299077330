//! Names, passwords, tokens and ids that a client sends.

use std::str::FromStr;

use protocol::{ClientId, ConversationId, UserId};

use super::text;

/// The properties that tests also check on generated texts.
pub(crate) fn names_passwords_tokens(input: &[u8]) {
    if let Some(text) = text(input) {
        chat::fuzzing::check_account_text(text);
    }
}

/// An id that is accepted reads the same after it was written again.
pub(crate) fn ids(input: &[u8]) {
    let Some(text) = text(input) else { return };
    if let Ok(id) = UserId::from_str(text) {
        assert_eq!(UserId::from_str(&id.to_string()).ok(), Some(id));
    }
    if let Ok(id) = ConversationId::from_str(text) {
        assert_eq!(ConversationId::from_str(&id.to_string()).ok(), Some(id));
    }
    if let Ok(id) = serde_json::from_str::<ClientId>(text) {
        let again = serde_json::to_string(&id).expect("an id");
        assert_eq!(serde_json::from_str(&again).ok(), Some(id));
    }
}

//! The bodies of calls and forms.

use protocol::{ClientId, ConversationId, Cursor};
use serde::{Deserialize, Serialize};

/// The arguments of the call that reads history.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct History {
    id: ConversationId,
    cursor: Cursor,
}

/// The fields of the form that sends a message.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Send {
    conversation: ConversationId,
    client_id: ClientId,
    body: String,
    #[serde(default)]
    quiet: Option<bool>,
}

/// A call that is accepted reads the same after it was written again.
pub(crate) fn json_call(input: &[u8]) {
    if let Some(call) = app::fuzzing::json::<History>(input) {
        let again = serde_json::to_vec(&call).expect("a call");
        assert_eq!(app::fuzzing::json(&again), Some(call));
    }
}

/// A form that is accepted reads the same after it was written again.
pub(crate) fn form(input: &[u8]) {
    if let Some(form) = app::fuzzing::form::<Send>(input) {
        let again = serde_urlencoded::to_string(&form).expect("a form");
        assert_eq!(app::fuzzing::form(again.as_bytes()), Some(form));
    }
}

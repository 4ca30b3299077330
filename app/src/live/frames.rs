//! Decodes server frames directly from their text.
//!
//! The code that serde derives for tagged enums first buffers each frame in a generic form. That
//! costs a second copy of every message and a tenth of the decoding code. This module reads the
//! type first and then the fields of that type. A test decodes every example frame of the protocol
//! page in both ways. Pure; `connection` calls it for each frame.

use protocol::{
    ClientId, ConversationId, Epoch, ErrorCode, Limits, Presence, Refusal, Seq, ServerFrame,
    Timestamp, User, UserId,
};
use serde::Deserialize;

use crate::json::{self, Unreadable};

#[derive(Deserialize)]
struct Tag {
    r#type: Type,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Hello,
    Sent,
    Refused,
    Message,
    Receipt,
    Presence,
    User,
    Changed,
    SignedIn,
    Typing,
    Pong,
}

#[derive(Deserialize)]
struct Hello {
    user: User,
    epoch: Epoch,
    time: Timestamp,
    limits: Limits,
    #[serde(default)]
    build: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    re: Option<String>,
    #[serde(default)]
    conversation: Option<ConversationId>,
    #[serde(default)]
    client_id: Option<ClientId>,
    code: ErrorCode,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Receipt {
    conversation: ConversationId,
    user: UserId,
    delivered: Seq,
    read: Seq,
}

#[derive(Deserialize)]
struct OfPresence {
    user: UserId,
    online: bool,
    last_seen: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Changed {
    conversation: ConversationId,
}

#[derive(Deserialize)]
struct SignedIn {
    device: String,
}

#[derive(Deserialize)]
struct Typing {
    conversation: ConversationId,
    user: UserId,
    active: bool,
}

/// Decodes a frame.
///
/// # Errors
/// When the text is not a frame, or its type is unknown to this page.
pub fn read(text: &str) -> Result<ServerFrame, Unreadable> {
    let Tag { r#type } = json::read(text)?;
    Ok(match r#type {
        Type::Hello => {
            let Hello { user, epoch, time, limits, build } = json::read(text)?;
            ServerFrame::Hello { user, epoch, time, limits, build }
        }
        Type::Sent => ServerFrame::Sent(json::read(text)?),
        Type::Refused => {
            let Refused { re, conversation, client_id, code, retry_after_ms } = json::read(text)?;
            let refusal = Refusal { code, retry_after_ms };
            ServerFrame::Refused { re, conversation, client_id, refusal }
        }
        Type::Message => ServerFrame::Message(json::read(text)?),
        Type::Receipt => {
            let Receipt { conversation, user, delivered, read } = json::read(text)?;
            ServerFrame::Receipt { conversation, user, delivered, read }
        }
        Type::Presence => {
            let OfPresence { user, online, last_seen } = json::read(text)?;
            ServerFrame::Presence { user, presence: Presence { online, last_seen } }
        }
        Type::User => ServerFrame::User(json::read(text)?),
        Type::Changed => {
            let Changed { conversation } = json::read(text)?;
            ServerFrame::Changed { conversation }
        }
        Type::SignedIn => {
            let SignedIn { device } = json::read(text)?;
            ServerFrame::SignedIn { device }
        }
        Type::Typing => {
            let Typing { conversation, user, active } = json::read(text)?;
            ServerFrame::Typing { conversation, user, active }
        }
        Type::Pong => ServerFrame::Pong,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../crates/protocol/README.md");

    #[test]
    fn every_frame_of_the_protocol_readme_is_decoded_as_by_serde() {
        let blocks = PAGE.split("```json server\n").skip(1);
        let frames: Vec<&str> = blocks.filter_map(|rest| rest.split("\n```").next()).collect();
        assert_eq!(frames.len(), 11);
        for text in frames {
            let expected: ServerFrame = serde_json::from_str(text).expect("a frame");
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn optional_fields_may_be_absent_and_unknown_fields_are_ignored() {
        for text in [
            r#"{"type":"refused","code":"busy"}"#,
            r#"{"re":"send","newer":{"a":[1,null]},"code":"not_found","type":"refused"}"#,
            r#"{"type":"refused","retry_after_ms":250,"code":"busy","client_id":null}"#,
            r#"{"type":"pong","newer":1}"#,
        ] {
            let expected: ServerFrame = serde_json::from_str(text).expect("a frame");
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_frame_is_refused() {
        for text in ["", "{}", r#"{"type":"later"}"#, r#"{"type":"receipt"}"#, "[]", r#""pong""#] {
            assert_eq!(read(text), Err(Unreadable), "{text}");
        }
    }
}

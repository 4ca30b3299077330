//! The examples of the protocol's page parse and serialise as frames, byte for byte.

use protocol::{ClientFrame, CloseCode, ErrorCode, ServerFrame, limits};

const PAGE: &str = include_str!("../README.md");

/// The fenced code blocks with this info string.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}\n");
    PAGE.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

fn round_trip<T: serde::Serialize + for<'a> serde::Deserialize<'a>>(text: &str) {
    let frame: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(serde_json::to_string(&frame).expect("JSON"), text);
}

#[test]
fn every_frame_reads_and_writes_as_documented() {
    let (client, server) = (blocks("json client"), blocks("json server"));
    assert_eq!((client.len(), server.len()), (5, 11));
    client.into_iter().for_each(round_trip::<ClientFrame>);
    server.into_iter().for_each(round_trip::<ServerFrame>);
}

#[test]
fn every_kind_of_frame_is_documented() {
    for kind in ["send", "delivered", "read", "typing", "ping"] {
        let tag = format!("{{\"type\":\"{kind}\"");
        assert!(blocks("json client").iter().any(|block| block.starts_with(&tag)), "{kind}");
    }
    let of_server = [
        "hello", "sent", "refused", "message", "receipt", "presence", "user", "typing", "changed",
        "pong",
    ];
    for kind in of_server {
        let tag = format!("{{\"type\":\"{kind}\"");
        assert!(blocks("json server").iter().any(|block| block.starts_with(&tag)), "{kind}");
    }
}

#[test]
fn every_close_code_is_documented() {
    for close in CloseCode::ALL {
        assert!(PAGE.contains(&format!("| {} |", close.code())), "{close:?}");
    }
}

#[test]
fn every_limit_is_documented_with_its_number() {
    let table = PAGE.split("## 14. Limits").nth(1).expect("the limits");
    let grouped = |number: usize| match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    };
    let (frame, request) = (grouped(limits::MAX_FRAME_BYTES), grouped(limits::MAX_REQUEST_BYTES));
    let (shortest, longest) = (limits::USERNAME_CHARS.start(), limits::USERNAME_CHARS.end());
    let (messages, listed) = (limits::PAGE_MESSAGES, limits::PAGE_CONVERSATIONS);
    let unread = grouped(limits::MAX_UNREAD as usize);
    let elsewhere = grouped(limits::MAX_UNREAD_ELSEWHERE);
    for row in [
        format!("| {} characters (Unicode scalar values", grouped(limits::MAX_BODY_CHARS)),
        format!("| frame, either way | {frame} bytes |"),
        format!("| body of a request | {request} bytes |"),
        format!("| username | {shortest} to {longest} letters"),
        format!("| display name | {} characters |", limits::MAX_DISPLAY_NAME_CHARS),
        format!(
            "{} characters to {} bytes",
            limits::MIN_PASSWORD_CHARS,
            limits::MAX_PASSWORD_BYTES
        ),
        format!("| {messages}; {listed}; {} |", limits::PAGE_PEOPLE),
        format!("`unread_elsewhere` | {unread}; {elsewhere} |"),
    ] {
        assert!(table.contains(&row), "{row}");
    }
    let hello = serde_json::to_string(&limits::Limits::default()).expect("JSON");
    assert!(PAGE.contains(&format!("\"limits\":{hello}")), "{hello}");
}

#[test]
fn an_unknown_field_is_ignored_and_an_unknown_type_is_not_a_frame() {
    let more = r#"{"type":"ping","more":1}"#;
    assert_eq!(serde_json::from_str::<ClientFrame>(more).ok(), Some(ClientFrame::Ping));
    assert!(serde_json::from_str::<ClientFrame>(r#"{"type":"shout"}"#).is_err());
    let refused = r#"{"type":"refused","code":"malformed"}"#;
    let frame: ServerFrame = serde_json::from_str(refused).expect("a frame");
    assert!(matches!(
        frame,
        ServerFrame::Refused { re: None, refusal, .. } if refusal.code == ErrorCode::Malformed
    ));
}

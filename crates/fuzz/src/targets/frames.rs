//! Frames of the WebSocket, as the server and as a page reads them.

use protocol::limits::{MAX_BODY_BYTES, MAX_BODY_CHARS};
use protocol::{Body, ClientFrame, ServerFrame};

use super::text;

/// A frame that the server accepts reads the same after it was written again, and so does its body.
pub(crate) fn client_frame(input: &[u8]) {
    let Some(frame) = text(input).and_then(|text| serde_json::from_str(text).ok()) else { return };
    let again = serde_json::to_string(&frame).expect("a frame");
    assert_eq!(serde_json::from_str::<ClientFrame>(&again).ok().as_ref(), Some(&frame));
    let ClientFrame::Send { body, .. } = frame else { return };
    if let Ok(checked) = Body::parse(&body) {
        assert!(checked.as_str().len() <= MAX_BODY_BYTES);
        assert!((1..=MAX_BODY_CHARS).contains(&checked.as_str().chars().count()));
        assert!(!checked.as_str().contains(['\r', '\0']));
        assert_eq!(Body::parse(checked.as_str()).as_ref(), Ok(&checked));
    }
}

/// The reader of the page and `serde_json` agree on every frame of the server.
pub(crate) fn server_frame(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let read = app::json::read::<ServerFrame>(text).ok();
    let expected = serde_json::from_str::<ServerFrame>(text).ok();
    if let (Some(read), Some(expected)) = (&read, &expected) {
        assert_eq!(read, expected);
    }
    if let Some(frame) = expected {
        let again = serde_json::to_string(&frame).expect("a frame");
        assert_eq!(app::json::read(&again), Ok(frame));
    }
}

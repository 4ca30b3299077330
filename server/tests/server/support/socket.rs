//! A WebSocket of a test browser: sends and receives frames of the protocol.

use futures::{SinkExt, StreamExt};
use protocol::{ClientFrame, ClientId, ConversationId, ServerFrame};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::PATIENCE;

pub(crate) struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        let text = serde_json::to_string(frame).expect("a frame");
        self.0.send(Message::text(text)).await.expect("sent");
    }

    pub(crate) async fn send_message(
        &mut self,
        conversation: ConversationId,
        body: &str,
    ) -> ClientId {
        let client_id = ClientId::new();
        self.send(&ClientFrame::Send { conversation, client_id, body: body.to_owned() }).await;
        client_id
    }

    /// Sends a message and waits until it is stored.
    pub(crate) async fn send_and_wait(&mut self, conversation: ConversationId, body: &str) {
        self.send_many(conversation, body, 1).await;
    }

    /// Sends the same text several times and waits until all messages are stored.
    pub(crate) async fn send_many(
        &mut self,
        conversation: ConversationId,
        body: &str,
        count: usize,
    ) {
        for _ in 0..count {
            self.send_message(conversation, body).await;
        }
        for _ in 0..count {
            assert!(matches!(self.receive_without_presence().await, ServerFrame::Sent(_)));
        }
    }

    /// Returns the next frame. Panics if the socket closes.
    pub(crate) async fn receive(&mut self) -> ServerFrame {
        match self.next().await {
            Ok(text) => serde_json::from_str(&text).expect("a known frame"),
            Err(code) => panic!("closed with {code:?}"),
        }
    }

    /// Returns the next frame other than presence.
    pub(crate) async fn receive_without_presence(&mut self) -> ServerFrame {
        loop {
            match self.receive().await {
                ServerFrame::Presence { .. } => {}
                other => return other,
            }
        }
    }

    /// Returns the next text, or the close code (`None` if the connection broke without one).
    pub(crate) async fn next(&mut self) -> Result<String, Option<u16>> {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Skips frames until the socket closes. Returns the close code.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}

//! The ceilings: minimal servers that show the most this machine can give to any server with this
//! job.
//!
//! The relay ceiling uses Duet's frames and does nothing else: no accounts, checks or receipts. The
//! store ceiling is the same relay, but answers after a commit. Both use small socket buffers like
//! Duet, and both run as separate processes like the servers they are compared with.

mod store;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, RwLock};

use anyhow::{Context, Result};
use futures::{SinkExt, StreamExt};
use protocol::{
    ClientFrame, ClientId, ConversationId, Epoch, Limits, Message, Sent, Seq, ServerFrame,
    Timestamp, User, UserId,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes, protocol::WebSocketConfig};
use tokio_tungstenite::{accept_hdr_async_with_config, tungstenite};

/// Size of the read and write buffer of a socket. Duet uses the same write buffer and a smaller
/// read buffer.
const BUFFER_BYTES: usize = 4 * 1024;
/// Capacity of the outbound queue of a socket, in frames.
const QUEUE: usize = 1_024;

type Outbound = mpsc::Sender<Utf8Bytes>;
type Outbounds = Arc<RwLock<HashMap<ConversationId, Vec<(UserId, Outbound)>>>>;

/// A received message.
pub(crate) struct Accepted {
    conversation: ConversationId,
    sender: UserId,
    client_id: ClientId,
    body: String,
}

#[derive(Clone)]
struct Ceiling {
    outbounds: Outbounds,
    store: Option<std::sync::mpsc::Sender<Accepted>>,
}

impl Ceiling {
    fn join(&self, conversation: ConversationId, user: UserId, outbound: Outbound) {
        if let Ok(mut outbounds) = self.outbounds.write() {
            outbounds.entry(conversation).or_default().push((user, outbound));
        }
    }

    fn leave(&self, conversation: ConversationId, user: UserId) {
        if let Ok(mut outbounds) = self.outbounds.write()
            && let Some(both) = outbounds.get_mut(&conversation)
        {
            both.retain(|(its, _)| *its != user);
        }
    }
}

/// Serves until SIGTERM. With `data`, commits each message to a store in that directory.
///
/// # Errors
/// Fails if the port or the store cannot be opened.
pub async fn serve(data: Option<&Path>) -> Result<()> {
    let outbounds = Outbounds::default();
    let store = match data {
        Some(data) => {
            let answered = outbounds.clone();
            Some(store::start(data, move |stored, seq| deliver(&answered, stored, seq))?)
        }
        None => None,
    };
    let ceiling = Ceiling { outbounds, store };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("the ceiling is ready: http://{}", listener.local_addr()?);
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = end.recv() => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(serve_connection(ceiling.clone(), stream));
            }
        }
    }
}

async fn serve_connection(ceiling: Ceiling, stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut conversation = None;
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let shake = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        conversation = request.uri().query().and_then(|query| query.parse().ok());
        let subprotocol = HeaderValue::from_static(protocol::SUBPROTOCOL);
        response.headers_mut().insert("sec-websocket-protocol", subprotocol);
        Ok(response)
    };
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = BUFFER_BYTES;
    config.write_buffer_size = BUFFER_BYTES;
    let mut socket = accept_hdr_async_with_config(stream, shake, Some(config)).await?;
    let conversation = conversation.context("the URL names no conversation")?;
    let me = UserId::new();
    socket.send(tungstenite::Message::text(serde_json::to_string(&hello(me))?)).await?;
    let (outbound, mut outgoing) = mpsc::channel(QUEUE);
    ceiling.join(conversation, me, outbound);
    loop {
        tokio::select! {
            frame = outgoing.recv() => {
                let mut frame = frame;
                while let Some(text) = frame {
                    socket.feed(tungstenite::Message::Text(text)).await?;
                    frame = outgoing.try_recv().ok();
                }
                socket.flush().await?;
            }
            incoming = socket.next() => match incoming {
                Some(Ok(tungstenite::Message::Text(text))) => on_text(&ceiling, me, &text),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    ceiling.leave(conversation, me);
    Ok(())
}

fn on_text(ceiling: &Ceiling, sender: UserId, text: &str) {
    let Ok(ClientFrame::Send { conversation, client_id, body }) = serde_json::from_str(text) else {
        return;
    };
    let accepted = Accepted { conversation, sender, client_id, body };
    match &ceiling.store {
        Some(store) => drop(store.send(accepted)),
        None => deliver(&ceiling.outbounds, accepted, Seq(1)),
    }
}

/// Acknowledges the message to the sender and sends it to the peer.
fn deliver(outbounds: &Outbounds, accepted: Accepted, seq: Seq) {
    let Accepted { conversation, sender, client_id, body } = accepted;
    let sent_at = Timestamp(0);
    let sent = ServerFrame::Sent(Sent { conversation, client_id, seq, sent_at });
    let message =
        ServerFrame::Message(Message { conversation, seq, client_id, sender, body, sent_at });
    let Ok(outbounds) = outbounds.read() else { return };
    for (user, outbound) in outbounds.get(&conversation).into_iter().flatten() {
        let frame = if *user == sender { &sent } else { &message };
        if let Ok(json) = serde_json::to_vec(frame)
            && let Ok(text) = Utf8Bytes::try_from(Bytes::from(json))
        {
            // Drops the frame if the queue of a slow reader is full.
            _ = outbound.try_send(text);
        }
    }
}

fn hello(id: UserId) -> ServerFrame {
    let user = User { id, username: String::new(), display_name: String::new() };
    ServerFrame::Hello {
        user,
        epoch: Epoch::new(),
        time: Timestamp(0),
        limits: Limits::default(),
        build: None,
    }
}

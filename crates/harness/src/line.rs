//! A client's WebSocket: the live half of the protocol.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, Stream, StreamExt};
use protocol::{ClientFrame, SUBPROTOCOL, ServerFrame, User};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config, tungstenite};

use crate::people::cookie_at;

/// Small, because the load generator shares the machine with the server that it measures.
const BUFFER_BYTES: usize = 4 * 1024;
/// How long a server may take to send `hello`.
const HELLO_WITHIN: Duration = Duration::from_secs(120);

/// An open WebSocket.
pub struct Line {
    socket: WebSocketStream<TcpStream>,
}

impl Line {
    /// Connects. `query` names the conversation for the bench's baseline servers; Duet ignores it.
    ///
    /// # Errors
    /// The connection fails or is refused.
    pub async fn open(address: SocketAddr, cookie: &str, query: &str) -> Result<Self> {
        Self::open_at(address, &format!("http://{address}"), cookie, query).await
    }

    /// Like [`Self::open`], for a server whose public origin is not its address.
    ///
    /// # Errors
    /// The connection fails or is refused.
    pub async fn open_at(
        address: SocketAddr,
        origin: &str,
        cookie: &str,
        query: &str,
    ) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}/ws?{query}").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", HeaderValue::from_str(origin)?);
        headers.insert("cookie", HeaderValue::from_str(&cookie_at(origin, cookie))?);
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
        let mut config = WebSocketConfig::default();
        config.read_buffer_size = BUFFER_BYTES;
        config.write_buffer_size = BUFFER_BYTES;
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        Ok(Self { socket })
    }

    /// Receives the first frame. Returns the user of the session.
    ///
    /// # Errors
    /// No frame arrives in time, or the first frame is not `hello`.
    pub async fn hello(&mut self) -> Result<User> {
        match timeout(HELLO_WITHIN, self.hear()).await.context("no hello in time")?? {
            ServerFrame::Hello { user, .. } => Ok(user),
            other => bail!("{other:?} instead of a hello"),
        }
    }

    /// Sends a frame immediately.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn say(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.socket.send(Message::text(serde_json::to_string(frame)?)).await?)
    }

    /// Receives the next frame.
    ///
    /// # Errors
    /// The connection is closed; the error contains the close code, if any.
    pub async fn hear(&mut self) -> Result<ServerFrame> {
        hear(&mut self.socket).await
    }

    /// Splits the connection, for clients that send without waiting for replies.
    pub fn split(self) -> (Mouth, Ear) {
        let (sink, stream) = self.socket.split();
        (Mouth(sink), Ear(stream))
    }
}

/// The sending half.
pub struct Mouth(SplitSink<WebSocketStream<TcpStream>, Message>);

impl Mouth {
    /// Queues a frame until [`Self::flush`].
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn feed(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.0.feed(Message::text(serde_json::to_string(frame)?)).await?)
    }

    /// Sends the queued frames.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }
}

/// The receiving half. Must be read continuously, because reading also answers the server's pings.
pub struct Ear(SplitStream<WebSocketStream<TcpStream>>);

impl Ear {
    /// Receives the next frame.
    ///
    /// # Errors
    /// The connection is closed; the error contains the close code, if any.
    pub async fn hear(&mut self) -> Result<ServerFrame> {
        hear(&mut self.0).await
    }
}

async fn hear<S>(stream: &mut S) -> Result<ServerFrame>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    loop {
        match stream.next().await.context("the line was cut")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => bail!("closed: {frame:?}"),
            _ => {}
        }
    }
}

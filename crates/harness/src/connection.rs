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

use crate::http_client::cookie_at;

/// Small, because the load generator shares the machine with the server that it measures.
const BUFFER_BYTES: usize = 4 * 1024;
/// How long a server may take to send `hello`.
const HELLO_WITHIN: Duration = Duration::from_secs(120);

/// An open WebSocket.
pub struct Connection {
    socket: WebSocketStream<TcpStream>,
}

impl Connection {
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

    /// Connects like [`Self::open_at`] and receives `hello`.
    ///
    /// # Errors
    /// As [`Self::open_at`] and [`Self::hello`].
    pub async fn establish(
        address: SocketAddr,
        origin: &str,
        cookie: &str,
        query: &str,
    ) -> Result<Self> {
        let mut connection = Self::open_at(address, origin, cookie, query).await?;
        connection.hello().await?;
        Ok(connection)
    }

    /// Receives the first frame. Returns the user of the session.
    ///
    /// # Errors
    /// No frame arrives in time, or the first frame is not `hello`.
    pub async fn hello(&mut self) -> Result<User> {
        match timeout(HELLO_WITHIN, self.receive())
            .await
            .context("hello did not arrive in time")??
        {
            ServerFrame::Hello { user, .. } => Ok(user),
            other => bail!("received {other:?} instead of hello"),
        }
    }

    /// Sends a frame immediately.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.socket.send(encode(frame)?).await?)
    }

    /// Receives the next frame.
    ///
    /// # Errors
    /// The connection is closed; the error contains the close code, if any.
    pub async fn receive(&mut self) -> Result<ServerFrame> {
        receive(&mut self.socket).await
    }

    /// Splits the connection, for clients that send without waiting for replies.
    pub fn split(self) -> (FrameSender, FrameReceiver) {
        let (sink, stream) = self.socket.split();
        (FrameSender(sink), FrameReceiver(stream))
    }
}

/// The sending half.
pub struct FrameSender(SplitSink<WebSocketStream<TcpStream>, Message>);

impl FrameSender {
    /// Queues a frame until [`Self::flush`].
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn feed(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.0.feed(encode(frame)?).await?)
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
pub struct FrameReceiver(SplitStream<WebSocketStream<TcpStream>>);

impl FrameReceiver {
    /// Receives the next frame.
    ///
    /// # Errors
    /// The connection is closed; the error contains the close code, if any.
    pub async fn receive(&mut self) -> Result<ServerFrame> {
        receive(&mut self.0).await
    }
}

fn encode(frame: &ClientFrame) -> Result<Message> {
    Ok(Message::text(serde_json::to_string(frame)?))
}

async fn receive<S>(stream: &mut S) -> Result<ServerFrame>
where
    S: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    loop {
        match stream.next().await.context("the connection was lost")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => bail!("connection closed: {frame:?}"),
            _ => {}
        }
    }
}

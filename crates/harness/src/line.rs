//! One WebSocket of a client: the protocol's live half.

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

/// The generator shares the machine with what it measures: small buffers here too.
const BUFFER_BYTES: usize = 4 * 1024;
/// A server that says nothing for this long has failed.
const HELLO_WITHIN: Duration = Duration::from_secs(120);

/// See the module.
pub struct Line {
    socket: WebSocketStream<TcpStream>,
}

impl Line {
    /// Connects. `query` names the conversation for a ceiling, which has no other way to know.
    ///
    /// # Errors
    /// Not connected, or refused.
    pub async fn open(address: SocketAddr, cookie: &str, query: &str) -> Result<Self> {
        Self::open_at(address, &format!("http://{address}"), cookie, query).await
    }

    /// As [`Self::open`], to a server that is known to browsers by another address.
    ///
    /// # Errors
    /// Not connected, or refused.
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

    /// The first frame: whose line this is.
    ///
    /// # Errors
    /// Something else came, or nothing.
    pub async fn hello(&mut self) -> Result<User> {
        match timeout(HELLO_WITHIN, self.hear()).await.context("no hello in time")?? {
            ServerFrame::Hello { user, .. } => Ok(user),
            other => bail!("{other:?} instead of a hello"),
        }
    }

    /// Says something at once.
    ///
    /// # Errors
    /// The line is over.
    pub async fn say(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.socket.send(Message::text(serde_json::to_string(frame)?)).await?)
    }

    /// The next frame.
    ///
    /// # Errors
    /// The line is over; with the close code, if there was one.
    pub async fn hear(&mut self) -> Result<ServerFrame> {
        hear(&mut self.socket).await
    }

    /// Its two halves, for whoever speaks without waiting for answers.
    pub fn split(self) -> (Mouth, Ear) {
        let (sink, stream) = self.socket.split();
        (Mouth(sink), Ear(stream))
    }
}

/// The half that speaks.
pub struct Mouth(SplitSink<WebSocketStream<TcpStream>, Message>);

impl Mouth {
    /// Says something, in the end with a [`Self::flush`].
    ///
    /// # Errors
    /// The line is over.
    pub async fn feed(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.0.feed(Message::text(serde_json::to_string(frame)?)).await?)
    }

    /// Sends what was said.
    ///
    /// # Errors
    /// The line is over.
    pub async fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush().await?)
    }
}

/// The half that listens. Keep listening: it also answers the server's pings.
pub struct Ear(SplitStream<WebSocketStream<TcpStream>>);

impl Ear {
    /// The next frame.
    ///
    /// # Errors
    /// The line is over; with the close code, if there was one.
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

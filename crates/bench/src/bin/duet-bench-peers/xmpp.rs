//! A client connection to an XMPP server over WebSocket (RFC 7395): registration, sign-in, sending,
//! receiving, and stream management acknowledgements (XEP-0198).
//!
//! Searches for expected strings instead of parsing XML. Requires that each text frame contains one
//! complete stanza.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Time limit for each step of registration and sign-in.
const STEP_WITHIN: Duration = Duration::from_secs(30);
const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>";

/// A connection with stream management.
pub(crate) struct Connection {
    socket: WebSocketStream<TcpStream>,
    /// Number of stanzas received since stream management was enabled.
    received: u64,
    /// Number of stanzas sent since then.
    sent: u64,
}

/// A stanza from the server.
pub(crate) enum Stanza {
    /// The server has acknowledged this many of the client's stanzas.
    Acknowledged(u64),
    /// The text of a message.
    Message(String),
    /// Any other stanza.
    Other,
}

impl Connection {
    /// Creates an account and signs in.
    pub(crate) async fn open(address: SocketAddr, path: &str, user: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        let subprotocol = HeaderValue::from_static("xmpp");
        request.headers_mut().insert("sec-websocket-protocol", subprotocol);
        let (socket, _) = client_async(request, stream).await?;
        let mut connection = Self { socket, received: 0, sent: 0 };
        connection.step(OPEN, "features>").await?;
        connection
            .step(
                &format!(
                    "<iq xmlns='jabber:client' type='set' id='account' to='localhost'>\
                 <query xmlns='jabber:iq:register'><username>{user}</username>\
                 <password>secret</password></query></iq>"
                ),
                "result",
            )
            .await?;
        let secret = BASE64_STANDARD.encode(format!("\0{user}\0secret"));
        connection.step(
            &format!(
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
            ),
            "<success",
        )
        .await?;
        connection.step(OPEN, "features>").await?;
        connection
            .step(
                "<iq xmlns='jabber:client' type='set' id='bind'>\
             <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>",
                "bench</jid>",
            )
            .await?;
        // The server reflects the client's presence and delivers messages from then on.
        connection.step("<presence xmlns='jabber:client'/>", "<presence").await?;
        connection.step("<enable xmlns='urn:xmpp:sm:3'/>", "<enabled").await?;
        connection.received = 0;
        Ok(connection)
    }

    /// Sends a message and requests an acknowledgement. Returns the count that acknowledges it.
    pub(crate) async fn send(&mut self, to: &str, id: u64, body: &str) -> Result<u64> {
        let message = format!(
            "<message xmlns='jabber:client' to='{to}@localhost' type='chat' id='m{id}'>\
             <body>{body}</body></message>"
        );
        self.socket.feed(Message::text(message)).await?;
        self.socket.send(Message::text("<r xmlns='urn:xmpp:sm:3'/>")).await?;
        self.sent += 1;
        Ok(self.sent)
    }

    /// Returns the next stanza. Answers acknowledgement requests of the server.
    pub(crate) async fn receive(&mut self) -> Result<Stanza> {
        let text = self.text().await?;
        if text.starts_with("<a ") {
            let count =
                attribute(&text, "h").context("the acknowledgement has no number")?.parse()?;
            return Ok(Stanza::Acknowledged(count));
        }
        if text.starts_with("<r ") || text.starts_with("<r/") {
            let count = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.received);
            self.socket.send(Message::text(count)).await?;
            return Ok(Stanza::Other);
        }
        ensure!(!text.contains("type='error'") && !text.contains("type=\"error\""), "{text}");
        self.received += 1;
        let body = text.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>"));
        Ok(body.map_or(Stanza::Other, |(body, _)| Stanza::Message(body.to_owned())))
    }

    /// Sends a stanza and waits for the expected answer.
    async fn step(&mut self, stanza: &str, expect: &str) -> Result<()> {
        self.socket.send(Message::text(stanza)).await?;
        let expected = async {
            loop {
                let text = self.text().await?;
                if text.contains(expect) {
                    return Ok(());
                }
                if text.contains("failure") || text.contains("error") {
                    bail!("{text} after {stanza}");
                }
            }
        };
        timeout(STEP_WITHIN, expected).await.with_context(|| format!("no answer to {stanza}"))?
    }

    async fn text(&mut self) -> Result<String> {
        loop {
            match self.socket.next().await.context("the connection was lost")?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(frame) => bail!("connection closed: {frame:?}"),
                _ => {}
            }
        }
    }
}

/// Returns the value of an attribute in single or double quotes.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    ['\'', '"'].into_iter().find_map(|quote| {
        let (_, rest) = text.split_once(&format!(" {name}={quote}"))?;
        rest.split_once(quote).map(|(value, _)| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_found_in_single_and_double_quotes() {
        assert_eq!(attribute("<a xmlns='urn:xmpp:sm:3' h='12'/>", "h"), Some("12"));
        assert_eq!(attribute("<a h=\"7\" xmlns=\"urn:xmpp:sm:3\"/>", "h"), Some("7"));
        assert_eq!(attribute("<a xmlns='urn:xmpp:sm:3'/>", "h"), None);
    }
}

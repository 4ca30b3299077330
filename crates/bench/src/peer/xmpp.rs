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
pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    /// Number of stanzas received since stream management was enabled.
    heard: u64,
    /// Number of stanzas sent since then.
    said: u64,
}

/// A stanza from the server.
pub(super) enum Heard {
    /// The server has acknowledged this many of the client's stanzas.
    Taken(u64),
    /// The text of a message.
    Message(String),
    /// Any other stanza.
    Other,
}

impl Line {
    /// Creates an account and signs in.
    pub(super) async fn open(address: SocketAddr, path: &str, user: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        let spoken = HeaderValue::from_static("xmpp");
        request.headers_mut().insert("sec-websocket-protocol", spoken);
        let (socket, _) = client_async(request, stream).await?;
        let mut line = Self { socket, heard: 0, said: 0 };
        line.step(OPEN, "features>").await?;
        line.step(
            &format!(
                "<iq xmlns='jabber:client' type='set' id='account' to='localhost'>\
                 <query xmlns='jabber:iq:register'><username>{user}</username>\
                 <password>secret</password></query></iq>"
            ),
            "result",
        )
        .await?;
        let secret = BASE64_STANDARD.encode(format!("\0{user}\0secret"));
        line.step(
            &format!(
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
            ),
            "<success",
        )
        .await?;
        line.step(OPEN, "features>").await?;
        line.step(
            "<iq xmlns='jabber:client' type='set' id='bind'>\
             <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bench</resource></bind></iq>",
            "bench</jid>",
        )
        .await?;
        // The server reflects the client's presence and delivers messages from then on.
        line.step("<presence xmlns='jabber:client'/>", "<presence").await?;
        line.step("<enable xmlns='urn:xmpp:sm:3'/>", "<enabled").await?;
        line.heard = 0;
        Ok(line)
    }

    /// Sends a message and requests an acknowledgement. Returns the count that acknowledges it.
    pub(super) async fn send(&mut self, to: &str, id: u64, body: &str) -> Result<u64> {
        let message = format!(
            "<message xmlns='jabber:client' to='{to}@localhost' type='chat' id='m{id}'>\
             <body>{body}</body></message>"
        );
        self.socket.feed(Message::text(message)).await?;
        self.socket.send(Message::text("<r xmlns='urn:xmpp:sm:3'/>")).await?;
        self.said += 1;
        Ok(self.said)
    }

    /// Returns the next stanza. Answers acknowledgement requests of the server.
    pub(super) async fn hear(&mut self) -> Result<Heard> {
        let text = self.text().await?;
        if text.starts_with("<a ") {
            let taken = attribute(&text, "h").context("no number")?.parse()?;
            return Ok(Heard::Taken(taken));
        }
        if text.starts_with("<r ") || text.starts_with("<r/") {
            let taken = format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.heard);
            self.socket.send(Message::text(taken)).await?;
            return Ok(Heard::Other);
        }
        ensure!(!text.contains("type='error'") && !text.contains("type=\"error\""), "{text}");
        self.heard += 1;
        let body = text.split_once("<body>").and_then(|(_, rest)| rest.split_once("</body>"));
        Ok(body.map_or(Heard::Other, |(body, _)| Heard::Message(body.to_owned())))
    }

    /// Sends a stanza and waits for the expected answer.
    async fn step(&mut self, say: &str, expect: &str) -> Result<()> {
        self.socket.send(Message::text(say)).await?;
        let expected = async {
            loop {
                let text = self.text().await?;
                if text.contains(expect) {
                    return Ok(());
                }
                if text.contains("failure") || text.contains("error") {
                    bail!("{text} after {say}");
                }
            }
        };
        timeout(STEP_WITHIN, expected).await.with_context(|| format!("no answer to {say}"))?
    }

    async fn text(&mut self) -> Result<String> {
        loop {
            match self.socket.next().await.context("the line was cut")?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(frame) => bail!("closed: {frame:?}"),
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
    fn an_attribute_is_found_in_either_quotes() {
        assert_eq!(attribute("<a xmlns='urn:xmpp:sm:3' h='12'/>", "h"), Some("12"));
        assert_eq!(attribute("<a h=\"7\" xmlns=\"urn:xmpp:sm:3\"/>", "h"), Some("7"));
        assert_eq!(attribute("<a xmlns='urn:xmpp:sm:3'/>", "h"), None);
    }
}

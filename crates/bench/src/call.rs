//! A minimal HTTP client: sequential calls on one keep-alive connection.
//!
//! A general HTTP client uses more CPU time per call than the measured server. This client only
//! writes the request and reads the answer. It supports the answers that Duet sends and nothing
//! else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::cookie_at;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time after which the server counts as failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Ends the head, and the last chunk of a body.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// An open connection.
pub(crate) struct Call {
    stream: TcpStream,
    address: SocketAddr,
    cookie: String,
    compressed: bool,
    answer: Vec<u8>,
}

/// The framing of a response body.
enum Framing {
    Length(usize),
    Chunked,
}

impl Call {
    /// Connects. With `compressed`, calls accept gzip like a browser.
    ///
    /// # Errors
    /// Fails if the connection cannot be opened.
    pub(crate) async fn open(address: SocketAddr, cookie: &str, compressed: bool) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let answer = Vec::with_capacity(64 * 1024);
        let cookie = cookie_at(&format!("http://{address}"), cookie);
        Ok(Self { stream, address, cookie, compressed, answer })
    }

    /// Makes a call. Returns the time from the first byte sent to the last byte received.
    ///
    /// # Errors
    /// Fails if the call is refused or not answered in time.
    pub(crate) async fn time(&mut self, function: &str, arguments: &Value) -> Result<Duration> {
        let body = arguments.to_string();
        let (address, cookie) = (self.address, &self.cookie);
        let encoding = if self.compressed { "accept-encoding: gzip\r\n" } else { "" };
        let request = format!(
            "POST /api/{function} HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\n\
             cookie: {cookie}\r\n{encoding}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let since = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        timeout(ANSWER_WITHIN, self.read_answer())
            .await
            .context("the answer did not arrive in time")??;
        Ok(since.elapsed())
    }

    /// Makes a call and parses the answer. Requires a connection without `compressed`.
    ///
    /// # Errors
    /// Fails if the call is refused or the answer cannot be parsed.
    pub(crate) async fn request<T: DeserializeOwned>(
        &mut self,
        function: &str,
        arguments: &Value,
    ) -> Result<T> {
        self.time(function, arguments).await?;
        let body = find(&self.answer, HEAD_END).context("the answer has no head")? + HEAD_END.len();
        Ok(serde_json::from_slice(&self.answer[body..])?)
    }

    async fn read_answer(&mut self) -> Result<()> {
        self.answer.clear();
        let body = loop {
            if let Some(end) = find(&self.answer, HEAD_END) {
                break end + HEAD_END.len();
            }
            self.read_more().await?;
        };
        match framing(&self.answer[..body])? {
            Framing::Length(length) => {
                while self.answer.len() < body + length {
                    self.read_more().await?;
                }
            }
            Framing::Chunked => {
                let mut next = body;
                while let Some(length) = self.chunk(next).await? {
                    next = length;
                }
            }
        }
        Ok(())
    }

    /// Reads the chunk at `begin`. Returns the start of the next chunk, or `None` after the last
    /// one.
    async fn chunk(&mut self, begin: usize) -> Result<Option<usize>> {
        let line = loop {
            if let Some(end) = find(&self.answer[begin..], b"\r\n") {
                break begin + end;
            }
            self.read_more().await?;
        };
        let length = usize::from_str_radix(std::str::from_utf8(&self.answer[begin..line])?, 16)?;
        let next = line + 2 + length + 2;
        while self.answer.len() < next {
            self.read_more().await?;
        }
        Ok((length > 0).then_some(next))
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            bail!("the connection was lost");
        }
        Ok(())
    }
}

/// Returns the framing of the body if the status is 200.
fn framing(head: &[u8]) -> Result<Framing> {
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        bail!("refused: {status}");
    }
    if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        return Ok(Framing::Length(length.trim().parse()?));
    }
    if head.contains("transfer-encoding: chunked") {
        return Ok(Framing::Chunked);
    }
    bail!("the answer has no length: {status}")
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_length_or_success_is_an_error() {
        let length = framing(b"HTTP/1.1 200 OK\r\nContent-Length: 37\r\n\r\n").expect("framed");
        assert!(matches!(length, Framing::Length(37)));
        let chunked = framing(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(chunked, Ok(Framing::Chunked)));
        assert!(framing(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(framing(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}

//! One HTTP connection that is kept alive, and calls on it, one after the other.
//!
//! A general client spends more on a call than the server that is measured; this one writes the
//! request, reads the answer, and does nothing else. It understands what Duet answers and is no
//! client for anything else.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::cookie_at;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server that takes longer has failed.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The end of a head, and of the last chunk.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// See the module.
pub struct Call {
    stream: TcpStream,
    address: SocketAddr,
    cookie: String,
    compressed: bool,
    answer: Vec<u8>,
}

/// Where the body of an answer is.
enum Framing {
    Length(usize),
    Chunked,
}

impl Call {
    /// Connects. `compressed` asks for what browsers ask for.
    ///
    /// # Errors
    /// Not connected.
    pub async fn open(address: SocketAddr, cookie: &str, compressed: bool) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let answer = Vec::with_capacity(64 * 1024);
        let cookie = cookie_at(&format!("http://{address}"), cookie);
        Ok(Self { stream, address, cookie, compressed, answer })
    }

    /// Makes a call and says how long it took from the first byte out to the last byte in.
    ///
    /// # Errors
    /// The call was refused.
    pub async fn time(&mut self, function: &str, arguments: &Value) -> Result<Duration> {
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
        timeout(ANSWER_WITHIN, self.read_answer()).await.context("no answer in time")??;
        Ok(since.elapsed())
    }

    /// Makes a call and reads its answer, which was not asked for compressed.
    ///
    /// # Errors
    /// The call was refused.
    pub async fn ask<T: DeserializeOwned>(
        &mut self,
        function: &str,
        arguments: &Value,
    ) -> Result<T> {
        self.time(function, arguments).await?;
        let body = find(&self.answer, HEAD_END).context("no head")? + HEAD_END.len();
        Ok(serde_json::from_slice(&self.answer[body..])?)
    }

    /// Reads one whole answer.
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

    /// Reads the chunk that begins at a place, and says where the next one does.
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
            bail!("the line was cut");
        }
        Ok(())
    }
}

/// How the body is framed, if the call went well.
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
    bail!("an answer without an end: {status}")
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_end_or_is_refused() {
        let length = framing(b"HTTP/1.1 200 OK\r\nContent-Length: 37\r\n\r\n").expect("framed");
        assert!(matches!(length, Framing::Length(37)));
        let chunked = framing(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(chunked, Ok(Framing::Chunked)));
        assert!(framing(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(framing(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}

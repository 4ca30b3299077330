//! The byte stream of one accepted connection. Ends a connection whose client takes too little of
//! what the server sends, because such a client could hold the connection for ever. [`super`]
//! creates the streams; `hyper` and, after an upgrade, the WebSocket read and write them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::answers::Answers;
use crate::addresses::AddressSlot;
use crate::descriptors::ConnectionSlot;
use crate::time_limits::{LEAST_TAKEN_BYTES, TimeLimits};

/// Maximum number of bytes that the kernel takes ahead of what it has sent. Otherwise the kernel
/// accepts megabytes at once, and the progress of a slow client is invisible for minutes.
const AHEAD_BYTES: u32 = 32 * 1024;

/// A connection and its share of the connection limits. All three stay together after a WebSocket
/// upgrade.
pub(super) struct Stream {
    stream: TcpStream,
    limits: TimeLimits,
    answers: Arc<Answers>,
    /// Present while the client takes less than the server has to send. Idle connections have none.
    blocked: Option<Box<Blocked>>,
    _slots: (ConnectionSlot, AddressSlot),
}

impl Stream {
    pub(super) fn new(
        stream: TcpStream,
        limits: TimeLimits,
        answers: Arc<Answers>,
        slots: (ConnectionSlot, AddressSlot),
    ) -> Self {
        // Sends small frames at once, without Nagle's delay.
        let _ = stream.set_nodelay(true);
        let socket = SockRef::from(&stream);
        // Each of these options can fail without harm on a system that lacks it. The first one ends
        // connections whose client acknowledges nothing, also after the process has closed them.
        let _ = socket.set_tcp_user_timeout(Some(limits.no_progress));
        let _ = socket.set_tcp_notsent_lowat(AHEAD_BYTES);
        Self { stream, limits, answers, blocked: None, _slots: slots }
    }

    pub(super) fn limits(&self) -> TimeLimits {
        self.limits
    }

    /// Writes the server's own answer instead of the one of `hyper`. `None` if the bytes are not
    /// such an answer.
    fn poll_replace(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        let answer = self.answers.replacement(bytes)?;
        let outcome = Pin::new(&mut self.stream).poll_write(cx, answer);
        let complete = answer.len();
        let outcome = outcome.map(|written| match written? {
            // The connection ends after this answer, so a part of it is the end as well.
            part if part < complete => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(bytes.len()),
        });
        Some(self.note(cx, bytes.len(), outcome))
    }

    /// Notes the outcome of a write of `offered` bytes. Fails when a time limit has passed.
    fn note(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Pending => {
                let blocked = self.blocked.get_or_insert_with(|| Blocked::new(&self.limits));
                blocked.poll_passed(cx, &self.limits).map(Err)
            }
            Poll::Ready(Ok(taken)) => {
                if taken >= offered {
                    self.blocked = None;
                } else if let Some(blocked) = &mut self.blocked {
                    blocked.progress(taken, &self.limits);
                }
                Poll::Ready(Ok(taken))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

/// The deadlines of a client that has not taken everything yet.
struct Blocked {
    timer: Pin<Box<Sleep>>,
    /// The client has to take something by then.
    progress_by: Instant,
    /// The client has to have taken [`LEAST_TAKEN_BYTES`] by then.
    span_ends: Instant,
    taken: usize,
}

impl Blocked {
    fn new(limits: &TimeLimits) -> Box<Self> {
        let now = Instant::now();
        let (progress_by, span_ends) = (now + limits.no_progress, now + limits.slow_span);
        let timer = Box::pin(sleep_until(progress_by.min(span_ends)));
        Box::new(Self { timer, progress_by, span_ends, taken: 0 })
    }

    fn progress(&mut self, taken: usize, limits: &TimeLimits) {
        self.taken += taken;
        self.progress_by = Instant::now() + limits.no_progress;
        self.timer.as_mut().reset(self.progress_by.min(self.span_ends));
    }

    /// Resolves with the error that ends the connection, when a deadline has passed.
    fn poll_passed(&mut self, cx: &mut Context<'_>, limits: &TimeLimits) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if now >= self.progress_by || self.taken < LEAST_TAKEN_BYTES {
                let text = "the client does not take what the server sends";
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            self.taken = 0;
            self.span_ends = now + limits.slow_span;
            self.timer.as_mut().reset(self.progress_by.min(self.span_ends));
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // A WebSocket may only read for a while, although a write has not ended.
        if let Some(blocked) = &mut this.blocked
            && let Poll::Ready(error) = blocked.poll_passed(cx, &this.limits)
        {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(replaced) = self.poll_replace(cx, bytes) {
            return replaced;
        }
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(cx, bytes.len(), outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [bytes] = slices
            && let Some(replaced) = self.poll_replace(cx, bytes)
        {
            return replaced;
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.note(cx, offered, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;

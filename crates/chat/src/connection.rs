//! One live connection of a browser tab: handles its frames and yields the frames to write.
//!
//! The socket in `server` only moves text in and out, so tests of this module need no port.
//! Dropping a [`Connection`] removes it from the hub.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{
    Body, ClientFrame, ClientId, CloseCode, ConversationId, ErrorCode, Limits, Marks, Refusal, Seq,
    ServerFrame,
};

use crate::allowance::TokenBucket;
use crate::clock;
use crate::cluster::Subscription;
use crate::error::{Error, later};
use crate::hub::{ConnectionGuard, FrameText, Outgoing, Queued};
use crate::relay::encode;
use crate::store::{NewMarks, NewMessage};
use crate::writer::{Reply, Write};
use crate::{Chat, Session};

/// Burst of frames, in seconds' worth of the rate, because a client that reconnects marks many
/// conversations at once.
const BURST_SECONDS: f64 = 6.0;
/// The retry delay sent with a refusal because of the frame rate.
const RATE_RETRY: Duration = Duration::from_secs(1);
/// Malformed frames that a connection may send; the next one closes it.
const MOST_MALFORMED: u32 = 20;
/// Typing events per second that a connection passes on for one conversation, and at once. A page
/// sends one in three seconds; further events are dropped, because they are hints.
const TYPING_PER_SECOND: f64 = 1.0;
const TYPING_BURST: f64 = 10.0;
/// Conversations whose typing events a connection limits.
const MOST_TYPED_IN: usize = 64;

/// A live connection. Dropping it removes the connection from the hub and, after the user's last
/// connection, ends the broker subscription.
pub struct Connection {
    chat: Chat,
    session: Session,
    guard: ConnectionGuard,
    /// Declared after `guard` so that it is dropped after it.
    _subscription: Option<Arc<Subscription>>,
    typed_in: HashMap<ConversationId, TokenBucket>,
    malformed: u32,
    frames: TokenBucket,
}

/// Encodes the `hello` frame of a connection.
pub(crate) fn hello(chat: &Chat, session: &Session) -> FrameText {
    encode(&ServerFrame::Hello {
        user: session.user.clone(),
        epoch: chat.epoch(),
        time: clock::now(),
        limits: Limits::default(),
        build: chat.build().map(str::to_owned),
    })
}

impl Connection {
    pub(crate) fn new(
        chat: Chat,
        session: Session,
        guard: ConnectionGuard,
        subscription: Option<Arc<Subscription>>,
    ) -> Self {
        Self {
            chat,
            session,
            guard,
            _subscription: subscription,
            typed_in: HashMap::new(),
            malformed: 0,
            frames: TokenBucket::full(Instant::now()),
        }
    }

    /// Waits for the next frame to write, or for the close of the connection.
    ///
    /// # Cancel safety
    /// Cancel safe: a cancelled call takes no frame from the queue.
    pub async fn next(&mut self) -> Outgoing {
        match self.guard.next().await {
            Ok(queued) => Outgoing::Frame(self.frame(queued)),
            Err(code) => Outgoing::Close(code),
        }
    }

    /// Returns a frame that is queued already, to be written together with the previous one.
    pub fn try_next(&mut self) -> Option<FrameText> {
        self.guard.try_next().map(|queued| self.frame(queued))
    }

    /// Returns the frame of a queue entry; a further `hello` tells the client to resync.
    fn frame(&self, queued: Queued) -> FrameText {
        match queued {
            Queued::Frame(frame) => frame,
            Queued::Resync => hello(&self.chat, &self.session),
        }
    }

    /// Handles a frame from the client. Answers are returned by [`Self::next`].
    ///
    /// # Cancel safety
    /// Not cancel safe: await it to the end, or drop the connection.
    pub async fn on_text(&mut self, text: &str) {
        let in_time = self.take_allowance(Instant::now());
        match serde_json::from_str(text) {
            Ok(frame) if in_time => self.on_frame(frame).await,
            Ok(frame) => self.refuse_frame(&frame, later(ErrorCode::RateLimited, RATE_RETRY)),
            Err(_) => self.on_malformed(),
        }
    }

    async fn on_frame(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Send { conversation, client_id, body } => {
                let checked = Body::parse(&body).map_err(Error::from).and_then(|body| {
                    self.chat.may_send(self.session.user.id, body.as_str()).map(|()| body)
                });
                let message = match checked {
                    Ok(body) => NewMessage {
                        sender: self.session.user.id,
                        session: self.session.id,
                        conversation,
                        client_id,
                        body: body.into_string(),
                    },
                    Err(error) => {
                        return self.refuse_send(conversation, client_id, error.refusal());
                    }
                };
                let reply = Reply::Connection(self.guard.outbound().clone());
                if let Err(refusal) = self.chat.writer().submit(Write::Send(message, reply)) {
                    self.refuse_send(conversation, client_id, refusal);
                }
            }
            ClientFrame::Delivered { conversation, up_to } => {
                self.mark("delivered", conversation, Marks { delivered: up_to, read: Seq::ZERO });
            }
            ClientFrame::Read { conversation, up_to } => {
                self.mark("read", conversation, Marks { delivered: up_to, read: up_to });
            }
            ClientFrame::Typing { conversation, active } => self.typing(conversation, active).await,
            ClientFrame::Ping => self.guard.outbound().push(encode(&ServerFrame::Pong)),
        }
    }

    fn mark(&self, re: &str, conversation: ConversationId, marks: Marks) {
        let (user, session) = (self.session.user.id, self.session.id);
        let new = NewMarks { user, session, conversation, marks };
        let reply = Reply::Connection(self.guard.outbound().clone());
        if let Err(refusal) = self.chat.writer().submit(Write::Mark(new, reply)) {
            self.refuse(Some(re), Some(conversation), refusal);
        }
    }

    async fn typing(&mut self, conversation: ConversationId, active: bool) {
        let (me, now) = (self.session.user.id, Instant::now());
        if self.typed_in.len() >= MOST_TYPED_IN && !self.typed_in.contains_key(&conversation) {
            self.typed_in.clear();
        }
        let events = self.typed_in.entry(conversation).or_insert_with(|| TokenBucket::full(now));
        if !events.take(now, TYPING_PER_SECOND, TYPING_BURST) {
            return;
        }
        // Each event reads the store, because a block must end typing at once.
        match self.chat.typing_peer(me, conversation).await {
            Ok((peer, true)) => {
                let event = ServerFrame::Typing { conversation, user: me, active };
                self.chat.relay().publish(&[peer], &event, None);
            }
            Ok((_, false)) => {}
            Err(error) => {
                self.chat.note_failure(&error);
                self.refuse(Some("typing"), Some(conversation), error.refusal());
            }
        }
    }

    fn on_malformed(&mut self) {
        self.malformed += 1;
        if self.malformed > MOST_MALFORMED {
            self.guard.outbound().close(CloseCode::Malformed);
        } else {
            self.refuse(None, None, ErrorCode::Malformed.into());
        }
    }

    fn refuse_frame(&self, frame: &ClientFrame, refusal: Refusal) {
        match frame {
            ClientFrame::Send { conversation, client_id, .. } => {
                self.refuse_send(*conversation, *client_id, refusal);
            }
            ClientFrame::Delivered { conversation, .. } => {
                self.refuse(Some("delivered"), Some(*conversation), refusal);
            }
            ClientFrame::Read { conversation, .. } => {
                self.refuse(Some("read"), Some(*conversation), refusal);
            }
            ClientFrame::Typing { conversation, .. } => {
                self.refuse(Some("typing"), Some(*conversation), refusal);
            }
            ClientFrame::Ping => self.refuse(Some("ping"), None, refusal),
        }
    }

    fn refuse_send(&self, conversation: ConversationId, client_id: ClientId, refusal: Refusal) {
        self.push_refusal(Some("send"), Some(conversation), Some(client_id), refusal);
    }

    fn refuse(&self, re: Option<&str>, conversation: Option<ConversationId>, refusal: Refusal) {
        self.push_refusal(re, conversation, None, refusal);
    }

    /// Answers a refused frame, or closes the connection of a user with too many: a client that does
    /// not wait after refusals costs almost as much as one whose frames are accepted. Refusals of
    /// the writer are not counted here, because the frame rate bounds them.
    fn push_refusal(
        &self,
        re: Option<&str>,
        conversation: Option<ConversationId>,
        client_id: Option<ClientId>,
        refusal: Refusal,
    ) {
        let (user, code) = (self.session.user.id, refusal.code);
        let frame = re.unwrap_or("unknown");
        tracing::debug!(user.id = %user, frame, ?code, "a frame was refused");
        if !self.chat.throttle().refused_frame(user) {
            return self.guard.outbound().close(CloseCode::TooManyRefused);
        }
        let re = re.map(str::to_owned);
        let refused = ServerFrame::Refused { re, conversation, client_id, refusal };
        self.guard.outbound().push(encode(&refused));
    }

    /// Takes one frame from the connection's allowance.
    fn take_allowance(&mut self, now: Instant) -> bool {
        let per_second = f64::from(self.chat.config().rates.frames_per_second.get());
        self.frames.take(now, per_second, per_second * BURST_SECONDS)
    }
}

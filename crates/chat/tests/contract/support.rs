//! A chat on a store of its own, and its users.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use chat::{Caller, Chat, Config, Connection, Outgoing, PasswordChange, Rates, Session};
use protocol::{
    ClientFrame, ClientId, CloseCode, ConversationId, ErrorCode, Refusal, Seq, ServerFrame,
};
use tokio::time::timeout;

use crate::engine::Home;

pub(crate) const PASSWORD: &str = "tulip-Harbor-92";
pub(crate) const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// Far longer than any wait takes on the busiest machine, so that only a hanging test fails.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct World {
    pub chat: Chat,
    pub home: Home,
}

pub(crate) fn plenty() -> Rates {
    let plenty = NonZeroU32::new(1_000_000).expect("not zero");
    Rates {
        sign_ups_per_hour: plenty,
        sign_ins_per_minute: plenty,
        searches_per_minute: plenty,
        messages_per_minute: plenty,
        message_mebibytes_per_day: NonZeroU32::new(1_000).expect("not zero"),
        conversations_per_hour: plenty,
        requests_per_day: plenty,
        reads_per_minute: plenty,
        frames_per_second: plenty,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Home::new().await, change).await
    }

    /// Closes the chat and starts it again on the same store.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Config)) -> Self {
        self.chat.close().await;
        Self::on(self.home, change).await
    }

    async fn on(home: Home, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(home.database());
        config.rates = plenty();
        config.presence_grace = Duration::from_millis(50);
        change(&mut config);
        let chat = Chat::begin(config).await.expect("a chat");
        Self { chat, home }
    }

    pub(crate) async fn person(&self, username: &str) -> Session {
        self.chat.sign_up(username, "", PASSWORD, SOMEWHERE).await.expect("an account").session
    }

    /// Two users and their conversation, which both have accepted.
    pub(crate) async fn pair(&self) -> (Session, Session, ConversationId) {
        let (alice, bob, conversation) = self.strangers().await;
        self.acquaint(&alice, &bob, conversation).await;
        (alice, bob, conversation)
    }

    /// Two users, and a conversation that the first has opened.
    pub(crate) async fn strangers(&self) -> (Session, Session, ConversationId) {
        let alice = self.person("alice").await;
        let bob = self.person("bob").await;
        let conversation = self.open(&alice, &bob).await;
        (alice, bob, conversation)
    }

    /// Makes both users see each other's presence, typing and receipts.
    pub(crate) async fn acquaint(&self, one: &Session, other: &Session, id: ConversationId) {
        for who in [one, other] {
            self.chat.accept_request(who.caller(), id).await.expect("accepted");
        }
    }

    pub(crate) async fn open(&self, me: &Session, peer: &Session) -> ConversationId {
        self.chat.open_conversation(me.caller(), peer.user.id).await.expect("a conversation")
    }

    /// A connection whose `hello` has been received.
    pub(crate) async fn connect(&self, who: &Session) -> Tab {
        let mut tab = Tab(self.chat.connect(who.clone()).await.expect("a connection"));
        assert!(matches!(tab.next_frame().await, ServerFrame::Hello { .. }));
        tab
    }

    pub(crate) async fn send(&self, from: Caller, conversation: ConversationId, body: &str) -> Seq {
        let id = ClientId::new();
        self.chat.send_message(from, conversation, id, body).await.expect("sent").seq
    }
}

/// A browser tab.
pub(crate) struct Tab(pub Connection);

impl Tab {
    pub(crate) async fn send_frame(&mut self, frame: &ClientFrame) {
        let text = serde_json::to_string(frame).expect("a frame");
        self.0.on_text(&text).await;
    }

    pub(crate) async fn send_message(
        &mut self,
        conversation: ConversationId,
        body: &str,
    ) -> ClientId {
        let client_id = ClientId::new();
        self.send_frame(&ClientFrame::Send { conversation, client_id, body: body.to_owned() })
            .await;
        client_id
    }

    pub(crate) async fn next_frame(&mut self) -> ServerFrame {
        match self.next().await {
            Outgoing::Frame(frame) => {
                serde_json::from_slice(frame.as_bytes()).expect("a known frame")
            }
            Outgoing::Close(code) => panic!("closed with {code:?}"),
        }
    }

    /// Sends a ping and returns the frames before the answer.
    pub(crate) async fn frames(&mut self) -> Vec<ServerFrame> {
        self.send_frame(&ClientFrame::Ping).await;
        let mut frames = Vec::new();
        loop {
            match self.next_frame().await {
                ServerFrame::Pong => return frames,
                frame => frames.push(frame),
            }
        }
    }

    /// Skips frames until one of them is wanted.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next_frame().await) {
                return found;
            }
        }
    }

    /// Skips presence and changes of standing, which other nodes publish at any time.
    pub(crate) async fn next_without_presence(&mut self) -> ServerFrame {
        let is_skipped = |frame: &ServerFrame| {
            matches!(frame, ServerFrame::Presence { .. } | ServerFrame::Changed { .. })
        };
        self.until(|frame| Some(frame).filter(|frame| !is_skipped(frame))).await
    }

    pub(crate) async fn next(&mut self) -> Outgoing {
        timeout(PATIENCE, self.0.next()).await.expect("a frame in time")
    }

    /// The next frame, which must be a refusal.
    pub(crate) async fn next_refusal(&mut self) -> (Option<String>, Refusal) {
        match self.next_frame().await {
            ServerFrame::Refused { re, refusal, .. } => (re, refusal),
            other => panic!("received {other:?}"),
        }
    }

    /// Skips frames until the connection is closed.
    pub(crate) async fn close_code(&mut self) -> CloseCode {
        loop {
            if let Outgoing::Close(code) = self.next().await {
                return code;
            }
        }
    }
}

/// A change of the password that keeps the user's invitations.
pub(crate) fn change<'a>(current: &'a str, new: &'a str) -> PasswordChange<'a> {
    PasswordChange { current: current.into(), new, withdraws_invitations: false }
}

/// The code of a refused call.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, chat::Error>) -> ErrorCode {
    result.expect_err("a refusal").refusal().code
}

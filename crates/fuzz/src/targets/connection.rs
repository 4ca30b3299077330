//! A live connection on a real chat with SQLite.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use chat::{Chat, Config, Connection, Rates, Session};
use protocol::{ConversationId, ServerFrame};
use tokio::runtime::Runtime;

use super::text;

const PASSWORD: &str = "tulip-Harbor-92";
const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Stands in a seed for the id of the conversation, which differs in each run.
const CONVERSATION: &str = "00000000-0000-7000-8000-000000000000";

/// One chat for all inputs, because opening a store takes much longer than a frame.
struct World {
    runtime: Runtime,
    chat: Chat,
    alice: Session,
    conversation: ConversationId,
    _home: tempfile::TempDir,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let home = tempfile::tempdir().expect("a directory");
    let mut config = Config::new(home.path().join("duet.db"));
    config.rates = unlimited();
    let (chat, alice, conversation) = runtime.block_on(async {
        let chat = Chat::begin(config).await.expect("a chat");
        let alice = chat.sign_up("alice", "", PASSWORD, LOOPBACK).await.expect("alice").session;
        let bob = chat.sign_up("bob", "", PASSWORD, LOOPBACK).await.expect("bob").session;
        let opened = chat.open_conversation(alice.caller(), bob.user.id).await;
        (chat, alice, opened.expect("a conversation"))
    });
    World { runtime, chat, alice, conversation, _home: home }
});

fn unlimited() -> Rates {
    let most = NonZeroU32::new(1_000_000).expect("not zero");
    Rates { messages_per_minute: most, frames_per_second: most, ..Rates::default() }
}

/// Each line is a frame. Every answer is a frame of the protocol, and the server answers a `ping`
/// afterwards unless it closed the connection.
pub(crate) fn frames_of_one_connection(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let world = &*WORLD;
    let text = text.replace(CONVERSATION, &world.conversation.to_string());
    world.runtime.block_on(async {
        let Ok(mut connection) = world.chat.connect(world.alice.clone()).await else { return };
        for line in text.lines().take(8) {
            connection.on_text(line).await;
        }
        connection.on_text(r#"{"type":"ping"}"#).await;
        answers_until_pong(&mut connection).await;
    });
}

async fn answers_until_pong(connection: &mut Connection) {
    while let chat::Outgoing::Frame(frame) = connection.next().await {
        let frame = serde_json::from_slice(frame.as_bytes()).expect("a frame of the protocol");
        if matches!(frame, ServerFrame::Pong) {
            return;
        }
    }
}

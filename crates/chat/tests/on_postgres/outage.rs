//! The server crashes and restarts: no acknowledged message is lost or doubled, calls meanwhile are
//! refused with a retry delay, and the chat recovers by itself.

use std::time::{Duration, Instant};

use chat::{Chat, Config, Database, Session};
use harness::Postgres;
use protocol::{ClientId, ConversationId, Cursor, ErrorCode, Seq};

use crate::support::{PASSWORD, SOMEWHERE, plenty};

/// Far longer than a recovery takes on the busiest machine.
const BACK_WITHIN: Duration = Duration::from_secs(300);

async fn chat_on(server: &Postgres) -> Chat {
    let url = server.url("duet");
    let mut config = Config::new(Database::Postgres { url, connections: 4 });
    config.rates = plenty();
    Chat::begin(config).await.expect("a chat")
}

async fn person(chat: &Chat, name: &str) -> Session {
    chat.sign_up(name, "", PASSWORD, SOMEWHERE).await.expect("an account").session
}

async fn pair(chat: &Chat) -> (Session, ConversationId) {
    let (alice, bob) = (person(chat, "alice").await, person(chat, "bob").await);
    let conversation = chat.open_conversation(alice.caller(), bob.user.id).await.expect("opened");
    (alice, conversation)
}

async fn bodies(chat: &Chat, me: &Session, conversation: ConversationId) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let after = Cursor::After(Seq(i64::try_from(all.len()).expect("few")));
        let page = chat.history(me.user.id, conversation, after).await.expect("a page");
        if page.messages.is_empty() {
            return all;
        }
        all.extend(page.messages.into_iter().map(|message| message.body));
    }
}

/// Sends like a page: repeats each message until it is acknowledged, then sends the next.
async fn send_until(
    chat: Chat,
    me: Session,
    conversation: ConversationId,
    mut over: tokio::sync::watch::Receiver<bool>,
) -> Vec<Seq> {
    let mut acknowledged = Vec::new();
    while !*over.borrow_and_update() {
        let (id, body) = (ClientId::new(), acknowledged.len().to_string());
        loop {
            match chat.send_message(me.caller(), conversation, id, &body).await {
                Ok(sent) => break acknowledged.push(sent.seq),
                Err(error) => {
                    let refusal = error.refusal();
                    assert_eq!(refusal.code, ErrorCode::Unavailable, "{error}");
                    assert!(refusal.retry_after_ms.is_some(), "a retry delay");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_crashes_and_restarts_loses_and_duplicates_nothing() {
    let mut server = Postgres::start().expect("a private Postgres");
    server.create_database("duet", None).expect("a database");
    let chat = chat_on(&server).await;
    let (alice, conversation) = pair(&chat).await;
    let (end, over) = tokio::sync::watch::channel(false);
    let sending = tokio::spawn(send_until(chat.clone(), alice.clone(), conversation, over));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.crash().expect("crashed");
        let asked = Instant::now();
        assert!(!chat.is_writable().await, "it is not writable");
        let read = chat.history(alice.user.id, conversation, Cursor::Latest).await;
        assert_eq!(read.err().map(|e| e.refusal().code), Some(ErrorCode::Unavailable));
        assert!(asked.elapsed() < BACK_WITHIN, "no call waits long: {:?}", asked.elapsed());
        server.start_again().expect("started");
        let back = Instant::now();
        while !chat.is_writable().await {
            assert!(back.elapsed() < BACK_WITHIN, "it recovers by itself");
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    end.send(true).expect("the sender runs");
    let acknowledged = sending.await.expect("the sender ended");
    let stored = bodies(&chat, &alice, conversation).await;
    let expected: Vec<String> = (0..acknowledged.len()).map(|n| n.to_string()).collect();
    assert_eq!(stored, expected, "each once, in the order of sending");
    let numbers: Vec<i64> = acknowledged.iter().map(|seq| seq.0).collect();
    let dense: Vec<i64> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, dense, "and with the acknowledged seqs");
    chat.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_connections_that_the_server_ends_are_replaced_without_a_refusal() {
    let server = Postgres::start().expect("a private Postgres");
    server.create_database("duet", None).expect("a database");
    let chat = chat_on(&server).await;
    let (alice, conversation) = pair(&chat).await;
    for n in 0..5 {
        let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                     where datname = 'duet' and pid <> pg_backend_pid()";
        server.sql("postgres", ended).expect("ended");
        let sent = chat
            .send_message(alice.caller(), conversation, ClientId::new(), &n.to_string())
            .await
            .expect("a commit is tried again on another connection");
        assert_eq!(sent.seq, Seq(n + 1));
    }
    chat.close().await;
}

//! The connection to the server goes silent: nothing is refused and nothing arrives. Calls are
//! refused with a retry delay before a proxy in front would time out, and the chat recovers by
//! itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chat::{Chat, Config, Database};
use protocol::{ClientId, Cursor, ErrorCode, Seq};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::engine::{Home, server};
use crate::support::{PASSWORD, SOMEWHERE, plenty};

/// The usual timeout of a proxy.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(60);

/// A TCP proxy to the server that holds data back while silent.
struct Way {
    port: u16,
    silent: Arc<AtomicBool>,
}

impl Way {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let silent = Arc::new(AtomicBool::new(false));
        let quiet = silent.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", server().port())).await;
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.expect("the server").into_split();
                tokio::spawn(carry(near_in, far_out, quiet.clone()));
                tokio::spawn(carry(far_in, near_out, quiet.clone()));
            }
        });
        Self { port, silent }
    }

    fn falls_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, silent: Arc<AtomicBool>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        while silent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_waits_long_for_a_silent_database_server() {
    let home = Home::new().await;
    let way = Way::open().await;
    let url = home.url().replace(&server().port().to_string(), &way.port.to_string());
    let mut config = Config::new(Database::Postgres { url, connections: 3 });
    config.rates = plenty();
    let chat = Chat::begin(config).await.expect("a chat");
    let alice =
        chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("made").session.caller();
    let bob = chat.sign_up("bob", "", PASSWORD, SOMEWHERE).await.expect("made").session.user.id;
    let conversation = chat.open_conversation(alice, bob).await.expect("opened");
    chat.send_message(alice, conversation, ClientId::new(), "before").await.expect("sent");

    way.falls_silent(true);
    let asked = Instant::now();
    let id = ClientId::new();
    let ((sent, refused), read, (ready, checked)) = tokio::join!(
        async {
            let sent = chat.send_message(alice, conversation, id, "meanwhile").await;
            (sent, asked.elapsed())
        },
        chat.history(bob, conversation, Cursor::Latest),
        async { (chat.is_writable().await, asked.elapsed()) }
    );
    assert_eq!(sent.err().map(|e| e.refusal().code), Some(ErrorCode::Unavailable));
    assert_eq!(read.err().map(|e| e.refusal().code), Some(ErrorCode::Unavailable));
    assert!(asked.elapsed() < GIVEN_UP_AFTER, "{:?}", asked.elapsed());
    assert!(!ready && checked < refused, "a balancer learns of it first: {checked:?}, {refused:?}");

    way.falls_silent(false);
    let sent = loop {
        match chat.send_message(alice, conversation, id, "meanwhile").await {
            Ok(sent) => break sent,
            Err(error) => assert_eq!(error.refusal().code, ErrorCode::Unavailable, "{error}"),
        }
    };
    assert_eq!(sent.seq, Seq(2), "once, whatever became of the first time");
    let page = chat.history(bob, conversation, Cursor::Latest).await.expect("read");
    assert_eq!(page.last_seq, Seq(2));
    chat.close().await;
}

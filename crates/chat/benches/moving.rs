//! Duration of a move from SQLite to Postgres, with its check: `cargo bench -p chat --bench
//! moving -- [MESSAGES]`. One run completes, another is cancelled half-way and resumed. With a
//! directory as the second argument, the benchmark only creates the store there, for `duet move`.

use std::path::Path;
use std::time::Instant;

use chat::store::Store;
use chat::store::sqlite::SqliteStore;
use chat::{Progress, Stage, move_store};
use harness::Postgres;
use protocol::{ClientId, ConversationId, UserId};
use rusqlite::{Connection, params};
use tokio::sync::Notify;

const MESSAGES: i64 = 1_000_000;
const PEOPLE: usize = 1_000;
/// Conversations per user, with the users next in the list.
const PEERS: usize = 5;
const BODY: &str = "Fifty-odd letters, about as long as most messages are, and no more.";

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let messages = words.next().map_or(MESSAGES, |word| word.parse().expect("a number"));
    if let Some(directory) = words.next() {
        return make(&Path::new(&directory).join("duet.db"), messages).await;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("duet.db");
    make(&file, messages).await;
    let size = std::fs::metadata(&file).expect("a file").len() / 1_000_000;
    println!("{messages} messages in {size} MB");
    let postgres = Postgres::start().expect("a private Postgres");
    for name in ["whole", "halves"] {
        postgres.create_database(name, None).expect("a database");
    }
    in_one_go(&file, &postgres.url("whole")).await;
    in_two(&file, &postgres.url("halves")).await;
}

async fn in_one_go(file: &Path, url: &str) {
    let began = Instant::now();
    let mut copied = began.elapsed();
    let moved = move_store(file, url, |progress| {
        if let Progress { stage: Stage::Copying(_), .. } = progress {
            copied = began.elapsed();
        }
    })
    .await
    .expect("moved");
    let all = began.elapsed();
    println!("in one go: {all:.1?}, of which the copy {copied:.1?}; {:?}", moved.tables);
}

async fn in_two(file: &Path, url: &str) {
    let (began, enough) = (Instant::now(), Notify::new());
    let moving = move_store(file, url, |progress| {
        if progress.done * 2 > progress.of {
            enough.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = enough.notified() => {}
        moved = moving => panic!("nobody stopped it: {moved:?}"),
    }
    let (first, began) = (began.elapsed(), Instant::now());
    let moved = move_store(file, url, |_| {}).await.expect("moved");
    let second = began.elapsed();
    println!("given up after {first:.1?}, at row {}; then {second:.1?}", moved.resumed_at);
}

/// Creates a store that no server has open.
async fn make(file: &Path, messages: i64) {
    SqliteStore::open(file).await.expect("a store").close().await;
    let mut database = Connection::open(file).expect("the store");
    database.execute_batch("pragma synchronous = off; pragma cache_size = -262144").expect("set");
    let tx = database.transaction().expect("begun");
    let people: Vec<UserId> = (0..PEOPLE).map(|_| UserId::new()).collect();
    for (number, id) in people.iter().enumerate() {
        let (name, id) = (format!("person.{number:05}"), id.0.as_bytes());
        tx.execute(
            "insert into users (id, username, username_key, display_name, display_key, \
             password_hash, created_at) values (?1, ?2, ?2, ?2, ?2, '', 1)",
            params![id, name],
        )
        .expect("a person");
    }
    let pairs = i64::try_from(PEOPLE * PEERS).expect("a number");
    for pair in 0..pairs {
        let number = usize::try_from(pair).expect("a number");
        let (one, other) = (number % PEOPLE, (number + 1 + number / PEOPLE) % PEOPLE);
        let count = messages / pairs + i64::from(pair < messages % pairs);
        talk(&tx, [people[one], people[other]], count);
    }
    tx.commit().expect("written");
}

fn talk(database: &Connection, [one, other]: [UserId; 2], count: i64) {
    let (id, low, high) = (ConversationId::new(), one.min(other), one.max(other));
    database
        .execute(
            "insert into conversations (id, low_id, high_id, last_seq, created_at) \
             values (?1, ?2, ?3, ?4, 1)",
            params![id.0.as_bytes(), low.0.as_bytes(), high.0.as_bytes(), count],
        )
        .expect("a conversation");
    for [me, peer] in [[one, other], [other, one]] {
        database
            .execute(
                "insert into members (conversation_id, user_id, peer_id, delivered_seq, read_seq, \
                 active_at) values (?1, ?2, ?3, ?4, ?4, 1)",
                params![id.0.as_bytes(), me.0.as_bytes(), peer.0.as_bytes(), count],
            )
            .expect("a member");
    }
    let mut insert = database
        .prepare_cached(
            "insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at) \
             values (?1, ?2, ?3, ?4, ?5, ?2)",
        )
        .expect("a statement");
    for seq in 1..=count {
        let sender = if seq % 2 == 0 { one } else { other };
        let (sender, client) = (sender.0.as_bytes(), ClientId::new());
        insert
            .execute(params![id.0.as_bytes(), seq, sender, client.0.as_bytes(), BODY])
            .expect("a message");
    }
}

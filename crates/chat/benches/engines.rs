//! The cost of a commit on each engine, without sockets. Run `cargo bench -p chat --bench engines`
//! on an otherwise idle machine.
//!
//! Fifty pairs chat. A batch contains messages and one mark per message, as a page sends it;
//! batches follow each other as the writer commits them. The engines take turns, so that other load
//! on the machine affects all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat::store::postgres::PostgresStore;
use chat::store::sqlite::SqliteStore;
use chat::store::{Batch, Caller, NewMarks, NewMessage, NewSession, NewUser, Store};
use harness::Postgres;
use protocol::{ClientId, ConversationId, Marks, Seq, SessionId, Timestamp, User, UserId};

const PAIRS: usize = 50;
const BATCHES: [usize; 4] = [1, 32, 100, 256];
const TURNS: usize = 7;
const TURN: Duration = Duration::from_secs(1);
/// As in the benchmark of the whole server.
const BODY: &str = "Fifty-odd letters, about as long as most messages are, and no more.";

/// Alternative tables without partitions, to measure the cost of partitioning.
const WHOLE_MESSAGES: &str = "drop table messages; \
    create table messages (conversation_id uuid not null, \
    seq bigint not null, sender_id uuid not null, client_id uuid not null, body text not null, \
    sent_at bigint not null, primary key (conversation_id, seq))";

struct Pair {
    people: [Caller; 2],
    conversation: ConversationId,
    last: i64,
}

struct Contender {
    name: String,
    store: Box<dyn Store>,
    pairs: Vec<Pair>,
    next: usize,
    now: i64,
    /// Messages per second of each turn, for each batch size.
    turns: Vec<Vec<f64>>,
}

impl Contender {
    async fn new(name: &str, store: impl Store) -> Self {
        let mut pairs = Vec::new();
        for n in 0..PAIRS {
            let mut people = Vec::new();
            for side in ["a", "b"] {
                people.push(person(&store, &format!("{side}{n}")).await);
            }
            let conversation =
                store.open_conversation(people[0], people[1].user, Timestamp(1)).await;
            let conversation = conversation.expect("asked").expect("opened");
            pairs.push(Pair { people: [people[0], people[1]], conversation, last: 0 });
        }
        let (name, turns) = (name.to_owned(), vec![Vec::new(); BATCHES.len()]);
        Self { name, store: Box::new(store), pairs, next: 0, now: 1, turns }
    }

    fn batch(&mut self, messages: usize) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..messages {
            self.next = (self.next + 1) % (2 * PAIRS);
            let pair = &mut self.pairs[self.next % PAIRS];
            let side = self.next / PAIRS;
            pair.last += 1;
            batch.messages.push(NewMessage {
                sender: pair.people[side].user,
                session: pair.people[side].session,
                conversation: pair.conversation,
                client_id: ClientId::new(),
                body: BODY.to_owned(),
            });
            let seq = Seq(pair.last);
            batch.marks.push(NewMarks {
                user: pair.people[1 - side].user,
                session: pair.people[1 - side].session,
                conversation: pair.conversation,
                marks: Marks { delivered: seq, read: seq },
            });
        }
        batch
    }

    async fn turn(&mut self, at: usize) {
        let (began, mut messages) = (Instant::now(), 0_u32);
        while began.elapsed() < TURN {
            let batch = Arc::new(self.batch(BATCHES[at]));
            self.now += 1;
            messages += u32::try_from(batch.messages.len()).expect("few");
            self.store.commit(batch, Timestamp(self.now)).await.expect("committed");
        }
        self.turns[at].push(f64::from(messages) / began.elapsed().as_secs_f64());
    }

    fn median(&self, at: usize) -> f64 {
        let mut turns = self.turns[at].clone();
        turns.sort_by(f64::total_cmp);
        turns[turns.len() / 2]
    }
}

async fn person(store: &impl Store, name: &str) -> Caller {
    let user = User { id: UserId::new(), username: name.into(), display_name: name.into() };
    let id = user.id;
    let session = SessionId::new();
    let mut token_hash = [0; 32];
    token_hash[..16].copy_from_slice(session.0.as_bytes());
    let new = NewUser {
        user,
        username_key: name.into(),
        display_key: name.into(),
        password_hash: String::new(),
        passkey: None,
        identity: None,
    };
    let first = NewSession { id: session, user: id, token_hash, device: String::new() };
    store.create_user(new, first, None, Timestamp(1)).await.expect("an account");
    Caller { user: id, session }
}

fn split_ids() -> String {
    let mut sql = "drop table client_ids; create table client_ids (client_id uuid not null, \
        sender_id uuid not null, conversation_id uuid not null, seq bigint not null, \
        primary key (client_id, sender_id)) partition by hash (client_id)"
        .to_owned();
    for n in 0..16 {
        sql += &format!(
            "; create table client_ids_{n} partition of client_ids \
             for values with (modulus 16, remainder {n})"
        );
    }
    sql
}

async fn on_postgres(server: &Postgres, name: &str, instead: Option<&str>) -> Contender {
    let database = format!("bench_{name}").replace(' ', "_");
    server.create_database(&database, None).expect("a database");
    if let Some(instead) = instead {
        PostgresStore::open(&server.url(&database), 2).await.expect("a store").close().await;
        server.sql(&database, instead).expect("made otherwise");
    }
    let store = PostgresStore::open(&server.url(&database), 2).await.expect("a store");
    Contender::new(name, store).await
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Postgres::start().expect("a private Postgres");
    let file = SqliteStore::open(&directory.path().join("duet.db")).await.expect("a store");
    let mut contenders = vec![
        Contender::new("sqlite", file).await,
        on_postgres(&server, "postgres", None).await,
        on_postgres(&server, "messages whole", Some(WHOLE_MESSAGES)).await,
        on_postgres(&server, "ids split", Some(&split_ids())).await,
    ];
    for at in 0..BATCHES.len() {
        // The first turn is a warm-up.
        for turn in 0..=TURNS {
            for contender in &mut contenders {
                contender.turn(at).await;
                if turn == 0 {
                    contender.turns[at].clear();
                }
            }
        }
    }
    println!("messages/s, median of {TURNS} turns of {} s, a mark for each", TURN.as_secs());
    print!("{:<16}", "batches of");
    BATCHES.iter().for_each(|size| print!("{size:>16}"));
    for contender in &contenders {
        print!("\n{:<16}", contender.name);
        for at in 0..BATCHES.len() {
            let ratio = contender.median(at) / contenders[0].median(at);
            print!("{:>9.0} ({ratio:.2})", contender.median(at));
        }
    }
    println!();
}

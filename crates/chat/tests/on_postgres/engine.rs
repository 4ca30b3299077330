//! A database per test, in a private Postgres that all tests of this process share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use chat::Database;
use chat::store::Store;
use chat::store::postgres::PostgresStore;
use harness::Postgres;
use protocol::SessionId;

/// Connections per store; kept low because many stores are open at once.
pub(crate) const CONNECTIONS: u32 = 4;
/// A database with all tables; copying it is faster than creating them.
const TEMPLATE: &str = "template_of_tests";

/// The shared server, which ends with the process.
pub(crate) fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Postgres::start().expect("a private Postgres");
        server.create_database(TEMPLATE, None).expect("a database");
        let url = server.url(TEMPLATE);
        // On a thread of its own, because the first caller is inside another runtime.
        let made = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                PostgresStore::open(&url, 1).await.expect("a store").close().await;
            });
        });
        made.join().expect("the tables");
        server
    })
}

/// The database of one test.
pub(crate) struct Home(String);

impl Home {
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let making = name.clone();
        let made = tokio::task::spawn_blocking(move || {
            server().create_database(&making, Some(TEMPLATE)).expect("a database");
        });
        made.await.expect("made");
        Self(name)
    }

    /// A copy, restored from a dump while the store is in use; includes the leases of its nodes.
    pub(crate) fn dump(&self) -> Self {
        let name = format!("{}_dump", self.0);
        server().restore_copy(&name, &self.0).expect("a copy");
        Self(name)
    }

    /// Waits until a query returns "t".
    pub(crate) async fn until(&self, sql: &str) {
        while self.text(sql) != "t" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        server().url(&self.0)
    }

    pub(crate) fn database(&self) -> Database {
        Database::Postgres { url: self.url(), connections: CONNECTIONS }
    }

    /// The store without a chat.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.url(), CONNECTIONS).await.expect("a store"))
    }

    /// The number that a query returns.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().expect("a number")
    }

    /// The text that a query returns.
    pub(crate) fn text(&self, sql: &str) -> String {
        server().sql(&self.0, sql).expect("an answer")
    }

    /// Rows that reference a missing row, where no foreign key forbids them.
    pub(crate) fn orphans(&self) -> i64 {
        self.number(
            "select (select count(*) from messages m full join client_ids k \
                     on (k.client_id, k.sender_id, k.conversation_id, k.seq) \
                      = (m.client_id, m.sender_id, m.conversation_id, m.seq) \
                     where m.seq is null or k.seq is null) \
                  + (select count(*) from messages m \
                     left join conversations c on c.id = m.conversation_id where c.id is null)",
        )
    }

    /// Log entries about deadlocks in this database.
    pub(crate) fn deadlocks(&self) -> Vec<String> {
        let log = server().log().expect("a log");
        let here = format!("{} ", self.0);
        let lines: Vec<&str> = log.lines().collect();
        let found = |(_, line): &(usize, &&str)| {
            line.starts_with(&here) && line.contains("deadlock detected")
        };
        let said = |(at, _)| lines[at..].iter().take(12).copied().collect::<Vec<_>>().join("\n");
        lines.iter().enumerate().filter(found).map(said).collect()
    }

    /// Lets this time pass for the limits of guesses, which are in the database.
    pub(crate) async fn later(&self, span: std::time::Duration) {
        let interval = format!("interval '{} s'", span.as_secs());
        self.execute(&format!(
            "update guesses set counted_at = counted_at - {interval}; \
             update allowances set full_at = full_at - {interval}"
        ));
    }

    /// Deletes the row of a session directly.
    pub(crate) fn end_session(&self, id: SessionId) {
        self.execute(&format!("delete from sessions where id = '{id}'"));
    }

    /// Changes the database directly.
    pub(crate) fn execute(&self, sql: &str) {
        server().sql(&self.0, sql).expect("executed");
    }
}

//! Checks that no statement scans a whole table: captures every statement of [`Store`] and of a
//! commit, and reads SQLite's query plans.

use std::sync::Arc;

use protocol::Timestamp;
use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use tracing_subscriber::layer::SubscriberExt;

use super::row_cache::RowCache;
use super::{SqliteStore, commit};
use crate::store::Store;
use crate::store::captured_statements::{CapturedStatements, StatementCapture};
use crate::store::every_statement::{People, run_every_statement};

static CAPTURED: CapturedStatements = CapturedStatements::new();

/// Commits a batch with every kind of write twice, so that the second is a repeat.
fn commit_everything(database: &mut Connection, people: &People) {
    let batch = people.batch();
    database.trace_v2(
        TraceEventCodes::SQLITE_TRACE_STMT,
        Some(|event| {
            if let TraceEvent::Stmt(_, sql) = event {
                CAPTURED.add(sql);
            }
        }),
    );
    for _ in 0..2 {
        commit::commit(database, &mut RowCache::default(), &batch, Timestamp(4)).expect("a commit");
    }
    database.trace_v2(TraceEventCodes::empty(), None);
}

/// SQLite's query plan, one line a step. Empty for a statement without a plan.
fn plan(database: &Connection, sql: &str) -> Vec<String> {
    let Ok(mut explained) = database.prepare(&format!("explain query plan {sql}")) else {
        return Vec::new();
    };
    let mut rows = explained.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().expect("a plan") {
        steps.push(row.get(3).expect("a step"));
    }
    steps
}

/// Whether a step scans a whole table. A step that follows an index stops at the statement's limit.
fn is_full_scan(step: &str) -> bool {
    let harmless =
        ["VIRTUAL TABLE", "CONSTANT ROW", "VALUES CLAUSE", "USING INDEX", "USING COVERING INDEX"];
    // The steps of a subquery are checked by themselves. The names below are expanded JSON
    // parameters and subqueries with a limit.
    let of_parameters = ["SCAN j", "SCAN p", "SCAN matched", "SCAN (subquery"];
    step.starts_with("SCAN")
        && !harmless.iter().any(|part| step.contains(part))
        && !of_parameters.iter().any(|part| step.starts_with(part))
}

#[tokio::test]
async fn no_statement_walks_through_a_whole_table() {
    let capturing = tracing_subscriber::registry().with(StatementCapture(&CAPTURED));
    tracing::subscriber::set_global_default(capturing).expect("nobody else listens");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("duet.db");
    let store = Arc::new(SqliteStore::open(&file).await.expect("a store"));
    let people = run_every_statement(store.as_ref()).await.expect("answers");
    store.close().await;
    let mut database = Connection::open(&file).expect("the file");
    commit_everything(&mut database, &people);

    let captured = CAPTURED.take();
    let of_ours: Vec<_> = captured
        .iter()
        // Migrations run once at start, and `meta` has a few rows.
        .filter(|sql| !sql.contains("_sqlx_migrations") && !sql.contains(" meta "))
        // Runs every ten minutes, on `sessions` only.
        .filter(|sql| !sql.starts_with("delete from sessions where created_at"))
        .collect();
    assert!(of_ours.len() >= 25, "too few were captured: {of_ours:#?}");
    let mut walks = Vec::new();
    for sql in of_ours {
        for step in plan(&database, sql) {
            // A search may sort its few results; no other statement may sort.
            let sorts =
                step.contains("TEMP B-TREE FOR ORDER BY") && !sql.contains(" person_words w ");
            if is_full_scan(&step) || sorts {
                walks.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(walks.is_empty(), "{walks:#?}");
    assert!(
        plan(&database, "select * from messages where body = ?1").iter().any(|s| is_full_scan(s)),
        "what this test looks for is found where it is"
    );
}

//! Checks that every statement of this store can be prepared and that none scans a table: captures
//! the statements that the calls of [`Store`] execute, and reads Postgres' query plans on a filled
//! database.

use std::sync::Arc;

use harness::Postgres;
use protocol::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use tracing_subscriber::layer::SubscriberExt;

use super::PostgresStore;
use crate::store::captured_statements::{CapturedStatements, StatementCapture};
use crate::store::every_statement::run_every_statement;
use crate::store::{Batch, MessageStore, Store};

static CAPTURED: CapturedStatements = CapturedStatements::new();

/// Many users, each in five short conversations, and one long conversation.
const FILLED: &str = "\
create temporary table people as \
    select n, gen_random_uuid() as id from generate_series(1, 4000) as n; \
insert into users (id, username, username_key, display_name, display_key, password_hash, \
        created_at) \
    select id, 'user' || n, 'user' || n, 'User ' || n, 'user ' || n, '', n from people; \
insert into person_words select 'user', id from people; \
insert into person_words select n::text, id from people; \
update users set words_for = display_key, has_looks = true; \
insert into username_looks (look, holders) select sha256(id::text::bytea), 1 from people; \
insert into sessions (id, user_id, token_hash, created_at, seen_at, rotated_at, device) \
    select gen_random_uuid(), id, sha256(id::text::bytea), n, n, n, '' from people; \
insert into invitations (token_hash, inviter_id, created_at, expires_at) \
    select sha256(id::text::bytea), id, n, n from people; \
insert into second_factors select id, ''::bytea, n, n from people; \
insert into device_links select id, gen_random_uuid(), sha256(id::text::bytea), n from people; \
insert into recovery_codes select id, sha256(id::text::bytea) from people; \
insert into passkeys (id, user_id, credential_id, credential, name, created_at) \
    select gen_random_uuid(), id, sha256(id::text::bytea), '{}', '', n from people; \
insert into identities (id, user_id, issuer, subject, name, created_at) \
    select gen_random_uuid(), id, 'https://id.example.org', id::text, '', n from people; \
insert into used_ceremonies select sha256(id::text::bytea), n from people; \
insert into conversations (id, low_id, high_id, last_seq, created_at) \
    select gen_random_uuid(), least(a.id, b.id), greatest(a.id, b.id), 10, a.n \
    from people a join people b on b.n between a.n + 1 and a.n + 5; \
insert into members (conversation_id, user_id, peer_id, active_at) \
    select id, low_id, high_id, created_at from conversations \
    union all select id, high_id, low_id, created_at from conversations \
    on conflict do nothing; \
insert into messages \
    select id, n, low_id, gen_random_uuid(), 'some words', n \
    from conversations, generate_series(1, 10) as n on conflict do nothing; \
insert into messages \
    select id, n, low_id, gen_random_uuid(), 'some words', n \
    from (select * from conversations limit 1) as longest, generate_series(11, 50000) as n; \
insert into client_ids select client_id, sender_id, conversation_id, seq from messages \
    on conflict do nothing; \
insert into nodes select gen_random_uuid(), clock_timestamp(), true from people; \
insert into presences select id, gen_random_uuid() from people; \
insert into allowances select n::text, clock_timestamp() + n * interval '1 s' from people; \
insert into failures select n::text, 1, clock_timestamp() + n * interval '1 s' from people; \
insert into guesses select uuid_send(id), 1, clock_timestamp() + n * interval '1 s' from people; \
analyze";

/// Postgres' generic query plan, one line a step.
async fn plan(database: &mut PgConnection, sql: &str) -> Vec<String> {
    let prepared = AssertSqlSafe(format!("prepare statement as {sql}"));
    sqlx::raw_sql(prepared).execute(&mut *database).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
    let parameters = (1..)
        .take_while(|n| {
            sql.split(|c: char| c != '$' && !c.is_ascii_digit()).any(|word| word == format!("${n}"))
        })
        .count();
    let nulls = match parameters {
        0 => String::new(),
        many => format!("({})", vec!["null"; many].join(", ")),
    };
    let explained = AssertSqlSafe(format!("explain execute statement {nulls}"));
    let rows: Vec<PgRow> =
        sqlx::raw_sql(explained).fetch_all(&mut *database).await.expect("a plan");
    sqlx::raw_sql("deallocate statement").execute(database).await.expect("forgotten");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The steps that read a whole table or a whole index. A scan with an index condition stops at the
/// statement's limit.
fn walks(plan: &[String]) -> Vec<&str> {
    // Without `nodes`, which has only a few rows.
    let tables = [
        "presences",
        "allowances",
        "failures",
        "guesses",
        "users",
        "username",
        "person",
        "sessions",
        "invitations",
        "second",
        "recovery",
        "passkeys",
        "identities",
        "used",
        "conversations",
        "members",
        "messages",
        "client_ids",
    ];
    let of_a_table = |step: &str| {
        let table = step.split(" on ").nth(1).and_then(|rest| rest.split([' ', '_']).next());
        let whole = step.split(" on ").nth(1).is_some_and(|rest| rest.starts_with("client_ids"));
        whole || table.is_some_and(|table| tables.contains(&table))
    };
    let mut found = Vec::new();
    for (at, step) in plan.iter().enumerate() {
        let is_index = step.contains("Index Scan") || step.contains("Index Only Scan");
        let is_told = plan[at + 1..]
            .iter()
            .take_while(|line| !line.contains("->"))
            .any(|line| line.trim_start().starts_with("Index Cond"));
        if (step.contains("Seq Scan") && of_a_table(step)) || (is_index && !is_told) {
            found.push(step.as_str());
        }
    }
    found
}

#[tokio::test]
async fn every_statement_is_prepared_and_none_walks_through_a_table() {
    let server = Postgres::start().expect("a private Postgres");
    server.create_database("plans", None).expect("a database");
    let store = PostgresStore::open(&server.url("plans"), 2).await.expect("a store");
    {
        let capturing = tracing_subscriber::registry().with(StatementCapture(&CAPTURED));
        let _captured_here = tracing::subscriber::set_default(capturing);
        let people = run_every_statement(&store).await.expect("answers");
        let batch = Arc::new(people.batch());
        for _ in 0..2 {
            store.commit(batch.clone(), Timestamp(4)).await.expect("a commit");
        }
        let yielding = Batch { yields: true, ..people.batch() };
        store.commit(Arc::new(yielding), Timestamp(4)).await.expect("a commit");
    }
    store.close().await;
    server.sql("plans", FILLED).expect("filled");
    let mut database = PgConnection::connect(&server.url("plans")).await.expect("a connection");
    sqlx::raw_sql("set plan_cache_mode = force_generic_plan")
        .execute(&mut database)
        .await
        .expect("set");

    let captured = CAPTURED.take();
    let of_ours: Vec<_> = captured.iter().filter(|sql| !sql.contains("set_config")).collect();
    assert!(of_ours.len() >= 45, "too few were captured, {}: {of_ours:#?}", of_ours.len());
    let mut found = Vec::new();
    for sql in of_ours {
        let plan = plan(&mut database, sql).await;
        found.extend(
            walks(&plan).into_iter().map(|step| format!("{step}: {sql}\n{}", plan.join("\n"))),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    for walk in [
        "select * from messages where body = $1",
        "select seq from messages order by seq",
        "select count(*) from users",
        "select user_id from person_words where word like $1",
        "select id from conversations order by id",
    ] {
        assert!(!walks(&plan(&mut database, walk).await).is_empty(), "not found: {walk}");
    }
}

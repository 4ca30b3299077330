//! Moves that are refused or not finished: changes meanwhile, and sources and targets that serve or
//! are of another store or version.

use std::time::Duration;

use chat::store::postgres::{OpenError, PostgresStore};
use chat::{MoveError, Stage, move_store};
use rusqlite::Connection;
use tokio::sync::Notify;

use super::{MANY, Old, count, empty, moved, on_postgres, person, refusal};
use crate::engine::server;

/// Asserts that no node serves this unfinished copy.
pub(super) async fn assert_not_served(url: &str) {
    let refused = PostgresStore::open(url, 2).await.err().expect("a refusal");
    assert!(matches!(refused, OpenError::Unfinished), "{refused}");
}

#[tokio::test]
async fn changes_to_the_target_during_a_move_are_found_and_named() {
    let old = Old::with_messages(MANY).await;
    let conversation = format!("conversation {}", old.conversation);
    let cases = [
        ("update messages set body = 'number  7' where seq = 7", conversation.as_str()),
        ("update messages set sent_at = 0 where seq = 9", &conversation),
        ("delete from messages where seq = 11", &conversation),
        ("update users set display_key = 'malice' where username = 'alice'", "table users"),
        ("update users set last_seen_at = null, deleted_at = 5", "table users"),
        ("update client_ids set seq = seq + 1 where seq = 3", "table client_ids"),
        (
            "delete from sessions where id = (select id from sessions order by id limit 1)",
            "table sessions",
        ),
        ("update members set read_at = 7", "table members"),
        ("update meta set value = gen_random_uuid()::text where key = 'epoch'", "the epoch"),
    ];
    server().create_database("unchecked", None).expect("a database");
    let unchecked = server().url("unchecked");
    old.is_moved_until(&unchecked, |progress| matches!(progress.stage, Stage::Checking(_))).await;
    // The dropped move is gone when its connections are closed.
    let left = "select count(*) from pg_stat_activity where datname = 'unchecked'";
    while server().sql("postgres", left).expect("an answer") != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (number, (change, named)) in cases.into_iter().enumerate() {
        let name = format!("changed_{number}");
        server().create_database(&name, Some("unchecked")).expect("a copy");
        server().sql(&name, change).expect("changed");
        let found = refusal(&old.file(), &server().url(&name)).await;
        assert!(matches!(&found, MoveError::Different(what) if what.contains(named)), "{found}");
        assert_not_served(&server().url(&name)).await;
    }
}

#[tokio::test]
async fn a_foreign_or_running_target_is_refused_and_left_unchanged() {
    let old = Old::with_messages(1).await;
    let url = empty("of_other_people");
    let chat = on_postgres(&url).await;
    // The node writes its lease shortly after its start.
    let nodes = "select count(*) from nodes";
    while server().sql("of_other_people", nodes).expect("an answer") != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Served));
    let other = person(&chat, "zoe").await;
    let epoch = chat.epoch();
    chat.close().await;
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Taken));
    let chat = on_postgres(&url).await;
    assert_eq!(chat.epoch(), epoch);
    assert!(chat.settings(other.user.id).await.is_ok());
    chat.close().await;

    // A database with tables but no users is accepted.
    let url = empty("begun_and_left");
    on_postgres(&url).await.close().await;
    assert_eq!(count(&moved(&old.file(), &url).await, "users"), 2);
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::Moved));

    let url = empty("of_a_later_version");
    PostgresStore::open(&url, 2).await.expect("made");
    let later = "insert into _sqlx_migrations values (99, 'later', now(), true, '', 0)";
    server().sql("of_a_later_version", later).expect("written");
    assert!(matches!(refusal(&old.file(), &url).await, MoveError::NewerTarget(99)));
}

#[tokio::test]
async fn a_move_is_not_finished_if_a_server_opened_the_target_meanwhile() {
    let old = Old::with_messages(1).await;
    let url = empty("come_upon");
    let comes = "insert into nodes (id, until, hears) values \
                 (gen_random_uuid(), now() + interval '1 hour', true)";
    let mut came = false;
    let refused = move_store(&old.file(), &url, |progress| {
        if !came && matches!(progress.stage, Stage::Checking(_)) {
            server().sql("come_upon", comes).expect("came");
            came = true;
        }
    })
    .await;
    assert!(matches!(refused, Err(MoveError::Served)), "{refused:?}");
    assert_not_served(&url).await;
    server().sql("come_upon", "delete from nodes").expect("gone");
    assert_eq!(count(&moved(&old.file(), &url).await, "messages"), 1);
}

#[tokio::test]
async fn a_running_source_or_one_of_another_version_is_refused() {
    let url = empty("never_reached");
    let (chat, directory) = Old::chat().await;
    let file = directory.path().join("duet.db");
    assert!(matches!(refusal(&file, &url).await, MoveError::InUse(_)));
    let alice = person(&chat, "alice").await;
    assert!(matches!(refusal(&file, &url).await, MoveError::InUse(_)));
    assert!(chat.is_writable().await && chat.settings(alice.user.id).await.is_ok());
    chat.close().await;

    let change = |sql: &str| {
        Connection::open(&file).expect("a file").execute_batch(sql).expect("changed");
    };
    change(
        "update _sqlx_migrations set version = 99 \
         where version = (select max(version) from _sqlx_migrations)",
    );
    assert!(matches!(refusal(&file, &url).await, MoveError::NewerSource(_, 99)));
    change("delete from _sqlx_migrations where version = 99");
    assert!(matches!(refusal(&file, &url).await, MoveError::OlderSource(_)));
    let nothing = directory.path().join("nothing.db");
    assert!(matches!(refusal(&nothing, &url).await, MoveError::NoSource(_)));
    std::fs::write(&nothing, "no database at all, and long enough to be looked at").expect("made");
    assert!(matches!(refusal(&nothing, &url).await, MoveError::Source { .. }));
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(server().sql("never_reached", tables).expect("an answer"), "0", "nothing was made");
}

#[tokio::test]
async fn a_second_concurrent_move_is_refused() {
    let old = Old::with_messages(MANY).await;
    let (file, url, begun) = (old.file(), empty("moved_by_two"), Notify::new());
    let first = move_store(&file, &url, |_| begun.notify_one());
    let second = async {
        begun.notified().await;
        refusal(&file, &url).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(count(&first.expect("moved"), "messages"), 23_000);
    // The second move may have waited for the file until the first was done.
    assert!(matches!(second, MoveError::InUse(_) | MoveError::Moved), "{second}");
}

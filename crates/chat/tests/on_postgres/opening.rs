//! Coming to a database: what the operator is told, nodes that start together, and TLS.

use chat::store::Store;
use chat::store::postgres::{OpenError, PostgresStore};
use harness::Postgres;

use crate::engine::{Home, server};

/// What `duet` says, in one line.
async fn refusal(url: &str) -> String {
    let refused = PostgresStore::open(url, 2).await.err().expect("a refusal");
    let line = refused.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line_that_says_what_to_do() {
    let home = Home::new().await;
    let url = home.url();
    let password = url.split([':', '@']).nth(2).expect("a password").to_owned();
    let nowhere = url.replace(&server().port().to_string(), "1");
    let cases = [
        (nowhere, "cannot reach Postgres at 127.0.0.1:1"),
        (url.replace(&password, "Wrong-Harbor-9"), "Check user and password"),
        (server().url("no_such_place"), "has no database no_such_place: make it"),
        (format!("{url}?sslmode=verify-full"), "cannot trust Postgres at 127.0.0.1"),
        (format!("{url}?sslmode=verify"), "the database URL is wrong"),
        (format!("{url}?sslrootcert=ca.pem"), "sslrootcert is looked at with sslmode=verify-full"),
        (format!("{url}?passwrod=Harbor"), "it has no parameter passwrod"),
        (url.replace("127.0.0.1", "no-such-host.invalid"), "cannot reach Postgres at no-such-host"),
        ("postgres://duet:Harbor@db:port/duet".to_owned(), "the database URL is wrong"),
    ];
    for (url, expected) in cases {
        let line = refusal(&url).await;
        assert!(line.contains(expected), "{line}");
        assert!(!line.contains(&password) && !line.contains("Harbor"), "{line}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let made = "create database narrow template template0 encoding 'LATIN1' locale 'C' \
                locale_provider libc";
    server().sql("postgres", made).expect("made");
    let line = refusal(&server().url("narrow")).await;
    assert!(line.contains("encoding is LATIN1"), "{line}");
}

#[tokio::test]
async fn someone_who_may_not_make_tables_is_told_so() {
    let home = Home::new().await;
    home.execute("create role guest login password 'guest-Harbor-9'");
    server().create_database("of_others", None).expect("made");
    let (_, place) = home.url().split_once('@').map(|(_, p)| ((), p.to_owned())).expect("a place");
    let place = place.rsplit_once('/').expect("a database").0.to_owned();
    let line = refusal(&format!("postgres://guest:guest-Harbor-9@{place}/of_others")).await;
    assert!(line.contains("guest may not make Duet's tables"), "{line}");
}

#[tokio::test]
async fn a_schema_that_a_newer_version_added_to_is_served_by_the_older_one() {
    let home = Home::new().await;
    home.execute("insert into _sqlx_migrations values (99, 'later', now(), true, '', 0)");
    home.execute("alter table users add column color text");
    let store = PostgresStore::open(&home.url(), 2).await.expect("a store");
    store.check_writable().await.expect("writable");
    store.close().await;
}

#[tokio::test]
async fn a_schema_that_took_away_what_this_version_uses_is_refused() {
    let home = Home::new().await;
    home.execute("insert into meta values ('served_from', '99')");
    let refused = PostgresStore::open(&home.url(), 2).await.err().expect("a refusal");
    assert!(matches!(refused, OpenError::Newer(99)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_together_on_an_empty_database_have_one_epoch() {
    server().create_database("empty_at_first", None).expect("made");
    let url = server().url("empty_at_first");
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let url = url.clone();
        starting.spawn(async move { PostgresStore::open(&url, 2).await.expect("a store").epoch() });
    }
    let epochs = starting.join_all().await;
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_signed_it_and_by_its_name() {
    let server = Postgres::start_with_tls().expect("a private Postgres");
    let stranger = Postgres::start_with_tls().expect("another one");
    server.create_database("guarded", None).expect("made");
    let url = |host: &str, authority: &std::path::Path| {
        let url = server.url("guarded").replace("127.0.0.1", host);
        format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display())
    };
    for host in ["127.0.0.1", "localhost"] {
        let store = PostgresStore::open(&url(host, &server.authority()), 2).await.expect("trusted");
        store.check_writable().await.expect("writable");
        store.close().await;
    }
    let encrypted = "select count(*) from pg_stat_ssl where ssl";
    assert_eq!(server.sql("guarded", encrypted).expect("asked"), "0", "they have gone");
    let line = refusal(&url("127.0.0.1", std::path::Path::new("/no/such/ca.pem"))).await;
    assert!(line.contains("one of its certificate files"), "no authority: {line}");
    let line = refusal(&url("127.0.0.1", &stranger.authority())).await;
    assert!(line.contains("cannot trust Postgres"), "another authority: {line}");
    let line = refusal(&url("127.0.0.2", &server.authority())).await;
    assert!(line.contains("cannot trust Postgres"), "another name: {line}");
    let line = refusal(&format!("{}?sslmode=verify-full", server.url("guarded"))).await;
    assert!(line.contains("cannot trust Postgres"), "an authority that nobody knows: {line}");
}

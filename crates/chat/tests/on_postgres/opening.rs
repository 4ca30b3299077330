//! Opening a database: errors for the operator, nodes that start together, and TLS.

use std::time::Duration;

use chat::store::Store;
use chat::store::postgres::{OpenError, PostgresStore};
use chat::{Caller, Chat, Config, Database};
use harness::{PgBouncer, PoolMode, Postgres};
use protocol::{ClientId, ConversationId, Cursor, ErrorCode, Seq, UserId};

use crate::engine::{Home, server};
use crate::support::{PASSWORD, SOMEWHERE, World, plenty};

/// The error line of `duet`.
async fn refusal(url: &str) -> String {
    let refused = PostgresStore::open(url, 2).await.err().expect("a refusal");
    let line = refused.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[tokio::test]
async fn every_opening_error_is_one_line_with_a_remedy() {
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
async fn a_role_that_may_not_create_tables_gets_an_error_that_says_so() {
    let home = Home::new().await;
    home.execute("create role guest login password 'guest-Harbor-9'");
    server().create_database("of_others", None).expect("made");
    let (_, host) = home.url().split_once('@').map(|(_, p)| ((), p.to_owned())).expect("a host");
    let host = host.rsplit_once('/').expect("a database").0.to_owned();
    let line = refusal(&format!("postgres://guest:guest-Harbor-9@{host}/of_others")).await;
    assert!(line.contains("guest may not make Duet's tables"), "{line}");
}

#[tokio::test]
async fn a_role_that_may_not_create_tables_serves_existing_ones() {
    let world = World::new().await;
    let home = &world.home;
    home.execute("create role clerk login password 'clerk-Harbor-9'");
    home.execute("grant select, insert, update, delete on all tables in schema public to clerk");
    let host = home.url().split_once('@').expect("a host").1.to_owned();
    let url = format!("postgres://clerk:clerk-Harbor-9@{host}");
    let chat = Chat::begin(Config::new(Database::Postgres { url: url.clone(), connections: 3 }));
    let chat = chat.await.expect("a chat");
    let (alice, bob, conversation) = world.pair().await;
    for (from, id) in [(alice.caller(), ClientId::new()), (bob.caller(), ClientId::new())] {
        chat.send_message(from, conversation, id, "hello").await.expect("sent");
    }
    chat.close().await;
    // One table is missing: the node does not serve, and the error says who can create the table.
    home.execute(
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
    );
    let line = refusal(&url).await;
    assert!(line.contains("run `duet migrate` as a user who may make tables"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_waits_for_a_server_that_does_not_run_yet() {
    let mut server = Postgres::start().expect("a private Postgres");
    server.create_database("duet", None).expect("made");
    server.crash().expect("stopped");
    let url = server.url("duet");
    let line = refusal(&url).await;
    assert!(line.contains("cannot reach Postgres"), "{line}");
    let starting = tokio::task::spawn_blocking(move || {
        server.start_again().expect("started");
        server
    });
    let store = PostgresStore::open_within(&url, 2, Duration::from_secs(3_600)).await;
    let store = store.expect("a store");
    store.check_writable().await.expect("writable");
    store.close().await;
    // An error that waiting cannot fix is returned at once.
    let nobody = url.replace("/duet", "/nothing");
    let refused = PostgresStore::open_within(&nobody, 2, Duration::from_secs(3_600)).await.err();
    assert!(matches!(refused, Some(OpenError::NoDatabase { .. })));
    drop(starting.await.expect("it runs"));
}

/// Two users and their conversation.
async fn pair(chat: &Chat) -> (Caller, UserId, ConversationId) {
    let up = async |name| chat.sign_up(name, "", PASSWORD, SOMEWHERE).await.expect("made");
    let (alice, bob) = (up("alice").await.session.caller(), up("bob").await.session.user.id);
    (alice, bob, chat.open_conversation(alice, bob).await.expect("opened"))
}

/// A URL with both servers, `first` first.
fn both(first: &Postgres, second: &Postgres) -> String {
    let (one, two) = (first.port(), second.port());
    let url = first.url("duet").replace(&format!(":{one}/"), &format!(":{one},127.0.0.1:{two}/"));
    format!("{url}?target_session_attrs=read-write")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_the_writable_one_is_used_even_after_it_changes() {
    let mut primary = Postgres::start().expect("a private Postgres");
    primary.create_database("duet", None).expect("made");
    PostgresStore::open(&primary.url("duet"), 1).await.expect("a store").close().await;
    let standby = primary.start_standby().expect("a standby");
    let url = both(&standby, &primary);
    let mut config = Config::new(Database::Postgres { url: url.clone(), connections: 3 });
    config.rates = plenty();
    let chat = Chat::begin(config).await.expect("a chat");
    let (alice, bob, conversation) = pair(&chat).await;
    let send = async |body| chat.send_message(alice, conversation, ClientId::new(), body).await;
    assert_eq!(send("before").await.expect("sent").seq, Seq(1));
    let copied = "select count(*) = 1 from messages";
    while standby.sql("duet", copied).expect("an answer") != "t" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    primary.crash().expect("crashed");
    let line = refusal(&url).await;
    assert!(line.contains("no Postgres of the database URL takes writes"), "{line}");
    assert!(line.contains("standby, which only reads"), "{line}");
    standby.promote().expect("promoted");
    let sent = loop {
        match send("after").await {
            Ok(sent) => break sent,
            Err(error) => assert_eq!(error.refusal().code, ErrorCode::Unavailable, "{error}"),
        }
    };
    assert!(sent.seq > Seq(1));
    while let Err(error) = chat.history(bob, conversation, Cursor::Latest).await {
        assert_eq!(error.refusal().code, ErrorCode::Unavailable, "{error}");
    }
    chat.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_works_in_session_mode_and_is_refused_in_transaction_mode() {
    let server = server();
    server.create_database("pooled", None).expect("made");
    let bouncer = PgBouncer::start(server, PoolMode::Session).expect("a pgbouncer");
    let mut config = Config::new(Database::Postgres { url: bouncer.url("pooled"), connections: 3 });
    config.rates = plenty();
    let chat = Chat::begin(config).await.expect("a chat");
    let (alice, _bob, conversation) = pair(&chat).await;
    for n in 1..=5 {
        let sent = chat.send_message(alice, conversation, ClientId::new(), "hello").await;
        assert_eq!(sent.expect("sent").seq, Seq(n));
    }
    chat.close().await;
    for mode in [PoolMode::Transaction, PoolMode::Statement] {
        let bouncer = PgBouncer::start(server, mode).expect("a pgbouncer");
        let line = refusal(&bouncer.url("pooled")).await;
        assert!(line.contains("set pool_mode = session there"), "{mode:?}: {line}");
    }
}

#[tokio::test]
async fn an_older_version_serves_a_schema_with_additions_of_a_newer_one() {
    let home = Home::new().await;
    home.execute("insert into _sqlx_migrations values (99, 'later', now(), true, '', 0)");
    home.execute("alter table users add column color text");
    let store = PostgresStore::open(&home.url(), 2).await.expect("a store");
    store.check_writable().await.expect("writable");
    store.close().await;
}

#[tokio::test]
async fn a_schema_without_something_that_this_version_uses_is_refused() {
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
async fn the_certificate_of_a_server_is_verified_by_authority_and_name() {
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
    assert_eq!(server.sql("guarded", encrypted).expect("an answer"), "0", "they have gone");
    let line = refusal(&url("127.0.0.1", std::path::Path::new("/no/such/ca.pem"))).await;
    assert!(line.contains("one of its certificate files"), "no authority: {line}");
    let line = refusal(&url("127.0.0.1", &stranger.authority())).await;
    assert!(line.contains("cannot trust Postgres"), "another authority: {line}");
    let line = refusal(&url("127.0.0.2", &server.authority())).await;
    assert!(line.contains("cannot trust Postgres"), "another name: {line}");
    let line = refusal(&format!("{}?sslmode=verify-full", server.url("guarded"))).await;
    assert!(line.contains("cannot trust Postgres"), "an authority that nobody knows: {line}");
}

#[tokio::test]
async fn search_finds_users_that_a_node_of_an_older_version_signed_up_or_renamed() {
    let world = World::new().await;
    let me = world.person("viewer").await.user;
    world.person("bob").await;
    let found = async |typed| world.chat.search(&me, typed, 20).await.expect("an answer").total;
    assert_eq!(found("bob").await, 1);
    // Such a node does not write the word index.
    world.home.execute(
        "update users set display_name = 'Emil Sand', display_key = 'emil sand' \
         where username = 'bob'; \
         insert into users (id, username, username_key, display_name, display_key, password_hash, \
                 created_at) \
             values (gen_random_uuid(), 'carol', 'carol', 'Carol Dune', 'carol dune', '', 1)",
    );
    assert_eq!((found("sand").await, found("dune").await), (1, 1));
    assert_eq!(found("bob").await, 1, "by the username");
    let gone = "update users set username = '', display_name = '', username_key = chr(1114111), \
                        display_key = chr(1114111), deleted_at = 2 where username = 'carol'";
    world.home.execute(gone);
    assert_eq!(found("dune").await, 0);
    assert_eq!(world.home.number("select count(*) from person_words where word = 'dune'"), 0);
}

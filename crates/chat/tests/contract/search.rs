//! Search for users and conversations by the words of their names.

use chat::store::{NewSession, NewUser};
use protocol::{SearchResults, SessionId, Timestamp, User, UserId};

use crate::support::{PASSWORD, SOMEWHERE, World};

async fn search(world: &World, me: &User, typed: &str) -> SearchResults {
    world.chat.search(me, typed, 20).await.expect("an answer")
}

/// The names of the users found, then of the peers.
async fn names(world: &World, me: &User, typed: &str) -> (Vec<String>, Vec<String>) {
    let found = search(world, me, typed).await;
    let people = found.people.into_iter().map(|one| one.user.display_name);
    let peers = found.conversations.into_iter().map(|one| one.peer.user.display_name);
    (people.collect(), peers.collect())
}

#[tokio::test]
async fn users_are_found_by_any_word_of_a_name_in_every_script() {
    let world = World::new().await;
    let me = world.person("viewer").await.user;
    for (username, display_name) in [
        ("emil.sand_77", "Emil Sand"),
        ("jose", "José Ángel Straße"),
        ("nour", "نور حداد"),
        ("mei", "Мэй Танака"),
        ("taro", "田中 太郎"),
        ("minsu", "김민수"),
        ("zed%_", "Zed"),
    ] {
        let made = world.chat.sign_up(username, display_name, PASSWORD, SOMEWHERE).await;
        assert_eq!(made.is_ok(), username != "zed%_");
    }
    for (typed, found) in [
        ("sand", "Emil Sand"),
        ("SAND em", "Emil Sand"),
        ("@emil.sand_77", "Emil Sand"),
        ("77", "Emil Sand"),
        ("angel", "José Ángel Straße"),
        ("jóse strasse", "José Ángel Straße"),
        ("حداد", "نور حداد"),
        ("тан", "Мэй Танака"),
        ("太郎", "田中 太郎"),
        ("田中太", "田中 太郎"),
        ("민수", "김민수"),
    ] {
        let (people, peers) = names(&world, &me, typed).await;
        assert_eq!((people, peers), (vec![found.to_owned()], vec![]), "{typed}");
    }
    for typed in ["mil", "sand jose", "...", "@", "%", "_", "\u{10ffff}", "sa\0nd"] {
        let found = search(&world, &me, typed).await;
        assert_eq!(found, SearchResults::default(), "{typed:?}");
    }
}

#[tokio::test]
async fn search_lists_conversations_and_other_users_separately_and_no_user_twice() {
    let world = World::new().await;
    let (me, bob, _) = world.pair().await;
    world.chat.set_display_name(&bob, "Alina Brook").await.expect("named");
    let alan = world.chat.sign_up("alan", "Alan Brook", PASSWORD, SOMEWHERE).await.expect("made");
    let me = me.user;
    let both = search(&world, &me, "brook").await;
    assert_eq!((both.conversations.len(), both.people.len(), both.total), (1, 1, 2));
    assert_eq!(both.conversations[0].peer.user.display_name, "Alina Brook");
    assert!(!both.yourself);
    // A prefix of the user's own name sets `yourself`, but the user is not in the list.
    let found = search(&world, &me, "al").await;
    assert!(found.yourself, "a part of one's own name");
    assert_eq!(found.total, 2);
    let own = search(&world, &me, "alice").await;
    assert_eq!(own, SearchResults { yourself: true, ..SearchResults::default() });
    // A conversation that the peer opened is not listed while it has no message.
    world.open(&alan.session, &bob).await;
    assert!(search(&world, &bob.user, "alan").await.conversations.is_empty());
    // A new name is found at once, and the previous one is not.
    world.chat.set_display_name(&bob, "Carl Reed").await.expect("named");
    assert_eq!(names(&world, &me, "reed").await.1, ["Carl Reed"]);
    assert_eq!(names(&world, &me, "brook").await, (vec!["Alan Brook".to_owned()], vec![]));
    world.chat.delete_account(&bob, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(search(&world, &me, "reed").await.total, 0);
    assert_eq!(world.home.number("select count(*) from person_words where word = 'reed'"), 0);
}

#[tokio::test]
async fn counts_are_exact_and_bounded_and_stores_of_older_versions_are_searched() {
    let world = World::new().await;
    let me = world.person("viewer").await.user;
    world.chat.close().await;
    let store = world.home.store().await;
    for number in 0..150_u8 {
        let display_name = format!("{} {number:03}", if number < 43 { "Rare Lee" } else { "Ann" });
        let username = format!("n{number}");
        let user = User { id: UserId::new(), username: username.clone(), display_name };
        let session = NewSession {
            id: SessionId::new(),
            user: user.id,
            token_hash: [number; 32],
            device: String::new(),
        };
        let display_key = user.display_name.to_lowercase();
        let password_hash = String::new();
        let new = NewUser {
            user,
            username_key: username,
            display_key,
            password_hash,
            passkey: None,
            identity: None,
        };
        store.create_user(new, session, None, Timestamp(1)).await.expect("stored");
    }
    store.close().await;
    // The state of a store from before the word index.
    world.home.execute("delete from person_words; update users set words_for = null");
    let world = world.restart().await;
    let found = search(&world, &me, "lee").await;
    assert_eq!((found.people.len(), found.total), (20, 43));
    assert_eq!(found.people[0].user.display_name, "Rare Lee 000");
    let all = world.chat.search(&me, "rare lee", 1_000).await.expect("an answer");
    assert_eq!((all.people.len(), all.total), (43, 43));
    let many = world.chat.search(&me, "an", 1_000).await.expect("an answer");
    assert_eq!((many.people.len(), many.total), (100, 101));
    assert_eq!(world.chat.find_people(me.id, "lee 042").await.expect("found").len(), 1);
}

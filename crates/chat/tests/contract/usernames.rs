//! Usernames that look like another one, and those of deleted accounts.

use crate::support::{PASSWORD, SOMEWHERE, World, code};
use protocol::ErrorCode;

impl World {
    async fn refusal_of(&self, username: &str) -> ErrorCode {
        let made = self.chat.sign_up(username, "", PASSWORD, SOMEWHERE).await;
        code(made.map(|made| made.session.user.username))
    }
}

#[tokio::test]
async fn a_username_that_looks_like_another_one_is_refused() {
    let world = World::new().await;
    for name in ["annal", "Bob", "milo"] {
        world.person(name).await;
    }
    for name in ["anna1", "annaI", "ANNAL", "b0b", "ВОВ", "rnilo", "МILO", "admin", "supp0rt"] {
        let refusal = world.refusal_of(name).await;
        let mixed = name == "МILO";
        let expected = if mixed { ErrorCode::UsernameInvalid } else { ErrorCode::UsernameTaken };
        assert_eq!(refusal, expected, "{name}");
    }
    // A refused name takes nothing.
    for name in ["anna", "boba", "mila", "annal2"] {
        world.person(name).await;
    }
    let alice = world.person("alice").await;
    let token = world.chat.create_invitation(alice.caller()).await.expect("an invitation").token;
    let invited =
        world.chat.sign_up_invited(&token, "a1ice", "", PASSWORD, SOMEWHERE).await.map(|_| ());
    assert_eq!(code(invited), ErrorCode::UsernameTaken);
    assert!(world.chat.invitation(&token, SOMEWHERE).await.is_ok(), "the invitation stays valid");
}

#[tokio::test]
async fn of_two_concurrent_sign_ups_whose_names_look_alike_one_is_refused() {
    let world = World::new().await;
    let (one, two) = tokio::join!(
        world.chat.sign_up("annal", "", PASSWORD, SOMEWHERE),
        world.chat.sign_up("anna1", "", PASSWORD, SOMEWHERE)
    );
    let refusals: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].refusal().code, ErrorCode::UsernameTaken);
    assert_eq!(world.home.number("select count(*) from users"), 1);
}

/// Accounts from before look-alikes were refused have no looks.
#[tokio::test]
async fn existing_look_alikes_stay_valid_and_are_protected_from_the_next_start() {
    let world = World::new().await;
    world.person("annal").await;
    world.person("other").await;
    world.home.execute(
        "update users set username = 'anna1', username_key = 'anna1' where username = 'other'; \
         update users set has_looks = false; delete from username_looks",
    );
    let world = world.restart().await;
    for name in ["annal", "anna1"] {
        world.chat.sign_in(name, PASSWORD, SOMEWHERE).await.expect("signed in");
    }
    assert_eq!(world.refusal_of("AnnaI").await, ErrorCode::UsernameTaken);
    // The look stays taken while one of the two has it.
    let first = world.chat.sign_in("annal", PASSWORD, SOMEWHERE).await.expect("signed in");
    world.chat.delete_account(&first.session, PASSWORD, SOMEWHERE).await.expect("deleted");
    world.home.execute("update username_looks set free_at = 1");
    assert_eq!(world.refusal_of("annal").await, ErrorCode::UsernameTaken);
    let second = world.chat.sign_in("anna1", PASSWORD, SOMEWHERE).await.expect("signed in");
    world.chat.delete_account(&second.session, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(world.refusal_of("annal").await, ErrorCode::UsernameTaken, "reserved");
    world.home.execute("update username_looks set free_at = 1");
    world.person("annal").await;
}

#[tokio::test]
async fn a_deleted_username_is_reserved_and_its_later_owner_has_nothing_of_the_old_one() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, id) = world.pair().await;
    world.send(alice.caller(), id, "old").await;
    chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");
    for name in ["alice", "ALICE", "a1ice"] {
        assert_eq!(world.refusal_of(name).await, ErrorCode::UsernameTaken, "{name}");
    }
    let free = chat.free_usernames("alice", None, SOMEWHERE).await.expect("names");
    assert_eq!(free, ["alice2", "alice3"]);
    let days = "select count(*) from username_looks where free_at is not null";
    assert_eq!(world.home.number(days), 1);
    let latest = world.home.number("select max(free_at) from username_looks");
    let deleted = world.home.number("select max(deleted_at) from users");
    assert_eq!((latest - deleted) / (24 * 60 * 60 * 1_000), 90);

    world.home.execute("update username_looks set free_at = 1 where free_at is not null");
    let new = world.person("alice").await;
    assert!(chat.conversations(new.user.id, None).await.expect("read").conversations.is_empty());
    let other = world.open(&bob, &new).await;
    assert_ne!(other, id);
    assert_eq!(chat.find_people(bob.user.id, "alice").await.expect("found")[0].user, new.user);
}

//! Two nodes change the same account at the same time: one of them decides, and no change is left
//! half done. Repeated in rounds to make a race likely.

use std::sync::Arc;

use chat::store::{Caller, ChangedPassword, NewSession, NewUser, Store};
use chat::{Chat, Session};
use protocol::{ErrorCode, SessionId, Timestamp, User, UserId};

use crate::engine::Home;
use crate::nodes::another_node;
use crate::support::{PASSWORD, SOMEWHERE, World};

const ROUNDS: usize = 6;

fn refusals<T>(outcomes: [Result<T, chat::Error>; 2]) -> Vec<ErrorCode> {
    outcomes.into_iter().filter_map(Result::err).map(|error| error.refusal().code).collect()
}

async fn two_nodes() -> (World, Chat) {
    let world = World::new().await;
    let other = another_node(&world.home).await;
    (world, other)
}

async fn person(world: &World, name: &str, round: usize) -> Session {
    world.person(&format!("{name}{round}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_username_is_given_to_one_user_only() {
    let (world, other) = two_nodes().await;
    for round in 0..ROUNDS {
        let name = format!("alice{round}");
        let outcomes = tokio::join!(
            world.chat.sign_up(&name, "", PASSWORD, SOMEWHERE),
            other.sign_up(&name, "", PASSWORD, SOMEWHERE)
        );
        assert_eq!(refusals(outcomes.into()), [ErrorCode::UsernameTaken]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_users_who_open_at_once_get_one_conversation() {
    let (world, other) = two_nodes().await;
    let alice = world.person("alice").await;
    for round in 0..ROUNDS {
        let bob = person(&world, "bob", round).await;
        let (one, two) = tokio::join!(
            world.chat.open_conversation(alice.caller(), bob.user.id),
            other.open_conversation(bob.caller(), alice.user.id)
        );
        assert_eq!(one.expect("opened"), two.expect("opened"));
    }
    let made = i64::try_from(ROUNDS).expect("few");
    assert_eq!(world.home.number("select count(*) from conversations"), made);
    assert_eq!(world.home.number("select count(*) from members"), 2 * made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_invitation_is_used_once() {
    let (world, other) = two_nodes().await;
    let alice = world.person("alice").await;
    let (bob, carol) = (world.person("bob").await, world.person("carol").await);
    for round in 0..ROUNDS {
        let token = world.chat.create_invitation(alice.caller()).await.expect("made").token;
        let outcomes = tokio::join!(
            world.chat.accept_invitation(&bob, &token, SOMEWHERE),
            other.accept_invitation(&carol, &token, SOMEWHERE)
        );
        assert_eq!(refusals(outcomes.into()), [ErrorCode::InvitationInvalid]);
        let token = world.chat.create_invitation(alice.caller()).await.expect("made").token;
        let names = [format!("dora{round}"), format!("emil{round}")];
        let outcomes = tokio::join!(
            world.chat.sign_up_invited(&token, &names[0], "", PASSWORD, SOMEWHERE),
            other.sign_up_invited(&token, &names[1], "", PASSWORD, SOMEWHERE)
        );
        assert_eq!(refusals(outcomes.into()), [ErrorCode::InvitationInvalid]);
    }
    let users = i64::try_from(3 + ROUNDS).expect("few");
    assert_eq!(world.home.number("select count(*) from users"), users, "no account without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_nodes_keep_the_limit_of_open_invitations() {
    let (world, other) = two_nodes().await;
    let alice = world.person("alice").await.caller();
    for _ in 0..19 {
        world.chat.create_invitation(alice).await.expect("made");
    }
    let outcomes =
        tokio::join!(world.chat.create_invitation(alice), other.create_invitation(alice));
    assert_eq!(refusals(outcomes.into()), [ErrorCode::TooManyInvitations]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_is_rotated_by_one_node_only() {
    let (world, other) = two_nodes().await;
    for round in 0..ROUNDS {
        let name = format!("alice{round}");
        let first = world.chat.sign_up(&name, "", PASSWORD, SOMEWHERE).await.expect("made");
        let (one, two) = tokio::join!(
            world.chat.rotate(first.session.id, &first.token),
            other.rotate(first.session.id, &first.token)
        );
        let new: Vec<String> =
            [one, two].into_iter().filter_map(|r| r.expect("an answer")).collect();
        assert_eq!(new.len(), 1);
        for token in [&first.token, &new[0]] {
            let found = other.authenticate(token).await.expect("an answer").expect("good");
            assert_eq!(found.session.id, first.session.id);
        }
    }
}

async fn account(store: &dyn Store, name: &str) -> Caller {
    let user = User { id: UserId::new(), username: name.into(), display_name: name.into() };
    let (id, first) = (user.id, new_session(user.id));
    let session = first.id;
    let new = NewUser {
        user,
        username_key: name.into(),
        display_key: name.into(),
        password_hash: "old".into(),
        passkey: None,
        identity: None,
    };
    store.create_user(new, first, None, Timestamp(1)).await.expect("an account");
    Caller { user: id, session }
}

fn new_session(user: UserId) -> NewSession {
    let id = SessionId::new();
    let mut token_hash = [0; 32];
    token_hash[..16].copy_from_slice(id.0.as_bytes());
    NewSession { id, user, token_hash, device: String::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_does_not_survive_a_password_change_at_another_node() {
    let home = Home::new().await;
    let (here, there) = (home.store().await, home.store().await);
    for round in 0..ROUNDS {
        let kept = account(here.as_ref(), &format!("alice{round}")).await;
        let token_hash = &new_session(kept.user).token_hash;
        let new = ChangedPassword {
            verified: "old",
            hash: "new",
            token_hash,
            withdraws_invitations: false,
        };
        let (changed, signed_in) = tokio::join!(
            here.set_password(kept, new, Timestamp(2)),
            there.create_session(new_session(kept.user), "old", 20, Timestamp(2))
        );
        let ended = changed.expect("an answer").expect("changed").len();
        assert_eq!(
            ended,
            usize::from(signed_in.expect("an answer").is_some()),
            "it ended, or never was"
        );
    }
    let sessions = i64::try_from(ROUNDS).expect("few");
    assert_eq!(home.number("select count(*) from sessions"), sessions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_sign_ins_keep_the_limit_of_sessions() {
    let home = Home::new().await;
    let (here, there) = (home.store().await, home.store().await);
    let user = account(here.as_ref(), "alice").await.user;
    let sign_in = |store: &Arc<dyn Store>, n: usize| {
        let (store, now) = (store.clone(), Timestamp(i64::try_from(n).expect("small")));
        async move { store.create_session(new_session(user), "old", 5, now).await }
    };
    for n in 0..ROUNDS {
        let (one, two) = tokio::join!(sign_in(&here, n), sign_in(&there, n));
        assert!(one.expect("an answer").is_some() && two.expect("an answer").is_some());
    }
    assert_eq!(home.number("select count(*) from sessions"), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_both_users_are_deleted_at_once_their_conversation_is_deleted() {
    let (world, other) = two_nodes().await;
    for round in 0..ROUNDS {
        let (alice, bob) =
            (person(&world, "alice", round).await, person(&world, "bob", round).await);
        let conversation = world.open(&alice, &bob).await;
        world.send(alice.caller(), conversation, "hello").await;
        let (one, two) = tokio::join!(
            world.chat.delete_account(&alice, PASSWORD, SOMEWHERE),
            other.delete_account(&bob, PASSWORD, SOMEWHERE)
        );
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    }
    assert_eq!(world.home.number("select count(*) from conversations"), 0);
    assert_eq!(world.home.number("select count(*) from messages"), 0);
    assert_eq!(world.home.number("select count(*) from client_ids"), 0);
    assert_eq!(world.home.deadlocks(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_conversation_is_opened_with_a_user_who_is_being_deleted() {
    let (world, other) = two_nodes().await;
    let bob = world.person("bob").await;
    for round in 0..ROUNDS {
        let alice = person(&world, "alice", round).await;
        let token = world.chat.create_invitation(alice.caller()).await.expect("made").token;
        let (gone, opened, accepted) = tokio::join!(
            world.chat.delete_account(&alice, PASSWORD, SOMEWHERE),
            other.open_conversation(bob.caller(), alice.user.id),
            other.accept_invitation(&bob, &token, SOMEWHERE)
        );
        gone.expect("deleted");
        for refused in [opened.err(), accepted.err()].into_iter().flatten() {
            let expected = [ErrorCode::NotFound, ErrorCode::InvitationInvalid];
            assert!(expected.contains(&refused.refusal().code), "{refused}");
        }
    }
    let open = "select count(*) from conversations where closed_at is null";
    assert_eq!(world.home.number(open), 0);
    assert_eq!(world.home.deadlocks(), Vec::<String>::new());
}

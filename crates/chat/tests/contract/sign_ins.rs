//! Sign-in rules of the store: changes between the password check and the sign-in, the validity of
//! a session's two tokens, and what counts as use.

use std::sync::Arc;

use chat::store::{
    Caller, ChangedPassword, NewInvitation, NewSession, NewUser, SessionLife, Store, StoreError,
    TokenState,
};
use protocol::{Privacy, SessionId, Timestamp, User, UserId};

use crate::engine::Home;
use crate::support::{PASSWORD, SOMEWHERE, World};

fn session(user: UserId, token: u8) -> NewSession {
    NewSession { id: SessionId::new(), user, token_hash: [token; 32], device: String::new() }
}

#[tokio::test]
async fn no_session_is_created_with_a_password_that_changed_after_its_verification() {
    let home = Home::new().await;
    let store = home.store().await;
    let kept = new_user(&store, "first").await;
    let id = kept.user;
    let sign_in = async |verified: &str, token| {
        let made = store.create_session(session(id, token), verified, 20, Timestamp(2)).await;
        made.expect("an answer").is_some()
    };
    assert!(sign_in("first", 2).await);
    let ended = set_password(&store, kept, ["first", "second"], 7).await;
    assert_eq!(ended.expect("an answer").map(|ended| ended.len()), Some(1));
    assert!(!sign_in("first", 3).await, "it was verified before the change");
    assert!(sign_in("second", 4).await);
    let gone = store.delete_account(kept, "first", Timestamp(3)).await.expect("an answer");
    assert!(gone.is_none(), "nor is an account deleted with it");
    assert!(store.delete_account(kept, "second", Timestamp(3)).await.expect("deleted").is_some());
    assert!(!sign_in("second", 5).await && !sign_in("", 6).await, "nobody is there");
}

const MINUTE: i64 = 60 * 1_000;
const HOUR: i64 = 60 * MINUTE;

/// No session expires by age here: it ends only when the test ends it.
fn at(now: i64) -> SessionLife {
    SessionLife { now: Timestamp(now), oldest_created: Timestamp(0), oldest_seen: Timestamp(0) }
}

/// An account with this password hash and a session whose token is `[1; 32]`.
async fn new_user(store: &Arc<dyn Store>, password_hash: &str) -> Caller {
    new_user_named(store, "anna", 1, password_hash).await
}

async fn new_user_named(
    store: &Arc<dyn Store>,
    name: &str,
    token: u8,
    password_hash: &str,
) -> Caller {
    let id = UserId::new();
    let user = User { id, username: name.into(), display_name: name.into() };
    let new = NewUser {
        user,
        username_key: name.into(),
        display_key: name.into(),
        password_hash: password_hash.to_owned(),
        passkey: None,
        identity: None,
    };
    let first = session(id, token);
    let session = first.id;
    store.create_user(new, first, None, Timestamp(1)).await.expect("an account");
    Caller { user: id, session }
}

/// Changes a password hash from one to the other, with a new token.
async fn set_password(
    store: &Arc<dyn Store>,
    by: Caller,
    [verified, hash]: [&str; 2],
    token: u8,
) -> chat::store::Result<Option<Vec<SessionId>>> {
    let token_hash = &[token; 32];
    let new = ChangedPassword { verified, hash, token_hash, withdraws_invitations: false };
    store.set_password(by, new, Timestamp(2)).await
}

async fn state(store: &Arc<dyn Store>, token: u8, now: i64) -> Option<TokenState> {
    store.session(&[token; 32], at(now)).await.expect("an answer").map(|row| row.token)
}

async fn rotates(store: &Arc<dyn Store>, id: SessionId, from: u8, to: u8, now: i64) -> bool {
    let lost_before = Timestamp(now - HOUR);
    let done = store.rotate_session(id, &[from; 32], &[to; 32], Timestamp(now), lost_before).await;
    done.expect("an answer")
}

/// The time of this machine's clock, which is also the database's clock.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("milliseconds")
}

#[tokio::test]
async fn an_old_token_is_valid_until_the_new_one_was_used() {
    let home = Home::new().await;
    let store = home.store().await;
    let id = new_user(&store, "").await.session;
    let start = now();
    assert!(rotates(&store, id, 1, 2, start).await);
    // The answer was lost, so the browser has only the old token.
    for later in [0, 2 * MINUTE, 24 * HOUR] {
        assert_eq!(state(&store, 1, start + later).await, Some(TokenState::StillNeeded));
    }
    assert_eq!(state(&store, 2, start).await, Some(TokenState::NewUnused));
    let until = Timestamp(start + MINUTE);
    store.end_old_token(id, &[2; 32], Timestamp(start), until).await.expect("ended");
    assert_eq!(state(&store, 2, start).await, Some(TokenState::Present));
    assert_eq!(state(&store, 1, start).await, Some(TokenState::Replaced));
    // A second first use does not extend the time.
    let much_later = Timestamp(start + 24 * HOUR);
    store.end_old_token(id, &[2; 32], Timestamp(start), much_later).await.expect("ended");
    home.execute("update sessions set previous_until = previous_until - 61000");
    assert_eq!(state(&store, 1, start + 2 * MINUTE).await, None);
    assert_eq!(state(&store, 2, start + 2 * MINUTE).await, Some(TokenState::Present));
}

#[tokio::test]
async fn requests_with_the_old_token_rotate_once_and_again_only_when_the_new_one_was_lost() {
    let home = Home::new().await;
    let store = home.store().await;
    let id = new_user(&store, "").await.session;
    let start = now();
    let at_once = (2..12).map(|to| rotates(&store, id, 1, to, start));
    let done = futures::future::join_all(at_once).await;
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "of requests at once");
    assert!(!rotates(&store, id, 1, 20, start + MINUTE).await, "the answer may be under way");
    assert!(rotates(&store, id, 1, 30, start + 2 * HOUR).await, "it was lost");
    assert_eq!(state(&store, 30, start + 2 * HOUR).await, Some(TokenState::NewUnused));
    assert_eq!(state(&store, 1, start + 2 * HOUR).await, Some(TokenState::StillNeeded));
    for lost in 2..12 {
        assert_eq!(state(&store, lost, start + 2 * HOUR).await, None, "{lost}");
    }
    let (used, until) = (Timestamp(start), Timestamp(start + MINUTE));
    store.end_old_token(id, &[30; 32], used, until).await.expect("ended");
    assert!(!rotates(&store, id, 1, 40, start + 9 * HOUR).await, "it has come");
}

#[tokio::test]
async fn the_end_of_a_session_is_the_end_of_both_its_tokens() {
    let home = Home::new().await;
    let store = home.store().await;
    let id = new_user(&store, "").await.session;
    let start = now();
    assert!(rotates(&store, id, 1, 2, start).await);
    store.delete_session(id).await.expect("deleted");
    assert_eq!(state(&store, 1, start).await, None);
    assert_eq!(state(&store, 2, start).await, None);
}

#[tokio::test]
async fn a_new_password_ends_both_tokens_of_the_present_session() {
    let home = Home::new().await;
    let store = home.store().await;
    let me = new_user(&store, "first").await;
    let start = now();
    assert!(rotates(&store, me.session, 1, 2, start).await);
    let unchanged = set_password(&store, me, ["another", "second"], 3).await.expect("an answer");
    assert!(unchanged.is_none());
    assert_eq!(state(&store, 2, start).await, Some(TokenState::NewUnused));
    let ended = set_password(&store, me, ["first", "second"], 3).await.expect("an answer");
    assert_eq!(ended, Some(vec![]));
    assert_eq!(state(&store, 1, start).await, None);
    assert_eq!(state(&store, 2, start).await, None);
    let found = store.session(&[3; 32], at(start)).await.expect("an answer").expect("valid");
    assert_eq!((found.id, found.token), (me.session, TokenState::Present));
    assert!(!rotates(&store, me.session, 2, 4, start).await, "an old token rotates nothing");
}

#[tokio::test]
async fn no_call_of_an_ended_session_writes() {
    let home = Home::new().await;
    let store = home.store().await;
    let me = new_user(&store, "first").await;
    let other = session(me.user, 2);
    let gone = Caller { session: other.id, ..me };
    store.create_session(other, "first", 20, Timestamp(2)).await.expect("asked").expect("made");
    let expires_at = Timestamp(i64::MAX);
    let invitation = |inviter, n| NewInvitation { token_hash: [n; 32], inviter, expires_at };
    store.create_invitation(invitation(me, 1), 9, Timestamp(3)).await.expect("made");
    home.end_session(gone.session);
    let bob = new_user_named(&store, "bob", 4, "").await;
    let stranger = Caller { user: bob.user, ..me };
    for caller in [gone, stranger] {
        let privacy = Privacy { receipts: false, last_seen: false };
        let now = Timestamp(3);
        let refused = [
            store.open_conversation(caller, UserId::new(), now).await.map(drop),
            store.create_invitation(invitation(caller, 2), 9, now).await.map(drop),
            store.withdraw_invitation(caller, &[1; 32]).await.map(drop),
            store.set_display_name(caller, "Mallory", "mallory").await.map(drop),
            store.set_privacy(caller, privacy).await,
            store.delete_session_of(caller, me.session).await.map(drop),
            store.delete_other_sessions(caller).await.map(drop),
        ];
        for (at, refused) in refused.into_iter().enumerate() {
            assert!(matches!(refused, Err(StoreError::SessionEnded)), "{at}: {refused:?}");
        }
    }
    let changed = set_password(&store, gone, ["first", "second"], 3).await;
    assert!(matches!(changed, Err(StoreError::SessionEnded)), "{changed:?}");
    let deleted = store.delete_account(gone, "first", Timestamp(3)).await;
    assert!(matches!(deleted, Err(StoreError::SessionEnded)), "{deleted:?}");
    let settings = store.settings(me.user).await.expect("read").expect("an account");
    assert!(settings.privacy.receipts && settings.user.display_name == "anna");
    assert_eq!(home.number("select count(*) from invitations"), 1);
    assert_eq!(home.number("select count(*) from sessions"), 2, "Anna's and Bob's");
    assert!(set_password(&store, me, ["first", "second"], 3).await.expect("an answer").is_some());
}

#[tokio::test]
async fn the_last_use_of_a_session_is_stored_rarely_and_only_moves_forward() {
    let home = Home::new().await;
    let store = home.store().await;
    let Caller { user, session: id } = new_user(&store, "").await;
    let seen = async || store.sessions(user, at(0)).await.expect("a list")[0].seen_at.0;
    store
        .see_sessions(&[id, SessionId::new()], Timestamp(HOUR), Timestamp(2))
        .await
        .expect("noted");
    assert_eq!(seen().await, HOUR);
    let (now, noted_before) = (Timestamp(HOUR + 5), Timestamp(HOUR - 1));
    store.see_sessions(&[id], now, noted_before).await.expect("nothing to note");
    assert_eq!(seen().await, HOUR, "it was noted not long ago");
}

#[tokio::test]
async fn a_connection_that_only_receives_keeps_its_session_alive() {
    let world = World::with(|config| {
        config.session_idle = std::time::Duration::from_secs(20);
    })
    .await;
    let alice = world.person("alice").await;
    let tab = world.connect(&alice).await;
    let seen = async || world.chat.sessions(&alice).await.expect("a list")[0].seen_at;
    let first = seen().await;
    tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while seen().await == first {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the open connection is noted as use");
    drop(tab);
}

#[tokio::test]
async fn the_lifetime_of_a_session_is_configurable() {
    let world = World::new().await;
    let signed_in = world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("made");
    let is_good = async |world: &World| {
        world.chat.authenticate(&signed_in.token).await.expect("an answer").is_some()
    };
    let days = |days: u64| std::time::Duration::from_secs(days * 24 * 60 * 60);
    let five_days_ago = now() - 5 * 24 * HOUR;
    world.home.execute(&format!("update sessions set created_at = {five_days_ago}"));
    assert!(is_good(&world).await, "it lasts for thirty days");
    let world = world.restart_with(|config| config.session_life = days(4)).await;
    assert!(!is_good(&world).await);
    let world = world.restart_with(|config| config.session_idle = days(4)).await;
    let signed_in = world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    world.home.execute(&format!("update sessions set seen_at = {five_days_ago}"));
    let found = world.chat.authenticate(&signed_in.token).await.expect("an answer");
    assert!(found.is_none(), "it was not used for longer than the operator allows");
}

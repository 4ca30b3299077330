//! What the store decides when something changes between the look at a password and the sign-in.

use chat::store::{NewSession, NewUser};
use protocol::{SessionId, Timestamp, User, UserId};

use crate::engine::Home;

fn session(user: UserId, token: u8) -> NewSession {
    NewSession { id: SessionId::new(), user, token_hash: [token; 32], device: String::new() }
}

#[tokio::test]
async fn a_sign_in_does_not_outlive_the_password_it_was_made_with() {
    let home = Home::new().await;
    let store = home.store().await;
    let id = UserId::new();
    let user = User { id, username: "anna".into(), display_name: "anna".into() };
    let password_hash = "first".to_owned();
    let new =
        NewUser { user, username_key: "anna".into(), display_key: "anna".into(), password_hash };
    let here = session(id, 1);
    let kept = here.id;
    store.create_user(new, here, None, Timestamp(1)).await.expect("an account");
    let sign_in = async |verified: &str, token| {
        let made = store.create_session(session(id, token), verified, 20, Timestamp(2)).await;
        made.expect("an answer").is_some()
    };
    assert!(sign_in("first", 2).await);
    let ended = store.set_password(id, "first", "second", kept).await.expect("an answer");
    assert_eq!(ended.map(|ended| ended.len()), Some(1));
    assert!(!sign_in("first", 3).await, "it was verified before the change");
    assert!(sign_in("second", 4).await);
    let gone = store.delete_account(id, "first", Timestamp(3)).await.expect("an answer");
    assert!(gone.is_none(), "nor is an account deleted with it");
    assert!(store.delete_account(id, "second", Timestamp(3)).await.expect("deleted").is_some());
    assert!(!sign_in("second", 5).await && !sign_in("", 6).await, "nobody is there");
}

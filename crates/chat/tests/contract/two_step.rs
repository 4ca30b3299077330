//! Two-step sign-in: set-up, codes and recovery codes, and their end.

use std::time::Duration;

use chat::Session;
use protocol::{ErrorCode, SecondFactorState};

use crate::support::{PASSWORD, SOMEWHERE, World, code};

/// The code that an authenticator app shows now, or in the next time step.
pub(crate) fn app_code(secret: &str, steps_ahead: u64) -> String {
    harness::app_code(secret, steps_ahead).expect("a code")
}

impl World {
    /// Turns two-step sign-in on; returns the key and the recovery codes.
    pub(crate) async fn two_steps(&self, who: &Session) -> (String, Vec<String>) {
        let me = who.caller();
        let secret = self.chat.begin_second_factor(me).await.expect("begun");
        let codes = self.chat.confirm_second_factor(me, &app_code(&secret, 0)).await;
        (secret, codes.expect("confirmed"))
    }

    /// Signs in as Alice with a code; returns the refusal, if there is one.
    async fn refusal(&self, typed: &str) -> Option<ErrorCode> {
        let signed_in =
            self.chat.sign_in_with_code("alice", PASSWORD, typed, SOMEWHERE).await.map(drop);
        signed_in.err().map(|error| error.refusal().code)
    }

    async fn state(&self, who: &Session) -> (bool, u32) {
        let SecondFactorState { on, recovery_codes } =
            self.chat.second_factor(who.user.id).await.expect("an answer");
        (on, recovery_codes)
    }
}

#[tokio::test]
async fn a_sign_in_needs_a_code_once_the_set_up_is_confirmed() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let (me, id) = (alice.caller(), alice.user.id);
    assert_eq!(world.state(&alice).await, (false, 0));
    let unbegun = chat.confirm_second_factor(me, "123456").await;
    assert_eq!(code(unbegun), ErrorCode::SecondFactorChanged);
    let replaced = chat.begin_second_factor(me).await.expect("begun");
    let secret = chat.begin_second_factor(me).await.expect("begun again");
    assert_ne!(secret, replaced);
    assert_eq!(chat.unconfirmed_second_factor(id).await.expect("a key"), secret);
    for wrong in ["", "12345", "k7fq-2mzt-9c4x", &app_code(&replaced, 0)] {
        let refused = chat.confirm_second_factor(me, wrong).await;
        assert_eq!(code(refused), ErrorCode::WrongCode, "{wrong:?}");
    }
    assert_eq!(world.state(&alice).await, (false, 0), "it is not confirmed");
    assert_eq!(world.refusal("").await, None, "nothing is requested before");

    let confirming = app_code(&secret, 0);
    let codes = chat.confirm_second_factor(me, &confirming).await.expect("confirmed");
    assert_eq!((codes.len(), world.state(&alice).await), (10, (true, 10)));
    assert_eq!(world.refusal("").await, Some(ErrorCode::CodeNeeded));
    assert_eq!(world.refusal(&confirming).await, Some(ErrorCode::WrongCode), "it was used");
    let next = app_code(&secret, 1);
    assert_eq!(world.refusal(&next).await, None);
    assert_eq!(world.refusal(&next).await, Some(ErrorCode::WrongCode), "the second use");
    let wrong = chat.sign_in_with_code("alice", "wrong-Harbor-92", &next, SOMEWHERE).await;
    assert_eq!(code(wrong.map(drop)), ErrorCode::WrongCredentials);
    for again in [
        chat.begin_second_factor(me).await.map(drop),
        chat.confirm_second_factor(me, &next).await.map(drop),
        chat.unconfirmed_second_factor(id).await.map(drop),
    ] {
        assert_eq!(code(again), ErrorCode::SecondFactorChanged);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_sign_ins_with_the_same_code_one_succeeds() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let (secret, recovery) = world.two_steps(&alice).await;
    for typed in [app_code(&secret, 1), recovery[3].clone()] {
        // No more than the free guesses, so that no pause answers in place of the code.
        let tries = (0..3).map(|_| world.refusal(&typed));
        let refusals = futures::future::join_all(tries).await;
        let wrong = refusals.iter().filter(|it| **it == Some(ErrorCode::WrongCode)).count();
        let signed_in = refusals.iter().filter(|it| it.is_none()).count();
        assert_eq!((signed_in, wrong), (1, 2), "{typed}: {refusals:?}");
    }
    assert_eq!(world.state(&alice).await, (true, 9));
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_new_codes_replace_all() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let (_, old) = world.two_steps(&alice).await;
    assert_eq!(world.refusal(&old[0].to_uppercase()).await, None);
    assert_eq!(world.refusal(&old[0]).await, Some(ErrorCode::WrongCode));
    assert_eq!(world.refusal(&old[1].replace('-', " ")).await, None);
    assert_eq!(world.state(&alice).await, (true, 8));
    let bob = world.person("bob").await;
    let (_, of_bob) = world.two_steps(&bob).await;
    assert_eq!(world.refusal(&of_bob[0]).await, Some(ErrorCode::WrongCode), "another user's");

    let wrong = chat.renew_recovery_codes(&alice, "wrong-Harbor-92", SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    let new = chat.renew_recovery_codes(&alice, PASSWORD, SOMEWHERE).await.expect("renewed");
    assert_eq!((new.len(), world.state(&alice).await), (10, (true, 10)));
    assert_eq!(world.refusal(&old[2]).await, Some(ErrorCode::WrongCode));
    assert_eq!(world.refusal(&new[2]).await, None);
    let carol = world.person("carol").await;
    let off = chat.renew_recovery_codes(&carol, PASSWORD, SOMEWHERE).await;
    assert_eq!(code(off), ErrorCode::SecondFactorChanged);
}

#[tokio::test]
async fn wrong_codes_count_as_wrong_passwords_and_a_right_password_does_not_clear_them() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let (secret, _) = world.two_steps(&alice).await;
    let mut guesses = 0;
    while world.refusal("no code").await == Some(ErrorCode::WrongCode) {
        guesses += 1;
        assert!(guesses < 100, "guesses are not limited");
        // A sign-in with the right password alone.
        let without = world.refusal("").await;
        assert!(matches!(without, Some(ErrorCode::CodeNeeded | ErrorCode::RateLimited)));
    }
    assert!(guesses >= 3, "a few mistakes are free");
    // The right code is refused during the pause as well, and accepted after it.
    let next = app_code(&secret, 1);
    let mut answer = world.refusal(&next).await;
    while answer == Some(ErrorCode::RateLimited) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = world.refusal(&next).await;
    }
    assert_eq!(answer, None);
    assert_eq!(world.refusal(&next).await, Some(ErrorCode::WrongCode), "the count begins anew");
}

#[tokio::test]
async fn two_step_sign_in_is_turned_off_only_with_the_password() {
    let world = World::new().await;
    let (chat, alice) = (&world.chat, world.person("alice").await);
    let (secret, recovery) = world.two_steps(&alice).await;
    let wrong = chat.turn_off_second_factor(&alice, "wrong-Harbor-92", SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    assert_eq!(world.state(&alice).await, (true, 10));
    chat.turn_off_second_factor(&alice, PASSWORD, SOMEWHERE).await.expect("off");
    assert_eq!(world.state(&alice).await, (false, 0));
    assert_eq!(world.home.number("select count(*) from recovery_codes"), 0);
    assert_eq!(world.refusal("").await, None);
    let again = chat.turn_off_second_factor(&alice, PASSWORD, SOMEWHERE).await;
    assert_eq!(code(again), ErrorCode::SecondFactorChanged);
    let (other, _) = world.two_steps(&alice).await;
    assert_ne!(other, secret);
    assert_eq!(world.refusal(&recovery[0]).await, Some(ErrorCode::WrongCode));
}

#[tokio::test]
async fn with_an_account_its_second_factor_is_deleted() {
    let world = World::new().await;
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    world.two_steps(&alice).await;
    world.chat.begin_second_factor(bob.caller()).await.expect("begun");
    for who in [&alice, &bob] {
        world.chat.delete_account(who, PASSWORD, SOMEWHERE).await.expect("deleted");
    }
    assert_eq!(world.home.number("select count(*) from second_factors"), 0);
    assert_eq!(world.home.number("select count(*) from recovery_codes"), 0);
    let late = world.chat.begin_second_factor(alice.caller()).await;
    assert_eq!(code(late), ErrorCode::Unauthenticated, "there is no session");
}

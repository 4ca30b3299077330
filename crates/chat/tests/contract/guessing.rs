//! Limits of guessing passwords: guesses are few, however many clients guess at once, and do not
//! keep the owner of the account out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use chat::{Client, DeviceToken, Error, SignedIn};
use futures::future::join_all;
use protocol::ErrorCode;

use crate::support::{PASSWORD, SOMEWHERE, World, change, code};

const WRONG: &str = "wrong-Harbor-92";
const ANOTHER: &str = "marsh-Lantern-41";
const GUESSES: u8 = 120;

fn address(n: u8) -> IpAddr {
    // Networks that are far apart, so that no wider network bounds them together.
    Ipv4Addr::new(100, n, 0, 1).into()
}

/// The client of a known device.
fn on(device_token: &DeviceToken, address: IpAddr) -> Client {
    let device_token = Some(device_token.clone());
    Client { address, device: String::new(), device_token }
}

async fn guess(world: &World, username: &str, from: impl Into<Client>) -> ErrorCode {
    code(world.chat.sign_in(username, WRONG, from).await.map(drop))
}

fn is_wrong(code: &ErrorCode) -> bool {
    !matches!(code, ErrorCode::RateLimited | ErrorCode::Busy)
}

/// Guesses from many addresses until the account's budget is used up, which lasts for 90 s.
async fn use_up_budget(world: &World, username: &str) {
    for n in 0..GUESSES {
        if !is_wrong(&guess(world, username, address(n)).await) {
            return;
        }
    }
    panic!("the budget is not limited");
}

fn is_limited(result: &Result<SignedIn, Error>) -> bool {
    result.as_ref().is_err_and(|error| error.refusal().code == ErrorCode::RateLimited)
}

#[tokio::test]
async fn of_many_guesses_at_once_few_are_answered_and_a_known_device_signs_in_meanwhile() {
    let world = World::new().await;
    let alice = world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("made");
    for username in ["alice", "nobody"] {
        for from in [(|_| SOMEWHERE) as fn(u8) -> IpAddr, address] {
            let guesses = (0..GUESSES).map(|n| guess(&world, username, from(n)));
            let owner = world.chat.sign_in("alice", PASSWORD, on(&alice.device_token, SOMEWHERE));
            let (codes, owner) = tokio::join!(biased; join_all(guesses), owner);
            let answered = codes.iter().filter(|code| is_wrong(code)).count();
            assert!((1..=20).contains(&answered), "{username}: {answered} of {codes:?}");
            owner.expect("the owner signs in from the attacker's address");
        }
        let stranger = world.chat.sign_in(username, PASSWORD, address(200)).await;
        assert!(is_limited(&stranger), "the budget of {username} is used up");
    }
    let owner = world.chat.sign_in("alice", PASSWORD, on(&alice.device_token, address(1))).await;
    let owner = owner.expect("also later");
    let again = world.chat.sign_in("alice", PASSWORD, on(&owner.device_token, address(1))).await;
    again.expect("and with the token of that sign-in");
}

#[tokio::test]
async fn own_passwords_are_checked_while_strangers_guess() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    use_up_budget(&world, "alice").await;
    chat.change_password(&alice, change(PASSWORD, ANOTHER), SOMEWHERE).await.expect("changed");
    let wrong = chat.delete_account(&alice, PASSWORD, SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
    chat.delete_account(&alice, ANOTHER, SOMEWHERE).await.expect("deleted");
}

#[tokio::test]
async fn guesses_of_a_session_block_neither_sign_ins_nor_other_sessions() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    let other = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    let mut codes = Vec::new();
    for _ in 0..7 {
        codes.push(code(
            chat.change_password(&alice, change(WRONG, ANOTHER), SOMEWHERE).await.map(drop),
        ));
    }
    assert_eq!(codes[..6], [ErrorCode::WrongPassword; 6]);
    assert_eq!(codes[6], ErrorCode::RateLimited);
    chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("a stranger to the account");
    let wrong = chat.delete_account(&other.session, WRONG, SOMEWHERE).await;
    assert_eq!(code(wrong), ErrorCode::WrongPassword);
}

#[tokio::test]
async fn a_right_password_is_given_back() {
    let world = World::new().await;
    world.person("alice").await;
    for n in 0..25 {
        world.chat.sign_in("alice", PASSWORD, address(n)).await.expect("signed in");
    }
    for _ in 0..3 {
        for _ in 0..3 {
            assert!(is_wrong(&guess(&world, "alice", SOMEWHERE).await));
        }
        world.chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in");
    }
}

#[tokio::test]
async fn guesses_are_forgotten_by_time_alone() {
    let world = World::new().await;
    let alice = world.chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("made");
    let device = || on(&alice.device_token, SOMEWHERE);
    let until_limited = async |from: &dyn Fn(u8) -> Client| {
        let mut count = 0;
        while is_wrong(&guess(&world, "alice", from(count)).await) {
            count += 1;
        }
        count
    };
    let (pair, account) = (|_: u8| Client::from(SOMEWHERE), |n: u8| Client::from(address(n)));
    assert_eq!(until_limited(&|_| device()).await, 6);
    assert_eq!(until_limited(&pair).await, 6);
    assert!((4..=20).contains(&until_limited(&account).await), "the rest of the budget");
    let here = || world.chat.sign_in("alice", PASSWORD, SOMEWHERE);
    assert!(is_limited(&here().await));
    world.home.later(Duration::from_secs(95)).await;
    here().await.expect("the budget is refilled, and the pause of the pair is over");
    assert_eq!(until_limited(&pair).await, 1, "a part of the budget");
    world.home.later(Duration::from_secs(60 * 60)).await;
    assert_eq!(until_limited(&pair).await, 6);
    assert_eq!(until_limited(&|_| device()).await, 6, "nothing of before counts");
}

#[tokio::test]
async fn a_device_is_known_to_one_account_with_its_present_password() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = chat.sign_up("alice", "", PASSWORD, SOMEWHERE).await.expect("made");
    let bob = chat.sign_up("bob", "", PASSWORD, SOMEWHERE).await.expect("made");
    use_up_budget(&world, "alice").await;
    let forged = DeviceToken::sent(&"A".repeat(DeviceToken::CHARS)).expect("the length");
    for unknown in [&bob.device_token, &forged] {
        let refused = chat.sign_in("alice", PASSWORD, on(unknown, SOMEWHERE)).await;
        assert!(is_limited(&refused));
    }
    chat.sign_in("alice", PASSWORD, on(&alice.device_token, SOMEWHERE)).await.expect("known");
    let changed = chat.change_password(&alice.session, change(PASSWORD, ANOTHER), SOMEWHERE).await;
    let renewed = changed.expect("changed");
    let world = world.restart().await;
    use_up_budget(&world, "alice").await;
    let sign_in = |token| world.chat.sign_in("alice", ANOTHER, on(token, SOMEWHERE));
    assert!(is_limited(&sign_in(&alice.device_token).await), "of the former password");
    sign_in(&renewed.device).await.expect("known after a restart too");
}

#[tokio::test]
async fn a_name_that_is_too_long_to_exist_counts_by_address_alone() {
    let world = World::with(|config| {
        config.rates.sign_ins_per_minute = 8.try_into().expect("not zero");
    })
    .await;
    // Each character becomes eighteen when it is folded.
    let long = "\u{fdfa}".repeat(350_000);
    for n in 0..8 {
        assert_eq!(guess(&world, &long, SOMEWHERE).await, ErrorCode::WrongCredentials, "{n}");
    }
    assert_eq!(guess(&world, &long, SOMEWHERE).await, ErrorCode::RateLimited);
    let alice = world.person("alice").await;
    let found = world.chat.search(&alice.user, &long, 20).await.expect("an answer");
    assert!(found.people.is_empty() && found.conversations.is_empty());
}

//! Rows that strangers add to the tables of limits: their number is bounded, and the most used ones
//! stay.

use std::time::Duration;

use chat::store::{Allowance, AllowanceKey, Pauses};

use crate::support::World;

/// A key of one bucket.
fn key(n: u8) -> [u8; 16] {
    let mut key = [0xab; 16];
    key[15] = n;
    key
}

#[tokio::test]
async fn of_the_allowances_that_strangers_choose_the_most_used_stay() {
    let world = World::new().await;
    let alice = world.person("alice").await;
    let store = world.home.store().await;
    let shared = store.cluster_state().expect("a shared store");
    let allowance = Allowance { each: Duration::from_secs(600), burst: 3 };
    let take = async |of| shared.take(of, allowance).await.expect("an answer");
    let of_alice = AllowanceKey::Account("try", alice.user.id);
    assert_eq!(take(of_alice).await, None);
    let attacked = AllowanceKey::Stranger("try", key(0));
    for _ in 0..3 {
        assert_eq!(take(attacked).await, None);
    }
    for n in 1..=200 {
        assert_eq!(take(AllowanceKey::Stranger("try", key(n))).await, None);
    }
    let rows = |like: &str| {
        world.home.number(&format!("select count(*) from allowances where key like 'try {like}%'"))
    };
    assert_eq!(rows("ab"), 64);
    assert!(take(attacked).await.is_some(), "its count is kept");
    assert_eq!(rows(&alice.user.id.to_string()), 1);
    assert_eq!(take(AllowanceKey::Stranger("other", key(1))).await, None);
    assert_eq!(rows("ab"), 64, "another rate has buckets of its own");
    store.close().await;
}

#[tokio::test]
async fn of_the_guesses_that_strangers_choose_the_most_counted_stay() {
    let world = World::new().await;
    let store = world.home.store().await;
    let shared = store.cluster_state().expect("a shared store");
    let (longest, forget_after) = (Duration::from_secs(900), Duration::from_secs(3_600));
    let pauses = Pauses { free: 3, longest, forget_after };
    let count = async |n| shared.count_guess(&key(n), pauses).await.expect("an answer");
    for _ in 0..4 {
        assert_eq!(count(0).await, None);
    }
    assert!(count(0).await.is_some(), "a pause");
    for n in 1..=200 {
        assert_eq!(count(n).await, None);
    }
    assert_eq!(world.home.number("select count(*) from guesses"), 64);
    assert_eq!(world.home.number("select max(count)::bigint from guesses"), 4, "it is kept");
    store.close().await;
}

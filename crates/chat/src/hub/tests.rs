//! Tests of connection guards, outbound queues and their bounds.

use tokio::time::timeout;

use super::*;

fn hub() -> Arc<Hub> {
    Hub::new(3, 2, Duration::from_secs(30))
}

fn frame(text: &str) -> FrameText {
    text.to_owned().into()
}

fn hello() -> FrameText {
    frame("hello")
}

fn push(hub: &Hub, user: UserId, text: &str, except: Option<ConnectionId>) {
    hub.for_each_outbound(&[user], except, |outbound| outbound.push(frame(text)));
}

async fn after_hello(guard: &mut ConnectionGuard) -> FrameText {
    assert_eq!(next_frame(guard).await, hello());
    next_frame(guard).await
}

async fn next_frame(guard: &mut ConnectionGuard) -> FrameText {
    match guard.next().await {
        Ok(Queued::Frame(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_frame_reaches_every_connection_except_the_excluded_one() {
    let hub = hub();
    let user = UserId::new();
    let (mut one, first) = hub.join(user, SessionId::new(), hello()).expect("room");
    let (mut two, second) = hub.join(user, SessionId::new(), hello()).expect("room");
    assert_eq!((first, second), (true, false));
    push(&hub, user, "a", Some(one.outbound().id()));
    push(&hub, user, "b", None);
    assert_eq!(after_hello(&mut one).await, frame("b"));
    assert_eq!(after_hello(&mut two).await, frame("a"));
}

#[tokio::test]
async fn a_full_queue_closes_that_connection_and_no_other() {
    let hub = hub();
    let user = UserId::new();
    let (mut slow, _) = hub.join(user, SessionId::new(), hello()).expect("room");
    let (mut quick, _) = hub.join(user, SessionId::new(), hello()).expect("room");
    for _ in 0..=QUEUE_FRAMES {
        push(&hub, user, "x", None);
        assert!(matches!(quick.next().await, Ok(Queued::Frame(_))));
    }
    assert!(matches!(slow.next().await, Err(CloseCode::Slow)));
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes_too() {
    let hub = hub();
    let user = UserId::new();
    let (mut slow, _) = hub.join(user, SessionId::new(), hello()).expect("room");
    let half = "x".repeat(QUEUE_BYTES / 2);
    for _ in 0..3 {
        push(&hub, user, &half, None);
    }
    assert!(matches!(slow.next().await, Err(CloseCode::Slow)));
}

#[tokio::test]
async fn connections_are_limited_and_a_closed_one_frees_its_slot() {
    let hub = hub();
    let (anna, bob) = (UserId::new(), UserId::new());
    let one = hub.join(anna, SessionId::new(), hello()).expect("room");
    let two = hub.join(anna, SessionId::new(), hello()).expect("room");
    assert_eq!(hub.join(anna, SessionId::new(), hello()).err(), Some(Full::User));
    let _three = hub.join(bob, SessionId::new(), hello()).expect("room");
    assert_eq!(hub.join(bob, SessionId::new(), hello()).err(), Some(Full::Node));
    drop(one);
    assert!(hub.is_connected(anna));
    drop(two);
    assert!(!hub.is_connected(anna));
    assert!(hub.is_present(anna), "the grace period has begun");
    assert_eq!(hub.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_a_reconnect_after_the_grace_period_counts_as_coming_online() {
    let hub = hub();
    let user = UserId::new();
    let join = || hub.join(user, SessionId::new(), hello()).expect("room");
    let (guard, was_away) = join();
    assert!(was_away);
    drop(guard);
    assert!(hub.is_present(user) && !hub.is_connected(user));
    let over = async |within| timeout(Duration::from_secs(within), hub.next_leaver()).await.ok();
    assert_eq!(over(29).await, None, "the grace is not over");
    let (guard, was_away) = join();
    assert!(!was_away);
    assert_eq!(over(60).await, None, "the user is back");
    drop(guard);
    assert_eq!(over(29).await, None, "a new grace period has begun");
    assert_eq!(over(2).await, Some(user));
    assert_eq!(over(60).await, None, "only once");
    assert!(!hub.is_present(user));
    assert!(join().1);
}

#[tokio::test]
async fn closing_a_session_closes_its_connections_only() {
    let hub = hub();
    let user = UserId::new();
    let (gone, stays) = (SessionId::new(), SessionId::new());
    let (mut one, _) = hub.join(user, gone, hello()).expect("room");
    let (mut two, _) = hub.join(user, stays, hello()).expect("room");
    hub.close_sessions(&[gone], CloseCode::SessionEnded);
    push(&hub, user, "after", None);
    assert!(matches!(one.next().await, Err(CloseCode::SessionEnded)));
    assert!(matches!(two.next().await, Ok(Queued::Frame(_))));
}

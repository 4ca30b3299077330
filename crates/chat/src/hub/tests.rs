//! Tests of connection guards, outbound queues and their bounds.

use super::*;

fn hub() -> (Arc<Hub>, mpsc::UnboundedReceiver<UserId>) {
    Hub::new(3, 2, Duration::from_secs(30))
}

fn hello() -> Bytes {
    Bytes::from_static(b"hello")
}

fn push(hub: &Hub, user: UserId, frame: &'static [u8], except: Option<ConnectionId>) {
    hub.for_each_line(user, except, |line| line.push(Bytes::from_static(frame)));
}

async fn after_hello(seat: &mut Seat) -> Outgoing {
    assert!(matches!(seat.next().await, Outgoing::Frame(frame) if frame == "hello"));
    seat.next().await
}

#[tokio::test]
async fn a_frame_reaches_every_connection_but_the_excepted_one() {
    let (hub, _left) = hub();
    let user = UserId::new();
    let (mut one, first) = hub.join(user, SessionId::new(), hello()).expect("a seat");
    let (mut two, second) = hub.join(user, SessionId::new(), hello()).expect("a seat");
    assert_eq!((first, second), (true, false));
    push(&hub, user, b"a", Some(one.line().id()));
    push(&hub, user, b"b", None);
    assert!(matches!(after_hello(&mut one).await, Outgoing::Frame(frame) if frame == "b"));
    assert!(matches!(after_hello(&mut two).await, Outgoing::Frame(frame) if frame == "a"));
}

#[tokio::test]
async fn a_full_queue_ends_that_connection_and_no_other() {
    let (hub, _left) = hub();
    let user = UserId::new();
    let (mut slow, _) = hub.join(user, SessionId::new(), hello()).expect("a seat");
    let (mut quick, _) = hub.join(user, SessionId::new(), hello()).expect("a seat");
    for _ in 0..=QUEUE_FRAMES {
        push(&hub, user, b"x", None);
        assert!(matches!(quick.next().await, Outgoing::Frame(_)));
    }
    assert!(matches!(slow.next().await, Outgoing::Close(CloseCode::Slow)));
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes_too() {
    let (hub, _left) = hub();
    let user = UserId::new();
    let (mut slow, _) = hub.join(user, SessionId::new(), hello()).expect("a seat");
    let half: &'static [u8] = vec![b'x'; QUEUE_BYTES / 2].leak();
    for _ in 0..3 {
        push(&hub, user, half, None);
    }
    assert!(matches!(slow.next().await, Outgoing::Close(CloseCode::Slow)));
}

#[tokio::test]
async fn seats_are_limited_and_given_back() {
    let (hub, mut left) = hub();
    let (anna, bob) = (UserId::new(), UserId::new());
    let one = hub.join(anna, SessionId::new(), hello()).expect("a seat");
    let two = hub.join(anna, SessionId::new(), hello()).expect("a seat");
    assert_eq!(hub.join(anna, SessionId::new(), hello()).err(), Some(Full::User));
    let _three = hub.join(bob, SessionId::new(), hello()).expect("a seat");
    assert_eq!(hub.join(bob, SessionId::new(), hello()).err(), Some(Full::Node));
    drop(one);
    assert!(hub.is_connected(anna));
    drop(two);
    assert!(!hub.is_connected(anna));
    assert_eq!(left.recv().await, Some(anna));
    assert_eq!(hub.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quick_return_is_no_arrival_and_a_late_one_is() {
    let (hub, _left) = hub();
    let user = UserId::new();
    let join = || hub.join(user, SessionId::new(), hello()).expect("a seat");
    let (seat, was_away) = join();
    assert!(was_away);
    drop(seat);
    assert!(hub.is_present(user) && !hub.is_connected(user));
    assert!(!hub.end_grace(user), "the grace is not over");
    let (seat, was_away) = join();
    assert!(!was_away);
    drop(seat);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(hub.end_grace(user));
    assert!(!hub.end_grace(user), "only once");
    assert!(!hub.is_present(user));
    assert!(join().1);
}

#[tokio::test]
async fn closing_a_session_ends_its_connections_only() {
    let (hub, _left) = hub();
    let user = UserId::new();
    let (gone, stays) = (SessionId::new(), SessionId::new());
    let (mut one, _) = hub.join(user, gone, hello()).expect("a seat");
    let (mut two, _) = hub.join(user, stays, hello()).expect("a seat");
    hub.close_sessions(&[gone], CloseCode::SessionEnded);
    push(&hub, user, b"after", None);
    assert!(matches!(one.next().await, Outgoing::Close(CloseCode::SessionEnded)));
    assert!(matches!(two.next().await, Outgoing::Frame(_)));
}

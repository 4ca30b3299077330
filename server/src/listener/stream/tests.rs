use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::poll_fn;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::advance;

use super::*;
use crate::addresses::{AddressLimits, Addresses};
use crate::client_ip::Proxies;
use crate::descriptors::{Budget, Connections};

fn limits() -> TimeLimits {
    TimeLimits {
        no_progress: Duration::from_secs(15),
        slow_span: Duration::from_secs(60),
        ..TimeLimits::default()
    }
}

fn slots() -> (ConnectionSlot, AddressSlot) {
    let budget = Budget::new(Some(1_024), 30);
    let each = NonZeroUsize::new(10);
    let addresses = Addresses::new(AddressLimits::new(&budget, each, Arc::new(Proxies::default())));
    let connection = Connections::new(budget).acquire().expect("free");
    (connection, addresses.acquire([203, 0, 113, 1].into()).expect("free"))
}

/// The paused clock advances to the deadline as soon as the write waits.
#[tokio::test(start_paused = true)]
async fn a_write_to_a_client_that_never_reads_fails_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let never_reads = TcpStream::connect(address).await.expect("a connection");
    let (accepted, _) = listener.accept().await.expect("a connection");
    let mut stream = Stream::new(accepted, limits(), Arc::new(Answers::new(None)), slots());
    let error = loop {
        if let Err(error) = stream.write_all(&[0; 64 * 1024]).await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let mut buffer = [0; 8];
    let read = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut ReadBuf::new(&mut buffer)));
    assert_eq!(read.await.expect_err("ended").kind(), io::ErrorKind::TimedOut, "reads end too");
    drop(never_reads);
}

/// Lets time pass. Returns whether the client has exceeded a limit.
async fn passes(blocked: &mut Blocked, seconds: u64) -> bool {
    advance(Duration::from_secs(seconds)).await;
    poll_fn(|cx| blocked.poll_passed(cx, &limits())).now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_enough_stays_and_a_client_that_only_trickles_does_not() {
    let mut steady = Blocked::new(&limits());
    for _ in 0..100 {
        assert!(!passes(&mut steady, 14).await);
        steady.progress(LEAST_TAKEN_BYTES / 4, &limits());
    }
    assert!(passes(&mut steady, 15).await, "no progress");

    let mut trickles = Blocked::new(&limits());
    for _ in 0..4 {
        assert!(!passes(&mut trickles, 14).await);
        trickles.progress(1, &limits());
    }
    assert!(passes(&mut trickles, 14).await, "too little in a minute");
}

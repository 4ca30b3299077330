//! *pairs* for a reference server: each side sends its next message after the acknowledgement of its
//! last one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::timeout;

use crate::process::RunningServer;
use crate::reference_server::ReferenceServer;
use crate::xmpp::{Connection, Stanza};
use bench::latency::Latency;
use bench::report::Row;
use bench::scenario::pairs::{Load, MESSAGES, setting};
use bench::scenario::{ACKNOWLEDGED, Bench, RECEIVED, Window, exactly};
use bench::targets::Disk;

/// Silence after which a side gives up. Some servers reach this limit on a slow disk.
const DRAIN: Duration = Duration::from_secs(30);
/// Number of accounts created concurrently.
const AT_ONCE: usize = 8;

/// The observations of one side.
#[derive(Default)]
struct Seen {
    acknowledged: Latency,
    received: Latency,
    unanswered: u64,
}

/// Runs the measurement.
///
/// # Errors
/// Fails if the server does not start or closes a connection.
pub(crate) async fn run(
    bench: &Arc<Bench>,
    reference: ReferenceServer,
    disk: &Disk,
    count: usize,
) -> Result<Row> {
    let server = RunningServer::start(reference, disk).await?;
    let connections: Vec<Connection> = stream::iter(0..2 * count)
        .map(|number| {
            let address = server.address;
            async move { Connection::open(address, reference.path(), &username(number)).await }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let window = bench.window(Instant::now());
    let sides = connections.into_iter().enumerate().map(|(number, connection)| {
        // Pairs 0 with 1, 2 with 3, and so on.
        let side = Side { bench: bench.clone(), connection, to: username(number ^ 1), window };
        tokio::spawn(side.run())
    });
    let mut seen = Seen::default();
    for side in try_join_all(sides).await? {
        let side = side?;
        seen.acknowledged.add(&side.acknowledged);
        seen.received.add(&side.received);
        seen.unanswered += side.unanswered;
    }
    server.stop().await?;
    let per_second = exactly(seen.acknowledged.count()) / bench.duration.as_secs_f64();
    let mut row = Row::new("pairs", setting(Load::both_ways(count), disk), reference, disk)
        .comparing(MESSAGES)
        .with(MESSAGES, per_second)
        .with_latency(ACKNOWLEDGED, &seen.acknowledged)
        .with_latency(RECEIVED, &seen.received);
    if seen.unanswered > 0 {
        row.refused.insert("no answer".to_owned(), seen.unanswered);
    }
    Ok(row)
}

fn username(number: usize) -> String {
    format!("person{number}")
}

/// One side of a pair.
struct Side {
    bench: Arc<Bench>,
    connection: Connection,
    to: String,
    window: Window,
}

impl Side {
    async fn run(mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut sending = Some(self.send(0).await?);
        while let Some((number, since)) = sending {
            let Ok(stanza) = timeout(DRAIN, self.connection.receive()).await else {
                seen.unanswered += 1;
                break;
            };
            let stanza = stanza?;
            let now = Instant::now();
            match stanza {
                Stanza::Acknowledged(count) if count >= number => {
                    if self.window.holds(now) {
                        seen.acknowledged.record(now - since);
                    }
                    let goes_on = now < self.window.until;
                    sending = if goes_on { Some(self.send(number).await?) } else { None };
                }
                Stanza::Message(body) => self.receive(&body, now, &mut seen),
                Stanza::Acknowledged(_) | Stanza::Other => {}
            }
        }
        // Receives the last messages of the other side.
        while let Ok(stanza) = timeout(Duration::from_millis(500), self.connection.receive()).await
        {
            if let Stanza::Message(body) = stanza? {
                self.receive(&body, Instant::now(), &mut seen);
            }
        }
        Ok(seen)
    }

    async fn send(&mut self, id: u64) -> Result<(u64, Instant)> {
        let now = Instant::now();
        let body = self.bench.body(now);
        Ok((self.connection.send(&self.to, id, &body).await?, now))
    }

    fn receive(&self, body: &str, now: Instant, seen: &mut Seen) {
        self.bench.record_received(&mut seen.received, self.window, body, now);
    }
}

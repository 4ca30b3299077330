//! *pairs*: both sides of N pairs, or one side only, send their next message after the
//! acknowledgement of their last one.
//!
//! Measures the peak rate with a bounded queue: N pairs have at most 2N unacknowledged messages.
//! Receivers answer each message with a `delivered` frame of its own, as the page does. Where both
//! sides send, that frame often travels in the same packet as the receiver's next message. Where one
//! side sends, which is how people mostly write, the frame always travels alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use harness::Connection;
use protocol::{ClientFrame, ClientId, Retry, ServerFrame};
use tokio::time::{sleep, sleep_until, timeout, timeout_at};

use super::{ACKNOWLEDGED, Bench, Pair, RECEIVED, Window, bytes_in_mb, exactly, stored};
use crate::latency::Latency;
use crate::report::{Refusals, Row, System};
use crate::targets::{Disk, Target};

/// Time limit for the last answers.
const DRAIN: Duration = Duration::from_secs(30);

/// The figure from which *paced* derives its highest rates.
pub const MESSAGES: &str = "messages/s";

/// The load of a measurement.
#[derive(Clone, Copy)]
pub struct Load {
    /// The number of pairs.
    pub count: usize,
    pub traffic: Traffic,
}

/// The sides of a pair that send messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    BothWays,
    OneWay,
}

impl Load {
    pub fn both_ways(count: usize) -> Self {
        Self { count, traffic: Traffic::BothWays }
    }
}

/// The observations of one side.
#[derive(Default)]
struct Seen {
    acknowledged: Latency,
    received: Latency,
    /// Number of all acknowledgements, including those outside the window.
    total: u64,
    refused: Refusals,
}

/// Announces and runs the measurement.
///
/// # Errors
/// As [`run`].
pub async fn measure(bench: &Arc<Bench>, target: Target, disk: &Disk, load: Load) -> Result<Row> {
    announce(target.into(), disk, load);
    run(bench, target, disk, load).await
}

/// Prints that a measurement begins.
pub fn announce(system: System, disk: &Disk, load: Load) {
    eprintln!("pairs: {}, {}", setting(load, disk), system.name);
}

/// Runs the measurement.
///
/// # Errors
/// Fails if a connection is lost, or if the store does not hold exactly the acknowledged messages.
pub async fn run(bench: &Arc<Bench>, target: Target, disk: &Disk, load: Load) -> Result<Row> {
    let server = bench.serve(target, disk).await?;
    let pairs = bench.pairs(&server, target, load.count).await?;
    let connections = bench.connections(&server, &pairs).await?;
    let window = bench.window(Instant::now());
    let receipts = target.is_duet();
    let sides = connections.into_iter().enumerate().map(|(number, (connection, pair, _))| {
        let sends = load.traffic == Traffic::BothWays || number % 2 == 0;
        let side = Side { bench: bench.clone(), connection, pair, window, receipts };
        tokio::spawn(
            async move { if sends { side.run().await } else { side.only_receive().await } },
        )
    });
    let sides: Vec<_> = sides.collect();
    sleep_until(window.from.into()).await;
    let cpu_before = server.cpu_seconds()?;
    sleep_until(window.until.into()).await;
    let cpu = server.cpu_seconds()? - cpu_before;
    let mut seen = Seen::default();
    for side in try_join_all(sides).await? {
        let side = side?;
        seen.acknowledged.add(&side.acknowledged);
        seen.received.add(&side.received);
        seen.total += side.total;
        for (code, times) in side.refused {
            *seen.refused.entry(code).or_default() += times;
        }
    }
    if target.is_duet() {
        let stored = stored(&server, &pairs).await?;
        if stored != seen.total {
            bail!("{} messages were acknowledged and {stored} are stored", seen.total);
        }
    }
    let resident = bytes_in_mb(server.resident_bytes()?);
    server.stop().await?;
    let messages = exactly(seen.acknowledged.count());
    let mut row = Row::new("pairs", setting(load, disk), target, disk)
        .comparing(MESSAGES)
        .with(MESSAGES, messages / bench.duration.as_secs_f64())
        .with_latency(ACKNOWLEDGED, &seen.acknowledged)
        .with_latency(RECEIVED, &seen.received)
        .with("server CPU us/message", cpu * 1e6 / messages)
        .with("server MB", resident);
    row.refused = seen.refused;
    Ok(row)
}

/// The setting in the table.
pub fn setting(load: Load, disk: &Disk) -> String {
    let Load { count, traffic } = load;
    let plural = if count == 1 { "" } else { "s" };
    let one_way = if traffic == Traffic::OneWay { ", one way" } else { "" };
    format!("{count} pair{plural}{one_way}{}", disk.label())
}

/// Returns the measured rate of a system for this many pairs on the machine's own disk.
pub fn peak(rows: &[Row], target: Target, count: usize) -> Option<f64> {
    let setting = setting(Load::both_ways(count), &Disk::Own);
    let row = rows.iter().find(|row| {
        row.scenario == "pairs" && row.system == target.into() && row.setting == setting
    });
    row?.figure(MESSAGES)
}

/// One side of a pair.
struct Side {
    bench: Arc<Bench>,
    connection: Connection,
    pair: Pair,
    window: Window,
    receipts: bool,
}

impl Side {
    async fn run(mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut sending = self.send().await?;
        while let Some((client_id, since)) = sending {
            let frame = timeout(DRAIN, self.connection.receive())
                .await
                .context("the answer did not arrive in time")??;
            let now = Instant::now();
            match frame {
                ServerFrame::Sent(sent) if sent.client_id == client_id => {
                    seen.total += 1;
                    if self.window.holds(now) {
                        seen.acknowledged.record(now - since);
                    }
                    sending = if now < self.window.until { self.send().await? } else { None };
                }
                ServerFrame::Refused { client_id: Some(_), refusal, .. } => {
                    *seen.refused.entry(format!("{:?}", refusal.code)).or_default() += 1;
                    if refusal.code.retry() != Retry::Later {
                        bail!("a message was refused: {refusal}");
                    }
                    sleep(Duration::from_millis(refusal.retry_after_ms.unwrap_or(250))).await;
                    sending = self.send().await?;
                }
                other => self.receive(other, now, &mut seen).await?,
            }
        }
        self.receive_last(seen).await
    }

    /// Receives until the other side has stopped.
    async fn only_receive(mut self) -> Result<Seen> {
        let mut seen = Seen::default();
        let until = self.window.until.into();
        while let Ok(frame) = timeout_at(until, self.connection.receive()).await {
            self.receive(frame?, Instant::now(), &mut seen).await?;
        }
        self.receive_last(seen).await
    }

    /// Receives the last messages of the other side.
    async fn receive_last(mut self, mut seen: Seen) -> Result<Seen> {
        while let Ok(frame) = timeout(Duration::from_millis(500), self.connection.receive()).await {
            self.receive(frame?, Instant::now(), &mut seen).await?;
        }
        Ok(seen)
    }

    async fn send(&mut self) -> Result<Option<(ClientId, Instant)>> {
        let (client_id, now) = (ClientId::new(), Instant::now());
        let body = self.bench.body(now);
        let conversation = self.pair.conversation;
        self.connection.send(&ClientFrame::Send { conversation, client_id, body }).await?;
        Ok(Some((client_id, now)))
    }

    async fn receive(&mut self, frame: ServerFrame, now: Instant, seen: &mut Seen) -> Result<()> {
        let ServerFrame::Message(message) = frame else { return Ok(()) };
        self.bench.record_received(&mut seen.received, self.window, &message.body, now);
        if self.receipts {
            let conversation = self.pair.conversation;
            self.connection
                .send(&ClientFrame::Delivered { conversation, up_to: message.seq })
                .await?;
        }
        Ok(())
    }
}

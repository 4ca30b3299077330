//! *paced*: messages at a fixed rate, regardless of the server's speed.
//!
//! Users do not wait for a server before they write. Latencies therefore start when a message was
//! due, and not when the generator sent it, so that a stall counts for every message due meanwhile.
//! A connection may have many unacknowledged messages. A refused message counts as refused and is
//! not repeated. Goodput is the rate of acknowledged messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::future::try_join_all;
use harness::{Connection, FrameReceiver, FrameSender};
use protocol::{ClientFrame, ClientId, Seq, ServerFrame};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::{
    ACKNOWLEDGED, Bench, ConnectInfo, Pair, RECEIVED, Window, bytes_in_mb, exactly, stored,
};
use crate::latency::Latency;
use crate::report::{Refusals, Row};
use crate::targets::{Disk, Target};

/// Rate of acknowledgements within the window.
pub const GOODPUT: &str = "goodput/s";
/// Time limit for the last answers.
const DRAIN: Duration = Duration::from_secs(10);
/// Silence after the last due message, after which a connection is complete.
const QUIET: Duration = Duration::from_millis(500);
/// Maximum number of messages that a late generator sends before it handles anything else.
const MOST_AT_ONCE: usize = 32;

/// The rate of a measurement.
pub struct Pace {
    /// Messages per second of all pairs together.
    pub rate: f64,
    /// The name in the table.
    pub label: String,
}

/// The observations of one side.
#[derive(Default)]
struct Seen {
    acknowledged: Latency,
    received: Latency,
    /// Delay of the generator itself.
    lag: Latency,
    /// Number of acknowledgements within the window.
    in_window: u64,
    /// Number of all acknowledgements.
    total: u64,
    /// Number of messages that were neither acknowledged nor refused.
    unanswered: u64,
    refused: Refusals,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.acknowledged.add(&other.acknowledged);
        self.received.add(&other.received);
        self.lag.add(&other.lag);
        self.in_window += other.in_window;
        self.total += other.total;
        self.unanswered += other.unanswered;
        for (code, times) in other.refused {
            *self.refused.entry(code).or_default() += times;
        }
    }

    fn refuse(&mut self, counts: bool, why: impl FnOnce() -> String) {
        if counts {
            *self.refused.entry(why()).or_default() += 1;
        }
    }
}

/// Runs the measurement.
///
/// # Errors
/// Fails if the server ends, or does not hold the acknowledged messages.
pub async fn run(bench: &Arc<Bench>, target: Target, count: usize, pace: &Pace) -> Result<Row> {
    let disk = Disk::Own;
    let server = bench.serve(target, &disk).await?;
    let pairs = bench.pairs(&server, target, count).await?;
    let connections = bench.connections(&server, &pairs).await?;
    let begin = Instant::now() + Duration::from_millis(100);
    let window = bench.window(begin);
    let each = Duration::from_secs_f64(exactly(2 * count as u64) / pace.rate);
    let mut due = begin;
    let sides = connections.into_iter().map(|(connection, pair, connect_info)| {
        due += Duration::from_secs_f64(1.0 / pace.rate);
        let side = Side {
            bench: bench.clone(),
            pair,
            window,
            each,
            receipts: target.is_duet(),
            pending: Mutex::default(),
        };
        tokio::spawn(side.run(connection, connect_info, due))
    });
    let sides: Vec<_> = sides.collect();
    sleep_until(window.from.into()).await;
    let cpu_before = server.cpu_seconds()?;
    sleep_until(window.until.into()).await;
    let cpu = server.cpu_seconds()? - cpu_before;
    let resident = bytes_in_mb(server.resident_bytes()?);
    let mut seen = Seen::default();
    for side in try_join_all(sides).await? {
        seen.add(side?);
    }
    if target.is_duet() {
        let stored = stored(&server, &pairs).await?;
        if stored < seen.total || stored > seen.total + seen.unanswered {
            bail!(
                "{} messages were acknowledged, {} have no answer, and {stored} are stored",
                seen.total,
                seen.unanswered
            );
        }
    }
    server.stop().await?;
    Ok(row(bench, target, count, pace, seen, cpu, resident))
}

fn row(
    bench: &Bench,
    target: Target,
    count: usize,
    pace: &Pace,
    mut seen: Seen,
    cpu: f64,
    resident: f64,
) -> Row {
    let goodput = exactly(seen.in_window) / bench.duration.as_secs_f64();
    let mut row = Row::new("paced", format!("{count} pairs, {}", pace.label), target, &Disk::Own)
        .comparing(RECEIVED[2])
        .with(GOODPUT, goodput)
        .with_latency(ACKNOWLEDGED, &seen.acknowledged)
        .with_latency(RECEIVED, &seen.received)
        .with("generator late p99 ms", seen.lag.percentiles_ms()[2])
        .with("server CPU us/message", cpu * 1e6 / exactly(seen.in_window))
        .with("server MB", resident);
    if seen.unanswered > 0 {
        seen.refused.insert("no answer".to_owned(), seen.unanswered);
    }
    row.refused = seen.refused;
    row
}

/// One side of a pair.
struct Side {
    bench: Arc<Bench>,
    pair: Pair,
    window: Window,
    /// Interval between two messages.
    each: Duration,
    receipts: bool,
    /// Due times of the unanswered messages. The lock is held for a lookup.
    pending: Mutex<HashMap<ClientId, Instant>>,
}

impl Side {
    async fn run(
        self,
        mut connection: Connection,
        connect_info: ConnectInfo,
        mut due: Instant,
    ) -> Result<Seen> {
        let mut seen = Seen::default();
        loop {
            let (sender, receiver) = connection.split();
            // Passes the latest received seq to the sending half. Closes when receiving ends.
            let (applied, to_confirm) = watch::channel(Seq::ZERO);
            let mut lag = Latency::default();
            let (sent_result, received_result) = tokio::join!(
                self.send_due(sender, to_confirm, &mut due, &mut lag),
                self.receive_until_done(receiver, applied, &mut seen),
            );
            seen.lag.add(&lag);
            let lost = sent_result.and(received_result).err();
            seen.unanswered += exactly_len(&self.take_pending());
            let Some(error) = lost else { return Ok(seen) };
            seen.refuse(true, || format!("connection lost ({error})"));
            if Instant::now() >= self.window.until {
                return Ok(seen);
            }
            connection = connect_info.connect().await?;
        }
    }

    fn take_pending(&self) -> HashMap<ClientId, Instant> {
        std::mem::take(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends each message when it is due, and a receipt for received messages.
    async fn send_due(
        &self,
        mut sender: FrameSender,
        mut to_confirm: watch::Receiver<Seq>,
        due: &mut Instant,
        lag: &mut Latency,
    ) -> Result<()> {
        let conversation = self.pair.conversation;
        let last = self.window.until + DRAIN;
        loop {
            let more = *due < self.window.until && Instant::now() < last;
            tokio::select! {
                () = sleep_until((*due).into()), if more => {
                    let now = Instant::now();
                    for _ in 0..MOST_AT_ONCE {
                        if *due > now || *due >= self.window.until {
                            break;
                        }
                        let client_id = ClientId::new();
                        let body = self.bench.body(*due);
                        self.pending
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(client_id, *due);
                        if self.window.holds(*due) {
                            lag.record(now - *due);
                        }
                        *due += self.each;
                        sender.feed(&ClientFrame::Send { conversation, client_id, body }).await?;
                    }
                    sender.flush().await?;
                }
                changed = to_confirm.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let up_to = *to_confirm.borrow_and_update();
                    if self.receipts {
                        sender.feed(&ClientFrame::Delivered { conversation, up_to }).await?;
                        sender.flush().await?;
                    }
                }
            }
        }
    }

    /// Receives until every message is answered.
    async fn receive_until_done(
        &self,
        mut receiver: FrameReceiver,
        applied: watch::Sender<Seq>,
        seen: &mut Seen,
    ) -> Result<()> {
        loop {
            let frame = match timeout(QUIET, receiver.receive()).await {
                Ok(frame) => frame?,
                Err(_) if self.is_over() => return Ok(()),
                Err(_) => continue,
            };
            let now = Instant::now();
            match frame {
                ServerFrame::Sent(sent) => {
                    seen.total += 1;
                    seen.in_window += u64::from(self.window.holds(now));
                    if let Some(due) = self.answered(sent.client_id) {
                        seen.acknowledged.record(now - due);
                    }
                }
                ServerFrame::Refused { client_id: Some(id), refusal, .. } => {
                    let counts = self.answered(id).is_some();
                    seen.refuse(counts, || format!("{:?}", refusal.code));
                }
                ServerFrame::Refused { re, refusal, .. } => {
                    let re = re.unwrap_or_default();
                    seen.refuse(self.window.holds(now), || format!("{:?} ({re})", refusal.code));
                }
                ServerFrame::Message(message) => {
                    if let Some(age) = self.bench.age(&message.body, now)
                        && self.window.holds(now - age)
                    {
                        seen.received.record(age);
                    }
                    // The receiver is gone after the sending half has failed.
                    _ = applied.send(message.seq);
                }
                _ => {}
            }
        }
    }

    /// Removes an answered message. Returns its due time if that is within the window.
    fn answered(&self, id: ClientId) -> Option<Instant> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.remove(&id).filter(|due| self.window.holds(*due))
    }

    /// Whether no more frames are expected.
    fn is_over(&self) -> bool {
        let now = Instant::now();
        let waiting = self.pending.lock().unwrap_or_else(PoisonError::into_inner).len();
        now >= self.window.until + DRAIN || (now >= self.window.until + QUIET && waiting == 0)
    }
}

fn exactly_len<K, V>(map: &HashMap<K, V>) -> u64 {
    u64::try_from(map.len()).unwrap_or(u64::MAX)
}

//! Makes the disk fail while the server runs, and checks the server's behaviour.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use harness::{HttpClient, Random, TestUser};
use protocol::{Cursor, ErrorCode};
use tokio::time::sleep;

use crate::checker::{Invariant, Violation};
use crate::client::Membership;
use crate::client_log::{ClientLog, Event, Observation};
use crate::disk::DiskKind;
use crate::test_server::TestServer;

/// Duration of a disk failure in milliseconds: long enough for senders and readiness checks to
/// notice.
const FAILURE: Range<u64> = 1_500..2_500;
/// Time within which requests that were in progress at the failure are answered.
const IN_PROGRESS: Duration = Duration::from_millis(500);
/// Interval of the probes while the disk fails.
const PROBE: Duration = Duration::from_millis(150);
/// Time limit for a server to store messages again after the repair, without a restart.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);

/// Observes the server during a disk failure.
pub(super) struct DiskObserver<'a> {
    pub(super) log: &'a ClientLog,
    pub(super) memberships: &'a [(TestUser, Vec<Membership>)],
    /// Whether the disk is the only fault, so that senders receive the server's own answers.
    pub(super) is_only_fault: bool,
}

/// A disk failure and its period in log time.
struct Failure {
    name: &'static str,
    kind: DiskKind,
    from: u64,
    until: u64,
}

/// Makes the disk fail, probes the server, repairs the disk and checks the recovery.
pub(super) async fn fail(
    server: &mut TestServer,
    observer: &DiskObserver<'_>,
    random: &mut Random,
    found: &mut Vec<Violation>,
) -> Result<()> {
    let kind = server.disk.kind();
    let name = if kind == DiskKind::Small { "full disk" } else { "EIO on fsync" };
    let mut report_violation = |text: String| {
        found.push(Violation::new(Invariant::Disk, format!("{name}: {text}")));
    };
    server.disk.fail()?;
    observer.log.fault(name);
    let from = observer.log.now();
    sleep(IN_PROGRESS).await;
    let duration = random.millis(FAILURE);
    let http = server.address.http()?;
    let (not_ready, reads, probes) = observer.probe(&http, random, duration).await?;
    let until = observer.log.now();
    // Sometimes the server is killed before the repair: unflushed data must not come back wrong.
    let kills = !observer.is_only_fault && random.percent(50);
    if kills {
        server.kill().await?;
    }
    server.disk.repair()?;
    observer.log.note("the disk is repaired");
    if not_ready == 0 {
        report_violation(format!("/readyz never answered 503 in {probes} probes"));
    }
    if reads < probes {
        report_violation(format!("{} of {probes} reads failed", probes - reads));
    }
    observer.check(&Failure { name, kind, from, until }, &mut report_violation);
    if kills {
        server.start().await?;
    } else if let Err(error) = observer.wait_for_recovery(&http, until).await {
        report_violation(format!("{error:#}"));
        server.kill().await?;
        server.start().await?;
    }
    Ok(())
}

impl DiskObserver<'_> {
    /// Returns the number of "not ready" answers, of successful reads, and of probes.
    async fn probe(
        &self,
        http: &HttpClient,
        random: &mut Random,
        duration: Duration,
    ) -> Result<(u32, u32, u32)> {
        let until = Instant::now() + duration;
        let (mut not_ready, mut reads, mut probes) = (0, 0, 0);
        while Instant::now() < until {
            sleep(PROBE).await;
            probes += 1;
            not_ready += u32::from(!http.is_ready().await?);
            let (user, memberships) = &self.memberships[random.index(self.memberships.len())];
            for membership in memberships.iter().take(1) {
                let page = http.history(user, membership.conversation, Cursor::Latest).await;
                reads += u32::from(page.is_ok());
            }
        }
        Ok((not_ready, reads, probes))
    }

    /// Checks that senders were told to retry and, if flushes fail, that no message sent during
    /// the failure was acknowledged. On a full disk, messages that fit into the log may still be
    /// acknowledged.
    fn check(&self, failure: &Failure, report_violation: &mut impl FnMut(String)) {
        let events = self.log.events();
        let (before, rest) = events.split_at(events.partition_point(|e| e.at < failure.from));
        let during = &rest[..rest.partition_point(|e| e.at < failure.until)];
        let refused = during.iter().filter(|event| {
            matches!(event.observation, Observation::Refused { code: ErrorCode::Unavailable, .. })
        });
        let refused = refused.count();
        self.log.note(format!("{refused} messages were refused with a time to retry"));
        if refused == 0 && self.is_only_fault {
            report_violation("no message was refused with a time to retry".to_owned());
        }
        if failure.kind != DiskKind::Failing {
            return;
        }
        let sent_before: HashSet<_> = before.iter().filter_map(attempted).collect();
        for event in during {
            if let Observation::Acknowledged { id, .. } = &event.observation
                && !sent_before.contains(id)
            {
                report_violation(format!("{id} was acknowledged during {}", failure.name));
            }
        }
    }

    /// Waits until the server is ready and acknowledges a message without a restart.
    async fn wait_for_recovery(&self, http: &HttpClient, from: u64) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < RECOVERS_WITHIN {
            sleep(PROBE).await;
            let ready = http.is_ready().await.unwrap_or(false);
            let events = self.log.events();
            let since = events.partition_point(|event| event.at < from);
            let is_acknowledged =
                |event: &Event| matches!(event.observation, Observation::Acknowledged { .. });
            if ready && events[since..].iter().any(is_acknowledged) {
                let took = started.elapsed().as_millis();
                self.log.note(format!("the server recovered after {took} ms"));
                return Ok(());
            }
        }
        bail!("the server did not recover from the disk failure without a restart")
    }
}

fn attempted(event: &Event) -> Option<protocol::ClientId> {
    match &event.observation {
        Observation::Attempted { id, .. } => Some(*id),
        _ => None,
    }
}

//! Makes the disk fail while the server runs, and checks the server's behaviour.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use harness::{Http, Person};
use protocol::{Cursor, ErrorCode};
use tokio::time::sleep;

use crate::chance::Chance;
use crate::checker::{Invariant, Violation};
use crate::disk;
use crate::log::{Event, Log, What};
use crate::page::With;
use crate::site::Site;

/// Duration of a disk failure in milliseconds: long enough for senders and readiness checks to
/// notice.
const FAILS: Range<u64> = 1_500..2_500;
/// Time within which requests that were in progress at the failure are answered.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// Interval of the probes while the disk fails.
const PROBE: Duration = Duration::from_millis(150);
/// Time limit for a server to store messages again after the repair, without a restart.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);

/// The observer of a disk failure.
pub(super) struct Look<'a> {
    pub(super) log: &'a Log,
    pub(super) with: &'a [(Person, Vec<With>)],
    /// Whether the disk is the only fault, so that senders receive the server's own answers.
    pub(super) is_calm: bool,
}

/// A disk failure and its period in log time.
struct Failure {
    name: &'static str,
    kind: disk::Kind,
    from: u64,
    until: u64,
}

/// Makes the disk fail, probes the server, repairs the disk and checks the recovery.
pub(super) async fn fail(
    site: &mut Site,
    look: &Look<'_>,
    chance: &mut Chance,
    found: &mut Vec<Violation>,
) -> Result<()> {
    let kind = site.disk.kind();
    let name = if kind == disk::Kind::Small { "full disk" } else { "EIO on fsync" };
    let mut complain = |text: String| {
        found.push(Violation::new(Invariant::Disk, format!("{name}: {text}")));
    };
    site.disk.fail()?;
    look.log.fault(name);
    let from = look.log.now();
    sleep(UNDER_WAY).await;
    let lasts = chance.millis(FAILS);
    let http = site.address.http()?;
    let (not_ready, reads, asked) = look.probe(&http, chance, lasts).await?;
    let until = look.log.now();
    // Sometimes the server is killed before the repair: unflushed data must not come back wrong.
    let dies = !look.is_calm && chance.percent(50);
    if dies {
        site.kill().await?;
    }
    site.disk.mend()?;
    look.log.fault("the disk works again");
    if not_ready == 0 {
        complain(format!("/readyz never said 503 in {asked} questions"));
    }
    if reads < asked {
        complain(format!("{} of {asked} reads failed", asked - reads));
    }
    look.judge(&Failure { name, kind, from, until }, &mut complain);
    if dies {
        site.start().await?;
    } else if let Err(error) = look.recovers(&http, until).await {
        complain(format!("{error:#}"));
        site.kill().await?;
        site.start().await?;
    }
    Ok(())
}

impl Look<'_> {
    /// Returns the number of "not ready" answers, of successful reads, and of probes.
    async fn probe(
        &self,
        http: &Http,
        chance: &mut Chance,
        lasts: Duration,
    ) -> Result<(u32, u32, u32)> {
        let until = Instant::now() + lasts;
        let (mut not_ready, mut reads, mut asked) = (0, 0, 0);
        while Instant::now() < until {
            sleep(PROBE).await;
            asked += 1;
            not_ready += u32::from(!http.is_ready().await?);
            let (person, with) = &self.with[chance.index(self.with.len())];
            for with in with.iter().take(1) {
                let page = http.history(person, with.conversation, Cursor::Latest).await;
                reads += u32::from(page.is_ok());
            }
        }
        Ok((not_ready, reads, asked))
    }

    /// Checks that senders were asked to retry and, if flushes fail, that no message sent during
    /// the failure was acknowledged. On a full disk, messages that fit into the log may still be
    /// acknowledged.
    fn judge(&self, failure: &Failure, complain: &mut impl FnMut(String)) {
        let events = self.log.events();
        let (before, rest) = events.split_at(events.partition_point(|e| e.at < failure.from));
        let during = &rest[..rest.partition_point(|e| e.at < failure.until)];
        let later = during.iter().filter(|event| {
            matches!(event.what, What::Refused { code: ErrorCode::Unavailable, .. })
        });
        let later = later.count();
        self.log.fault(format!("the senders were asked {later} times to come again"));
        if later == 0 && self.is_calm {
            complain("no sender was asked to come again".to_owned());
        }
        if failure.kind != disk::Kind::Failing {
            return;
        }
        let asked_before: HashSet<_> = before.iter().filter_map(asked).collect();
        for event in during {
            if let What::Told { id, .. } = &event.what
                && !asked_before.contains(id)
            {
                complain(format!("{id} was acknowledged during {}", failure.name));
            }
        }
    }

    /// Waits until the server is ready and acknowledges a message without a restart.
    async fn recovers(&self, http: &Http, from: u64) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < RECOVERS_WITHIN {
            sleep(PROBE).await;
            let ready = http.is_ready().await.unwrap_or(false);
            let events = self.log.events();
            let since = events.partition_point(|event| event.at < from);
            let is_told = |event: &Event| matches!(event.what, What::Told { .. });
            if ready && events[since..].iter().any(is_told) {
                let took = begun.elapsed().as_millis();
                self.log.fault(format!("the server is well again after {took} ms"));
                return Ok(());
            }
        }
        bail!("a restart was needed after the disk worked again")
    }
}

fn asked(event: &Event) -> Option<protocol::ClientId> {
    match &event.what {
        What::Asked { id, .. } => Some(*id),
        _ => None,
    }
}

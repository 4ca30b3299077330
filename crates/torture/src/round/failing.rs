//! The disk fails while the server runs on; what the server does then is looked at.

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

/// A disk fails this many milliseconds: senders notice, and so does whoever asks if all is well.
const FAILS: Range<u64> = 1_500..2_500;
/// What was under way when the disk failed has been answered after this.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// Between two questions to a server whose disk fails.
const PROBE: Duration = Duration::from_millis(150);
/// After a disk works again a server that was not restarted stores again within this.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);

/// Whoever looks.
pub(super) struct Look<'a> {
    pub(super) log: &'a Log,
    pub(super) with: &'a [(Person, Vec<With>)],
    /// Nothing else is broken: what the senders hear is what the server says.
    pub(super) is_calm: bool,
}

/// When it failed, in the log's time.
struct Failure {
    name: &'static str,
    kind: disk::Kind,
    from: u64,
    until: u64,
}

/// Fails, looks, mends, looks.
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
    // Sometimes it does not live to see the end: what it could not keep must not come back wrong.
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
    /// How often it was not ready, how often it could be read, how often both were asked.
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

    /// Senders were asked to come again, and where nothing can be flushed nothing was acknowledged
    /// that was asked for only then. (On a full disk, what fits into the log may still be.)
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

    /// Without a restart: ready, and something is acknowledged.
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

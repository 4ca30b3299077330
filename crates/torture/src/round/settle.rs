//! After the repair, waits until every tab shows the same messages and every mark is stored, or
//! until the time limit.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::{HttpClient, TestUser};
use protocol::{ConversationId, Cursor, Marks, Seq, UserId};
use tokio::time::{sleep, timeout};

use super::TestClients;
use crate::client::Membership;
use crate::client_log::{ClientLog, Observation, Tab};
use crate::test_server::Address;

/// Time limit for all screens to equal the store (I9).
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
/// Interval of the checks.
const CHECK_EVERY: Duration = Duration::from_millis(150);

/// Returns the time until all tabs settled, or `None` at the time limit.
pub(super) async fn settle(
    address: &Address,
    log: &ClientLog,
    clients: &TestClients,
) -> Option<Duration> {
    let started = Instant::now();
    while started.elapsed() < SETTLED_WITHIN {
        sleep(CHECK_EVERY).await;
        // A server that does not answer has not settled.
        let left = SETTLED_WITHIN.saturating_sub(started.elapsed());
        if let Ok(Ok(true)) = timeout(left, is_settled(address, log, clients)).await {
            return Some(started.elapsed());
        }
    }
    None
}

async fn is_settled(address: &Address, log: &ClientLog, clients: &TestClients) -> Result<bool> {
    let is_busy = {
        let progress = clients.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.values().any(|tab| tab.unsent > 0 || !tab.connected)
    };
    if is_busy {
        return Ok(false);
    }
    let http = address.http()?;
    let mut last: HashMap<ConversationId, i64> = HashMap::new();
    let mut marks: HashMap<(ConversationId, UserId), Marks> = HashMap::new();
    let mut marked = true;
    for (user, memberships) in &clients.memberships {
        for membership in memberships {
            let (newest, mine) = read(&http, log, user, membership).await?;
            last.insert(membership.conversation, newest.0);
            marked &= mine.read == newest;
            marks.insert((membership.conversation, user.id), mine);
        }
    }
    let progress = clients.progress.lock().unwrap_or_else(PoisonError::into_inner);
    let mut complete_to = progress.values().flat_map(|tab| &tab.complete_to);
    let mut theirs = progress.values().flat_map(|tab| &tab.theirs);
    Ok(marked
        && complete_to.all(|(id, complete_to)| last.get(id) == Some(complete_to))
        && theirs.all(|(whose, theirs)| marks.get(whose) == Some(theirs)))
}

/// Reads like another tab of this user. Returns the newest seq and the user's marks.
async fn read(
    http: &HttpClient,
    log: &ClientLog,
    me: &TestUser,
    membership: &Membership,
) -> Result<(Seq, Marks)> {
    let requested = log.now();
    let page = http.history(me, membership.conversation, Cursor::Latest).await?;
    let observation = Observation::history_page(&page, membership.peer, requested, None);
    log.write(Tab(0), me.id, observation);
    Ok((page.last_seq, page.mine))
}

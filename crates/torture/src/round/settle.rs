//! After the repair, waits until every tab shows the same messages and every mark is stored, or
//! until the time limit.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::{Http, Person};
use protocol::{ConversationId, Cursor, Marks, Seq, UserId};
use tokio::time::{sleep, timeout};

use super::Crowd;
use crate::log::{Log, Seen, Tab, What};
use crate::page::With;
use crate::site::Address;

/// Time limit for all screens to equal the store (I9).
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
/// Interval of the checks.
const LOOK: Duration = Duration::from_millis(150);

/// Returns the time until all tabs settled, or `None` at the time limit.
pub(super) async fn settle(address: &Address, log: &Log, crowd: &Crowd) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < SETTLED_WITHIN {
        sleep(LOOK).await;
        // A server that does not answer has not settled.
        let left = SETTLED_WITHIN.saturating_sub(begun.elapsed());
        if let Ok(Ok(true)) = timeout(left, is_settled(address, log, crowd)).await {
            return Some(begun.elapsed());
        }
    }
    None
}

async fn is_settled(address: &Address, log: &Log, crowd: &Crowd) -> Result<bool> {
    let is_busy = {
        let board = crowd.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.values().any(|tab| tab.unsent > 0 || !tab.connected)
    };
    if is_busy {
        return Ok(false);
    }
    let http = address.http()?;
    let mut last: HashMap<ConversationId, i64> = HashMap::new();
    let mut marks: HashMap<(ConversationId, UserId), Marks> = HashMap::new();
    let mut marked = true;
    for (person, with) in &crowd.with {
        for with in with {
            let (newest, mine) = look(&http, log, person, with).await?;
            last.insert(with.conversation, newest.0);
            marked &= mine.read == newest;
            marks.insert((with.conversation, person.id), mine);
        }
    }
    let board = crowd.board.lock().unwrap_or_else(PoisonError::into_inner);
    let mut held = board.values().flat_map(|tab| &tab.held);
    let mut theirs = board.values().flat_map(|tab| &tab.theirs);
    Ok(marked
        && held.all(|(id, held)| last.get(id) == Some(held))
        && theirs.all(|(whose, theirs)| marks.get(whose) == Some(theirs)))
}

/// Reads like another tab of this user. Returns the newest seq and the user's marks.
async fn look(http: &Http, log: &Log, me: &Person, with: &With) -> Result<(Seq, Marks)> {
    let asked = log.now();
    let page = http.history(me, with.conversation, Cursor::Latest).await?;
    let what = What::Page {
        conversation: with.conversation,
        asked,
        after: None,
        messages: page.messages.iter().map(Seen::from).collect(),
        last_seq: page.last_seq.0,
        mine: page.mine,
        theirs: page.theirs,
        peer: with.peer,
    };
    log.write(Tab(0), me.id, what);
    Ok((page.last_seq, page.mine))
}

//! The check at the end of a move: reads source and copy again in full, and compares row counts and
//! SHA-256 sums. Messages are summed for each conversation, other tables as a whole, in the order
//! of their keys. The error names the first difference. Changes nothing. Called by [`super`].

use std::sync::Arc;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use tokio::time::timeout;
use uuid::Uuid;

use super::read::{Source, id};
use super::tables::{Kind, Table};
use super::write::{ANSWER_WITHIN, Target};
use super::{MoveError, Result};

/// Rows between two progress reports.
const REPORT_EVERY: u64 = 5_000;

/// The row count and hash of a conversation or of a table.
#[derive(PartialEq, Eq)]
struct Sum {
    conversation: Option<Uuid>,
    rows: u64,
    hash: [u8; 32],
}

/// Accumulates the sums of a table.
struct Sums {
    by_conversation: bool,
    before: Vec<Sum>,
    conversation: Option<Uuid>,
    rows: u64,
    hash: Sha256,
}

/// Compares a table of source and copy. Returns the number of rows.
pub(super) async fn compare(
    source: &Arc<Source>,
    target: &mut Target,
    table: &'static Table,
    report: impl FnMut(u64),
) -> Result<u64> {
    let here = source.clone();
    let here = tokio::task::spawn_blocking(move || source_sums(&here, table));
    let there = target_sums(target, table, report).await?;
    let here = here.await.map_err(|_| MoveError::Broken)??;
    match difference(table, &here, &there) {
        Some(difference) => Err(MoveError::Different(difference)),
        None => Ok(here.iter().map(|sum| sum.rows).sum()),
    }
}

fn source_sums(source: &Source, table: &Table) -> Result<Vec<Sum>> {
    let mut sums = Sums::new(table);
    source.each(table, None, |row| {
        if table.by_conversation() {
            sums.row_of(id(row, 0)?);
        } else {
            sums.row_of(None);
        }
        for (at, kind) in table.kinds() {
            let value = row.get_ref(at)?;
            match kind {
                Kind::Id | Kind::Bytes => sums.add(value.as_blob_or_null()?),
                Kind::Text => sums.add(value.as_str_or_null()?.map(str::as_bytes)),
                Kind::Number => sums.add_number(value.as_i64_or_null()?),
                Kind::Flag => sums.add_number(value.as_i64_or_null()?.map(|n| i64::from(n != 0))),
            }
        }
        Ok(true)
    })?;
    Ok(sums.end())
}

async fn target_sums(
    target: &mut Target,
    table: &Table,
    mut report: impl FnMut(u64),
) -> Result<Vec<Sum>> {
    let sql = format!("select {} from {} order by {}", table.columns(), table.name, table.key());
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut target.connection);
    let (mut sums, mut read) = (Sums::new(table), 0);
    while let Some(row) =
        timeout(ANSWER_WITHIN, rows.next()).await.map_err(|_| MoveError::Silent)?
    {
        add_target_row(&mut sums, table, &row?)?;
        read += 1;
        if read % REPORT_EVERY == 0 {
            report(read);
        }
    }
    report(read);
    Ok(sums.end())
}

fn add_target_row(sums: &mut Sums, table: &Table, row: &PgRow) -> Result<()> {
    sums.row_of(if table.by_conversation() { Some(row.try_get(0)?) } else { None });
    for (at, kind) in table.kinds() {
        match kind {
            Kind::Id => {
                let id: Option<Uuid> = row.try_get(at)?;
                sums.add(id.as_ref().map(|id| id.as_bytes().as_slice()));
            }
            Kind::Bytes => sums.add(row.try_get(at)?),
            Kind::Text => sums.add(row.try_get::<Option<&str>, _>(at)?.map(str::as_bytes)),
            Kind::Number => sums.add_number(row.try_get(at)?),
            Kind::Flag => sums.add_number(row.try_get::<Option<bool>, _>(at)?.map(i64::from)),
        }
    }
    Ok(())
}

impl Sums {
    fn new(table: &Table) -> Self {
        Self {
            by_conversation: table.by_conversation(),
            before: Vec::new(),
            conversation: None,
            rows: 0,
            hash: Sha256::new(),
        }
    }

    /// Starts the next row.
    fn row_of(&mut self, conversation: Option<Uuid>) {
        if conversation != self.conversation && self.rows > 0 {
            self.close();
        }
        self.conversation = conversation;
        self.rows += 1;
    }

    fn close(&mut self) {
        let hash = std::mem::take(&mut self.hash).finalize().into();
        self.before.push(Sum { conversation: self.conversation, rows: self.rows, hash });
        self.rows = 0;
    }

    /// Hashes the length as well, so that different rows of values never have equal input.
    fn add(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.hash.update([0]),
            Some(bytes) => {
                self.hash.update([1]);
                self.hash.update(bytes.len().to_le_bytes());
                self.hash.update(bytes);
            }
        }
    }

    fn add_number(&mut self, number: Option<i64>) {
        self.add(number.map(i64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }

    fn end(mut self) -> Vec<Sum> {
        // An empty table has a sum too.
        if self.rows > 0 || !self.by_conversation {
            self.close();
        }
        self.before
    }
}

/// Describes the first difference.
fn difference(table: &Table, here: &[Sum], there: &[Sum]) -> Option<String> {
    let at = (0..here.len().max(there.len())).find(|&at| here.get(at) != there.get(at))?;
    let (here, there) = (here.get(at), there.get(at));
    // Where the conversations differ, the lower id is missing on the other side.
    let first = [here, there].into_iter().flatten().map(|sum| sum.conversation).min()?;
    let rows =
        |sum: Option<&Sum>| sum.filter(|sum| sum.conversation == first).map_or(0, |sum| sum.rows);
    let (what, rows_are) = match first {
        Some(id) => (format!("conversation {id}"), "messages"),
        None => (format!("table {}", table.name), "rows"),
    };
    let (here, there) = (rows(here), rows(there));
    Some(if here == there {
        format!("{what} has {here} {rows_are} on both sides, and they are not the same")
    } else {
        format!("{what} has {here} {rows_are} in the SQLite file and {there} in Postgres")
    })
}

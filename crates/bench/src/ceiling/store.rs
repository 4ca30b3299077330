//! The store of the ceiling: one thread with one connection, which commits all queued messages in
//! one transaction.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Result;
use protocol::{ConversationId, Seq};
use rusqlite::Connection;

use super::Accepted;

/// The same as in Duet's writer.
const MAX_BATCH: usize = 512;

/// Opens the database and starts the thread, which ends when the last sender is dropped.
pub(super) fn start(
    data: &Path,
    answer: impl Fn(Accepted, Seq) + Send + 'static,
) -> Result<Sender<Accepted>> {
    let database = Connection::open(data.join("ceiling.db"))?;
    database.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; \
         create table messages (conversation blob, seq integer, sender blob, client_id blob, \
           body text, primary key (conversation, seq)) without rowid;",
    )?;
    let (queue, waiting) = channel();
    std::thread::Builder::new().name("ceiling-writer".to_owned()).spawn(move || {
        if let Err(error) = run(&database, &waiting, answer) {
            eprintln!("the ceiling's store failed: {error}");
        }
    })?;
    Ok(queue)
}

fn run(
    database: &Connection,
    waiting: &Receiver<Accepted>,
    answer: impl Fn(Accepted, Seq),
) -> Result<()> {
    let mut insert = database.prepare("insert into messages values (?1, ?2, ?3, ?4, ?5)")?;
    let mut begin = database.prepare("begin immediate")?;
    let mut commit = database.prepare("commit")?;
    let mut last: HashMap<ConversationId, Seq> = HashMap::new();
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while let Ok(first) = waiting.recv() {
        batch.push(first);
        batch.extend(waiting.try_iter().take(MAX_BATCH - 1));
        begin.execute([])?;
        let mut numbers = Vec::with_capacity(batch.len());
        for message in &batch {
            let seq = last.entry(message.conversation).or_default();
            *seq = seq.next();
            numbers.push(*seq);
            insert.execute((
                message.conversation.0.as_bytes(),
                seq.0,
                message.sender.0.as_bytes(),
                message.client_id.0.as_bytes(),
                &message.body,
            ))?;
        }
        commit.execute([])?;
        for (message, seq) in batch.drain(..).zip(numbers) {
            answer(message, seq);
        }
    }
    Ok(())
}

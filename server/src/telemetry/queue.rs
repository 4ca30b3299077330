//! Writes log lines to standard error: a bounded queue and one writer thread.
//!
//! A caller that logs never waits and never fails, because standard error may be a full disk, a
//! closed pipe, or a pipe without a reader. A line that does not fit into the queue or cannot be
//! written is counted as lost. After the next successful write the thread logs that count.
//!
//! At most [`LINES`] lines and [`BYTES`] bytes wait in the queue. The thread ends with the process;
//! [`LogQueue::flush`] waits for it at most [`FLUSH_WITHIN`].

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Maximum number of queued lines: a burst of some seconds at level debug.
const LINES: usize = 8_192;
/// Maximum number of queued bytes.
const BYTES: usize = 4 * 1024 * 1024;
/// Time limit for writing the queued lines before the process exits.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);
/// Pause before another attempt while the output or the queue is full.
const RETRY_AFTER: Duration = Duration::from_millis(20);

thread_local! {
    /// Log lines of the writer thread itself, which cannot use the queue because it may be full.
    static OWN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Handle to the queue. Cheap to clone.
#[derive(Clone)]
pub struct LogQueue {
    entries: SyncSender<Entry>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    lost: AtomicU64,
}

enum Entry {
    Line(Vec<u8>),
    /// Signals that every earlier line was written or lost.
    Flush(SyncSender<()>),
}

impl LogQueue {
    /// Starts the thread that writes to standard error.
    pub fn start() -> Self {
        // Writes through a separate descriptor, so that a write to a pipe without a reader does not
        // hold the lock of `std::io::stderr`.
        let output = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        match output {
            Ok(file) => Self::to(file),
            Err(_) => Self::to(io::sink()),
        }
    }

    fn to(output: impl Write + Send + 'static) -> Self {
        let (entries, waiting) = sync_channel(LINES);
        let counts = Arc::new(Counts::default());
        let seen = counts.clone();
        let run = move || run(Output { output, is_partial: false }, &waiting, &seen);
        // If the thread cannot start, the receiver is dropped and every line counts as lost.
        let _ = std::thread::Builder::new().name("duet-log".to_owned()).spawn(run);
        Self { entries, counts }
    }

    /// Queues a line unchanged.
    pub fn put(&self, mut line: Vec<u8>) {
        if line.is_empty() {
            return;
        }
        let is_own = OWN.try_with(|own| {
            let mut own = own.try_borrow_mut().ok()?;
            own.as_mut().map(|own| own.append(&mut line))
        });
        // On a thread that is ending, the thread-local is gone; such a thread is not the writer.
        if matches!(is_own, Ok(Some(()))) {
            return;
        }
        let length = line.len();
        let waiting = self.counts.waiting_bytes.fetch_add(length, Ordering::Relaxed);
        if waiting + length > BYTES || self.entries.try_send(Entry::Line(line)).is_err() {
            self.counts.waiting_bytes.fetch_sub(length, Ordering::Relaxed);
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the queued lines are written, at most a second.
    pub fn flush(&self) {
        let until = Instant::now() + FLUSH_WITHIN;
        let (done, is_done) = sync_channel(1);
        let mut entry = Entry::Flush(done);
        loop {
            match self.entries.try_send(entry) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < until => entry = back,
                Err(_) => return,
            }
            std::thread::sleep(RETRY_AFTER);
        }
        // A reader that has stopped must not delay the exit of the process.
        let _ = is_done.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

/// Queues one event, which `tracing` writes with a single call.
pub struct LineWriter<'a>(&'a LogQueue);

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run<W: Write>(mut output: Output<W>, waiting: &Receiver<Entry>, counts: &Counts) {
    OWN.set(Some(Vec::new()));
    while let Ok(entry) = waiting.recv() {
        match entry {
            Entry::Line(line) => {
                counts.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                if output.write_line(&line).is_ok() {
                    report_lost_lines(&mut output, counts);
                } else {
                    counts.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            // The caller of `flush` may have given up waiting.
            Entry::Flush(done) => drop(done.try_send(())),
        }
    }
}

fn report_lost_lines<W: Write>(output: &mut Output<W>, counts: &Counts) {
    let lost = counts.lost.swap(0, Ordering::Relaxed);
    if lost == 0 {
        return;
    }
    tracing::warn!(lines = lost, "the log could not be written for a while; lines were lost");
    let own = OWN.with_borrow_mut(|own| own.as_mut().map(std::mem::take)).unwrap_or_default();
    if output.write_line(&own).is_err() {
        counts.lost.fetch_add(lost, Ordering::Relaxed);
    }
}

struct Output<W> {
    output: W,
    /// Whether the last line was written without its end.
    is_partial: bool,
}

impl<W: Write> Output<W> {
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_partial {
            self.write_all(b"\n")?;
            self.is_partial = false;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, mut rest: &[u8]) -> io::Result<()> {
        let length = rest.len();
        while !rest.is_empty() {
            match self.output.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another process has made the pipe non-blocking, and the pipe is full.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(RETRY_AFTER);
                }
                Err(error) => {
                    self.is_partial |= rest.len() < length;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// An output whose writes succeed or fail as the test decides.
    #[derive(Clone, Default)]
    struct TestOutput(Arc<Mutex<(bool, Vec<u8>)>>);

    impl TestOutput {
        fn fail(&self, fails: bool) {
            self.0.lock().expect("no panic").0 = fails;
        }

        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().expect("no panic").1).into_owned()
        }
    }

    impl Write for TestOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut output = self.0.lock().expect("no panic");
            match (output.0, bytes) {
                (true, [first, rest @ ..]) if !rest.is_empty() && *first == b'(' => {
                    output.1.push(*first);
                    Ok(1)
                }
                (true, _) => Err(ErrorKind::StorageFull.into()),
                _ => {
                    output.1.extend_from_slice(bytes);
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_a_partial_line_is_ended() {
        let output = TestOutput::default();
        let queue = LogQueue::to(output.clone());
        queue.put(b"one\n".to_vec());
        queue.flush();
        output.fail(true);
        queue.put(b"(two\n".to_vec());
        queue.put(b"three\n".to_vec());
        queue.flush();
        assert_eq!(queue.counts.lost.load(Ordering::Relaxed), 2);
        output.fail(false);
        queue.put(b"four\n".to_vec());
        queue.flush();
        assert_eq!(output.text(), "one\n(\nfour\n");
        assert_eq!(queue.counts.lost.load(Ordering::Relaxed), 0, "they were reported");
    }

    /// An output that blocks each write until the test releases it.
    struct Stuck(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Every write passes once the other end is dropped.
            let _ = self.0.recv();
            let _ = self.1.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_reader_does_not_block_callers() {
        let (release, blocked) = channel();
        let (written, lines) = channel();
        let queue = LogQueue::to(Stuck(blocked, written));
        let more = LINES + 100;
        for n in 0..more {
            queue.put(format!("{n}\n").into_bytes());
        }
        assert!(queue.counts.lost.load(Ordering::Relaxed) >= 99);
        queue.put(vec![b'x'; BYTES + 1]);
        queue.flush();
        drop(release);
        assert_eq!(lines.recv().expect("written"), b"0\n");
        let waiting = lines.iter().take(LINES - 2).count();
        assert_eq!(waiting, LINES - 2, "the queued lines are written");
    }
}

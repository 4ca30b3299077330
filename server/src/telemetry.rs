//! The log. Never bodies, passwords, cookies or tokens. It goes to standard error, and whoever logs
//! neither waits for that nor fails with it.
//!
//! - `queue`: the way of a line to standard error
//! - `filter`: what `DUET_LOG` lets through

mod filter;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;

use anyhow::Result;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat};
pub use queue::LogQueue;

/// Starts logging to the queue.
///
/// # Errors
/// A filter that cannot be read.
pub fn start(config: &Config, queue: &LogQueue) -> Result<()> {
    let filter = filter::read(&config.log)?;
    // Colours are for eyes; in a file they are noise. What cannot be written is counted by the
    // queue: the library's own word about it would go to standard error, and panic there.
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(queue.clone());
    let log = match config.log_format {
        LogFormat::Text => log.with_target(false).boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    let started =
        tracing_subscriber::registry().with(filter).with(filter::private()).with(log).try_init();
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}

/// From now on a panic is a line of the log. The library's own hook writes to standard error
/// itself, and would wait for a reader that has stopped.
pub fn log_panics() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = without_text(panic.payload_as_str().unwrap_or("no message"));
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    // Only where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    if !tracing::dispatcher::has_been_set() {
        // Nobody to tell where this cannot be written.
        let _ = writeln!(std::io::stderr(), "duet: panic at {place}: {said}");
    } else if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(panic = said, place, thread, %backtrace, "a part of Duet has panicked");
    } else {
        tracing::error!(panic = said, place, thread, "a part of Duet has panicked");
    }
}

/// A panic about the place of a character quotes the whole text, which may be somebody's message.
fn without_text(said: &str) -> &str {
    let is_about_text =
        ["byte index", "slice string", "when slicing", "byte range", "char boundary"]
            .iter()
            .any(|word| said.contains(word));
    match said.find('`') {
        Some(quote) if is_about_text => said.get(..quote).unwrap_or_default(),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_about_a_text_does_not_quote_it() {
        let secret = "höchst geheim";
        let panicked = std::panic::catch_unwind(|| secret[..2].len());
        let payload = panicked.expect_err("no boundary");
        let said = payload.downcast_ref::<String>().expect("a message");
        assert!(said.contains("geheim"), "the premise: {said}");
        assert!(!without_text(said).contains("geheim"), "{}", without_text(said));
        assert_eq!(without_text("called `unwrap` on `None`"), "called `unwrap` on `None`");
    }
}

//! The log, on standard error. Must never contain message bodies, passwords, cookies or tokens. A
//! caller that logs never waits for standard error and never fails with it. Started by `main`.
//!
//! - `queue`: writes log lines to standard error
//! - `filter`: parses `DUET_LOG`

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
/// Fails if the filter cannot be parsed.
pub fn start(config: &Config, queue: &LogQueue) -> Result<()> {
    let filter = filter::read(&config.log)?;
    // Colours only on a terminal. Internal errors of the library are off, because the library would
    // print them to standard error and panic there. The queue counts lines that cannot be written.
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

/// Installs a hook that logs panics through the queue. The default hook writes to standard error
/// directly and would block on a reader that has stopped.
pub fn log_panics() {
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = without_text(panic.payload_as_str().unwrap_or("no message"));
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    // Captured only if RUST_BACKTRACE is set.
    let backtrace = Backtrace::capture();
    if !tracing::dispatcher::has_been_set() {
        // If this write fails, there is no other place to report the panic.
        let _ = writeln!(std::io::stderr(), "duet: panic at {location}: {message}");
    } else if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(
            panic = message,
            place = location,
            thread,
            %backtrace,
            "a part of Duet has panicked"
        );
    } else {
        tracing::error!(panic = message, place = location, thread, "a part of Duet has panicked");
    }
}

/// Cuts the quoted text from a panic about a character boundary, because the text may be a message.
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

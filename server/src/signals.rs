//! The signals that shut the process down in order: SIGTERM, SIGINT and SIGHUP. By default SIGHUP
//! kills a process when its terminal closes. Called by `main`.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Starts listening for the signals. The returned future resolves with the first one.
///
/// # Errors
/// Fails if the system does not allow a signal handler.
pub fn stop() -> Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    // `nohup` starts the process with SIGHUP ignored, so that it outlives its terminal.
    let mut hangup = match is_ignored(SignalKind::hangup()) {
        true => None,
        false => Some(listen(SignalKind::hangup())?),
    };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hung_up => "SIGHUP",
        };
        tracing::info!("{name} was received");
    })
}

/// Whether the parent process started this one with the signal ignored.
fn is_ignored(signal: SignalKind) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

fn ignores(status: &str, signal: SignalKind) -> bool {
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or_default();
    bits >> (signal.as_raw_value() - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_the_process_status() {
        let status = |bits: &str| format!("Name:\tduet\nSigBlk:\t0\nSigIgn:\t{bits}\nSigCgt:\t0\n");
        assert!(ignores(&status("0000000000001001"), SignalKind::hangup()));
        assert!(!ignores(&status("0000000000001000"), SignalKind::hangup()));
        assert!(!ignores("", SignalKind::hangup()));
    }
}

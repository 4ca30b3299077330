//! `duet reports`: the operator reads the reports of users, and closes them. `chat` implements the
//! command; `main` calls this module. Prints texts of users, so line breaks are indented and nothing
//! else than text reaches the terminal.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chat::{Database, Report, ReportId};
use clap::Args;

use crate::config::{SecretUrl, parse_database};

#[derive(Args, Clone, Debug)]
pub struct Reports {
    /// Id of a report to close. Its copies of messages are deleted. Without an id, lists the 100
    /// oldest open reports.
    #[arg(long, value_name = "ID")]
    close: Option<ReportId>,

    /// Directory of the SQLite store, the same as for the server, which must be stopped.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// URL of the store, instead of a directory. Nodes may serve a Postgres store meanwhile. Prefer
    /// the variable to the flag, because the process list shows flags.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretUrl>,
}

/// Lists the open reports on standard output, or closes one.
///
/// # Errors
/// Fails with a one-line message that tells the operator what to change.
pub async fn run(arguments: &Reports) -> Result<()> {
    let store = match &arguments.database_url {
        None => arguments.data.join("duet.db").into(),
        Some(url) => parse_database(url, 1, "DUET_DATABASE_URL")?,
    };
    // Opening would create the store.
    if let Database::Sqlite(file) = &store
        && !file.is_file()
    {
        bail!("there is no file {}: name the store with --data DIRECTORY", file.display());
    }
    let config = chat::Config::new(store);
    let mut output = std::io::stdout();
    if let Some(id) = arguments.close {
        if !chat::close_report(&config, id).await? {
            bail!("there is no open report with the id {id}");
        }
        // The report is closed even if standard output is closed.
        let _ = writeln!(output, "The report is closed, and its copies of messages are deleted.");
        return Ok(());
    }
    let reports = chat::open_reports(&config).await?;
    let text = match reports.len() {
        0 => "No report is open.\n".to_owned(),
        _ => reports.iter().map(describe).collect::<Vec<_>>().join("\n"),
    };
    output.write_all(text.as_bytes()).context("cannot write the reports")
}

/// A report as lines of text.
fn describe(report: &Report) -> String {
    let mut text = String::new();
    let (reporter, reported) = (name(&report.reporter), name(&report.reported));
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "Report {}, {}", report.id, time(report.created_at.0));
    let _ = writeln!(text, "  {reporter} reports {reported}");
    for line in shown(&report.reason).lines() {
        let _ = writeln!(text, "  | {line}");
    }
    for message in &report.messages {
        let sender = if message.sender == report.reporter.id { &reporter } else { &reported };
        let _ =
            writeln!(text, "  message {} of {sender}, {}", message.seq, time(message.sent_at.0));
        for line in shown(&message.body).lines() {
            let _ = writeln!(text, "    | {line}");
        }
    }
    text
}

fn name(user: &protocol::User) -> String {
    match user.username.is_empty() {
        true => format!("a deleted account ({})", user.id),
        false => format!("@{}", user.username),
    }
}

fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}

/// A text without characters that a terminal acts upon or that reverse the order of what follows.
fn shown(text: &str) -> String {
    let is_shown = |c: char| {
        c == '\n'
            || (!c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    text.chars().map(|c| if is_shown(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use protocol::{Seq, Timestamp, User, UserId};

    use super::*;

    #[test]
    fn a_report_is_printed_without_characters_that_a_terminal_acts_upon() {
        let user = |name: &str| User {
            id: UserId::new(),
            username: name.to_owned(),
            display_name: name.to_owned(),
        };
        let (reporter, reported) = (user("anna"), user("bob"));
        let message = chat::ReportedMessage {
            seq: Seq(7),
            sender: reported.id,
            body: "first\nsecond\u{202e}\u{1b}[2J".to_owned(),
            sent_at: Timestamp(0),
        };
        let report = Report {
            id: "00000000-0000-0000-0000-000000000000".parse().expect("an id"),
            reporter,
            reported,
            reason: "insults".to_owned(),
            created_at: Timestamp(1_000),
            messages: vec![message],
        };
        let expected = "Report 00000000-0000-0000-0000-000000000000, 1970-01-01T00:00:01Z\n  \
                        @anna reports @bob\n  | insults\n  \
                        message 7 of @bob, 1970-01-01T00:00:00Z\n    | first\n    | second  [2J\n";
        assert_eq!(describe(&report), expected);
    }
}

//! `duet move`: reads source and target of the move and shows its progress. `chat` implements the
//! move; `main` calls this module.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chat::{Database, Moved, Progress, Stage, move_store};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::{SecretUrl, parse_database};

/// Interval between two progress lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR: &str = "{msg:24} {wide_bar} {human_pos} of {human_len} rows, {eta} left";

#[derive(Args, Clone, Debug)]
pub struct Move {
    /// Directory of the SQLite store, the same as for the server.
    #[arg(long, env = "DUET_DATA", default_value = "data")]
    data: PathBuf,

    /// SQLite file as a URL, instead of a directory: sqlite:PATH.
    #[arg(long)]
    from: Option<SecretUrl>,

    /// URL of the Postgres database: `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full`.
    /// Prefer the variable to the flag, because the process list shows flags.
    #[arg(long, env = "DUET_DATABASE_URL", hide_env_values = true)]
    to: Option<SecretUrl>,
}

/// Moves a store and prints the operator's next step.
///
/// # Errors
/// Fails with a one-line message that tells the operator what to change, or to run the command
/// again.
pub async fn run(arguments: &Move) -> Result<()> {
    let (from, to) = arguments.endpoints()?;
    let began = Instant::now();
    let mut output = ProgressOutput::new();
    let moved = move_store(&from, &to, |progress| output.show(progress)).await;
    output.end();
    // The store has moved even if standard output is closed.
    let _ = writeln!(
        std::io::stdout(),
        "{}\nStart the server on Postgres now, with DUET_DATABASE_URL. {} is unchanged: keep it \
         as a backup, and start no server on it again.",
        summary(&moved?, began.elapsed()),
        from.display()
    );
    Ok(())
}

impl Move {
    fn endpoints(&self) -> Result<(PathBuf, String)> {
        let from = match &self.from {
            None => self.data.join("duet.db"),
            Some(url) => match parse_database(url, 1, "--from")? {
                Database::Sqlite(file) => file,
                Database::Postgres { .. } => bail!("--from must be a SQLite store: sqlite:PATH"),
            },
        };
        let Some(url) = &self.to else {
            bail!(
                "the target is missing: set DUET_DATABASE_URL or --to to \
                 postgres://USER:PASSWORD@HOST/DATABASE"
            );
        };
        match parse_database(url, 1, "DUET_DATABASE_URL or --to")? {
            Database::Postgres { url, .. } => Ok((from, url)),
            Database::Sqlite(_) => bail!(
                "DUET_DATABASE_URL or --to must be the target, a Postgres database: \
                 postgres://USER:PASSWORD@HOST/DATABASE"
            ),
        }
    }
}

/// Progress output: a bar on a terminal, otherwise a line every few seconds.
struct ProgressOutput {
    bar: Option<ProgressBar>,
    /// Whether the last output was about the check, and its time.
    last: Option<(bool, Instant)>,
}

impl ProgressOutput {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(ProgressBar::hidden);
        if let Some(bar) = &bar
            // If the template is invalid, the bar keeps its default style.
            && let Ok(style) = ProgressStyle::with_template(BAR)
        {
            bar.set_style(style);
        }
        Self { bar, last: None }
    }

    fn show(&mut self, progress: Progress) {
        let Progress { stage, done, of } = progress;
        let (checking, text) = match stage {
            Stage::Copying(table) => (false, format!("copying {}", table_name(table))),
            Stage::Checking(table) => (true, format!("checking {}", table_name(table))),
        };
        let is_new_stage = self.last.is_none_or(|(before, _)| before != checking);
        let due = is_new_stage || self.last.is_none_or(|(_, at)| at.elapsed() >= LINE_EVERY);
        if let Some(bar) = &self.bar {
            if is_new_stage {
                bar.set_length(of);
                bar.reset();
                bar.set_position(done);
                // Rows copied by an earlier run must not count towards the speed of this one.
                bar.reset_eta();
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_message(text);
            bar.set_position(done);
        } else if due {
            // The move continues even if standard error is closed.
            let _ = writeln!(std::io::stderr(), "{text}: {done} of {of} rows");
        }
        if due {
            self.last = Some((checking, Instant::now()));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn table_name(table: &str) -> String {
    table.replace('_', " ")
}

fn summary(moved: &Moved, took: Duration) -> String {
    let mut text = String::new();
    if moved.resumed_at > 0 {
        text += &format!("An earlier run had copied {} rows.\n", moved.resumed_at);
    }
    let tables: Vec<String> =
        moved.tables.iter().map(|(table, rows)| format!("{rows} {}", table_name(table))).collect();
    text + &format!(
        "Moved in {} s; source and target are identical: {}.",
        took.as_secs(),
        tables.join(", ")
    )
}

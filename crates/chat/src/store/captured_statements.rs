//! Test support: captures the SQL statements that a store executes. Used by the query-plan tests of
//! both engines, each with a list of its own.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer};

use crate::mutex::lock;

/// The captured statements, each once, with white space folded.
pub(super) struct CapturedStatements(Mutex<BTreeSet<String>>);

impl CapturedStatements {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeSet::new()))
    }

    pub(super) fn add(&self, sql: &str) {
        let words: Vec<&str> = sql.split_whitespace().collect();
        lock(&self.0).insert(words.join(" "));
    }

    /// Takes the statements that read or change rows, which excludes those of sqlx itself.
    pub(super) fn take(&self) -> Vec<String> {
        let verbs = ["select ", "insert ", "update ", "delete ", "with "];
        let captured = std::mem::take(&mut *lock(&self.0));
        captured.into_iter().filter(|sql| verbs.iter().any(|verb| sql.starts_with(verb))).collect()
    }
}

/// Adds each statement that a pool logs.
pub(super) struct StatementCapture(pub(super) &'static CapturedStatements);

impl<S: tracing::Subscriber> Layer<S> for StatementCapture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            self.0.add(match statement.whole.is_empty() {
                true => &statement.summary,
                false => &statement.whole,
            });
        }
    }
}

/// The log event of a short statement has only the field `summary`.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

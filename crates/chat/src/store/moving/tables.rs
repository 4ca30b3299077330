//! The list of tables and columns to move. The order satisfies the foreign keys. The other modules
//! of the move read, write and check by this list alone.

/// The type of a column, independent of the engine.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Id,
    Bytes,
    Text,
    Number,
    Flag,
}

use Kind::{Bytes, Flag, Id, Number, Text};

/// A table to move.
pub(super) struct Table {
    /// The name in Postgres.
    pub(super) name: &'static str,
    /// The table in SQLite that holds the rows.
    pub(super) source: &'static str,
    /// The columns, those of the key first.
    pub(super) columns: &'static [(&'static str, Kind)],
    /// The number of key columns. Rows are read, written and summed in the order of the key.
    pub(super) key: usize,
}

pub(super) const TABLES: [Table; 15] = [
    Table {
        name: "users",
        source: "users",
        columns: &[
            ("id", Id),
            ("username", Text),
            ("username_key", Text),
            ("display_name", Text),
            ("display_key", Text),
            ("password_hash", Text),
            ("created_at", Number),
            ("last_seen_at", Number),
            ("show_receipts", Flag),
            ("show_last_seen", Flag),
            ("deleted_at", Number),
            ("has_looks", Flag),
        ],
        key: 1,
    },
    Table {
        name: "username_looks",
        source: "username_looks",
        columns: &[("look", Bytes), ("holders", Number), ("free_at", Number)],
        key: 1,
    },
    Table {
        name: "sessions",
        source: "sessions",
        columns: &[
            ("id", Id),
            ("user_id", Id),
            ("token_hash", Bytes),
            ("previous_hash", Bytes),
            ("previous_until", Number),
            ("created_at", Number),
            ("seen_at", Number),
            ("rotated_at", Number),
            ("device", Text),
        ],
        key: 1,
    },
    Table {
        name: "invitations",
        source: "invitations",
        columns: &[
            ("token_hash", Bytes),
            ("inviter_id", Id),
            ("created_at", Number),
            ("expires_at", Number),
            ("used_by", Id),
            ("used_at", Number),
        ],
        key: 1,
    },
    Table {
        name: "second_factors",
        source: "second_factors",
        columns: &[
            ("user_id", Id),
            ("secret", Bytes),
            ("created_at", Number),
            ("confirmed_at", Number),
            ("last_step", Number),
        ],
        key: 1,
    },
    Table {
        name: "recovery_codes",
        source: "recovery_codes",
        columns: &[("user_id", Id), ("code_hash", Bytes)],
        key: 2,
    },
    Table {
        name: "passkeys",
        source: "passkeys",
        columns: &[
            ("id", Id),
            ("user_id", Id),
            ("credential_id", Bytes),
            ("credential", Text),
            ("name", Text),
            ("created_at", Number),
            ("used_at", Number),
        ],
        key: 1,
    },
    Table {
        name: "identities",
        source: "identities",
        columns: &[
            ("id", Id),
            ("user_id", Id),
            ("issuer", Text),
            ("subject", Text),
            ("name", Text),
            ("created_at", Number),
            ("used_at", Number),
        ],
        key: 1,
    },
    Table {
        name: "used_ceremonies",
        source: "used_ceremonies",
        columns: &[("hash", Bytes), ("expires_at", Number)],
        key: 1,
    },
    Table {
        name: "conversations",
        source: "conversations",
        columns: &[
            ("id", Id),
            ("low_id", Id),
            ("high_id", Id),
            ("last_seq", Number),
            ("created_at", Number),
            ("closed_at", Number),
        ],
        key: 1,
    },
    Table {
        name: "members",
        source: "members",
        columns: &[
            ("conversation_id", Id),
            ("user_id", Id),
            ("peer_id", Id),
            ("delivered_seq", Number),
            ("read_seq", Number),
            ("delivered_at", Number),
            ("read_at", Number),
            ("active_at", Number),
            ("standing", Number),
            ("blocked_seq", Number),
            ("blocked_at", Number),
            ("muted_until", Number),
        ],
        key: 2,
    },
    Table {
        name: MESSAGES,
        source: "messages",
        columns: &[
            ("conversation_id", Id),
            ("seq", Number),
            ("sender_id", Id),
            ("client_id", Id),
            ("body", Text),
            ("sent_at", Number),
            ("withheld", Flag),
        ],
        key: 2,
    },
    Table {
        name: "reports",
        source: "reports",
        columns: &[
            ("id", Id),
            ("reporter_id", Id),
            ("reported_id", Id),
            ("reason", Text),
            ("created_at", Number),
        ],
        key: 1,
    },
    Table {
        name: "report_messages",
        source: "report_messages",
        columns: &[
            ("report_id", Id),
            ("seq", Number),
            ("sender_id", Id),
            ("body", Text),
            ("sent_at", Number),
        ],
        key: 2,
    },
    // SQLite has an index instead of this table.
    Table {
        name: "client_ids",
        source: "messages",
        columns: &[("client_id", Id), ("sender_id", Id), ("conversation_id", Id), ("seq", Number)],
        key: 2,
    },
];

const MESSAGES: &str = "messages";

impl Table {
    /// Whether the check sums the rows of each conversation separately.
    pub(super) fn by_conversation(&self) -> bool {
        self.name == MESSAGES
    }

    pub(super) fn columns(&self) -> String {
        names(self.columns).join(", ")
    }

    /// The key's columns, as in `column, column`.
    pub(super) fn key(&self) -> String {
        names(&self.columns[..self.key]).join(", ")
    }

    /// The key in descending order, as in `column desc, column desc`.
    pub(super) fn last_first(&self) -> String {
        self.key().replace(',', " desc,") + " desc"
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (usize, Kind)> {
        self.columns.iter().map(|(_, kind)| *kind).enumerate()
    }
}

fn names(columns: &[(&'static str, Kind)]) -> Vec<&'static str> {
    columns.iter().map(|(name, _)| *name).collect()
}

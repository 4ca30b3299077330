//! Reports to the operator in SQLite. Implements [`ReportStore`], through which alone this module
//! is called; [`super::deletion`] leaves reports alone, because the operator closes them.

use async_trait::async_trait;
use protocol::Timestamp;

use super::{SqliteStore, json, sessions};
use crate::store::rows::{self, at_most};
use crate::store::{Caller, NewReport, Report, ReportId, ReportStore, Result};

#[async_trait]
impl ReportStore for SqliteStore {
    async fn store_report(&self, me: Caller, new: NewReport<'_>, now: Timestamp) -> Result<bool> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, me).await?;
        sqlx::query(
            "insert into reports (id, reporter_id, reported_id, reason, created_at) \
             select $1, user_id, peer_id, $4, $5 from members \
             where conversation_id = $2 and user_id = $3",
        )
        .bind(new.id.0)
        .bind(new.conversation.0)
        .bind(me.user.0)
        .bind(new.reason)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let seqs: Vec<i64> = new.messages.iter().map(|seq| seq.0).collect();
        // Without the caller's row of `members`, nothing is copied.
        let copied = sqlx::query(
            "insert into report_messages (report_id, seq, sender_id, body, sent_at) \
             select $1, m.seq, m.sender_id, m.body, m.sent_at \
             from members me join messages m on m.conversation_id = me.conversation_id \
             where me.conversation_id = $2 and me.user_id = $3 \
               and m.seq in (select j.value from json_each($4) j) \
               and m.seq <= coalesce(me.blocked_seq, m.seq) \
               and (m.sender_id = $3 or not m.withheld)",
        )
        .bind(new.id.0)
        .bind(new.conversation.0)
        .bind(me.user.0)
        .bind(json(&seqs)?)
        .execute(&mut *tx)
        .await?;
        if copied.rows_affected() != new.messages.len() as u64 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn reports(&self, limit: usize) -> Result<Vec<Report>> {
        let mut tx = self.read.begin().await?;
        let reports = sqlx::query(
            "select r.id, r.reason, r.created_at, \
                    a.id as reporter_id, a.username as reporter_username, \
                    a.display_name as reporter_display_name, \
                    b.id as reported_id, b.username as reported_username, \
                    b.display_name as reported_display_name \
             from reports r join users a on a.id = r.reporter_id \
             join users b on b.id = r.reported_id order by r.created_at limit $1",
        )
        .bind(at_most(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut reports = rows::all(&reports, rows::report)?;
        for report in &mut reports {
            let messages = sqlx::query(
                "select seq, sender_id, body, sent_at from report_messages \
                 where report_id = $1 order by seq",
            )
            .bind(report.id.0)
            .fetch_all(&mut *tx)
            .await?;
            report.messages = rows::all(&messages, rows::reported_message)?;
        }
        Ok(reports)
    }

    async fn close_report(&self, id: ReportId) -> Result<bool> {
        let _turn = self.turn().await;
        let closed = sqlx::query("delete from reports where id = $1")
            .bind(id.0)
            .execute(&self.write)
            .await?;
        Ok(closed.rows_affected() > 0)
    }
}

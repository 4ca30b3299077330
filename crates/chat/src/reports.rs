//! Reports to the operator: a user chooses messages of a conversation and gives a reason.
//!
//! The operator reads and closes reports with `duet reports`; [`crate::begin`] has the functions for
//! that. The reported user must learn nothing. `app` calls [`Chat::report`] for the conversation
//! page.

use protocol::limits::{MAX_REASON_CHARS, REPORT_MESSAGES};
use protocol::{ConversationId, ErrorCode, Seq};
use uuid::Uuid;

use crate::error::Result;
use crate::store::{Caller, NewReport, ReportId};
use crate::{Chat, clock};

impl Chat {
    /// Reports the peer in a conversation to the operator, with copies of the chosen messages, which
    /// the user must be able to read. A seq that is named twice counts once.
    ///
    /// # Errors
    /// `report_invalid` if no message is chosen or too many, for a message that the user cannot read,
    /// and for a reason that is too long or has control characters; `rate_limited`, `storage_full`;
    /// `unauthenticated` if the session has ended.
    pub async fn report(
        &self,
        me: Caller,
        conversation: ConversationId,
        messages: &[Seq],
        reason: &str,
    ) -> Result<()> {
        // Before anything is sorted, because a client chooses the length.
        let is_too_long = messages.len() > *REPORT_MESSAGES.end() * 2;
        let mut messages: Vec<Seq> =
            messages.iter().copied().take(*REPORT_MESSAGES.end() * 2).collect();
        messages.sort_unstable();
        messages.dedup();
        let reason = reason.trim();
        let is_text = !reason.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        let is_valid = !is_too_long
            && REPORT_MESSAGES.contains(&messages.len())
            && reason.chars().take(MAX_REASON_CHARS + 1).count() <= MAX_REASON_CHARS
            && is_text;
        if !is_valid {
            return Err(ErrorCode::ReportInvalid.into());
        }
        self.space().require().map_err(crate::Error::Refused)?;
        self.throttle().report(me.user).await?;
        let id = ReportId(Uuid::now_v7());
        let new = NewReport { id, conversation, messages: &messages, reason };
        match self.store().store_report(me, new, clock::now()).await? {
            true => Ok(()),
            false => Err(ErrorCode::ReportInvalid.into()),
        }
    }
}

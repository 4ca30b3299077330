//! Sending and marking by a call, for clients without a live connection. [`crate::Connection`] does
//! the same for live ones; both use the same writer under the same rules. `app` calls these methods
//! for its server functions and forms.

use protocol::{Body, ClientId, ConversationId, Marks, Sent, UserId};

use crate::Chat;
use crate::error::{Error, Result};
use crate::store::{Caller, NewMarks, NewMessage};

impl Chat {
    /// Stores a message, delivers it, and returns when it is on disk. Sending the same message
    /// again gets the same answer at any time.
    ///
    /// # Errors
    /// A `body_*` code, `client_id_reused`, `not_found`, `peer_deleted`, `rate_limited` or
    /// `storage_full`; `unauthenticated` if the session has ended; `busy` or `unavailable`, after which the call may
    /// be repeated.
    pub async fn send_message(
        &self,
        me: Caller,
        conversation: ConversationId,
        client_id: ClientId,
        body: &str,
    ) -> Result<Sent> {
        let body = Body::parse(body)?.into_string();
        self.may_send(me.user, &body)?;
        let Caller { user: sender, session } = me;
        self.writer().send(NewMessage { sender, session, conversation, client_id, body }).await
    }

    /// Checks what bounds the sending of a message on this node.
    ///
    /// # Errors
    /// `rate_limited`, or `storage_full`.
    pub(crate) fn may_send(&self, sender: UserId, body: &str) -> Result<()> {
        self.throttle().message(sender, body.len())?;
        self.space().require().map_err(Error::Refused)
    }

    /// Moves the user's marks forward; marks below the present ones change nothing.
    ///
    /// # Errors
    /// `not_found`, `out_of_range`, `busy` or `unavailable`; `unauthenticated` if the session has
    /// ended.
    pub async fn mark(&self, me: Caller, conversation: ConversationId, marks: Marks) -> Result<()> {
        let Caller { user, session } = me;
        self.writer().mark(NewMarks { user, session, conversation, marks }).await
    }
}

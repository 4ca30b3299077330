//! Sending and marking by a call, for clients without a live connection. [`crate::Connection`] is
//! the live way; both use the same writer under the same rules.

use protocol::{Body, ClientId, ConversationId, Marks, Sent, UserId};

use crate::Chat;
use crate::error::Result;
use crate::store::{NewMarks, NewMessage};

impl Chat {
    /// Stores a message, delivers it, and returns when it is on disk. Sending the same message
    /// again gets the same answer at any time.
    ///
    /// # Errors
    /// A `body_*` code, `client_id_reused`, `not_found`, `peer_deleted` or `rate_limited`; `busy`
    /// or `unavailable`, after which the call may be repeated.
    pub async fn send_message(
        &self,
        me: UserId,
        conversation: ConversationId,
        client_id: ClientId,
        body: &str,
    ) -> Result<Sent> {
        let body = Body::parse(body)?.into_string();
        self.throttle().message(me)?;
        self.writer().send(NewMessage { sender: me, conversation, client_id, body }).await
    }

    /// Moves the user's marks forward; marks below the present ones change nothing.
    ///
    /// # Errors
    /// `not_found`, `out_of_range`, `busy` or `unavailable`.
    pub async fn mark(&self, me: UserId, conversation: ConversationId, marks: Marks) -> Result<()> {
        self.writer().mark(NewMarks { user: me, conversation, marks }).await
    }
}

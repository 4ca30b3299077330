//! Sending and marking by a call, for whoever has no live connection. The live way is
//! [`crate::Connection`]; both end in the same writer under the same rules.

use protocol::{Body, ClientId, ConversationId, Marks, Sent, UserId};

use crate::Chat;
use crate::error::Result;
use crate::store::{NewMarks, NewMessage};

impl Chat {
    /// Stores a message, passes it on, and returns when it is on disk. The same message again, at
    /// any time, gets the same answer.
    ///
    /// # Errors
    /// By name: what is wrong with the body, `client_id_reused`, `not_found`, `rate_limited`, and
    /// `busy` or `unavailable`, after which it may be repeated.
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

    /// Moves my marks forward; what is behind them changes nothing.
    ///
    /// # Errors
    /// `not_found`, `out_of_range`, or `busy` or `unavailable`.
    pub async fn mark(&self, me: UserId, conversation: ConversationId, marks: Marks) -> Result<()> {
        self.writer().mark(NewMarks { user: me, conversation, marks }).await
    }
}

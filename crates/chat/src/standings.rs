//! How a user stands to the people who write: requests, blocks and mutes.
//!
//! A conversation is a request for a user until the user writes in it or accepts it. Presence and
//! typing pass only between users who have both spoken; the receipts of a user pass as soon as that
//! user has spoken. A block hides the blocker from the blocked user like an absence: the store
//! withholds the messages, and nothing here or in the answers of [`crate::writer`] may tell the two
//! apart. Only an acceptance is published to the peer as a change; a block reaches the peer as a
//! presence event. `app` calls these methods for the conversation page and the settings.

use protocol::limits::{MOST_BLOCKED_LISTED, PAGE_CONVERSATIONS};
use protocol::{
    BlockedUser, ConversationId, ConversationPage, ErrorCode, ListCursor, ServerFrame, Timestamp,
    UserId,
};

use crate::error::Result;
use crate::store::{BlockTime, Caller};
use crate::{Chat, clock};

impl Chat {
    /// Returns a page of the user's requests, the most recently active first.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn requests(
        &self,
        me: UserId,
        after: Option<ListCursor>,
    ) -> Result<ConversationPage> {
        self.throttle().read(me)?;
        let found = self.store().requests(me, after, PAGE_CONVERSATIONS + 1).await?;
        Ok(self.page(found).await)
    }

    /// Accepts a request, as an answer would: both users now see each other's receipts and
    /// presence. In a conversation that is no request, the user counts as having answered from then
    /// on.
    ///
    /// # Errors
    /// `not_found`, `rate_limited`; `unauthenticated` if the session has ended.
    pub async fn accept_request(&self, me: Caller, id: ConversationId) -> Result<()> {
        self.throttle().standing(me.user).await?;
        let accepted = self.store().accept_request(me, id, clock::now()).await?;
        let accepted = accepted.ok_or(ErrorCode::NotFound)?;
        // A peer who has not spoken, or whom a block separates from the user, learns nothing.
        let both = [me.user, accepted.peer];
        let to = if accepted.acquaints { &both[..] } else { &both[..1] };
        if accepted.changed {
            self.publish_changed(to, id);
        }
        Ok(())
    }

    /// Removes a request from the user's requests until its sender writes again. The sender learns
    /// nothing.
    ///
    /// # Errors
    /// As [`Chat::accept_request`].
    pub async fn delete_request(&self, me: Caller, id: ConversationId) -> Result<()> {
        self.throttle().standing(me.user).await?;
        if !self.store().delete_request(me, id).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.publish_changed(&[me.user], id);
        Ok(())
    }

    /// Blocks the peer, or ends the block. To the peer, the user goes offline with the block, and
    /// returns with its end.
    ///
    /// # Errors
    /// As [`Chat::accept_request`].
    pub async fn set_blocked(&self, me: Caller, id: ConversationId, blocked: bool) -> Result<()> {
        self.throttle().standing(me.user).await?;
        let now = clock::now();
        let is_online = self.presence().present(&[me.user]).await.contains(&me.user);
        let since = blocked.then_some(BlockTime { now, is_online });
        let change = self.store().set_blocked(me, id, since).await?;
        let change = change.ok_or(ErrorCode::NotFound)?;
        if change.changed {
            self.publish_changed(&[me.user], id);
            if change.shows_presence && is_online {
                self.presence().show_block(me.user, change.peer, blocked, now);
            }
        }
        Ok(())
    }

    /// Mutes a conversation until a time, or ends that with a time that has passed. The clients of
    /// the user keep quiet by themselves, because they alone notify.
    ///
    /// # Errors
    /// As [`Chat::accept_request`].
    pub async fn mute(&self, me: Caller, id: ConversationId, until: Timestamp) -> Result<()> {
        self.throttle().standing(me.user).await?;
        let until = Some(until.min(Timestamp::FOREVER)).filter(|until| *until > clock::now());
        if !self.store().set_muted(me, id, until).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.publish_changed(&[me.user], id);
        Ok(())
    }

    /// As [`Chat::mute`], for some minutes from now, or without an end. Zero minutes end the mute.
    ///
    /// # Errors
    /// As [`Chat::accept_request`].
    pub async fn mute_for(
        &self,
        me: Caller,
        id: ConversationId,
        minutes: Option<u32>,
    ) -> Result<()> {
        const MINUTE_MS: i64 = 60_000;
        let until = match minutes {
            None => Timestamp::FOREVER,
            Some(minutes) => Timestamp(clock::now().0 + i64::from(minutes) * MINUTE_MS),
        };
        self.mute(me, id, until).await
    }

    /// Returns the users whom the user has blocked, the most recently blocked first.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn blocked_users(&self, me: UserId) -> Result<Vec<BlockedUser>> {
        self.throttle().read(me)?;
        Ok(self.store().blocked_users(me, MOST_BLOCKED_LISTED).await?)
    }

    /// Makes the open pages of these users fetch a conversation again.
    pub(crate) fn publish_changed(&self, to: &[UserId], conversation: ConversationId) {
        self.relay().publish(to, &ServerFrame::Changed { conversation }, None);
    }
}

//! Conversations: opening, listing and reading them.
//!
//! Every call names the user, and each statement of the store checks that the user is a member; no
//! check here may stand in its place. `app` calls these methods for its pages and server functions,
//! and [`crate::Connection`] asks for the peer.

use protocol::limits::{
    MAX_REQUESTS_COUNTED, MAX_UNREAD_ELSEWHERE, PAGE_CONVERSATIONS, PAGE_MESSAGES,
};
use protocol::{
    Conversation, ConversationId, ConversationPage, Cursor, ErrorCode, HistoryPage, ListCursor,
    TickTimes, UserId,
};

use crate::error::{Error, Result};
use crate::store::{Caller, ConversationView, History};
use crate::{Chat, clock};

impl Chat {
    /// Returns the conversation of two users, and creates it if there is none. Both users get the
    /// same conversation, even if they open it at the same time.
    ///
    /// # Errors
    /// `not_with_oneself`; `not_found` if the peer does not exist; `rate_limited` if the user has
    /// created many conversations; `storage_full`; `unauthenticated` if the session has ended.
    pub async fn open_conversation(&self, me: Caller, peer: UserId) -> Result<ConversationId> {
        if me.user == peer {
            return Err(ErrorCode::NotWithOneself.into());
        }
        if !self.store().has_conversation(me.user, peer).await? {
            self.space().require().map_err(Error::Refused)?;
            self.throttle().open_conversation(me.user).await?;
        }
        let id = self.store().open_conversation(me, peer, clock::now()).await?;
        id.ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// Returns one of the user's conversations.
    ///
    /// # Errors
    /// `not_found` if it does not exist or the user is not a member; `rate_limited`.
    pub async fn conversation(&self, me: UserId, id: ConversationId) -> Result<Conversation> {
        self.throttle().read(me)?;
        let found = self.store().conversation(me, id).await?;
        let mut seen = found.ok_or(ErrorCode::NotFound)?;
        self.note_presence(std::slice::from_mut(&mut seen)).await;
        Ok(seen.conversation)
    }

    /// Returns a page of the user's conversations without the requests, the most recently active
    /// first. The first page includes the unread counts of conversations after it, and the number of
    /// requests.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
    ) -> Result<ConversationPage> {
        self.throttle().read(me)?;
        let found = self.store().conversations(me, after, PAGE_CONVERSATIONS + 1).await?;
        let mut page = self.page(found).await;
        if after.is_some() {
            return Ok(page);
        }
        page.requests = self.store().count_requests(me, MAX_REQUESTS_COUNTED).await?;
        if let Some(last) = page.conversations.last().filter(|_| page.has_more) {
            let cursor = ListCursor { active_at: last.active_at, id: last.id };
            let (most, now) = (MAX_UNREAD_ELSEWHERE, clock::now());
            page.unread_elsewhere = self.store().unread_behind(me, cursor, most, now).await?;
        }
        Ok(page)
    }

    /// Makes a page of the conversations found, of which one more than a page were requested.
    pub(crate) async fn page(&self, mut found: Vec<ConversationView>) -> ConversationPage {
        let has_more = found.len() > PAGE_CONVERSATIONS;
        found.truncate(PAGE_CONVERSATIONS);
        self.note_presence(&mut found).await;
        let conversations = found.into_iter().map(|one| one.conversation).collect();
        ConversationPage { conversations, has_more, ..ConversationPage::default() }
    }

    /// Returns a page of messages of one of the user's conversations.
    ///
    /// # Errors
    /// `not_found` if the conversation does not exist or the user is not a member; `out_of_range`
    /// for a cursor below zero or beyond the last seq; `rate_limited`.
    pub async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
    ) -> Result<HistoryPage> {
        self.throttle().read(me)?;
        match self.store().history(me, id, cursor, PAGE_MESSAGES).await? {
            History::Page(page) => Ok(page),
            History::OutOfRange => Err(ErrorCode::OutOfRange.into()),
            History::NotFound => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Returns the peer's marks in one of the user's conversations, with the times of their last
    /// move.
    ///
    /// # Errors
    /// `not_found` if the conversation does not exist or the user is not a member; `rate_limited`.
    pub async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<TickTimes> {
        self.throttle().read(me)?;
        self.store().tick_times(me, id).await?.ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// Returns the other user of a conversation, and whether that user may see that `me` is typing.
    pub(crate) async fn typing_peer(
        &self,
        me: UserId,
        id: ConversationId,
    ) -> Result<(UserId, bool)> {
        self.store().typing_peer(me, id).await?.ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// Sets `online` for the peers whose presence the user may see.
    async fn note_presence(&self, found: &mut [ConversationView]) {
        let shown = found.iter().filter(|seen| seen.shows_presence);
        let peers: Vec<UserId> = shown.map(|seen| seen.conversation.peer.user.id).collect();
        let present = self.presence().present(&peers).await;
        for seen in found.iter_mut().filter(|seen| seen.shows_presence) {
            let peer = &mut seen.conversation.peer;
            peer.presence.online = present.contains(&peer.user.id);
        }
    }
}

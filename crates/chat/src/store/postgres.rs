//! The shared store: a Postgres database that several nodes use. Any node may vanish at any moment.
//!
//! Every statement runs in READ COMMITTED. A statement locks the rows that it reads if they must
//! not change before the commit. To avoid deadlocks, several rows are locked in one order: users,
//! sessions, invitations, conversations, members, message ids; within a table by id. Ids are
//! `uuid`. Lists are passed to a statement as arrays.
//!
//! Clocks: stored times are those of the writing node, and nodes may differ by minutes. These times
//! decide only when sessions and invitations expire, which is a matter of days. Times that matter
//! within a minute, such as the end of a previous token, use the database's clock. The list of
//! conversations is sorted by stored times, so its order can differ from the order of events by as
//! much as the clocks differ.
//!
//! Commits have a connection of their own (`committer`); all other calls share a pool.

/// Runs a call on a connection of the pool, with a time limit for both. After an error or a timeout
/// the connection is closed.
macro_rules! call {
    ($store:ident, $connection:ident => $call:expr) => {
        call!(PATIENCE, $store, $connection => $call)
    };
    ($patience:expr, $store:ident, $connection:ident => $call:expr) => {{
        let calling = async {
            let mut lent = Lent::from(&$store.pool).await?;
            let $connection = lent.connection()?;
            let outcome = $call.await;
            lent.give_back(outcome)
        };
        timeout($patience, calling).await.unwrap_or(Err(StoreError::Silent))
    }};
}

/// The SQL for the name of this running database: the database's oid, the oid of the table `nodes`
/// (a copy may be in another schema), and the start time of the server in microseconds. See
/// [`super::Instance`].
macro_rules! instance {
    () => {
        "((select oid::text from pg_database where datname = current_database()) || '-' || \
          'nodes'::regclass::oid::text || '-' || \
          (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text)"
    };
}

mod accounts;
mod allowances;
mod commit;
mod committer;
mod connections;
mod conversations;
mod deletion;
mod history;
mod invitations;
mod leases;
pub(super) mod open;
mod people;
#[cfg(test)]
mod plans;
mod pooler;
pub(super) mod servers;
mod sessions;
mod settings;
mod together;
mod words;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use protocol::{
    ConversationId, Cursor, Epoch, InvitationInfo, ListCursor, Privacy, SessionId, SessionInfo,
    Settings, TickTimes, Timestamp, Unread, User, UserId,
};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use tokio::time::timeout;

use super::{
    Acceptance, AccountOutcome, Batch, Committed, Counted, Found, History, Instance, InvitationRow,
    NewInvitation, NewSession, NewUser, NodesSecret, Result, Seen, SessionLife, SessionRow, Shared,
    Store, StoreError, TokenHash,
};
use committer::Committer;
use connections::{Lent, PATIENCE, Pool};
use servers::Servers;

pub use open::OpenError;

/// A store in a Postgres database.
pub struct PostgresStore {
    committer: Committer,
    pool: Pool,
    epoch: Epoch,
    secret: NodesSecret,
    instance: Instance,
}

impl PostgresStore {
    /// Connects to the database of a URL with at most `connections` connections, and migrates its
    /// schema. Nodes that start at the same time wait for each other.
    ///
    /// # Errors
    /// One line that tells the operator what to do, without the password.
    pub async fn open(url: &str, connections: u32) -> std::result::Result<Self, OpenError> {
        Self::open_within(url, connections, Duration::ZERO).await
    }

    /// Like [`Self::open`], but retries for `patience` while no server is reachable.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_within(
        url: &str,
        connections: u32,
        patience: Duration,
    ) -> std::result::Result<Self, OpenError> {
        let servers = Servers::of(url, |options| options)?;
        let (epoch, secret, instance) = open::prepare_database(&servers, patience).await?;
        let committer = Committer::new(servers.clone());
        let pool = Pool::new(servers, connections.saturating_sub(1).max(1));
        Ok(Self { committer, pool, epoch, secret, instance })
    }
}

/// Reads the columns `id`, `username`, `display_name`.
fn user(row: &PgRow) -> std::result::Result<User, sqlx::Error> {
    Ok(User {
        id: UserId(row.try_get("id")?),
        username: row.try_get("username")?,
        display_name: row.try_get("display_name")?,
    })
}

/// Reads by an index, as most calls do.
async fn is_readable(connection: &mut PgConnection) -> Result<()> {
    sqlx::query("select 1 from users where username_key = ''").fetch_optional(connection).await?;
    Ok(())
}

/// Whether a text can be a parameter. Postgres refuses NUL in any text, and no stored text contains
/// it.
fn can_be_asked(text: &str) -> bool {
    !text.contains('\0')
}

async fn open_conversation(
    connection: &mut PgConnection,
    me: UserId,
    peer: UserId,
    now: Timestamp,
) -> Result<Option<ConversationId>> {
    let mut tx = connection.begin().await?;
    let opened = conversations::open(&mut tx, me, peer, now).await?;
    tx.commit().await?;
    Ok(opened.map(|(id, _)| id))
}

#[async_trait]
impl Store for PostgresStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn check_writable(&self) -> Result<()> {
        // Only this connection writes messages.
        self.committer.check_writable().await
    }

    async fn check_readable(&self) -> Result<()> {
        call!(self, c => is_readable(c))
    }

    async fn close(&self) {
        self.committer.close().await;
        self.pool.close().await;
    }

    fn shared(&self) -> Option<&dyn Shared> {
        Some(self)
    }

    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool> {
        call!(self, c => invitations::offer_first(c, token, most, now))
    }

    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool> {
        call!(self, c => invitations::is_first(c, token))
    }

    async fn create_user(
        &self,
        user: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome> {
        call!(self, c => accounts::create_user(c, user, session, invitation, now))
    }

    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<bool> {
        call!(self, c => invitations::create(c, new, most_open, now))
    }

    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<InvitationRow>> {
        call!(self, c => invitations::waiting(c, inviter, now))
    }

    async fn withdraw_invitation(&self, inviter: UserId, token: &TokenHash) -> Result<bool> {
        call!(self, c => invitations::withdraw(c, inviter, token))
    }

    async fn invitation(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<InvitationInfo>> {
        call!(self, c => invitations::find(c, token, now))
    }

    async fn accept_invitation(
        &self,
        token: &TokenHash,
        me: UserId,
        now: Timestamp,
    ) -> Result<Acceptance> {
        call!(self, c => invitations::accept(c, token, me, now))
    }

    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>> {
        call!(self, c => accounts::credentials(c, username_key))
    }

    async fn create_session(
        &self,
        session: NewSession,
        verified: &str,
        keep: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        call!(self, c => sessions::create_session(c, session, verified, keep, now))
    }

    async fn delete_account(
        &self,
        user: UserId,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        call!(deletion::PATIENCE, self, c => deletion::delete_account(c, user, verified, now))
    }

    async fn session(&self, token: &TokenHash, life: SessionLife) -> Result<Option<SessionRow>> {
        call!(self, c => sessions::session(c, token, life))
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        from: &TokenHash,
        to: &TokenHash,
        now: Timestamp,
        lost_before: Timestamp,
    ) -> Result<bool> {
        call!(self, c => sessions::rotate_session(c, id, from, to, now, lost_before))
    }

    async fn end_old_token(
        &self,
        id: SessionId,
        present: &TokenHash,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        call!(self, c => sessions::end_old_token(c, id, present, now, until))
    }

    async fn see_sessions(
        &self,
        ids: &[SessionId],
        now: Timestamp,
        noted_before: Timestamp,
    ) -> Result<()> {
        call!(self, c => sessions::see_sessions(c, ids, now, noted_before))
    }

    async fn delete_session(&self, id: SessionId) -> Result<()> {
        call!(self, c => sessions::delete_session(c, id))
    }

    async fn delete_session_of(&self, user: UserId, id: SessionId) -> Result<bool> {
        call!(self, c => sessions::delete_session_of(c, user, id))
    }

    async fn delete_other_sessions(&self, user: UserId, keep: SessionId) -> Result<Vec<SessionId>> {
        call!(self, c => sessions::delete_others(c, user, keep))
    }

    async fn sessions(&self, user: UserId, life: SessionLife) -> Result<Vec<SessionInfo>> {
        call!(self, c => sessions::list(c, user, life))
    }

    async fn settings(&self, user: UserId) -> Result<Option<Settings>> {
        call!(self, c => settings::read(c, user))
    }

    async fn password_hash(&self, user: UserId) -> Result<Option<String>> {
        call!(self, c => settings::password_hash(c, user))
    }

    async fn set_display_name(&self, user: UserId, name: &str, key: &str) -> Result<Option<User>> {
        call!(self, c => settings::set_display_name(c, user, name, key))
    }

    async fn set_privacy(&self, user: UserId, privacy: Privacy) -> Result<()> {
        call!(self, c => settings::set_privacy(c, user, privacy))
    }

    async fn set_password(
        &self,
        user: UserId,
        verified: &str,
        hash: &str,
        keep: SessionId,
    ) -> Result<Option<Vec<SessionId>>> {
        call!(self, c => settings::set_password(c, user, verified, hash, keep))
    }

    async fn replace_password_hash(&self, user: UserId, verified: &str, hash: &str) -> Result<()> {
        call!(self, c => settings::replace_password_hash(c, user, verified, hash))
    }

    async fn good_sessions(&self, ids: &[SessionId], life: SessionLife) -> Result<Vec<SessionId>> {
        call!(self, c => sessions::good_sessions(c, ids, life))
    }

    async fn forget_old_sessions(&self, life: SessionLife) -> Result<()> {
        call!(self, c => sessions::forget_old_sessions(c, life))
    }

    async fn peers_by_words(
        &self,
        me: UserId,
        words: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>> {
        call!(self, c => people::peers_by_words(c, me, words, limit))
    }

    async fn others_by_words(
        &self,
        me: UserId,
        words: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>> {
        call!(self, c => people::others_by_words(c, me, words, username_key, limit))
    }

    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>> {
        call!(self, c => people::by_username(c, me, username_key))
    }

    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        call!(self, c => people::recent_peers(c, me, limit))
    }

    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        call!(self, c => people::peers(c, me, limit))
    }

    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        call!(self, c => people::presence_peers(c, me, limit))
    }

    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        call!(self, c => people::directory(c, me, limit))
    }

    async fn open_conversation(
        &self,
        me: UserId,
        peer: UserId,
        now: Timestamp,
    ) -> Result<Option<ConversationId>> {
        call!(self, c => open_conversation(c, me, peer, now))
    }

    async fn conversation(&self, me: UserId, id: ConversationId) -> Result<Option<Seen>> {
        call!(self, c => conversations::one(c, me, id))
    }

    async fn conversations(
        &self,
        me: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<Seen>> {
        call!(self, c => conversations::list(c, me, after, limit))
    }

    async fn unread_behind(
        &self,
        me: UserId,
        cursor: ListCursor,
        limit: usize,
    ) -> Result<Vec<Unread>> {
        call!(self, c => conversations::unread_behind(c, me, cursor, limit))
    }

    async fn tick_times(&self, me: UserId, id: ConversationId) -> Result<Option<TickTimes>> {
        call!(self, c => conversations::tick_times(c, me, id))
    }

    async fn peer(&self, me: UserId, id: ConversationId) -> Result<Option<UserId>> {
        call!(self, c => conversations::peer(c, me, id))
    }

    async fn history(
        &self,
        me: UserId,
        id: ConversationId,
        cursor: Cursor,
        limit: usize,
    ) -> Result<History> {
        call!(self, c => history::page(c, me, id, cursor, limit))
    }

    async fn commit(&self, batch: Arc<Batch>, now: Timestamp) -> Result<Committed> {
        self.committer.commit(&batch, now).await
    }
}

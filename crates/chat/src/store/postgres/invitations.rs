//! Invitations in Postgres. Implements [`InvitationStore`]; [`super::accounts`] also uses up an
//! invitation here, inside the transaction of a sign-up.
//!
//! The row lock ensures single use: a second user waits for the lock and finds the invitation used.

use async_trait::async_trait;
use protocol::{InvitationInfo, Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{PostgresStore, conversations, sessions};
use crate::store::standings::Comes;
use crate::store::{
    Acceptance, Caller, InvitationOutcome, InvitationStore, NewInvitation, OpenInvitation, Opened,
    Result, TokenHash, rows,
};

#[async_trait]
impl InvitationStore for PostgresStore {
    // Stores a first invitation, which has no inviter, as a row of `meta`. Each node offers its
    // own, so each has its own row. The key contains the hash of a 256-bit random token, which
    // cannot be guessed.
    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let offered = sqlx::query(
                "insert into meta (key, value) \
                 select $1, $2 where not exists (select 1 from users)",
            )
            .bind(rows::first_invitation_key(token))
            .bind(now.0.to_string())
            .execute(&mut *tx)
            .await?;
            if offered.rows_affected() == 0 {
                tx.rollback().await?;
                return Ok(false);
            }
            sqlx::query(
                "delete from meta where key like 'first_invitation:%' and key not in ( \
                     select key from meta where key like 'first_invitation:%' \
                     order by value desc limit $1)",
            )
            .bind(i64::from(most))
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool> {
        self.call(async |connection| {
            let is_first = sqlx::query_scalar(
                "select exists (select 1 from meta where key = $1) \
                     and not exists (select 1 from users)",
            )
            .bind(rows::first_invitation_key(token))
            .fetch_one(connection)
            .await?;
            Ok(is_first)
        })
        .await
    }

    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<InvitationOutcome> {
        self.call(async |connection| {
            let inviter = new.inviter.user;
            let mut tx = connection.begin().await?;
            // The lock on the inviter's row keeps two nodes from counting at the same time.
            sqlx::query("select 1 from users where id = $1 for no key update")
                .bind(inviter.0)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "delete from invitations i using ( \
                     select token_hash from invitations where inviter_id = $1 and expires_at <= $2 \
                     order by token_hash for update) over_now \
                 where i.token_hash = over_now.token_hash",
            )
            .bind(inviter.0)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            let open: i64 = sqlx::query_scalar(
                "select count(*) from invitations where inviter_id = $1 and used_at is null",
            )
            .bind(inviter.0)
            .fetch_one(&mut *tx)
            .await?;
            if open >= i64::from(most_open) {
                tx.rollback().await?;
                return Ok(InvitationOutcome::TooMany);
            }
            let stored = sqlx::query(
                "insert into invitations (token_hash, inviter_id, created_at, expires_at) \
                 select $1, id, $3, $4 from users where id = $2 and deleted_at is null",
            )
            .bind(new.token_hash.as_slice())
            .bind(inviter.0)
            .bind(now.0)
            .bind(new.expires_at.0)
            .execute(&mut *tx)
            .await?;
            if stored.rows_affected() == 0 {
                tx.rollback().await?;
                return Ok(InvitationOutcome::NoAccount);
            }
            sessions::commit_for(tx, new.inviter).await?;
            Ok(InvitationOutcome::Made)
        })
        .await
    }

    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<OpenInvitation>> {
        self.call(async |connection| {
            let rows = sqlx::query(
                "select token_hash, created_at, expires_at from invitations \
                 where inviter_id = $1 and expires_at > $2 and used_at is null \
                 order by expires_at desc",
            )
            .bind(inviter.0)
            .bind(now.0)
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::invitation)
        })
        .await
    }

    async fn withdraw_invitation(&self, inviter: Caller, token: &TokenHash) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            let withdrawn = sqlx::query(
                "delete from invitations \
                 where token_hash = $1 and inviter_id = $2 and used_at is null",
            )
            .bind(token.as_slice())
            .bind(inviter.user.0)
            .execute(&mut *tx)
            .await?;
            sessions::commit_for(tx, inviter).await?;
            Ok(withdrawn.rows_affected() > 0)
        })
        .await
    }

    async fn invitation(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<InvitationInfo>> {
        self.call(async |connection| {
            let row = sqlx::query(
                "select u.id, u.username, u.display_name, i.expires_at \
                 from invitations i join users u on u.id = i.inviter_id \
                 where i.token_hash = $1 and i.used_at is null and i.expires_at > $2 \
                   and u.deleted_at is null",
            )
            .bind(token.as_slice())
            .bind(now.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::invitation_info)
        })
        .await
    }

    async fn accept_invitation(
        &self,
        token: &TokenHash,
        caller: Caller,
        now: Timestamp,
    ) -> Result<Acceptance> {
        let me = caller.user;
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            if let Some(opened) = use_up(&mut tx, token, me, now).await? {
                sessions::commit_for(tx, caller).await?;
                return Ok(Acceptance::Opened(opened));
            }
            tx.rollback().await?;
            let own: bool = sqlx::query_scalar(
                "select exists (select 1 from invitations \
                 where token_hash = $1 and inviter_id = $2 and used_at is null and expires_at > $3)",
            )
            .bind(token.as_slice())
            .bind(me.0)
            .bind(now.0)
            .fetch_one(connection)
            .await?;
            Ok(if own { Acceptance::Own } else { Acceptance::Invalid })
        })
        .await
    }
}

/// Deletes all open invitations of a user.
pub(super) async fn withdraw_all(tx: &mut PgConnection, inviter: UserId) -> Result<()> {
    sqlx::query(
        "delete from invitations i using ( \
             select token_hash from invitations where inviter_id = $1 and used_at is null \
             order by token_hash for update) open_ones \
         where i.token_hash = open_ones.token_hash",
    )
    .bind(inviter.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Marks another user's invitation as used and opens the conversation, listed for both users.
/// Returns `None` if the invitation is not valid for this user. The caller must then roll back its
/// transaction.
pub(super) async fn use_up(
    tx: &mut PgConnection,
    token: &TokenHash,
    by: UserId,
    now: Timestamp,
) -> Result<Option<Opened>> {
    // Locks users before their invitations, in the same order as the deletion of an account.
    sqlx::query(
        "select 1 from users where id = any (array[$2, \
             (select inviter_id from invitations where token_hash = $1)]) \
         order by id for key share",
    )
    .bind(token.as_slice())
    .bind(by.0)
    .execute(&mut *tx)
    .await?;
    let inviter: Option<Uuid> = sqlx::query_scalar(
        "update invitations set used_by = $2, used_at = $3 \
         where token_hash = $1 and used_at is null and expires_at > $3 and inviter_id <> $2 \
         returning inviter_id",
    )
    .bind(token.as_slice())
    .bind(by.0)
    .bind(now.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(inviter) = inviter.map(UserId) else { return Ok(None) };
    let mine = conversations::open(tx, by, inviter, Comes::Invited, now).await?;
    let theirs = conversations::open(tx, inviter, by, Comes::Invited, now).await?;
    let is_new = mine.as_ref().is_some_and(|(_, is_new)| *is_new);
    Ok(theirs.map(|(conversation, _)| Opened { conversation, inviter, is_new }))
}

/// Uses up a first invitation and deletes all others. The new account is already stored and must be
/// the only one. Returns whether the invitation was valid.
///
/// If two calls with different invitations run at once, the second waits for the rows that the
/// first deletes, and finds none left.
pub(super) async fn use_first(
    connection: &mut PgConnection,
    token: &TokenHash,
    by: UserId,
) -> Result<bool> {
    let used = sqlx::query(
        "delete from meta where key like 'first_invitation:%' \
             and exists (select 1 from meta where key = $1) \
             and not exists (select 1 from users where id <> $2)",
    )
    .bind(rows::first_invitation_key(token))
    .bind(by.0)
    .execute(connection)
    .await?;
    Ok(used.rows_affected() > 0)
}

//! Invitations in SQLite. Implements [`InvitationStore`]; [`super::accounts`] also uses up an
//! invitation here, inside the transaction of a sign-up.

use async_trait::async_trait;
use protocol::{InvitationInfo, Timestamp, UserId};
use sqlx::sqlite::SqliteTransaction;
use uuid::Uuid;

use super::{SqliteStore, conversations, sessions};
use crate::store::standings::Comes;
use crate::store::{
    Acceptance, Caller, InvitationOutcome, InvitationStore, NewInvitation, OpenInvitation, Opened,
    Result, TokenHash, rows,
};

#[async_trait]
impl InvitationStore for SqliteStore {
    // Stores a first invitation, which has no inviter, as a row of `meta`. Each node offers its
    // own, so each has its own row. The key contains the hash of a 256-bit random token, which
    // cannot be guessed.
    async fn offer_first_invitation(
        &self,
        token: &TokenHash,
        most: u32,
        now: Timestamp,
    ) -> Result<bool> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        let offered = sqlx::query(
            "insert into meta (key, value) select $1, $2 where not exists (select 1 from users)",
        )
        .bind(rows::first_invitation_key(token))
        .bind(now.0.to_string())
        .execute(&mut *tx)
        .await?;
        if offered.rows_affected() == 0 {
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
    }

    async fn is_first_invitation(&self, token: &TokenHash) -> Result<bool> {
        let is_first = sqlx::query_scalar(
            "select exists (select 1 from meta where key = $1) \
                 and not exists (select 1 from users)",
        )
        .bind(rows::first_invitation_key(token))
        .fetch_one(&self.read)
        .await?;
        Ok(is_first)
    }

    async fn create_invitation(
        &self,
        new: NewInvitation,
        most_open: u32,
        now: Timestamp,
    ) -> Result<InvitationOutcome> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, new.inviter).await?;
        let inviter = new.inviter.user;
        sqlx::query("delete from invitations where inviter_id = $1 and expires_at <= $2")
            .bind(inviter.0)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let open: u32 = sqlx::query_scalar(
            "select count(*) from invitations where inviter_id = $1 and used_at is null",
        )
        .bind(inviter.0)
        .fetch_one(&mut *tx)
        .await?;
        if open >= most_open {
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
            return Ok(InvitationOutcome::NoAccount);
        }
        tx.commit().await?;
        Ok(InvitationOutcome::Made)
    }

    async fn waiting_invitations(
        &self,
        inviter: UserId,
        now: Timestamp,
    ) -> Result<Vec<OpenInvitation>> {
        let rows = sqlx::query(
            "select token_hash, created_at, expires_at from invitations \
             where inviter_id = $1 and expires_at > $2 and used_at is null \
             order by expires_at desc",
        )
        .bind(inviter.0)
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        rows::all(&rows, rows::invitation)
    }

    async fn withdraw_invitation(&self, inviter: Caller, token: &TokenHash) -> Result<bool> {
        let _turn = self.turn().await;
        let mut connection = self.write.acquire().await?;
        sessions::require(&mut connection, inviter).await?;
        let withdrawn = sqlx::query(
            "delete from invitations \
             where token_hash = $1 and inviter_id = $2 and used_at is null",
        )
        .bind(token.as_slice())
        .bind(inviter.user.0)
        .execute(&mut *connection)
        .await?;
        Ok(withdrawn.rows_affected() > 0)
    }

    async fn invitation(
        &self,
        token: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<InvitationInfo>> {
        let row = sqlx::query(
            "select u.id, u.username, u.display_name, i.expires_at \
             from invitations i join users u on u.id = i.inviter_id \
             where i.token_hash = $1 and i.used_at is null and i.expires_at > $2 \
               and u.deleted_at is null",
        )
        .bind(token.as_slice())
        .bind(now.0)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::invitation_info)
    }

    async fn accept_invitation(
        &self,
        token: &TokenHash,
        caller: Caller,
        now: Timestamp,
    ) -> Result<Acceptance> {
        let me = caller.user;
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
        sessions::require(&mut tx, caller).await?;
        if let Some(opened) = use_up(&mut tx, token, me, now).await? {
            tx.commit().await?;
            return Ok(Acceptance::Opened(opened));
        }
        let own: bool = sqlx::query_scalar(
            "select exists (select 1 from invitations where token_hash = $1 and inviter_id = $2 \
             and used_at is null and expires_at > $3)",
        )
        .bind(token.as_slice())
        .bind(me.0)
        .bind(now.0)
        .fetch_one(&mut *tx)
        .await?;
        Ok(if own { Acceptance::Own } else { Acceptance::Invalid })
    }
}

/// Deletes all open invitations of a user.
pub(super) async fn withdraw_all(tx: &mut SqliteTransaction<'_>, inviter: UserId) -> Result<()> {
    sqlx::query("delete from invitations where inviter_id = $1 and used_at is null")
        .bind(inviter.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Marks another user's invitation as used and opens the conversation, listed for both users.
/// Returns `None` and changes nothing if the invitation is not valid for this user.
pub(super) async fn use_up(
    tx: &mut SqliteTransaction<'_>,
    token: &TokenHash,
    by: UserId,
    now: Timestamp,
) -> Result<Option<Opened>> {
    let inviter: Option<Uuid> = sqlx::query_scalar(
        "update invitations set used_by = $2, used_at = $3 \
         where token_hash = $1 and used_at is null and expires_at > $3 and inviter_id <> $2 \
         returning inviter_id",
    )
    .bind(token.as_slice())
    .bind(by.0)
    .bind(now.0)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(inviter) = inviter.map(UserId) else { return Ok(None) };
    let mine = conversations::open(tx, by, inviter, Comes::Invited, now).await?;
    let theirs = conversations::open(tx, inviter, by, Comes::Invited, now).await?;
    let is_new = mine.as_ref().is_some_and(|(_, is_new)| *is_new);
    Ok(theirs.map(|(conversation, _)| Opened { conversation, inviter, is_new }))
}

/// Uses up a first invitation and deletes all others. The new account is already stored and must be
/// the only one. Returns whether the invitation was valid.
pub(super) async fn use_first(
    tx: &mut SqliteTransaction<'_>,
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
    .execute(&mut **tx)
    .await?;
    Ok(used.rows_affected() > 0)
}

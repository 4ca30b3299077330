//! Invitations in SQLite. Called by [`super::SqliteStore`] and its neighbours alone.

use protocol::{InvitationInfo, Timestamp, UserId};
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteTransaction};
use uuid::Uuid;

use super::{conversations, user};
use crate::store::{Acceptance, NewInvitation, Opened, Result, TokenHash};

pub(super) async fn create(
    pool: &SqlitePool,
    new: NewInvitation,
    most_open: u32,
    now: Timestamp,
) -> Result<bool> {
    let mut tx = pool.begin_with("begin immediate").await?;
    sqlx::query("delete from invitations where inviter_id = $1 and expires_at <= $2")
        .bind(new.inviter.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    let open: u32 = sqlx::query_scalar(
        "select count(*) from invitations where inviter_id = $1 and used_at is null",
    )
    .bind(new.inviter.0)
    .fetch_one(&mut *tx)
    .await?;
    if open >= most_open {
        return Ok(false);
    }
    sqlx::query(
        "insert into invitations (token_hash, inviter_id, created_at, expires_at) \
         select $1, id, $3, $4 from users where id = $2 and deleted_at is null",
    )
    .bind(new.token_hash.as_slice())
    .bind(new.inviter.0)
    .bind(now.0)
    .bind(new.expires_at.0)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn find(
    pool: &SqlitePool,
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
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let expires_at = Timestamp(row.try_get("expires_at")?);
    Ok(Some(InvitationInfo { inviter: user(&row)?, expires_at }))
}

pub(super) async fn accept(
    pool: &SqlitePool,
    token: &TokenHash,
    me: UserId,
    now: Timestamp,
) -> Result<Acceptance> {
    let mut tx = pool.begin_with("begin immediate").await?;
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

/// Marks an invitation of somebody else's as used and opens the conversation of the two, listed
/// for both; `None`, and nothing done, if it is not good for this person.
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
    let mine = conversations::open(tx, by, inviter, now).await?;
    let theirs = conversations::open(tx, inviter, by, now).await?;
    let is_new = mine.as_ref().is_some_and(|(_, is_new)| *is_new);
    Ok(theirs.map(|(conversation, _)| Opened { conversation, inviter, is_new }))
}

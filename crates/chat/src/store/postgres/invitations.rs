//! Invitations in Postgres. Called by [`super::PostgresStore`] and its neighbours alone.
//!
//! One use, decided by the row: whoever comes second waits for it and finds it used.

use protocol::{InvitationInfo, Timestamp, UserId};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::{conversations, user};
use crate::store::{Acceptance, NewInvitation, Opened, Result, TokenHash};

pub(super) async fn create(
    connection: &mut PgConnection,
    new: NewInvitation,
    most_open: u32,
    now: Timestamp,
) -> Result<bool> {
    let mut tx = connection.begin().await?;
    // With the person's row locked, two nodes do not count at once.
    sqlx::query("select 1 from users where id = $1 for no key update")
        .bind(new.inviter.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "delete from invitations i using ( \
             select token_hash from invitations where inviter_id = $1 and expires_at <= $2 \
             order by token_hash for update) over_now \
         where i.token_hash = over_now.token_hash",
    )
    .bind(new.inviter.0)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from invitations where inviter_id = $1 and used_at is null",
    )
    .bind(new.inviter.0)
    .fetch_one(&mut *tx)
    .await?;
    if open >= i64::from(most_open) {
        tx.rollback().await?;
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
    connection: &mut PgConnection,
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
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let expires_at = Timestamp(row.try_get("expires_at")?);
    Ok(Some(InvitationInfo { inviter: user(&row)?, expires_at }))
}

pub(super) async fn accept(
    connection: &mut PgConnection,
    token: &TokenHash,
    me: UserId,
    now: Timestamp,
) -> Result<Acceptance> {
    let mut tx = connection.begin().await?;
    if let Some(opened) = use_up(&mut tx, token, me, now).await? {
        tx.commit().await?;
        return Ok(Acceptance::Opened(opened));
    }
    tx.rollback().await?;
    let own: bool = sqlx::query_scalar(
        "select exists (select 1 from invitations where token_hash = $1 and inviter_id = $2 \
         and used_at is null and expires_at > $3)",
    )
    .bind(token.as_slice())
    .bind(me.0)
    .bind(now.0)
    .fetch_one(connection)
    .await?;
    Ok(if own { Acceptance::Own } else { Acceptance::Invalid })
}

/// Marks an invitation of somebody else's as used and opens the conversation of the two, listed
/// for both; `None` if it is not good for this person: then the transaction, which this is inside
/// of, is to be given up.
pub(super) async fn use_up(
    tx: &mut PgConnection,
    token: &TokenHash,
    by: UserId,
    now: Timestamp,
) -> Result<Option<Opened>> {
    // People before their invitations, as whoever deletes an account does it.
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
    let mine = conversations::open(tx, by, inviter, now).await?;
    let theirs = conversations::open(tx, inviter, by, now).await?;
    let is_new = mine.as_ref().is_some_and(|(_, is_new)| *is_new);
    Ok(theirs.map(|(conversation, _)| Opened { conversation, inviter, is_new }))
}

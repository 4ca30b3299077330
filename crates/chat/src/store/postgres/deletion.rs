//! Deletes accounts in Postgres. Called by [`super::accounts`] alone.
//!
//! The user's row stays, emptied, because messages refer to it. Its keys must be unique and must
//! not be found, so they sort after every valid name. The username stays reserved in a table of its
//! own, which does not tell whose name it was.
//!
//! The user's keys change first. From then on no conversation with the user can be opened, so the
//! conversations locked next are all of them. If both members of a conversation delete their
//! accounts at once, the second waits for the conversation's row, and then finds that the peer has
//! no account.

use std::time::Duration;

use protocol::{SessionId, Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{device_links, identities, looks, passkeys, second_factors, sessions, words};
use crate::store::{Caller, Result};

/// Time limit of a deletion, because long conversations take time to delete.
pub(super) const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Deletes an account in one transaction.
pub(super) async fn delete_account(
    connection: &mut PgConnection,
    caller: Caller,
    verified: &str,
    now: Timestamp,
) -> Result<Option<Vec<SessionId>>> {
    let id = caller.user;
    let mut tx = connection.begin().await?;
    sqlx::query("set local statement_timeout = '5min'").execute(&mut *tx).await?;
    // While the row has the name; rolled back if the account is not deleted.
    looks::reserve(&mut tx, id, now).await?;
    let done = sqlx::query(
        "update users set username = '', display_name = '', password_hash = '', \
                username_key = chr(1114111) || id::text, display_key = chr(1114111) || id::text, \
                words_for = chr(1114111) || id::text, \
                last_seen_at = null, show_last_seen = false, deleted_at = $3 \
         where id = $1 and password_hash = $2 and deleted_at is null",
    )
    .bind(id.0)
    .bind(verified)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(None);
    }
    words::remove(&mut tx, id).await?;
    // The user's row is locked, so that a change of password can end no session of the user now.
    sessions::require(&mut tx, caller).await?;
    second_factors::remove(&mut tx, id).await?;
    device_links::remove(&mut tx, id).await?;
    passkeys::remove(&mut tx, id).await?;
    identities::remove(&mut tx, id).await?;
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "delete from sessions s using ( \
             select id from sessions where user_id = $1 order by id for update) own \
         where s.id = own.id returning s.id",
    )
    .bind(id.0)
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query("delete from invitations where inviter_id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    let conversations: Vec<Uuid> = sqlx::query_scalar(
        "select id from conversations where id = any (array( \
             select conversation_id from members where user_id = $1)) \
         order by id for update",
    )
    .bind(id.0)
    .fetch_all(&mut *tx)
    .await?;
    remove_deserted(&mut tx, id, &conversations).await?;
    sqlx::query("update conversations set closed_at = $2 where id = any ($1)")
        .bind(&conversations)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(ended.into_iter().map(SessionId).collect()))
}

/// Deletes those of the user's conversations whose peer has no account either.
async fn remove_deserted(tx: &mut PgConnection, id: UserId, conversations: &[Uuid]) -> Result<()> {
    let deserted: Vec<Uuid> = sqlx::query_scalar(
        "select m.conversation_id from members m join users u on u.id = m.peer_id \
         where m.conversation_id = any ($2) and m.user_id = $1 and u.deleted_at is not null",
    )
    .bind(id.0)
    .bind(conversations)
    .fetch_all(&mut *tx)
    .await?;
    if deserted.is_empty() {
        return Ok(());
    }
    for statement in [
        "delete from client_ids k using messages m where m.conversation_id = any ($1) \
         and k.client_id = m.client_id and k.sender_id = m.sender_id",
        "delete from messages where conversation_id = any ($1)",
        "delete from members where conversation_id = any ($1)",
        "delete from conversations where id = any ($1)",
    ] {
        sqlx::query(statement).bind(&deserted).execute(&mut *tx).await?;
    }
    Ok(())
}

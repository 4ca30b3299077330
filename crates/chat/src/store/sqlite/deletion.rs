//! Deletes accounts in SQLite. Called by [`super::accounts`] alone.
//!
//! The user's row stays, emptied, because messages refer to it. Its keys must be unique and must
//! not be found, so they sort after every valid name. The username stays reserved in a table of its
//! own, which does not tell whose name it was.

use protocol::{SessionId, Timestamp, UserId};
use sqlx::sqlite::{SqlitePool, SqliteTransaction};
use uuid::Uuid;

use super::{
    device_links, hex, identities, json, looks, passkeys, second_factors, sessions, words,
};
use crate::store::{Caller, Result};

/// Deletes an account in one transaction.
pub(super) async fn delete_account(
    pool: &SqlitePool,
    caller: Caller,
    verified: &str,
    now: Timestamp,
) -> Result<Option<Vec<SessionId>>> {
    let id = caller.user;
    let mut tx = pool.begin_with("begin immediate").await?;
    sessions::require(&mut tx, caller).await?;
    // While the row has the name; rolled back if the account is not deleted.
    looks::reserve(&mut tx, id, now).await?;
    let done = sqlx::query(
        "update users set username = '', display_name = '', password_hash = '', \
                username_key = char(1114111) || hex(id), display_key = char(1114111) || hex(id), \
                words_for = char(1114111) || hex(id), \
                last_seen_at = null, show_last_seen = 0, deleted_at = $3 \
         where id = $1 and password_hash = $2 and deleted_at is null",
    )
    .bind(id.0)
    .bind(verified)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let ended: Vec<Uuid> =
        sqlx::query_scalar("delete from sessions where user_id = $1 returning id")
            .bind(id.0)
            .fetch_all(&mut *tx)
            .await?;
    sqlx::query("delete from invitations where inviter_id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    words::remove(&mut tx, id).await?;
    second_factors::remove(&mut tx, id).await?;
    device_links::remove(&mut tx, id).await?;
    passkeys::remove(&mut tx, id).await?;
    identities::remove(&mut tx, id).await?;
    remove_deserted(&mut tx, id).await?;
    sqlx::query(
        "update conversations set closed_at = $2 \
         where id in (select conversation_id from members where user_id = $1)",
    )
    .bind(id.0)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(ended.into_iter().map(SessionId).collect()))
}

/// Deletes the user's conversations with peers whose accounts were deleted earlier.
async fn remove_deserted(tx: &mut SqliteTransaction<'_>, id: UserId) -> Result<()> {
    let deserted: Vec<Uuid> = sqlx::query_scalar(
        "select m.conversation_id from members m join users u on u.id = m.peer_id \
         where m.user_id = $1 and u.deleted_at is not null",
    )
    .bind(id.0)
    .fetch_all(&mut **tx)
    .await?;
    let deserted = json(&deserted.into_iter().map(hex).collect::<Vec<_>>())?;
    for statement in [
        "delete from messages where conversation_id in \
         (select unhex(j.value) from json_each($1) j)",
        "delete from members where conversation_id in \
         (select unhex(j.value) from json_each($1) j)",
        "delete from conversations where id in (select unhex(j.value) from json_each($1) j)",
    ] {
        sqlx::query(statement).bind(&deserted).execute(&mut **tx).await?;
    }
    Ok(())
}

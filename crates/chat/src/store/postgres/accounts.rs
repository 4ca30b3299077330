//! Accounts in Postgres. Called by [`super::PostgresStore`] alone.

use protocol::{Timestamp, User};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::{can_be_asked, invitations, sessions, user, words};
use crate::store::{AccountOutcome, NewSession, NewUser, Result, TokenHash};

pub(super) async fn create_user(
    connection: &mut PgConnection,
    new: NewUser,
    session: NewSession,
    invitation: Option<TokenHash>,
    now: Timestamp,
) -> Result<AccountOutcome> {
    let mut tx = connection.begin().await?;
    // If two nodes insert the same name at once, the second waits here for the first to commit or
    // roll back.
    let stored = sqlx::query(
        "insert into users \
         (id, username, username_key, display_name, display_key, words_for, password_hash, \
          created_at) values ($1, $2, $3, $4, $5, $5, $6, $7) on conflict (username_key) do nothing",
    )
    .bind(new.user.id.0)
    .bind(&new.user.username)
    .bind(&new.username_key)
    .bind(&new.user.display_name)
    .bind(&new.display_key)
    .bind(&new.password_hash)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    if stored.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(AccountOutcome::NameTaken);
    }
    words::store(&mut tx, new.user.id, &new.user.username, &new.user.display_name).await?;
    sessions::insert(&mut tx, &session, now).await?;
    let mut opened = None;
    if let Some(token) = invitation {
        opened = invitations::use_up(&mut tx, &token, new.user.id, now).await?;
        if opened.is_none() && !invitations::use_first(&mut tx, &token, new.user.id).await? {
            tx.rollback().await?;
            return Ok(AccountOutcome::InvitationInvalid);
        }
    }
    tx.commit().await?;
    Ok(AccountOutcome::Made(opened))
}

pub(super) async fn credentials(
    connection: &mut PgConnection,
    username_key: &str,
) -> Result<Option<(User, String)>> {
    if !can_be_asked(username_key) {
        return Ok(None);
    }
    let row = sqlx::query(
        "select id, username, display_name, password_hash from users \
         where username_key = $1 and deleted_at is null",
    )
    .bind(username_key)
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        Some(row) => Some((user(&row)?, row.try_get("password_hash")?)),
        None => None,
    })
}

//! People's own settings in Postgres. Called by [`super::PostgresStore`] alone.

use protocol::{Privacy, SessionId, Settings, User, UserId};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::{sessions, user, words};
use crate::store::Result;

pub(super) async fn read(connection: &mut PgConnection, id: UserId) -> Result<Option<Settings>> {
    let row = sqlx::query(
        "select id, username, display_name, show_receipts, show_last_seen from users \
         where id = $1 and deleted_at is null",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let privacy = Privacy {
        receipts: row.try_get("show_receipts")?,
        last_seen: row.try_get("show_last_seen")?,
    };
    Ok(Some(Settings { user: user(&row)?, privacy }))
}

pub(super) async fn password_hash(
    connection: &mut PgConnection,
    id: UserId,
) -> Result<Option<String>> {
    let hash = "select password_hash from users where id = $1 and deleted_at is null";
    Ok(sqlx::query_scalar(hash).bind(id.0).fetch_optional(connection).await?)
}

pub(super) async fn set_display_name(
    connection: &mut PgConnection,
    id: UserId,
    name: &str,
    key: &str,
) -> Result<Option<User>> {
    let mut tx = connection.begin().await?;
    let row = sqlx::query(
        "update users set display_name = $2, display_key = $3, words_for = $3 \
         where id = $1 and deleted_at is null returning id, username, display_name",
    )
    .bind(id.0)
    .bind(name)
    .bind(key)
    .fetch_optional(&mut *tx)
    .await?;
    let renamed = row.as_ref().map(user).transpose()?;
    if let Some(user) = &renamed {
        words::store(&mut tx, id, &user.username, &user.display_name).await?;
    }
    tx.commit().await?;
    Ok(renamed)
}

pub(super) async fn set_privacy(
    connection: &mut PgConnection,
    id: UserId,
    privacy: Privacy,
) -> Result<()> {
    sqlx::query(
        "update users set show_receipts = $2, show_last_seen = $3 \
         where id = $1 and deleted_at is null",
    )
    .bind(id.0)
    .bind(privacy.receipts)
    .bind(privacy.last_seen)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_password(
    connection: &mut PgConnection,
    id: UserId,
    verified: &str,
    hash: &str,
    keep: SessionId,
) -> Result<Option<Vec<SessionId>>> {
    let mut tx = connection.begin().await?;
    let done = sqlx::query(
        "update users set password_hash = $3 \
         where id = $1 and password_hash = $2 and deleted_at is null",
    )
    .bind(id.0)
    .bind(verified)
    .bind(hash)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(None);
    }
    let ended = sessions::delete_others(&mut tx, id, keep).await?;
    tx.commit().await?;
    Ok(Some(ended))
}

pub(super) async fn replace_password_hash(
    connection: &mut PgConnection,
    id: UserId,
    verified: &str,
    hash: &str,
) -> Result<()> {
    sqlx::query(
        "update users set password_hash = $3 \
         where id = $1 and password_hash = $2 and deleted_at is null",
    )
    .bind(id.0)
    .bind(verified)
    .bind(hash)
    .execute(connection)
    .await?;
    Ok(())
}

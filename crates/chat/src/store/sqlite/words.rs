//! The search words of users, in SQLite. Called by [`super::SqliteStore`], and by the modules that
//! store a name.

use protocol::UserId;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::json;
use crate::finding;
use crate::store::Result;

/// Users in one transaction of [`store_missing`].
const AT_ONCE: i64 = 500;

/// Replaces a user's search words.
pub(super) async fn store(
    tx: &mut SqliteConnection,
    id: UserId,
    username: &str,
    display_name: &str,
) -> Result<()> {
    remove(tx, id).await?;
    let words = json(&finding::of_person(username, display_name))?;
    sqlx::query("insert into person_words (word, user_id) select j.value, $1 from json_each($2) j")
        .bind(id.0)
        .bind(words)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn remove(tx: &mut SqliteConnection, id: UserId) -> Result<()> {
    sqlx::query("delete from person_words where user_id = $1").bind(id.0).execute(tx).await?;
    Ok(())
}

/// Stores the words of users whose names were stored before this table existed.
pub(super) async fn store_missing(pool: &SqlitePool) -> Result<()> {
    let mut after = Uuid::nil();
    let mut count = 0_usize;
    loop {
        let mut tx = pool.begin_with("begin immediate").await?;
        let missing: Vec<(Uuid, String, String, bool)> = sqlx::query_as(
            "select id, username, display_name, deleted_at is null from users \
             where words_for is null and id > $1 order by id limit $2",
        )
        .bind(after)
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, ..)) = missing.last() else { break };
        after = *last;
        count += missing.len();
        for (id, username, display_name, has_account) in &missing {
            if *has_account {
                store(&mut tx, UserId(*id), username, display_name).await?;
            }
            sqlx::query("update users set words_for = display_key where id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
    }
    if count > 0 {
        tracing::info!("indexed the names of {count} users for the search");
    }
    Ok(())
}

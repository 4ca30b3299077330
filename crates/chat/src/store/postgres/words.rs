//! The search words of users, in Postgres. Called at start, by every search, and by the modules
//! that store a name.

use protocol::UserId;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::finding;
use crate::store::Result;

/// Users in one transaction of [`store_missing`].
const AT_ONCE: i64 = 500;
/// Users for whom a search stores missing words; more would delay it.
const BEFORE_A_SEARCH: i64 = 50;

/// Replaces a user's search words.
pub(super) async fn store(
    tx: &mut PgConnection,
    id: UserId,
    username: &str,
    display_name: &str,
) -> Result<()> {
    remove(tx, id).await?;
    sqlx::query("insert into person_words (word, user_id) select unnest($2::text[]), $1")
        .bind(id.0)
        .bind(finding::of_person(username, display_name))
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn remove(tx: &mut PgConnection, id: UserId) -> Result<()> {
    sqlx::query("delete from person_words where user_id = $1").bind(id.0).execute(tx).await?;
    Ok(())
}

/// Stores the words of all users without words or with words of an earlier name. Several nodes may
/// run this at once and share the work.
pub(super) async fn store_missing(connection: &mut PgConnection) -> Result<()> {
    let (mut after, mut count) = (Uuid::nil(), 0);
    while let Some((last, stored)) = store_next(connection, after, AT_ONCE).await? {
        after = last;
        count += stored;
    }
    if count > 0 {
        tracing::info!("indexed the names of {count} users for the search");
    }
    Ok(())
}

/// Stores the words of a few users whom a node of an older version has just signed up or renamed.
pub(super) async fn store_some_missing(connection: &mut PgConnection) -> Result<()> {
    store_next(connection, Uuid::nil(), BEFORE_A_SEARCH).await.map(drop)
}

/// Processes the next users after an id. Returns the last id and the number of users; `None` if no
/// user is left.
async fn store_next(
    connection: &mut PgConnection,
    after: Uuid,
    most: i64,
) -> Result<Option<(Uuid, usize)>> {
    let mut tx = connection.begin().await?;
    let missing: Vec<(Uuid, String, String, bool)> = sqlx::query_as(
        "select id, username, display_name, deleted_at is null from users \
         where words_missing and id > $1 order by id limit $2 for no key update skip locked",
    )
    .bind(after)
    .bind(most)
    .fetch_all(&mut *tx)
    .await?;
    let Some((last, ..)) = missing.last() else {
        tx.rollback().await?;
        return Ok(None);
    };
    for (id, username, display_name, has_account) in &missing {
        let id = UserId(*id);
        if *has_account {
            store(&mut tx, id, username, display_name).await?;
        } else {
            remove(&mut tx, id).await?;
        }
    }
    let ids: Vec<Uuid> = missing.iter().map(|(id, ..)| *id).collect();
    sqlx::query("update users set words_for = display_key where id = any ($1)")
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some((*last, ids.len())))
}

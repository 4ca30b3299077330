//! The words that people are found by, in Postgres. Called at start, by every search, and by whatever stores
//! a name.

use protocol::UserId;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::finding;
use crate::store::Result;

/// People of one transaction, where words are stored for those who have none yet.
const AT_ONCE: i64 = 500;
/// The same before a search, which does not wait for more.
const BEFORE_A_SEARCH: i64 = 50;

/// Stores what a person is found by, in place of what it was.
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

/// Stores the words of all who have none yet, or those of a name they had before. Nodes that do it
/// at once share the work.
pub(super) async fn store_missing(connection: &mut PgConnection) -> Result<()> {
    let (mut after, mut count) = (Uuid::nil(), 0);
    while let Some((last, stored)) = store_next(connection, after, AT_ONCE).await? {
        after = last;
        count += stored;
    }
    if count > 0 {
        tracing::info!("noted the words by which {count} people are found");
    }
    Ok(())
}

/// The same for a few: whom a node of an older version has signed up or renamed just now.
pub(super) async fn store_some_missing(connection: &mut PgConnection) -> Result<()> {
    store_next(connection, Uuid::nil(), BEFORE_A_SEARCH).await.map(drop)
}

/// Says for whom it was done last, and for how many.
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

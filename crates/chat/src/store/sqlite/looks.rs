//! The looks of usernames, in SQLite: which are taken, and which are reserved after a deletion.
//! Called at start, and by the modules that store or delete an account.

use protocol::{Timestamp, UserId};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::json;
use crate::accounts::looks::{Look, looks_of};
use crate::clock;
use crate::store::Result;
use crate::store::accounts::RESERVED_FOR;

/// Users in one transaction of [`store_missing`].
const AT_ONCE: i64 = 500;

/// Takes all looks of a new account's username. Returns false if one of them is taken or reserved;
/// the caller must then roll back its transaction.
pub(super) async fn take(
    tx: &mut SqliteConnection,
    username: &str,
    now: Timestamp,
) -> Result<bool> {
    for look in looks_of(username) {
        let taken = sqlx::query(
            "insert into username_looks (look, holders) values ($1, 1) \
             on conflict (look) do update set holders = 1, free_at = null \
             where username_looks.holders = 0 and username_looks.free_at <= $2",
        )
        .bind(look.as_slice())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Releases the looks of an account that is deleted in this transaction, and reserves them.
pub(super) async fn reserve(tx: &mut SqliteConnection, id: UserId, now: Timestamp) -> Result<()> {
    let held: Option<(String, bool)> = sqlx::query_as(
        "select username, has_looks from users where id = $1 and deleted_at is null",
    )
    .bind(id.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((username, is_holder)) = held else { return Ok(()) };
    for look in looks_of(&username) {
        sqlx::query(
            "insert into username_looks (look, holders, free_at) values ($1, 0, $2) \
             on conflict (look) do update \
             set holders = max(username_looks.holders - $3, 0), free_at = excluded.free_at",
        )
        .bind(look.as_slice())
        .bind(clock::after(now, RESERVED_FOR).0)
        .bind(i64::from(is_holder))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Whether nobody has this username or one that looks like it, and it is not reserved.
pub(super) async fn is_free(
    pool: &SqlitePool,
    username: &str,
    key: &str,
    now: Timestamp,
) -> Result<bool> {
    let looks: Vec<String> = looks_of(username).iter().map(hex).collect();
    let free = sqlx::query_scalar(
        "select not exists (select 1 from users where username_key = $1) \
            and not exists (select 1 from json_each($2) j \
                cross join username_looks l on l.look = unhex(j.value) \
                where l.holders > 0 or l.free_at > $3)",
    )
    .bind(key)
    .bind(json(&looks)?)
    .bind(now.0)
    .fetch_one(pool)
    .await?;
    Ok(free)
}

/// A look in hexadecimal, for `unhex` in a statement.
fn hex(look: &Look) -> String {
    look.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Forgets the reservations that have ended.
pub(super) async fn forget_reservations(pool: &SqlitePool, now: Timestamp) -> Result<()> {
    sqlx::query("delete from username_looks where holders = 0 and free_at <= $1")
        .bind(now.0)
        .execute(pool)
        .await?;
    Ok(())
}

/// Stores the looks of accounts that are older than this table. Two accounts whose names look alike
/// both stay valid.
pub(super) async fn store_missing(pool: &SqlitePool) -> Result<()> {
    let mut count = 0_usize;
    loop {
        let mut tx = pool.begin_with("begin immediate").await?;
        let missing: Vec<(Uuid, String)> = sqlx::query_as(
            "select id, username from users where has_looks = 0 and deleted_at is null \
             order by id limit $1",
        )
        .bind(AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
        if missing.is_empty() {
            break;
        }
        count += missing.len();
        for (id, username) in &missing {
            for look in looks_of(username) {
                sqlx::query(
                    "insert into username_looks (look, holders) values ($1, 1) \
                     on conflict (look) do update set holders = username_looks.holders + 1",
                )
                .bind(look.as_slice())
                .execute(&mut *tx)
                .await?;
            }
            sqlx::query("update users set has_looks = 1 where id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
    }
    if count > 0 {
        tracing::info!("protected the usernames of {count} users from look-alikes");
    }
    Ok(())
}

//! The looks of usernames, in Postgres: which are taken, and which are reserved after a deletion.
//! Called at start, and by the modules that store or delete an account.
//!
//! Every transaction locks its looks in ascending order, after the users.

use std::collections::BTreeMap;

use protocol::{Timestamp, UserId};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::can_be_parameter;
use crate::accounts::looks::{Look, looks_of};
use crate::clock;
use crate::store::Result;
use crate::store::accounts::RESERVED_FOR;

/// Users in one transaction of [`store_missing`].
const AT_ONCE: i64 = 500;

/// Takes all looks of a new account's username. Returns false if one of them is taken or reserved;
/// the caller must then roll back its transaction. If two nodes take one look at once, the second
/// waits for the first to commit or roll back.
pub(super) async fn take(tx: &mut PgConnection, username: &str, now: Timestamp) -> Result<bool> {
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
pub(super) async fn reserve(tx: &mut PgConnection, id: UserId, now: Timestamp) -> Result<()> {
    let held: Option<(String, bool)> = sqlx::query_as(
        "select username, has_looks from users where id = $1 and deleted_at is null for update",
    )
    .bind(id.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((username, is_holder)) = held else { return Ok(()) };
    for look in looks_of(&username) {
        sqlx::query(
            "insert into username_looks (look, holders, free_at) values ($1, 0, $2) \
             on conflict (look) do update set \
                holders = greatest(username_looks.holders - $3, 0), free_at = excluded.free_at",
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
    connection: &mut PgConnection,
    username: &str,
    key: &str,
    now: Timestamp,
) -> Result<bool> {
    if !can_be_parameter(key) {
        return Ok(false);
    }
    let looks = looks_of(username);
    let looks: Vec<&[u8]> = looks.iter().map(Look::as_slice).collect();
    let free = sqlx::query_scalar(
        "select not exists (select 1 from users where username_key = $1) \
            and not exists (select 1 from username_looks \
                where look = any ($2) and (holders > 0 or free_at > $3))",
    )
    .bind(key)
    .bind(looks)
    .bind(now.0)
    .fetch_one(connection)
    .await?;
    Ok(free)
}

/// Forgets the reservations that have ended.
pub(super) async fn forget_reservations(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "delete from username_looks l using ( \
             select look from username_looks where holders = 0 and free_at <= $1 \
             order by look for update) over_now \
         where l.look = over_now.look",
    )
    .bind(now.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores the looks of accounts that an older version signed up. Two accounts whose names look
/// alike both stay valid. Several nodes may run this at once and share the work.
pub(super) async fn store_missing(connection: &mut PgConnection) -> Result<()> {
    let mut count = 0;
    while let Some(stored) = store_next(connection).await? {
        count += stored;
    }
    if count > 0 {
        tracing::info!("protected the usernames of {count} users from look-alikes");
    }
    Ok(())
}

/// Processes the next users and returns their number; `None` if no user is left.
async fn store_next(connection: &mut PgConnection) -> Result<Option<usize>> {
    let mut tx = connection.begin().await?;
    let missing: Vec<(Uuid, String)> = sqlx::query_as(
        "select id, username from users where not has_looks and deleted_at is null \
         order by id limit $1 for no key update skip locked",
    )
    .bind(AT_ONCE)
    .fetch_all(&mut *tx)
    .await?;
    if missing.is_empty() {
        tx.rollback().await?;
        return Ok(None);
    }
    // In ascending order, and each look once, as one statement requires.
    let mut holders: BTreeMap<Look, i64> = BTreeMap::new();
    for look in missing.iter().flat_map(|(_, username)| looks_of(username)) {
        *holders.entry(look).or_default() += 1;
    }
    let (looks, counts): (Vec<&[u8]>, Vec<i64>) =
        holders.iter().map(|(look, count)| (look.as_slice(), *count)).unzip();
    sqlx::query(
        "insert into username_looks (look, holders) \
         select look, count from unnest($1::bytea[], $2::bigint[]) as counted (look, count) \
         on conflict (look) do update \
         set holders = username_looks.holders + excluded.holders",
    )
    .bind(looks)
    .bind(counts)
    .execute(&mut *tx)
    .await?;
    let ids: Vec<Uuid> = missing.iter().map(|(id, _)| *id).collect();
    sqlx::query("update users set has_looks = true where id = any ($1)")
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(ids.len()))
}

//! Finding people in SQLite. Called by [`super::SqliteStore`] alone.
//!
//! Whether the asker may see if someone is there is decided in each statement: both must show it.
//! Those without an account any more sort behind everybody (see [`super::deletion`]) and are not found.

use protocol::{Timestamp, UserId};
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use uuid::Uuid;

use super::user;
use crate::store::{Found, Result};

/// The columns of someone found, from `users u`; the parameter is the one that is the asker.
macro_rules! found {
    ($asker:literal, $rest:literal) => {
        concat!(
            "select u.id, u.username, u.display_name, u.last_seen_at, \
                    u.show_last_seen and (select show_last_seen from users where id = ",
            $asker,
            ") as shows_presence ",
            $rest
        )
    };
}

fn person(row: &SqliteRow) -> std::result::Result<Found, sqlx::Error> {
    let seen: Option<i64> = row.try_get("last_seen_at")?;
    let shows_presence: bool = row.try_get("shows_presence")?;
    let last_seen = seen.filter(|_| shows_presence).map(Timestamp);
    Ok(Found { user: user(row)?, last_seen, shows_presence })
}

fn people(rows: &[SqliteRow]) -> Result<Vec<Found>> {
    Ok(rows.iter().map(person).collect::<std::result::Result<_, _>>()?)
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn by_prefix(
    pool: &SqlitePool,
    me: UserId,
    prefix: &str,
    limit: usize,
) -> Result<Vec<Found>> {
    // Two index ranges, each cut at the limit, so that a prefix that everybody shares costs no
    // more than a rare one. U+10FFFF sorts after every character a name can have.
    let rows = sqlx::query(found!(
        "$2",
        "from users u where u.deleted_at is null and u.id in ( \
             select id from (select id from users \
                 where username_key >= $1 and username_key < $1 || char(1114111) and id <> $2 \
                 order by username_key limit $3) \
             union \
             select id from (select id from users \
                 where display_key >= $1 and display_key < $1 || char(1114111) and id <> $2 \
                 order by display_key limit $3)) \
         order by u.username_key <> $1, u.display_key, u.username_key limit $3"
    ))
    .bind(prefix)
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(pool)
    .await?;
    people(&rows)
}

pub(super) async fn by_username(
    pool: &SqlitePool,
    me: UserId,
    username_key: &str,
) -> Result<Option<Found>> {
    let row = sqlx::query(found!(
        "$2",
        "from users u where u.username_key = $1 and u.id <> $2 and u.deleted_at is null"
    ))
    .bind(username_key)
    .bind(me.0)
    .fetch_optional(pool)
    .await?;
    Ok(row.as_ref().map(person).transpose()?)
}

pub(super) async fn recent_peers(
    pool: &SqlitePool,
    me: UserId,
    limit: usize,
) -> Result<Vec<Found>> {
    let rows = sqlx::query(found!(
        "$1",
        "from members m join users u on u.id = m.peer_id \
         where m.user_id = $1 and m.active_at is not null and u.deleted_at is null \
         order by m.active_at desc limit $2"
    ))
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(pool)
    .await?;
    people(&rows)
}

pub(super) async fn peers(pool: &SqlitePool, me: UserId, limit: usize) -> Result<Vec<UserId>> {
    let peers: Vec<Uuid> = sqlx::query_scalar(
        "select peer_id from members where user_id = $1 order by active_at desc limit $2",
    )
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(pool)
    .await?;
    Ok(peers.into_iter().map(UserId).collect())
}

pub(super) async fn presence_peers(
    pool: &SqlitePool,
    me: UserId,
    limit: usize,
) -> Result<Vec<UserId>> {
    let peers: Vec<Uuid> = sqlx::query_scalar(
        "select m.peer_id from members m join users u on u.id = m.peer_id \
         where m.user_id = $1 and u.show_last_seen \
           and (select show_last_seen from users where id = $1) \
         order by m.active_at desc limit $2",
    )
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(pool)
    .await?;
    Ok(peers.into_iter().map(UserId).collect())
}

pub(super) async fn directory(pool: &SqlitePool, me: UserId, limit: usize) -> Result<Vec<Found>> {
    let rows = sqlx::query(found!(
        "$1",
        "from users u where u.id <> $1 and u.display_key < char(1114111) \
         order by u.display_key limit $2"
    ))
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(pool)
    .await?;
    people(&rows)
}

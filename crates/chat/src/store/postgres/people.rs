//! Finding people in Postgres. Called by [`super::PostgresStore`] alone.
//!
//! Whether the asker may see if someone is there is decided in each statement: both must show it.
//! Those without an account any more sort behind everybody (see [`super::deletion`]) and are not
//! found.

use protocol::{Timestamp, UserId};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::{can_be_asked, user};
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

fn person(row: &PgRow) -> std::result::Result<Found, sqlx::Error> {
    let seen: Option<i64> = row.try_get("last_seen_at")?;
    let shows_presence: bool = row.try_get("shows_presence")?;
    let last_seen = seen.filter(|_| shows_presence).map(Timestamp);
    Ok(Found { user: user(row)?, last_seen, shows_presence })
}

fn people(rows: &[PgRow]) -> Result<Vec<Found>> {
    Ok(rows.iter().map(person).collect::<std::result::Result<_, _>>()?)
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn by_prefix(
    connection: &mut PgConnection,
    me: UserId,
    prefix: &str,
    limit: usize,
) -> Result<Vec<Found>> {
    if !can_be_asked(prefix) {
        return Ok(Vec::new());
    }
    // Two index ranges, each cut at the limit, so that a prefix that everybody shares costs no
    // more than a rare one. U+10FFFF sorts after every character a name can have.
    let rows = sqlx::query(found!(
        "$2",
        "from users u where u.deleted_at is null and u.id in ( \
             select id from (select id from users \
                 where username_key >= $1 and username_key < $1 || chr(1114111) and id <> $2 \
                 order by username_key limit $3) as by_username \
             union \
             select id from (select id from users \
                 where display_key >= $1 and display_key < $1 || chr(1114111) and id <> $2 \
                 order by display_key limit $3) as by_display_name) \
         order by u.username_key <> $1, u.display_key, u.username_key limit $3"
    ))
    .bind(prefix)
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(connection)
    .await?;
    people(&rows)
}

pub(super) async fn by_username(
    connection: &mut PgConnection,
    me: UserId,
    username_key: &str,
) -> Result<Option<Found>> {
    if !can_be_asked(username_key) {
        return Ok(None);
    }
    let row = sqlx::query(found!(
        "$2",
        "from users u where u.username_key = $1 and u.id <> $2 and u.deleted_at is null"
    ))
    .bind(username_key)
    .bind(me.0)
    .fetch_optional(connection)
    .await?;
    Ok(row.as_ref().map(person).transpose()?)
}

pub(super) async fn recent_peers(
    connection: &mut PgConnection,
    me: UserId,
    limit: usize,
) -> Result<Vec<Found>> {
    let rows = sqlx::query(found!(
        "$1",
        "from members m join users u on u.id = m.peer_id \
         where m.user_id = $1 and m.active_at is not null and u.deleted_at is null \
         order by m.active_at desc nulls last limit $2"
    ))
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(connection)
    .await?;
    people(&rows)
}

pub(super) async fn peers(
    connection: &mut PgConnection,
    me: UserId,
    limit: usize,
) -> Result<Vec<UserId>> {
    let peers: Vec<Uuid> = sqlx::query_scalar(
        "select peer_id from members where user_id = $1 \
         order by active_at desc nulls last limit $2",
    )
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(connection)
    .await?;
    Ok(peers.into_iter().map(UserId).collect())
}

pub(super) async fn presence_peers(
    connection: &mut PgConnection,
    me: UserId,
    limit: usize,
) -> Result<Vec<UserId>> {
    let peers: Vec<Uuid> = sqlx::query_scalar(
        "select m.peer_id from members m join users u on u.id = m.peer_id \
         where m.user_id = $1 and u.show_last_seen \
           and (select show_last_seen from users where id = $1) \
         order by m.active_at desc nulls last limit $2",
    )
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(connection)
    .await?;
    Ok(peers.into_iter().map(UserId).collect())
}

pub(super) async fn directory(
    connection: &mut PgConnection,
    me: UserId,
    limit: usize,
) -> Result<Vec<Found>> {
    let rows = sqlx::query(found!(
        "$1",
        "from users u where u.id <> $1 and u.display_key < chr(1114111) \
         order by u.display_key limit $2"
    ))
    .bind(me.0)
    .bind(at_most(limit))
    .fetch_all(connection)
    .await?;
    people(&rows)
}

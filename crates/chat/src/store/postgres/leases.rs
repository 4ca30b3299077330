//! Which nodes are there and who is at them, in Postgres. Called by [`super::PostgresStore`] alone.
//!
//! Everything is by the clock of the database: nodes differ. Who decides that a person is nowhere
//! holds that person's row, so that one who leaves one node while coming to another is not lost
//! between the two.

use std::time::Duration;

use protocol::UserId;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use uuid::Uuid;

use crate::store::{NodeId, Renewed, Result};

/// A node whose lease has been over for this long is forgotten.
macro_rules! is_over {
    () => {
        "until < clock_timestamp()"
    };
}

/// Whether a person is at another node than `$1`, which is there; `u` is the person.
macro_rules! elsewhere {
    ($user:literal) => {
        concat!(
            "exists (select 1 from presences p join nodes n on n.id = p.node_id where p.user_id = ",
            $user,
            " and p.node_id <> $1 and n.until >= clock_timestamp())"
        )
    };
}

pub(super) async fn renew(
    connection: &mut PgConnection,
    node: NodeId,
    hears: bool,
    lease: Duration,
) -> Result<Renewed> {
    let is_new = !stay(connection, node, hears, lease).await?;
    let (one_fell, gone) = give_up(connection).await?;
    let others = sqlx::query(
        "select count(*) filter (where id <> $1), \
                coalesce(bool_or(not hears) filter (where id <> $1), false), \
                (array_agg(id order by id) filter (where hears))[1] \
         from nodes where until >= clock_timestamp() and not ending",
    )
    .bind(node.0)
    .fetch_one(&mut *connection)
    .await?;
    Ok(Renewed {
        is_new,
        one_fell,
        gone,
        others: u32::try_from(others.try_get::<i64, _>(0)?).unwrap_or(u32::MAX),
        one_is_deaf: others.try_get(1)?,
        first: others.try_get::<Option<Uuid>, _>(2)?.map(NodeId),
    })
}

/// Makes the lease longer; says whether there was one.
async fn stay(
    connection: &mut PgConnection,
    node: NodeId,
    hears: bool,
    lease: Duration,
) -> Result<bool> {
    let held =
        sqlx::query("update nodes set until = clock_timestamp() + $2, hears = $3 where id = $1")
            .bind(node.0)
            .bind(lease)
            .bind(hears)
            .execute(&mut *connection)
            .await?;
    if held.rows_affected() > 0 {
        return Ok(true);
    }
    sqlx::query(
        "insert into nodes (id, until, hears) values ($1, clock_timestamp() + $2, $3) \
         on conflict (id) do nothing",
    )
    .bind(node.0)
    .bind(lease)
    .bind(hears)
    .execute(connection)
    .await?;
    Ok(false)
}

/// Forgets nodes whose lease is over; says whether one of them had not said goodbye, and who is
/// nowhere now.
async fn give_up(connection: &mut PgConnection) -> Result<(bool, Vec<UserId>)> {
    let any = sqlx::query(concat!("select 1 from nodes where ", is_over!(), " limit 1"))
        .fetch_optional(&mut *connection)
        .await?;
    if any.is_none() {
        return Ok((false, Vec::new()));
    }
    let mut tx = connection.begin().await?;
    let rows =
        sqlx::query(concat!("delete from nodes where ", is_over!(), " returning id, ending"))
            .fetch_all(&mut *tx)
            .await?;
    let mut nodes = Vec::with_capacity(rows.len());
    let mut one_fell = false;
    for row in &rows {
        nodes.push(row.try_get::<Uuid, _>(0)?);
        one_fell |= !row.try_get::<bool, _>(1)?;
    }
    let users: Vec<Uuid> =
        sqlx::query_scalar("select user_id from presences where node_id = any ($1)")
            .bind(&nodes)
            .fetch_all(&mut *tx)
            .await?;
    lock(&mut tx, &users).await?;
    sqlx::query("delete from presences where node_id = any ($1)")
        .bind(&nodes)
        .execute(&mut *tx)
        .await?;
    let gone = sqlx::query_scalar(
        "select distinct u.id from unnest($1::uuid[]) as u (id) where not exists \
             (select 1 from presences p join nodes n on n.id = p.node_id \
              where p.user_id = u.id and n.until >= clock_timestamp())",
    )
    .bind(&users)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok((one_fell, gone.into_iter().map(UserId).collect()))
}

async fn lock(connection: &mut PgConnection, users: &[Uuid]) -> Result<()> {
    sqlx::query("select 1 from users where id = any ($1) order by id for no key update")
        .bind(users)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn end(connection: &mut PgConnection, node: NodeId) -> Result<()> {
    sqlx::query("update nodes set ending = true where id = $1")
        .bind(node.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn announce(
    connection: &mut PgConnection,
    node: NodeId,
    users: &[UserId],
) -> Result<()> {
    let users: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    sqlx::query(
        "insert into presences (user_id, node_id) select id, $1 from unnest($2::uuid[]) as u (id) \
         on conflict (user_id, node_id) do nothing",
    )
    .bind(node.0)
    .bind(users)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn arrive(
    connection: &mut PgConnection,
    node: NodeId,
    user: UserId,
) -> Result<bool> {
    let mut tx = connection.begin().await?;
    lock(&mut tx, &[user.0]).await?;
    sqlx::query(
        "insert into presences (user_id, node_id) values ($2, $1) \
         on conflict (user_id, node_id) do nothing",
    )
    .bind(node.0)
    .bind(user.0)
    .execute(&mut *tx)
    .await?;
    let is_elsewhere = ask_elsewhere(&mut tx, node, user).await?;
    tx.commit().await?;
    Ok(!is_elsewhere)
}

pub(super) async fn depart(
    connection: &mut PgConnection,
    node: NodeId,
    user: UserId,
) -> Result<bool> {
    let mut tx = connection.begin().await?;
    lock(&mut tx, &[user.0]).await?;
    sqlx::query("delete from presences where user_id = $2 and node_id = $1")
        .bind(node.0)
        .bind(user.0)
        .execute(&mut *tx)
        .await?;
    let is_elsewhere = ask_elsewhere(&mut tx, node, user).await?;
    tx.commit().await?;
    Ok(!is_elsewhere)
}

async fn ask_elsewhere(connection: &mut PgConnection, node: NodeId, user: UserId) -> Result<bool> {
    Ok(sqlx::query_scalar(concat!("select ", elsewhere!("$2")))
        .bind(node.0)
        .bind(user.0)
        .fetch_one(connection)
        .await?)
}

pub(super) async fn present(
    connection: &mut PgConnection,
    users: &[UserId],
) -> Result<Vec<UserId>> {
    let users: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    let present = sqlx::query_scalar(
        "select distinct p.user_id from presences p join nodes n on n.id = p.node_id \
         where p.user_id = any ($1) and n.until >= clock_timestamp()",
    )
    .bind(users)
    .fetch_all(connection)
    .await?;
    Ok(present.into_iter().map(UserId).collect())
}

//! The leases of nodes and the presence of users, in Postgres. Implements [`LeaseStore`];
//! [`super::open`] also reads the name of the running database here.
//!
//! All times are by the database's clock, because the nodes' clocks differ. A transaction that
//! decides whether a user is offline locks that user's row. The lock ensures that a user who leaves
//! one node while connecting to another is not reported offline.

use std::time::Duration;

use async_trait::async_trait;
use protocol::UserId;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::{PostgresStore, secrets};
use crate::store::{Instance, LeaseStore, NodeId, NodeKey, Renewed, Result};

/// The condition that the lease of a node other than `$1` has expired.
macro_rules! is_over {
    () => {
        "until < clock_timestamp() and id <> $1"
    };
}

/// The condition that the user is connected to a node other than `$1` with a valid lease.
macro_rules! elsewhere {
    ($user:literal) => {
        concat!(
            "exists (select 1 from presences p join nodes n on n.id = p.node_id where p.user_id = ",
            $user,
            " and p.node_id <> $1 and n.until >= clock_timestamp())"
        )
    };
}

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn renew(
        &self,
        node: NodeId,
        key: &NodeKey,
        hears_in: Option<&Instance>,
        lease: Duration,
    ) -> Result<Renewed> {
        self.call(async |connection| {
            let is_new = !extend(connection, node, key, hears_in, lease).await?;
            let (node_failed, gone) = delete_expired(connection, node).await?;
            // `hears` is false for a node that receives another database's events, or none: a node
            // that has just changed databases, or a node of an older version.
            let others = sqlx::query(concat!(
                "with here as materialized (select ",
                instance!(),
                " as instance), \
                 there as materialized ( \
                     select id, key, \
                            coalesce(hears_in = (select instance from here), false) as hears \
                     from nodes where until >= clock_timestamp() and not ending), \
                 leader as materialized ( \
                     select id, key from there \
                     where hears and key is not null order by id limit 1) \
                 select count(*) filter (where id <> $1) as others, \
                        coalesce(bool_or(not hears) filter (where id <> $1), false) \
                            as is_degraded, \
                        (select id from leader) as leader_id, (select key from leader) as leader_key, \
                        (select instance from here) as instance, ",
                secrets_and_clock!(),
                " from there"
            ))
            .bind(node.0)
            .fetch_one(&mut *connection)
            .await?;
            let (secrets, clock) = secrets::read(&others)?;
            Ok(Renewed {
                is_new,
                node_failed,
                gone,
                instance: Instance(others.try_get::<String, _>("instance")?.into()),
                others: u32::try_from(others.try_get::<i64, _>("others")?).unwrap_or(u32::MAX),
                is_degraded: others.try_get("is_degraded")?,
                leader: leader(&others)?,
                secrets,
                clock,
            })
        })
        .await
    }

    async fn end(&self, node: NodeId) -> Result<()> {
        self.call(async |connection| {
            sqlx::query("update nodes set ending = true where id = $1")
                .bind(node.0)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn announce(&self, node: NodeId, users: &[UserId]) -> Result<()> {
        self.call(async |connection| {
            let users: Vec<Uuid> = users.iter().map(|user| user.0).collect();
            sqlx::query(
                "insert into presences (user_id, node_id) select id, $1 from unnest($2::uuid[]) \
                as u (id) \
                 on conflict (user_id, node_id) do nothing",
            )
            .bind(node.0)
            .bind(users)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn arrive(&self, node: NodeId, user: UserId) -> Result<bool> {
        let change = "insert into presences (user_id, node_id) values ($2, $1) \
                      on conflict (user_id, node_id) do nothing";
        self.change_presence(change, node, user).await
    }

    async fn depart(&self, node: NodeId, user: UserId) -> Result<bool> {
        let change = "delete from presences where user_id = $2 and node_id = $1";
        self.change_presence(change, node, user).await
    }

    async fn present(&self, users: &[UserId]) -> Result<Vec<UserId>> {
        self.call(async |connection| {
            let users: Vec<Uuid> = users.iter().map(|user| user.0).collect();
            let present = sqlx::query_scalar(
                "select distinct p.user_id from presences p join nodes n on n.id = p.node_id \
                 where p.user_id = any ($1) and n.until >= clock_timestamp()",
            )
            .bind(users)
            .fetch_all(connection)
            .await?;
            Ok(present.into_iter().map(UserId).collect())
        })
        .await
    }
}

impl PostgresStore {
    /// Changes whether a user is connected to a node: `$1` is the node, `$2` the user. Returns
    /// whether no other node has the user.
    async fn change_presence(
        &self,
        change: &'static str,
        node: NodeId,
        user: UserId,
    ) -> Result<bool> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            lock(&mut tx, &[user.0]).await?;
            sqlx::query(change).bind(node.0).bind(user.0).execute(&mut *tx).await?;
            let is_elsewhere = is_connected_elsewhere(&mut tx, node, user).await?;
            tx.commit().await?;
            Ok(!is_elsewhere)
        })
        .await
    }
}

/// The name of the running database.
pub(super) async fn instance(connection: &mut PgConnection) -> Result<Instance, sqlx::Error> {
    let name: String =
        sqlx::query_scalar(concat!("select ", instance!())).fetch_one(connection).await?;
    Ok(Instance(name.into()))
}

/// The leader and its key; `None` if the key has another length.
fn leader(row: &PgRow) -> Result<Option<(NodeId, NodeKey)>> {
    let id: Option<Uuid> = row.try_get("leader_id")?;
    let key: Option<Vec<u8>> = row.try_get("leader_key")?;
    let key = key.and_then(|key| key.try_into().ok()).map(NodeKey);
    Ok(id.map(NodeId).zip(key))
}

/// Extends the lease, or inserts a new one. Returns whether the lease existed. Nodes of an older
/// version check `hears` alone, and rely on each other's events. While such a node holds a lease,
/// `hears` is false, so that its clients resync.
async fn extend(
    connection: &mut PgConnection,
    node: NodeId,
    key: &NodeKey,
    hears_in: Option<&Instance>,
    lease: Duration,
) -> Result<bool> {
    let held = sqlx::query(
        "update nodes set until = clock_timestamp() + $2, key = $3, hears_in = $4, \
             hears = $4::text is not null and not exists (select 1 from nodes as old \
                 where old.key is null and old.until >= clock_timestamp() and not old.ending) \
         where id = $1",
    )
    .bind(node.0)
    .bind(lease)
    .bind(&key.0[..])
    .bind(hears_in.map(|instance| &*instance.0))
    .execute(&mut *connection)
    .await?;
    if held.rows_affected() > 0 {
        return Ok(true);
    }
    sqlx::query(
        "insert into nodes (id, until, key, hears_in, hears) \
         values ($1, clock_timestamp() + $2, $3, $4, $4::text is not null and not exists ( \
             select 1 from nodes as old \
             where old.key is null and old.until >= clock_timestamp() and not old.ending)) \
         on conflict (id) do nothing",
    )
    .bind(node.0)
    .bind(lease)
    .bind(&key.0[..])
    .bind(hears_in.map(|instance| &*instance.0))
    .execute(connection)
    .await?;
    Ok(false)
}

/// Deletes expired leases of other nodes. Returns whether any of these nodes had not shut down
/// cleanly, and the users who are now connected to no node.
async fn delete_expired(
    connection: &mut PgConnection,
    node: NodeId,
) -> Result<(bool, Vec<UserId>)> {
    let any = sqlx::query(concat!("select 1 from nodes where ", is_over!(), " limit 1"))
        .bind(node.0)
        .fetch_optional(&mut *connection)
        .await?;
    if any.is_none() {
        return Ok((false, Vec::new()));
    }
    let mut tx = connection.begin().await?;
    let rows =
        sqlx::query(concat!("delete from nodes where ", is_over!(), " returning id, ending"))
            .bind(node.0)
            .fetch_all(&mut *tx)
            .await?;
    let mut nodes = Vec::with_capacity(rows.len());
    let mut node_failed = false;
    for row in &rows {
        nodes.push(row.try_get::<Uuid, _>(0)?);
        node_failed |= !row.try_get::<bool, _>(1)?;
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
    Ok((node_failed, gone.into_iter().map(UserId).collect()))
}

async fn lock(connection: &mut PgConnection, users: &[Uuid]) -> Result<()> {
    sqlx::query("select 1 from users where id = any ($1) order by id for no key update")
        .bind(users)
        .execute(connection)
        .await?;
    Ok(())
}

async fn is_connected_elsewhere(
    connection: &mut PgConnection,
    node: NodeId,
    user: UserId,
) -> Result<bool> {
    Ok(sqlx::query_scalar(concat!("select ", elsewhere!("$2")))
        .bind(node.0)
        .bind(user.0)
        .fetch_one(connection)
        .await?)
}

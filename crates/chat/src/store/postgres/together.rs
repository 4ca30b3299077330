//! Implements [`Shared`]: chooses the connection and the time limit of each call. The statements
//! are in [`super::leases`] and [`super::allowances`].

use std::time::Duration;

use async_trait::async_trait;
use protocol::UserId;
use tokio::time::timeout;

use super::connections::{Lent, PATIENCE};
use super::{PostgresStore, allowances, leases};
use crate::store::{
    Allowance, Instance, NodeId, NodeKey, NodesSecret, Renewed, Result, Shared, StoreError,
};

#[async_trait]
impl Shared for PostgresStore {
    fn secret(&self) -> &NodesSecret {
        &self.secret
    }

    fn instance(&self) -> &Instance {
        &self.instance
    }

    async fn renew(
        &self,
        node: NodeId,
        key: &NodeKey,
        hears_in: Option<&Instance>,
        lease: Duration,
    ) -> Result<Renewed> {
        call!(self, c => leases::renew(c, node, key, hears_in, lease))
    }

    async fn end(&self, node: NodeId) -> Result<()> {
        call!(self, c => leases::end(c, node))
    }

    async fn announce(&self, node: NodeId, users: &[UserId]) -> Result<()> {
        call!(self, c => leases::announce(c, node, users))
    }

    async fn arrive(&self, node: NodeId, user: UserId) -> Result<bool> {
        call!(self, c => leases::arrive(c, node, user))
    }

    async fn depart(&self, node: NodeId, user: UserId) -> Result<bool> {
        call!(self, c => leases::depart(c, node, user))
    }

    async fn present(&self, users: &[UserId]) -> Result<Vec<UserId>> {
        call!(self, c => leases::present(c, users))
    }

    async fn take(&self, key: &str, allowance: Allowance) -> Result<Option<Duration>> {
        call!(self, c => allowances::take(c, key, allowance))
    }

    async fn pause(&self, username_key: &str) -> Result<Option<Duration>> {
        call!(self, c => allowances::pause(c, username_key))
    }

    async fn wrong_password(&self, username_key: &str, free: u32, longest: Duration) -> Result<()> {
        call!(self, c => allowances::wrong_password(c, username_key, free, longest))
    }

    async fn right_password(&self, username_key: &str) -> Result<()> {
        call!(self, c => allowances::right_password(c, username_key))
    }

    async fn tidy(&self, forget_after: Duration) -> Result<()> {
        call!(self, c => allowances::tidy(c, forget_after))
    }
}

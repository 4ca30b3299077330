//! Accounts in Postgres. Implements [`AccountStore`], through which alone this module is called.

use async_trait::async_trait;
use protocol::{SessionId, Timestamp, User};
use sqlx::Connection;

use super::{
    PostgresStore, can_be_parameter, deletion, identities, invitations, looks, passkeys, sessions,
    words,
};
use crate::store::{
    AccountOutcome, AccountStore, Caller, NewSession, NewUser, Result, TokenHash, rows,
};

#[async_trait]
impl AccountStore for PostgresStore {
    async fn create_user(
        &self,
        new: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome> {
        self.call(async |connection| {
            let mut tx = connection.begin().await?;
            // If two nodes insert the same name at once, the second waits here for the first to
            // commit or roll back.
            let stored = sqlx::query(
                "insert into users \
                 (id, username, username_key, display_name, display_key, words_for, password_hash, \
                  created_at, has_looks) values ($1, $2, $3, $4, $5, $5, $6, $7, true) \
                 on conflict (username_key) do nothing",
            )
            .bind(new.user.id.0)
            .bind(&new.user.username)
            .bind(&new.username_key)
            .bind(&new.user.display_name)
            .bind(&new.display_key)
            .bind(&new.password_hash)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            if stored.rows_affected() == 0 || !looks::take(&mut tx, &new.user.username, now).await?
            {
                tx.rollback().await?;
                return Ok(AccountOutcome::NameTaken);
            }
            words::store(&mut tx, new.user.id, &new.user.username, &new.user.display_name).await?;
            sessions::insert(&mut tx, &session, now).await?;
            if let Some(passkey) = &new.passkey
                && !passkeys::insert(&mut tx, new.user.id, passkey, now).await?
            {
                tx.rollback().await?;
                return Ok(AccountOutcome::PasskeyTaken);
            }
            if let Some(identity) = &new.identity
                && !identities::insert(&mut tx, new.user.id, identity, now).await?
            {
                tx.rollback().await?;
                return Ok(AccountOutcome::IdentityTaken);
            }
            let mut opened = None;
            if let Some(token) = invitation {
                opened = invitations::use_up(&mut tx, &token, new.user.id, now).await?;
                if opened.is_none() && !invitations::use_first(&mut tx, &token, new.user.id).await?
                {
                    tx.rollback().await?;
                    return Ok(AccountOutcome::InvitationInvalid);
                }
            }
            tx.commit().await?;
            Ok(AccountOutcome::Made(opened))
        })
        .await
    }

    async fn delete_account(
        &self,
        user: Caller,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        self.call_within(deletion::PATIENCE, async |connection| {
            deletion::delete_account(connection, user, verified, now).await
        })
        .await
    }

    async fn is_username_free(&self, username: &str, key: &str, now: Timestamp) -> Result<bool> {
        self.call(async |connection| looks::is_free(connection, username, key, now).await).await
    }

    async fn forget_reservations(&self, now: Timestamp) -> Result<()> {
        self.call(async |connection| looks::forget_reservations(connection, now).await).await
    }

    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>> {
        self.call(async |connection| {
            if !can_be_parameter(username_key) {
                return Ok(None);
            }
            let row = sqlx::query(
                "select id, username, display_name, password_hash from users \
                 where username_key = $1 and deleted_at is null",
            )
            .bind(username_key)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::credentials)
        })
        .await
    }
}

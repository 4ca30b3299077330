//! Accounts in SQLite. Implements [`AccountStore`], through which alone this module is called.

use async_trait::async_trait;
use protocol::{SessionId, Timestamp, User};

use super::{SqliteStore, deletion, identities, invitations, looks, passkeys, sessions, words};
use crate::store::{
    AccountOutcome, AccountStore, Caller, NewSession, NewUser, Result, TokenHash, rows,
};

#[async_trait]
impl AccountStore for SqliteStore {
    async fn create_user(
        &self,
        new: NewUser,
        session: NewSession,
        invitation: Option<TokenHash>,
        now: Timestamp,
    ) -> Result<AccountOutcome> {
        let _turn = self.turn().await;
        let mut tx = self.write.begin_with("begin immediate").await?;
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
        if stored.rows_affected() == 0 || !looks::take(&mut tx, &new.user.username, now).await? {
            return Ok(AccountOutcome::NameTaken);
        }
        words::store(&mut tx, new.user.id, &new.user.username, &new.user.display_name).await?;
        sessions::insert(&mut tx, &session, now).await?;
        if let Some(passkey) = &new.passkey
            && !passkeys::insert(&mut tx, new.user.id, passkey, now).await?
        {
            return Ok(AccountOutcome::PasskeyTaken);
        }
        if let Some(identity) = &new.identity
            && !identities::insert(&mut tx, new.user.id, identity, now).await?
        {
            return Ok(AccountOutcome::IdentityTaken);
        }
        let mut opened = None;
        if let Some(token) = invitation {
            opened = invitations::use_up(&mut tx, &token, new.user.id, now).await?;
            if opened.is_none() && !invitations::use_first(&mut tx, &token, new.user.id).await? {
                return Ok(AccountOutcome::InvitationInvalid);
            }
        }
        tx.commit().await?;
        Ok(AccountOutcome::Made(opened))
    }

    async fn delete_account(
        &self,
        user: Caller,
        verified: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionId>>> {
        let _turn = self.turn().await;
        let deleted = deletion::delete_account(&self.write, user, verified, now).await?;
        if deleted.is_some() {
            self.committer.empty_log().await;
        }
        Ok(deleted)
    }

    async fn is_username_free(&self, username: &str, key: &str, now: Timestamp) -> Result<bool> {
        looks::is_free(&self.read, username, key, now).await
    }

    async fn forget_reservations(&self, now: Timestamp) -> Result<()> {
        let _turn = self.turn().await;
        looks::forget_reservations(&self.write, now).await
    }

    async fn credentials(&self, username_key: &str) -> Result<Option<(User, String)>> {
        let row = sqlx::query(
            "select id, username, display_name, password_hash from users \
             where username_key = $1 and deleted_at is null",
        )
        .bind(username_key)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::credentials)
    }
}

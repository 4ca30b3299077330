//! Users with sessions, prepared in a data directory.
//!
//! Sign-up hashes a password, which is slow by design. The users are therefore created once and
//! kept, and each run works on a copy of their data.

use std::path::{Path, PathBuf};

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};
use protocol::UserId;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::http_client::HttpClient;
use crate::process::{ServerProcess, duet_command};

/// The directory and file of the fixture.
const DIRECTORY: &str = "fixture";
const USERS: &str = "users.json";
/// Concurrent sign-ups.
const AT_ONCE: usize = 16;

/// A user with a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TestUser {
    pub id: UserId,
    /// The session cookie under the name that its server gave it; see [`crate::cookie_at`].
    pub cookie: String,
}

/// A data directory with many users.
pub struct Fixture {
    directory: PathBuf,
    users: Vec<TestUser>,
}

impl Fixture {
    /// Opens the fixture in `root`. Builds a fixture if none exists, or if it has fewer than
    /// `count` users or expired sessions.
    ///
    /// # Errors
    /// The server refuses a sign-up.
    pub async fn prepare(count: usize, root: &Path, binary: &Path) -> Result<Self> {
        let directory = root.join(DIRECTORY);
        let existing = std::fs::read(directory.join(USERS)).ok();
        let users: Vec<TestUser> =
            existing.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        let fixture = Self { directory, users };
        if fixture.users.len() >= count && fixture.has_valid_sessions(binary).await? {
            return Ok(fixture);
        }
        Self::build(count, fixture.directory, binary).await
    }

    async fn build(count: usize, directory: PathBuf, binary: &Path) -> Result<Self> {
        eprintln!("creating {count} accounts, once (about {} s)", count / 40 + 1);
        let server = start(binary, tempfile::tempdir()?).await?;
        let http = HttpClient::new(server.address)?;
        let users = Self::sign_up(&http, count).await?;
        let data = server.stop().await?;
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)?;
        copy_files(data.path(), &directory)?;
        std::fs::write(directory.join(USERS), serde_json::to_vec(&users)?)?;
        Ok(Self { directory, users })
    }

    /// Creates the accounts of the fixture on a server.
    pub(crate) async fn sign_up(http: &HttpClient, count: usize) -> Result<Vec<TestUser>> {
        stream::iter(0..count)
            .map(|number| http.sign_up(Self::username(number)))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Whether the sessions are still valid; unused sessions expire after days.
    async fn has_valid_sessions(&self, binary: &Path) -> Result<bool> {
        let Some(user) = self.users.first() else { return Ok(false) };
        let server = start(binary, self.copy()?).await?;
        let valid = HttpClient::new(server.address)?.list(user, None).await.is_ok();
        server.stop().await?;
        Ok(valid)
    }

    pub fn users(&self) -> &[TestUser] {
        &self.users
    }

    /// The username of the user with this number.
    pub fn username(number: usize) -> String {
        format!("person.{number:05}")
    }

    /// Copies the data to a temporary directory, for a server to change.
    ///
    /// # Errors
    /// Reading or writing the disk fails.
    pub fn copy(&self) -> Result<TempDir> {
        let copy = tempfile::tempdir()?;
        copy_files(&self.directory, copy.path())?;
        Ok(copy)
    }
}

async fn start(binary: &Path, data: TempDir) -> Result<ServerProcess> {
    ServerProcess::start("Duet", duet_command(binary, data.path()), data).await
}

/// Copies the files of a directory into another one, without its subdirectories.
///
/// # Errors
/// Reading or writing the disk fails.
pub fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

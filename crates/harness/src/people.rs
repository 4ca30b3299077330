//! People who have signed up, and the calls they make: the protocol's HTTP half.
//!
//! Signing up hashes a password, which is slow on purpose. So a town of people is made once and
//! kept; whoever needs it works on a copy of its data.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use protocol::{ConversationId, ConversationPage, Cursor, HistoryPage, ListCursor, UserId};
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::line::Line;
use crate::process::{Running, duet};

/// Calls under way at once while a town is built.
const AT_ONCE: usize = 16;

/// Somebody with a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// The session, as the browser sends it.
    pub cookie: String,
}

/// The people of a data directory.
pub struct Town {
    directory: PathBuf,
    people: Vec<Person>,
}

impl Town {
    /// A town of at least `count` people, built when there is none yet.
    ///
    /// # Errors
    /// The server refused somebody.
    pub async fn of(count: usize, root: &Path, binary: &Path) -> Result<Self> {
        let directory = root.join("town");
        let kept = std::fs::read(directory.join("people.json")).ok();
        let people: Vec<Person> =
            kept.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        let town = Self { directory, people };
        if town.people.len() >= count && town.is_alive(binary).await? {
            return Ok(town);
        }
        Self::build(count, town.directory, binary).await
    }

    async fn build(count: usize, directory: PathBuf, binary: &Path) -> Result<Self> {
        eprintln!("signing up {count} people, once (about {} s)", count / 40 + 1);
        let server = start(binary, tempfile::tempdir()?).await?;
        let http = Http::new(server.address)?;
        let people: Vec<Person> = stream::iter(0..count)
            .map(|number| http.sign_up(format!("person.{number:05}")))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let data = server.stop().await?;
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)?;
        copy_files(data.path(), &directory)?;
        std::fs::write(directory.join("people.json"), serde_json::to_vec(&people)?)?;
        Ok(Self { directory, people })
    }

    /// Whether its sessions are still good: they end after days without use.
    async fn is_alive(&self, binary: &Path) -> Result<bool> {
        let Some(person) = self.people.first() else { return Ok(false) };
        let server = start(binary, self.copy()?).await?;
        let good = Http::new(server.address)?.list(person, None).await.is_ok();
        server.stop().await?;
        Ok(good)
    }

    /// Its people.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// A copy of its data, to be changed.
    ///
    /// # Errors
    /// The disk.
    pub fn copy(&self) -> Result<TempDir> {
        let copy = tempfile::tempdir()?;
        copy_files(&self.directory, copy.path())?;
        Ok(copy)
    }
}

async fn start(binary: &Path, data: TempDir) -> Result<Running> {
    Running::start("Duet", duet(binary, data.path()), data).await
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// The calls of a server.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    origin: String,
}

impl Http {
    /// To the server at this address.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, origin: format!("http://{address}") })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Refused.
    pub async fn sign_up(&self, username: String) -> Result<Person> {
        let form = format!("username={username}&password=tulip-Harbor-92");
        let response = self.post("sign_up", "", "application/x-www-form-urlencoded", form).await?;
        let cookie = response.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let id = self.whoami(&cookie).await?;
        Ok(Person { id, cookie })
    }

    /// The person of a session, by the first frame of a socket.
    async fn whoami(&self, cookie: &str) -> Result<UserId> {
        let address = self.origin.trim_start_matches("http://").parse()?;
        let mut line = Line::open(address, cookie, "").await?;
        Ok(line.hello().await?.id)
    }

    /// The conversation of two people.
    ///
    /// # Errors
    /// Refused.
    pub async fn open(&self, me: &Person, peer: UserId) -> Result<ConversationId> {
        let form = format!("peer={peer}");
        let kind = "application/x-www-form-urlencoded";
        Ok(self.post("open_conversation", &me.cookie, kind, form).await?.json().await?)
    }

    /// A page of the list.
    ///
    /// # Errors
    /// Refused.
    pub async fn list(&self, me: &Person, after: Option<ListCursor>) -> Result<ConversationPage> {
        self.call("list_conversations", &me.cookie, &json!({ "after": after })).await
    }

    /// A page of a conversation.
    ///
    /// # Errors
    /// Refused.
    pub async fn history(
        &self,
        me: &Person,
        id: ConversationId,
        cursor: Cursor,
    ) -> Result<HistoryPage> {
        self.call("load_history", &me.cookie, &json!({ "id": id, "cursor": cursor })).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        function: &str,
        cookie: &str,
        arguments: &Value,
    ) -> Result<T> {
        let body = serde_json::to_string(arguments)?;
        Ok(self.post(function, cookie, "application/json", body).await?.json().await?)
    }

    async fn post(
        &self,
        function: &str,
        cookie: &str,
        kind: &str,
        body: String,
    ) -> Result<reqwest::Response> {
        let request = self
            .client
            .post(format!("{}/api/{function}", self.origin))
            .header(ORIGIN, &self.origin)
            .header(COOKIE, cookie)
            .header(CONTENT_TYPE, kind);
        let response = request.body(body).send().await?;
        if !response.status().is_success() {
            bail!("{function}: {} {}", response.status(), response.text().await?);
        }
        Ok(response)
    }
}

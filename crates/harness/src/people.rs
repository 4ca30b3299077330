//! Users with sessions, and their HTTP requests.
//!
//! Sign-up hashes a password, which is slow by design. A town of users is therefore built once and
//! kept, and each run works on a copy of its data.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use protocol::{
    ClientId, ConversationId, ConversationPage, Cursor, HistoryPage, ListCursor, Refusal, Sent,
    UserId,
};
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::line::Line;
use crate::process::{Running, duet};

/// The password of every user.
const PASSWORD: &str = "tulip-Harbor-92";
/// The content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Concurrent sign-ups while a town is built.
const AT_ONCE: usize = 16;

/// A user with a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// The session cookie under the name that its server gave it; see [`cookie_at`].
    pub cookie: String,
}

/// Renames a session cookie for an origin. The name contains the port, and a copy of a town runs on
/// another port.
pub fn cookie_at(origin: &str, cookie: &str) -> String {
    let token = cookie.split_once('=').map_or(cookie, |(_, token)| token);
    let (scheme, rest) = origin.split_once("://").unwrap_or(("http", origin));
    let port = rest.rsplit_once(':').map(|(_, port)| port);
    match (scheme, port) {
        ("https", None | Some("443")) => format!("__Host-sid={token}"),
        ("https", Some(port)) => format!("__Host-sid-{port}={token}"),
        (_, port) => format!("duet-dev-sid-{}={token}", port.unwrap_or("80")),
    }
}

/// A data directory with many users.
pub struct Town {
    directory: PathBuf,
    people: Vec<Person>,
}

impl Town {
    /// Opens the town in `root`. Builds the town if none exists, or if the town has fewer than
    /// `count` users or expired sessions.
    ///
    /// # Errors
    /// The server refuses a sign-up.
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
            .map(|number| http.sign_up(Self::username(number)))
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

    /// Whether the sessions are still valid; unused sessions expire after days.
    async fn is_alive(&self, binary: &Path) -> Result<bool> {
        let Some(person) = self.people.first() else { return Ok(false) };
        let server = start(binary, self.copy()?).await?;
        let good = Http::new(server.address)?.list(person, None).await.is_ok();
        server.stop().await?;
        Ok(good)
    }

    pub fn people(&self) -> &[Person] {
        &self.people
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

/// A client for the HTTP requests to one server.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    server: SocketAddr,
    origin: String,
}

impl Http {
    /// A client for the server at an address.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(address: SocketAddr) -> Result<Self> {
        Self::at(address, format!("http://{address}"))
    }

    /// A client for a server whose public origin is not its address.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn at(server: SocketAddr, origin: String) -> Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, server, origin })
    }

    /// Creates an account with a session.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn sign_up(&self, username: String) -> Result<Person> {
        self.session("sign_up", &username).await
    }

    /// Creates a session for an existing account.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn sign_in(&self, username: &str) -> Result<Person> {
        self.session("sign_in", username).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn sign_out(&self, me: &Person) -> Result<()> {
        self.post("sign_out", &me.cookie, FORM, String::new()).await.map(drop)
    }

    async fn session(&self, function: &str, username: &str) -> Result<Person> {
        let form = format!("username={username}&password={PASSWORD}");
        let response = self.post(function, "", FORM, form).await?;
        let cookie = response.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let mut line = Line::open_at(self.server, &self.origin, &cookie, "").await?;
        let id = line.hello().await?.id;
        Ok(Person { id, cookie })
    }

    /// Opens the conversation of two users.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn open(&self, me: &Person, peer: UserId) -> Result<ConversationId> {
        let form = format!("peer={peer}");
        Ok(self.post("open_conversation", &me.cookie, FORM, form).await?.json().await?)
    }

    /// Sends a message by HTTP. The inner error is the server's refusal.
    ///
    /// # Errors
    /// The server does not answer, or the answer cannot be parsed.
    pub async fn send(
        &self,
        me: &Person,
        conversation: ConversationId,
        client_id: ClientId,
        body: &str,
    ) -> Result<std::result::Result<Sent, Refusal>> {
        #[derive(Deserialize)]
        struct Refused {
            refused: Refusal,
        }
        let form = format!(
            "conversation={conversation}&client_id={client_id}&sender={}&body={}",
            me.id,
            form_encoded(body)
        );
        let response = self.request("send_message", &me.cookie, FORM, form).send().await?;
        if response.status().is_success() {
            return Ok(Ok(response.json().await?));
        }
        Ok(Err(response.json::<Refused>().await.context("refused without a reason")?.refused))
    }

    /// Whether the server reports that it can store messages.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_ready(&self) -> Result<bool> {
        let url = format!("http://{}/readyz", self.server);
        Ok(self.client.get(url).send().await?.status().is_success())
    }

    /// Requests a page of the conversation list.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn list(&self, me: &Person, after: Option<ListCursor>) -> Result<ConversationPage> {
        self.call("list_conversations", &me.cookie, &json!({ "after": after })).await
    }

    /// Requests a page of a conversation.
    ///
    /// # Errors
    /// The server refuses.
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
        let response = self.request(function, cookie, kind, body).send().await?;
        if !response.status().is_success() {
            bail!("{function}: {} {}", response.status(), response.text().await?);
        }
        Ok(response)
    }

    fn request(
        &self,
        function: &str,
        cookie: &str,
        kind: &str,
        body: String,
    ) -> reqwest::RequestBuilder {
        self.client
            .post(format!("http://{}/api/{function}", self.server))
            .header(ORIGIN, &self.origin)
            .header(COOKIE, cookie_at(&self.origin, cookie))
            .header(CONTENT_TYPE, kind)
            .body(body)
    }
}

/// Percent-encodes a form value.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

//! People who have signed up, and the calls they make: the protocol's HTTP half.
//!
//! Signing up hashes a password, which is slow on purpose. So a town of people is made once and
//! kept; whoever needs it works on a copy of its data.

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

/// Everybody's.
const PASSWORD: &str = "tulip-Harbor-92";
/// What a form is posted as.
const FORM: &str = "application/x-www-form-urlencoded";
/// Calls under way at once while a town is built.
const AT_ONCE: usize = 16;

/// Somebody with a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// The session, as the server that made it named it; see [`cookie_at`].
    pub cookie: String,
}

/// A cookie under the name that it has at an origin. The name holds the port, and a town's data moves
/// from one port to another.
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

    /// What the person of this number signs in with.
    pub fn username(number: usize) -> String {
        format!("person.{number:05}")
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
    server: SocketAddr,
    origin: String,
}

impl Http {
    /// To the server at this address.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new(address: SocketAddr) -> Result<Self> {
        Self::at(address, format!("http://{address}"))
    }

    /// To a server that is known to browsers by another address.
    ///
    /// # Errors
    /// No client can be made.
    pub fn at(server: SocketAddr, origin: String) -> Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client, server, origin })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Refused.
    pub async fn sign_up(&self, username: String) -> Result<Person> {
        self.session("sign_up", &username).await
    }

    /// A new session of somebody who has an account.
    ///
    /// # Errors
    /// Refused.
    pub async fn sign_in(&self, username: &str) -> Result<Person> {
        self.session("sign_in", username).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Refused.
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

    /// The conversation of two people.
    ///
    /// # Errors
    /// Refused.
    pub async fn open(&self, me: &Person, peer: UserId) -> Result<ConversationId> {
        let form = format!("peer={peer}");
        Ok(self.post("open_conversation", &me.cookie, FORM, form).await?.json().await?)
    }

    /// Sends a message without a socket; the inner error is the server's own no.
    ///
    /// # Errors
    /// No answer, or none that is one.
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

    /// Whether the server says that a message could be stored now.
    ///
    /// # Errors
    /// No answer.
    pub async fn is_ready(&self) -> Result<bool> {
        let url = format!("http://{}/readyz", self.server);
        Ok(self.client.get(url).send().await?.status().is_success())
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

/// A value of a form, every byte that could mean something else written in hexadecimal.
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

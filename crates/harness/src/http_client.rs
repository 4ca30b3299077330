//! A client's HTTP requests: accounts, sessions, and the calls of the protocol.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use protocol::{
    ClientId, ConversationId, ConversationPage, Cursor, HistoryPage, ListCursor, Refusal, Sent,
    UserId,
};
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::fixture::TestUser;

/// The password of every user.
const PASSWORD: &str = "tulip-Harbor-92";
/// The content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// Renames a session cookie for an origin. The name contains the port, and a copy of a fixture runs
/// on another port.
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

/// A client for the HTTP requests to one server.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    server: SocketAddr,
    origin: String,
}

impl HttpClient {
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
    pub async fn sign_up(&self, username: String) -> Result<TestUser> {
        self.session("sign_up", &username).await
    }

    /// Creates a session for an existing account.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn sign_in(&self, username: &str) -> Result<TestUser> {
        self.session("sign_in", username).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn sign_out(&self, me: &TestUser) -> Result<()> {
        self.post("sign_out", &me.cookie, FORM, String::new()).await.map(drop)
    }

    async fn session(&self, function: &str, username: &str) -> Result<TestUser> {
        let form = format!("username={username}&password={PASSWORD}");
        let response = self.post(function, "", FORM, form).await?;
        let cookie =
            response.headers().get(SET_COOKIE).context("the answer has no cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let mut connection = Connection::open_at(self.server, &self.origin, &cookie, "").await?;
        let id = connection.hello().await?.id;
        Ok(TestUser { id, cookie })
    }

    /// Opens the conversation of two users.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn open(&self, me: &TestUser, peer: UserId) -> Result<ConversationId> {
        let form = format!("peer={peer}");
        Ok(self.post("open_conversation", &me.cookie, FORM, form).await?.json().await?)
    }

    /// Opens the conversation of two users, and accepts it for both, so that each sees the receipts and
    /// the presence of the other.
    ///
    /// # Errors
    /// The server refuses to open the conversation. A refused acceptance is ignored, because an
    /// older build has no requests.
    pub async fn introduce(&self, me: &TestUser, peer: &TestUser) -> Result<ConversationId> {
        let id = self.open(me, peer.id).await?;
        for user in [me, peer] {
            _ = self.post("accept_request", &user.cookie, FORM, format!("id={id}")).await;
        }
        Ok(id)
    }

    /// Sends a message by HTTP. The inner error is the server's refusal.
    ///
    /// # Errors
    /// The server does not answer, or the answer cannot be parsed.
    pub async fn send(
        &self,
        me: &TestUser,
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
        Ok(Err(response.json::<Refused>().await.context("the refusal has no reason")?.refused))
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
    pub async fn list(&self, me: &TestUser, after: Option<ListCursor>) -> Result<ConversationPage> {
        self.call("list_conversations", &me.cookie, &json!({ "after": after })).await
    }

    /// Requests a page of a conversation.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn history(
        &self,
        me: &TestUser,
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

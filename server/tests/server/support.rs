//! A server on a free port, and browsers that connect to it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use futures::{SinkExt, StreamExt};
use protocol::{ClientFrame, ClientId, ConversationId, SUBPROTOCOL, Seq, ServerFrame, UserId};
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};
use server::config::Config;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const PASSWORD: &str = "tulip-Harbor-92";
/// Time limit for every wait. Far above any expected duration, so only a hanging test reaches it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A server inside the test process.
pub struct TestServer {
    pub address: SocketAddr,
    pub directory: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// Creates the files of a built site that the server checks.
pub fn site(directory: &Path) -> std::path::PathBuf {
    let site = directory.join("site");
    std::fs::create_dir_all(site.join("pkg")).expect("a directory");
    std::fs::write(site.join("pkg/duet.css"), "body{}").expect("a file");
    std::fs::write(site.join("favicon.svg"), "<svg/>").expect("a file");
    for file in ["duet.js", "duet.wasm"] {
        std::fs::write(site.join("pkg").join(file), "").expect("a file");
    }
    // A development build may have left a list of hashes beside the binary.
    let list = Path::new(env!("CARGO_BIN_EXE_duet")).with_file_name("hash.txt");
    for line in std::fs::read_to_string(list).unwrap_or_default().lines() {
        let (kind, hash) = line.split_once(": ").expect("a kind and its hash");
        let name = match kind {
            "split" => format!("__wasm_split.{hash}.js"),
            "manifest" => format!("__wasm_split_manifest.{hash}.json"),
            kind => format!("duet.{hash}.{kind}"),
        };
        std::fs::write(site.join("pkg").join(name), "{}").expect("a file");
    }
    site
}

/// Rate limits that are too high for any test to reach by accident.
pub const PLENTY: [&str; 5] = [
    "--sign-ups-per-hour=1000000",
    "--sign-ins-per-minute=1000000",
    "--searches-per-minute=1000000",
    "--messages-per-minute=1000000",
    "--frames-per-second=1000000",
];

impl TestServer {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(arguments: &[&str]) -> Self {
        Self::at(tempfile::tempdir().expect("a temporary directory"), arguments).await
    }

    /// Starts a server on an existing store.
    pub async fn at(directory: TempDir, arguments: &[&str]) -> Self {
        Self::with_rate_limits(directory, &[&PLENTY, arguments].concat()).await
    }

    /// Starts a server with the default rate limits, or with those in `arguments`.
    pub async fn with_rate_limits(directory: TempDir, arguments: &[&str]) -> Self {
        let mut config = Config::parse_from(["duet"].iter().chain(arguments));
        config.data = directory.path().join("data");
        config.site = Some(site(directory.path()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server::run(config, listener, async {
            // Dropping the sender stops the server as well.
            let _ = stopped.await;
        }));
        Self { address, directory, stop, running }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn stop(self) -> TempDir {
        self.stop.send(()).expect("the server runs");
        timeout(PATIENCE, self.running)
            .await
            .expect("it ends")
            .expect("no panic")
            .expect("no error");
        self.directory
    }

    pub async fn browser(&self, username: &str) -> Browser {
        Browser::sign_up(self.address, username).await
    }

    /// Creates two users and their conversation.
    pub async fn pair(&self) -> (Browser, Browser, ConversationId) {
        let (alice, bob) = (self.browser("alice").await, self.browser("bob").await);
        let conversation = alice.open_conversation(bob.id).await;
        (alice, bob, conversation)
    }
}

#[derive(Clone)]
pub struct Browser {
    pub address: SocketAddr,
    pub http: reqwest::Client,
    pub cookie: String,
    pub id: UserId,
}

pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

pub fn origin(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Posts a form like the site's own page, without a session.
pub async fn post_form(address: SocketAddr, path: &str, form: &str) -> reqwest::Response {
    http()
        .post(format!("http://{address}{path}"))
        .header(ORIGIN, origin(address))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned())
        .send()
        .await
        .expect("an answer")
}

/// Returns the cookie of a response in the form in which a browser sends it back.
pub fn cookie(response: &reqwest::Response) -> String {
    let header = response.headers().get(SET_COOKIE).expect("a cookie");
    let header = header.to_str().expect("visible characters");
    header.split(';').next().expect("a pair").to_owned()
}

impl Browser {
    pub async fn sign_up(address: SocketAddr, username: &str) -> Self {
        let form = format!("username={username}&password={PASSWORD}");
        let response = post_form(address, "/api/sign_up", &form).await;
        assert!(response.status().is_success(), "{}", response.status());
        Self::with_cookie(address, cookie(&response)).await
    }

    pub async fn sign_in(address: SocketAddr, username: &str) -> Self {
        let form = format!("username={username}&password={PASSWORD}");
        let response = post_form(address, "/api/sign_in", &form).await;
        assert!(response.status().is_success(), "{}", response.status());
        Self::with_cookie(address, cookie(&response)).await
    }

    async fn with_cookie(address: SocketAddr, cookie: String) -> Self {
        let mut browser = Self { address, http: http(), cookie, id: UserId::new() };
        let mut socket = browser.connect().await;
        match socket.receive().await {
            ServerFrame::Hello { user, .. } => browser.id = user.id,
            other => panic!("heard {other:?}"),
        }
        browser
    }

    /// Returns the same browser for the server's new address. The cookie name contains the port.
    pub fn at(&self, address: SocketAddr) -> Self {
        let (_, token) = self.cookie.split_once('=').expect("a pair");
        let cookie = format!("duet-dev-sid-{}={token}", address.port());
        Self { address, cookie, ..self.clone() }
    }

    pub async fn call(&self, function: &str, arguments: Value) -> reqwest::Response {
        self.http
            .post(format!("http://{}/api/{function}", self.address))
            .header(ORIGIN, origin(self.address))
            .header(COOKIE, &self.cookie)
            .json(&arguments)
            .send()
            .await
            .expect("an answer")
    }

    pub async fn post_call(&self, function: &str, form: &str) -> reqwest::Response {
        self.http
            .post(format!("http://{}/api/{function}", self.address))
            .header(ORIGIN, origin(self.address))
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned())
            .send()
            .await
            .expect("an answer")
    }

    /// Posts a plain form like a page without WebAssembly.
    pub async fn submit_form(&self, path: &str, form: &str) -> reqwest::Response {
        self.http
            .post(format!("http://{}{path}", self.address))
            .header(ORIGIN, origin(self.address))
            .header(COOKIE, &self.cookie)
            .header("accept", "text/html")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned())
            .send()
            .await
            .expect("an answer")
    }

    pub async fn get_page(&self, path: &str) -> reqwest::Response {
        self.http
            .get(format!("http://{}{path}", self.address))
            .header(COOKIE, &self.cookie)
            .send()
            .await
            .expect("an answer")
    }

    pub async fn open_conversation(&self, peer: UserId) -> ConversationId {
        let response = self.post_call("open_conversation", &format!("peer={peer}")).await;
        response.json().await.expect("an id")
    }

    /// Loads the whole conversation, page by page.
    pub async fn read_history(&self, id: ConversationId) -> Vec<protocol::Message> {
        let mut all: Vec<protocol::Message> = Vec::new();
        loop {
            let after = all.last().map_or(Seq::ZERO, |message| message.seq);
            let response =
                self.call("load_history", json!({"id": id, "cursor": {"after": after}})).await;
            let page: protocol::HistoryPage = response.json().await.expect("a page");
            if page.messages.is_empty() {
                return all;
            }
            all.extend(page.messages);
        }
    }

    pub async fn connect(&self) -> Socket {
        self.try_connect(&origin(self.address)).await.expect("a socket")
    }

    /// Connects and consumes the `hello` frame.
    pub async fn connect_past_hello(&self) -> Socket {
        let mut socket = self.connect().await;
        assert!(matches!(socket.receive().await, ServerFrame::Hello { .. }));
        socket
    }

    pub async fn try_connect(&self, origin: &str) -> Result<Socket, tungstenite::Error> {
        self.try_connect_by(origin, SUBPROTOCOL).await
    }

    /// Connects and offers these subprotocols.
    pub async fn try_connect_by(
        &self,
        origin: &str,
        protocols: &str,
    ) -> Result<Socket, tungstenite::Error> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", HeaderValue::from_str(origin).expect("a header"));
        headers.insert("cookie", HeaderValue::from_str(&self.cookie).expect("a header"));
        headers
            .insert("sec-websocket-protocol", HeaderValue::from_str(protocols).expect("a header"));
        let (stream, response) = tokio_tungstenite::connect_async(request).await?;
        assert_eq!(
            response.headers().get("sec-websocket-protocol").map(HeaderValue::as_bytes),
            Some(SUBPROTOCOL.as_bytes())
        );
        Ok(Socket(stream))
    }
}

pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn send(&mut self, frame: &ClientFrame) {
        let text = serde_json::to_string(frame).expect("a frame");
        self.0.send(Message::text(text)).await.expect("sent");
    }

    pub async fn send_message(&mut self, conversation: ConversationId, body: &str) -> ClientId {
        let client_id = ClientId::new();
        self.send(&ClientFrame::Send { conversation, client_id, body: body.to_owned() }).await;
        client_id
    }

    /// Returns the next frame. Panics if the socket closes.
    pub async fn receive(&mut self) -> ServerFrame {
        match self.next().await {
            Ok(text) => serde_json::from_str(&text).expect("a known frame"),
            Err(code) => panic!("closed with {code:?}"),
        }
    }

    /// Returns the next frame other than presence.
    pub async fn receive_without_presence(&mut self) -> ServerFrame {
        loop {
            match self.receive().await {
                ServerFrame::Presence { .. } => {}
                other => return other,
            }
        }
    }

    /// Returns the next text, or the close code (`None` if the connection broke without one).
    pub async fn next(&mut self) -> Result<String, Option<u16>> {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("something is heard in time");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Skips frames until the socket closes. Returns the close code.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}

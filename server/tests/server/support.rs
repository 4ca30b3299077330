//! A server on a free port, and browsers that connect to it.

mod socket;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use protocol::{ConversationId, SUBPROTOCOL, Seq, ServerFrame, UserId};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use server::config::Config;
use server::time_limits::TimeLimits;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

pub(crate) use socket::Socket;

pub(crate) const PASSWORD: &str = "tulip-Harbor-92";
/// Time limit for every wait. Far above any expected duration, so only a hanging test reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A server inside the test process.
pub(crate) struct TestServer {
    pub address: SocketAddr,
    pub directory: TempDir,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// Creates the files of a built site that the server checks.
pub(crate) fn site(directory: &Path) -> std::path::PathBuf {
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

/// Copies the files of a directory into a new one.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    harness::copy_files(from, to).expect("copied");
}

/// Rate limits that are too high for any test to reach by accident.
pub(crate) const PLENTY: [&str; 7] = [
    "--sign-ups-per-hour=1000000",
    "--sign-ins-per-minute=1000000",
    "--searches-per-minute=1000000",
    "--messages-per-minute=1000000",
    "--conversations-per-hour=1000000",
    "--reads-per-minute=1000000",
    "--frames-per-second=1000000",
];

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::at(tempfile::tempdir().expect("a temporary directory"), arguments).await
    }

    /// Starts a server on an existing store.
    pub(crate) async fn at(directory: TempDir, arguments: &[&str]) -> Self {
        Self::with_rate_limits(directory, &[&PLENTY, arguments].concat()).await
    }

    /// Starts a server with the default rate limits, or with those in `arguments`.
    pub(crate) async fn with_rate_limits(directory: TempDir, arguments: &[&str]) -> Self {
        Self::with_time_limits(directory, arguments, TimeLimits::default()).await
    }

    pub(crate) async fn with_time_limits(
        directory: TempDir,
        arguments: &[&str],
        time_limits: TimeLimits,
    ) -> Self {
        let mut config = Config::parse_from(["duet"].iter().chain(arguments));
        config.time_limits = time_limits;
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn stop(self) -> TempDir {
        self.stop.send(()).expect("the server runs");
        timeout(PATIENCE, self.running)
            .await
            .expect("it ends")
            .expect("no panic")
            .expect("no error");
        self.directory
    }

    pub(crate) async fn browser(&self, username: &str) -> Browser {
        Browser::sign_up(self.address, username).await
    }

    /// Creates two users and their conversation.
    pub(crate) async fn pair(&self) -> (Browser, Browser, ConversationId) {
        pair(self.address).await
    }
}

/// Creates two users and their conversation, which both have accepted, on the server at an address.
pub(crate) async fn pair(address: SocketAddr) -> (Browser, Browser, ConversationId) {
    let alice = Browser::sign_up(address, "alice").await;
    let bob = Browser::sign_up(address, "bob").await;
    let conversation = alice.open_conversation(bob.id).await;
    for user in [&alice, &bob] {
        let accepted = user.post_call("accept_request", &format!("id={conversation}")).await;
        assert_eq!(accepted.status(), 200);
    }
    (alice, bob, conversation)
}

#[derive(Clone)]
pub(crate) struct Browser {
    pub address: SocketAddr,
    pub http: reqwest::Client,
    pub cookie: String,
    pub id: UserId,
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .expect("a client")
}

pub(crate) fn origin(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// A request that posts a form from a page of this origin, without a session.
pub(crate) fn form_request(
    address: SocketAddr,
    from: &str,
    path: &str,
    form: &str,
) -> RequestBuilder {
    with_form(http().post(format!("http://{address}{path}")), from, form)
}

fn with_form(request: RequestBuilder, from: &str, form: &str) -> RequestBuilder {
    request
        .header(ORIGIN, from)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned())
}

/// Posts a form like the site's own page, without a session.
pub(crate) async fn post_form(address: SocketAddr, path: &str, form: &str) -> Response {
    send(form_request(address, &origin(address), path, form)).await
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// Returns the error code of a refused call.
pub(crate) async fn code(response: Response) -> Value {
    let body: Value = response.json().await.expect("JSON");
    body["refused"]["code"].clone()
}

/// Returns the target of the redirect that answers a plain form.
pub(crate) fn redirect_target(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    response.headers()[LOCATION].to_str().expect("visible").to_owned()
}

/// Returns the cookie of a response in the form in which a browser sends it back.
pub(crate) fn cookie(response: &Response) -> String {
    let header = response.headers().get(SET_COOKIE).expect("a cookie");
    let header = header.to_str().expect("visible characters");
    header.split(';').next().expect("a pair").to_owned()
}

impl Browser {
    pub(crate) async fn sign_up(address: SocketAddr, username: &str) -> Self {
        Self::with_session("/api/sign_up", address, username).await
    }

    pub(crate) async fn sign_in(address: SocketAddr, username: &str) -> Self {
        Self::with_session("/api/sign_in", address, username).await
    }

    async fn with_session(path: &str, address: SocketAddr, username: &str) -> Self {
        let form = format!("username={username}&password={PASSWORD}");
        let response = post_form(address, path, &form).await;
        assert!(response.status().is_success(), "{}", response.status());
        Self::with_cookie(address, cookie(&response)).await
    }

    async fn with_cookie(address: SocketAddr, cookie: String) -> Self {
        let mut browser = Self { address, http: http(), cookie, id: UserId::new() };
        let mut socket = browser.connect().await;
        match socket.receive().await {
            ServerFrame::Hello { user, .. } => browser.id = user.id,
            other => panic!("received {other:?}"),
        }
        browser
    }

    /// Returns the same browser for the server's new address. The cookie name contains the port.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        let cookie = harness::cookie_at(&origin(address), &self.cookie);
        Self { address, cookie, ..self.clone() }
    }

    /// A request that posts a form from one of the site's own pages.
    pub(crate) fn form_request(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.http.post(format!("http://{}{path}", self.address));
        with_form(request, &origin(self.address), form).header(COOKIE, &self.cookie)
    }

    pub(crate) async fn call(&self, function: &str, arguments: Value) -> Response {
        let request = self.http.post(format!("http://{}/api/{function}", self.address));
        let request = request.header(ORIGIN, origin(self.address)).header(COOKIE, &self.cookie);
        send(request.json(&arguments)).await
    }

    pub(crate) async fn post_call(&self, function: &str, form: &str) -> Response {
        send(self.form_request(&format!("/api/{function}"), form)).await
    }

    /// Posts a plain form like a page without WebAssembly.
    pub(crate) async fn submit_form(&self, path: &str, form: &str) -> Response {
        send(self.form_request(path, form).header(ACCEPT, "text/html")).await
    }

    pub(crate) async fn get_page(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.address);
        send(self.http.get(url).header(COOKIE, &self.cookie)).await
    }

    pub(crate) async fn open_conversation(&self, peer: UserId) -> ConversationId {
        let response = self.post_call("open_conversation", &format!("peer={peer}")).await;
        response.json().await.expect("an id")
    }

    /// Loads the whole conversation, page by page.
    pub(crate) async fn read_history(&self, id: ConversationId) -> Vec<protocol::Message> {
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

    pub(crate) async fn connect(&self) -> Socket {
        self.try_connect(&origin(self.address)).await.expect("a socket")
    }

    /// Connects and consumes the `hello` frame.
    pub(crate) async fn connect_past_hello(&self) -> Socket {
        let mut socket = self.connect().await;
        assert!(matches!(socket.receive().await, ServerFrame::Hello { .. }));
        socket
    }

    pub(crate) async fn try_connect(&self, origin: &str) -> Result<Socket, tungstenite::Error> {
        self.try_connect_by(origin, SUBPROTOCOL).await
    }

    /// Connects and offers these subprotocols.
    pub(crate) async fn try_connect_by(
        &self,
        origin: &str,
        protocols: &str,
    ) -> Result<Socket, tungstenite::Error> {
        self.try_connect_with(&[("origin", origin), ("sec-websocket-protocol", protocols)]).await
    }

    /// Connects with these headers and the session.
    pub(crate) async fn try_connect_with(
        &self,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, tungstenite::Error> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request()?;
        for (name, value) in headers.iter().chain(&[("cookie", self.cookie.as_str())]) {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        let (stream, response) = tokio_tungstenite::connect_async(request).await?;
        assert_eq!(
            response.headers().get("sec-websocket-protocol").map(HeaderValue::as_bytes),
            Some(SUBPROTOCOL.as_bytes())
        );
        Ok(Socket(stream))
    }
}

//! A provider as a process of its own, a server that uses it, and browsers with their cookies.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use protocol::{PasskeyState, ProviderState};
use reqwest::header::{ACCEPT, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use url::Url;

use crate::process::{LogFile, Process, free_address, server};
use crate::support::{PASSWORD, http, send};

/// A provider, killed on drop. It also ends with the test process, because its input is then closed.
pub(super) struct ProviderProcess {
    pub(super) issuer: String,
    child: Child,
    /// Kept open, because the provider may write more, and would end if nobody could read it.
    _output: BufReader<ChildStdout>,
}

impl ProviderProcess {
    pub(super) fn start(script: &str, settings: &Value) -> Self {
        let script = format!("{}/tests/providers/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("node");
        command.args([&script, &settings.to_string()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js is installed: run scripts/setup");
        let mut issuer = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        output.read_line(&mut issuer).expect("a line");
        let issuer = issuer.trim().to_owned();
        assert!(!issuer.is_empty(), "the provider has ended: run scripts/setup");
        Self { issuer, child, _output: output }
    }
}

impl Drop for ProviderProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with a provider.
pub(super) struct World {
    pub(super) provider: ProviderProcess,
    pub(super) process: Process,
    pub(super) log: LogFile,
}

pub(super) fn origin(address: SocketAddr) -> String {
    format!("http://{address}")
}

impl World {
    pub(super) async fn start() -> Self {
        Self::with("", &[]).await
    }

    /// With an issuer that has this path, and with variables of the server.
    pub(super) async fn with(path: &str, variables: &[(&str, &str)]) -> Self {
        let address = free_address();
        let settings =
            json!({ "redirect": format!("{}/oidc/callback", origin(address)), "path": path });
        let provider = ProviderProcess::start("provider.mjs", &settings);
        let issuer = provider.issuer.clone();
        Self::serve(provider, &issuer, address, variables).await
    }

    /// With a provider that lies, under this path of it.
    pub(super) async fn lying(path: &str) -> Self {
        let provider = ProviderProcess::start("lying.mjs", &json!({}));
        let issuer = format!("{}{path}", provider.issuer);
        Self::serve(provider, &issuer, free_address(), &[]).await
    }

    pub(super) async fn serve(
        provider: ProviderProcess,
        issuer: &str,
        address: SocketAddr,
        variables: &[(&str, &str)],
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "a secret of the test\n").expect("written");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut command = server(directory.path(), address, "");
        command
            .env("DUET_PUBLIC_URL", origin(address))
            .env("DUET_OIDC_ISSUER", issuer)
            .env("DUET_OIDC_CLIENT_ID", "duet")
            .env("DUET_OIDC_CLIENT_SECRET_FILE", secret)
            .env("DUET_OIDC_NAME", "Berg ID")
            .envs(variables.iter().copied())
            .stderr(file.reopen().expect("a file"));
        let process = Process::run(command, address, directory).await;
        Self { provider, process, log: LogFile::of(file) }
    }

    pub(super) fn visitor(&self) -> Visitor {
        let http = http();
        Visitor { origin: origin(self.process.address), http, cookies: BTreeMap::new() }
    }

    /// A browser in which a user has signed up with a password.
    pub(super) async fn person(&self, username: &str) -> Visitor {
        let mut visitor = self.visitor();
        let form = [("username", username), ("password", PASSWORD)];
        assert_eq!(visitor.post("/api/sign_up", &form).await.status(), 200);
        visitor
    }

    /// A browser in which a user has signed up through the provider.
    pub(super) async fn newcomer(&self, username: &str) -> Visitor {
        let mut visitor = self.visitor();
        let arrived = visitor.sign_in_as(username).await;
        assert_eq!(target(&arrived), "/oidc/finish");
        let made = visitor.post("/oidc/finish", &[("username", username)]).await;
        assert_eq!(target(&made), "/");
        visitor
    }
}

/// A browser with its cookies, of the server and of the provider.
#[derive(Clone)]
pub(super) struct Visitor {
    origin: String,
    http: reqwest::Client,
    /// By site and name.
    cookies: BTreeMap<(String, String), String>,
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(super) fn target(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    response.headers()[LOCATION].to_str().expect("visible").to_owned()
}

impl Visitor {
    fn url(&self, address: &str) -> Url {
        Url::parse(&self.origin).expect("a URL").join(address).expect("an address")
    }

    async fn send(&mut self, url: &Url, request: RequestBuilder) -> Response {
        let site = url.origin().ascii_serialization();
        let of_site = self.cookies.iter().filter(|((of, _), _)| *of == site);
        let cookies: Vec<_> = of_site.map(|((_, name), value)| format!("{name}={value}")).collect();
        let response = send(request.header(COOKIE, cookies.join("; ")).header(ACCEPT, "text/html"));
        let response = response.await;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("visible").split(';').next().expect("a pair");
            let (name, value) = cookie.split_once('=').expect("a pair");
            self.cookies.insert((site.clone(), name.to_owned()), value.to_owned());
        }
        response
    }

    /// Opens an address of the server, or of the provider.
    pub(super) async fn get(&mut self, address: &str) -> Response {
        let url = self.url(address);
        let request = self.http.get(url.clone());
        self.send(&url, request).await
    }

    /// Opens an address of the server as a part of another page.
    pub(super) async fn load(&mut self, address: &str, headers: &[(&str, &str)]) -> Response {
        let url = self.url(address);
        let request = self.http.get(url.clone());
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        self.send(&url, request).await
    }

    /// Whether the browser has the cookie of a round, a waiting sign-in or a proof.
    pub(super) fn has_round(&self) -> bool {
        let mut cookies = self.cookies.iter();
        cookies.any(|((_, name), value)| name.contains("-oidc-") && !value.is_empty())
    }

    pub(super) async fn page(&mut self, address: &str) -> String {
        self.get(address).await.text().await.expect("a page")
    }

    pub(super) async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Response {
        let url = self.url(address);
        let request = self.http.post(url.clone()).header(ORIGIN, &self.origin);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(&url, request.body(form(fields))).await
    }

    /// Begins a round at this address of the server; returns the address at the provider.
    pub(super) async fn begin(&mut self, address: &str) -> Url {
        let begun = self.get(address).await;
        Url::parse(&target(&begun)).expect("the provider's address")
    }

    /// Passes a round's forms at the provider as this user; returns the address of the callback.
    pub(super) async fn pass(&mut self, at_provider: &Url, login: &str) -> String {
        let callback = format!("{}/oidc/callback", self.origin);
        let mut url = at_provider.clone();
        for _ in 0..12 {
            if url.as_str().starts_with(&callback) {
                return url.into();
            }
            let mut response = self.get(url.as_str()).await;
            if response.status() == 200 {
                let page = response.text().await.expect("a form");
                let fields: &[_] = if page.contains("name=\"login\"") {
                    &[("prompt", "login"), ("login", login), ("password", "any")]
                } else {
                    &[("prompt", "consent")]
                };
                response = self.post(url.as_str(), fields).await;
            }
            url = url.join(&target(&response)).expect("an address");
        }
        panic!("the provider does not send the browser back: {url}");
    }

    /// A whole round from this address of the server; returns the answer to the callback.
    pub(super) async fn round(&mut self, address: &str, login: &str) -> Response {
        let at_provider = self.begin(address).await;
        let callback = self.pass(&at_provider, login).await;
        self.get(&callback).await
    }

    pub(super) async fn sign_in_as(&mut self, login: &str) -> Response {
        self.round("/oidc/sign-in", login).await
    }

    /// The name of the user who is signed in.
    pub(super) async fn me(&mut self) -> Option<String> {
        let settings = self.call("get_settings").await;
        settings["user"]["username"].as_str().map(str::to_owned)
    }

    pub(super) async fn call(&mut self, function: &str) -> Value {
        let url = self.url(&format!("/api/{function}"));
        let request = self.http.post(url.clone()).header(ORIGIN, &self.origin).json(&json!({}));
        self.send(&url, request).await.json().await.expect("JSON")
    }

    pub(super) async fn provider(&mut self) -> ProviderState {
        let state: PasskeyState =
            serde_json::from_value(self.call("list_passkeys").await).expect("a list");
        state.provider.expect("a provider")
    }

    /// Signs out by losing the cookie.
    pub(super) fn forget_session(&mut self) {
        let origin = self.origin.clone();
        self.cookies.retain(|(site, name), _| *site != origin || !name.contains("sid"));
    }

    /// Signs out at the provider by losing its cookies.
    pub(super) fn forget_provider(&mut self) {
        let origin = self.origin.clone();
        self.cookies.retain(|(site, _), _| *site == origin);
    }

    /// Links an identity after the password.
    pub(super) async fn link(&mut self, login: &str) -> Response {
        let permitted = self.post("/api/permit_identity_link", &[("password", PASSWORD)]).await;
        assert_eq!(permitted.status(), 200);
        self.round("/oidc/link", login).await
    }
}

//! Answers that no route produces have the security headers too, and the reports of browsers about
//! the content security policy are received within bounds.

use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::process::Process;
use crate::support::{PATIENCE, TestServer, http, origin};

/// Sends bytes and returns everything that the server answers until it closes the connection.
async fn ask(server: &TestServer, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    // The server may answer and close before the whole request is written.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn check(answer: &str, status: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    for header in [
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
        "cross-origin-embedder-policy: require-corp",
        "content-security-policy: default-src 'none'",
        "permissions-policy: camera=()",
        "cache-control: no-store",
        "connection: close",
    ] {
        assert_eq!(head.matches(&format!("\r\n{header}")).count(), 1, "{header} in {answer}");
    }
    assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{answer}");
    assert!(!body.is_empty(), "{answer}");
}

#[tokio::test]
async fn answers_to_heads_that_cannot_be_parsed_have_the_security_headers() {
    let server = TestServer::start().await;
    let good = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(100));
    for (request, status) in [
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/9.9\r\n\r\n", "400"),
        ("GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost x\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", "400"),
        (many.as_str(), "431"),
    ] {
        check(&ask(&server, request.as_bytes()).await, status);
        let second = ask(&server, format!("{good}{request}").as_bytes()).await;
        let (first, second) = second.split_once("\r\n\r\nok").expect("the first answer");
        assert!(first.starts_with("HTTP/1.1 200"), "{first}");
        check(second, status);
    }
    // The server stops reading in the middle, so the connection may be reset before the answer.
    let answer = ask(&server, large.as_bytes()).await;
    if !answer.is_empty() {
        check(&answer, "431");
    }
    server.stop().await;
}

#[tokio::test]
async fn answers_of_the_layers_have_the_security_headers() {
    let server = TestServer::start().await;
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nHost: x\r\nOrigin: {}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n",
        origin(server.address)
    );
    for (rest, status) in [
        ("Content-Length: 100000\r\n\r\n".to_owned(), "413"),
        ("Transfer-Encoding: chunked\r\n\r\nnonsense\r\n".to_owned(), "400"),
        (
            format!(
                "Transfer-Encoding: chunked\r\n\r\n11000\r\n{}\r\n0\r\n\r\n",
                "x".repeat(0x11000)
            ),
            "413",
        ),
    ] {
        let answer = ask(&server, format!("{head}{rest}").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    }
    let long =
        format!("GET /?{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(5_000));
    let answer = ask(&server, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414"), "{answer}");
    assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_page_names_its_sockets_and_the_place_of_reports() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let page = alice.http.get(format!("http://localhost:{}/", server.address.port()));
    let page = page.header("cookie", &alice.cookie).send().await.expect("a page");
    let header = |name: &str| page.headers()[name].to_str().expect("visible").to_owned();
    let policy = header(CONTENT_SECURITY_POLICY.as_str());
    assert!(policy.contains("report-to csp"), "{policy}");
    assert!(policy.contains(&format!("ws://{}", server.address)), "{policy}");
    assert_eq!(
        header("content-security-policy-report-only"),
        "require-trusted-types-for 'script'; report-to csp"
    );
    assert_eq!(header("reporting-endpoints"), "csp=\"/csp-reports\"");
    server.stop().await;

    let arguments = ["--public-url=https://chat.example.org"];
    let server = TestServer::with(&arguments).await;
    let page = http().get(server.url("/sign-in")).header("host", "evil.example").send().await;
    let policy = page.expect("a page").headers()[CONTENT_SECURITY_POLICY].clone();
    let policy = policy.to_str().expect("visible");
    assert!(policy.contains("connect-src 'self' wss://chat.example.org;"), "{policy}");
    assert!(!policy.contains("ws://") && !policy.contains("evil"), "{policy}");
    server.stop().await;
}

#[tokio::test]
async fn reports_of_browsers_are_logged_without_private_parts_and_bounded() {
    let (process, log) = Process::with_log("", &[]).await;
    let report = |blocked: &str| {
        format!(
            "{{\"csp-report\":{{\"document-uri\":\"http://x/invite/secret\",\"blocked-uri\":\
             \"{blocked}\",\"effective-directive\":\"script-src-elem\",\"source-file\":\
             \"http://x/pkg/duet.js\",\"line-number\":7}}}}"
        )
    };
    let send = async |kind: &str, headers: &[(&'static str, &str)], body: String| {
        let request =
            http().post(process.url("/csp-reports")).header(CONTENT_TYPE, kind).body(body);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("an answer")
    };
    let kind = "application/csp-report";
    let own = origin(process.address);
    for (kind, headers, body, status) in [
        (kind, &[("sec-fetch-site", "cross-site")][..], report("inline"), 403),
        (kind, &[("origin", "https://evil.example")], report("inline"), 403),
        ("application/json", &[], report("inline"), 415),
        (kind, &[], "x".repeat(32 * 1024 + 1), 413),
        (kind, &[], "{}".to_owned(), 400),
        (kind, &[], report("https://evil.example/secret"), 204),
        (kind, &[("origin", own.as_str()), ("sec-fetch-site", "same-origin")], report("eval"), 204),
        ("application/reports+json", &[], "[]".to_owned(), 400),
    ] {
        let response = send(kind, headers, body).await;
        assert_eq!(response.status(), status, "{kind} {headers:?}");
        assert!(response.headers().contains_key("x-content-type-options"));
    }
    let line = log.wait_for("violation of the content security policy").await;
    assert!(line.contains("https://evil.example") && line.contains("/pkg/duet.js"), "{line}");
    let mut refused = false;
    for _ in 0..20 {
        let response = send(kind, &[], report("inline")).await;
        refused |= response.status() == 429 && response.headers().contains_key("retry-after");
    }
    assert!(refused, "no bound");
    let get = http().get(process.url("/csp-reports")).send().await.expect("an answer");
    assert_eq!(get.status(), 405);
    assert!(!log.text().contains("secret"), "{}", log.text());
}

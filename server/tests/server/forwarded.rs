//! Rate limits behind a proxy: each client has its own limit, in whatever form the proxy writes the
//! address.

use protocol::SUBPROTOCOL;
use tokio_tungstenite::tungstenite::Error;

use crate::process::Process;
use crate::support::{TestServer, form_request, origin, post_form, send};

/// Signs in with wrong passwords until the limit applies. Returns the number of 401 responses.
async fn count_attempts(server: &TestServer, forwarded: &str) -> usize {
    for n in 0..5 {
        let form = format!("username=user{n}&password=wrong-password");
        let request = form_request(server.address, &origin(server.address), "/api/sign_in", &form);
        let answer = send(request.header("x-forwarded-for", forwarded)).await;
        match answer.status().as_u16() {
            401 => {}
            429 => return n,
            other => panic!("{other}"),
        }
    }
    5
}

#[tokio::test]
async fn clients_behind_a_proxy_have_separate_limits_with_every_header_form() {
    let directory = tempfile::tempdir().expect("a directory");
    let arguments = ["--trusted-proxies=::ffff:127.0.0.1", "--sign-ins-per-minute=1"];
    let server = TestServer::with_rate_limits(directory, &arguments).await;
    for (client, same) in [
        ("198.51.100.1:5001", "198.51.100.1"),
        ("198.51.100.2", "\"198.51.100.2:5002\""),
        ("::ffff:198.51.100.3", "[::ffff:198.51.100.3]:1"),
        ("[2001:db8:0:1::1]:443", "2001:db8:0:1::2"),
        ("2001:db8:0:2::1", "\"[2001:db8:0:2::1]:443\""),
    ] {
        assert_eq!(count_attempts(&server, client).await, 1, "{client}");
        assert_eq!(count_attempts(&server, same).await, 0, "{same}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_proxy_without_a_forwarding_header_is_logged_once() {
    let (process, log) = Process::with_log("", &[("DUET_TRUSTED_PROXIES", "127.0.0.1")]).await;
    assert!(!log.text().contains("no client address"), "a health check has no client");
    for _ in 0..3 {
        let form = "username=nobody&password=wrong-password";
        assert_eq!(post_form(process.address, "/api/sign_in", form).await.status(), 401);
    }
    let line = log.wait_for("sends no client address").await;
    assert!(line.contains("WARN") && line.contains("the proxy 127.0.0.1"), "{line}");
    assert_eq!(log.text().matches("sends no client address").count(), 1);
}

#[tokio::test]
async fn a_client_cannot_forge_its_address_by_a_header_that_its_proxy_does_not_write() {
    let (process, log) = Process::with_log("", &[("DUET_TRUSTED_PROXIES", "127.0.0.1")]).await;
    for forged in ["203.0.113.1", "203.0.113.2"] {
        let form = "username=nobody&password=wrong-password";
        let request = form_request(process.address, &origin(process.address), "/api/sign_in", form)
            .header("forwarded", "for=198.51.100.1")
            .header("x-forwarded-for", forged);
        let answer = send(request).await;
        assert_eq!(answer.status(), 401);
    }
    let line = log.wait_for("sign-in refused").await;
    assert!(line.contains("client.ip=127.0.0.1 "), "{line}");
    let line = log.wait_for("name different addresses").await;
    assert!(line.contains("remove the header that it does not write"), "{line}");
    assert_eq!(log.text().matches("name different addresses").count(), 1);
}

#[tokio::test]
async fn the_live_connections_behind_a_proxy_are_limited_by_the_address_of_the_client() {
    let arguments = ["--trusted-proxies=127.0.0.1", "--max-connections-per-address=2"];
    let server = TestServer::with(&arguments).await;
    let alice = server.browser("alice").await;
    let own = origin(server.address);
    let connect = |client: &'static str| {
        let (alice, own) = (alice.clone(), own.clone());
        async move {
            let headers = [
                ("origin", own.as_str()),
                ("sec-websocket-protocol", SUBPROTOCOL),
                ("x-forwarded-for", client),
            ];
            alice.try_connect_with(&headers).await
        }
    };
    let mut open = Vec::new();
    for client in ["198.51.100.1", "198.51.100.1", "2001:db8:0:1::1", "2001:db8:0:1::2"] {
        open.push(connect(client).await.expect("below the limit"));
    }
    for client in ["198.51.100.1", "2001:db8:0:1::3"] {
        let Err(Error::Http(answer)) = connect(client).await else { panic!("beyond the limit") };
        assert_eq!(answer.status().as_u16(), 503, "{client}");
        assert!(answer.headers().contains_key("retry-after"));
        let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default());
        assert!(body.contains("unavailable"), "{body}");
    }
    open.push(connect("198.51.100.2").await.expect("another client"));
    assert_eq!(alice.get_page("/").await.status(), 200, "pages are not counted behind a proxy");
    server.stop().await;
}

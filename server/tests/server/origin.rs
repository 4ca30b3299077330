//! Pages of other origins can neither connect nor change anything.

use protocol::ConversationId;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use tokio_tungstenite::tungstenite;

use crate::support::{Browser, TestServer, http, origin};

pub(crate) fn refused(result: Result<crate::support::Socket, tungstenite::Error>) -> u16 {
    match result {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => 101,
    }
}

#[tokio::test]
async fn only_the_own_origin_gets_a_socket() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let port = server.address.port();
    for foreign in [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}.evil.example"),
        format!("http://127.0.0.1:{port}/"),
        "http://127.0.0.1".to_owned(),
        format!("http://127.0.0.1:{}", port ^ 1),
        String::new(),
    ] {
        assert_eq!(refused(alice.try_connect(&foreign).await), 403, "{foreign}");
    }
    assert_eq!(refused(alice.try_connect(&format!("http://localhost:{port}")).await), 101);
    let empty = format!("duet-dev-sid-{port}=");
    let forged = format!("duet-dev-sid-{port}=forged");
    for cookie in ["", &empty, &forged, "other=1"] {
        let stranger = Browser { cookie: cookie.to_owned(), ..alice.clone() };
        assert_eq!(refused(stranger.try_connect(&origin(server.address)).await), 401, "{cookie}");
    }
    server.stop().await;
}

/// Lists every registered server function, so that new ones are tested automatically.
pub(crate) fn functions() -> Vec<(String, Method)> {
    leptos::server_fn::axum::server_fn_paths()
        .map(|(path, method)| (path.to_owned(), method))
        .collect()
}

#[tokio::test]
async fn no_server_function_answers_a_page_of_another_origin() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let functions = functions();
    assert!(functions.len() >= 10, "{functions:?}");
    let mut tried = 0;
    for (path, method) in &functions {
        assert_eq!(method, Method::POST, "{path} could be called by a link");
        for kind in
            ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
        {
            for (name, value) in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-site", "none"),
                ("x-nothing", "at all"),
            ] {
                let response = http()
                    .post(server.url(path))
                    .header(COOKIE, &alice.cookie)
                    .header(CONTENT_TYPE, kind)
                    .header(name, value)
                    .body(form(conversation))
                    .send()
                    .await
                    .expect("an answer");
                assert_eq!(response.status(), 403, "{path} {kind} {name}: {value}");
                tried += 1;
            }
        }
        let by_link = alice.get_page(&format!("{path}?{}", form(conversation))).await;
        assert!(by_link.status().is_client_error(), "{path} by GET: {}", by_link.status());
    }
    assert!(tried >= 180);
    assert!(alice.read_history(conversation).await.is_empty());
    // A forged `Sec-Fetch-Site` does not outweigh a foreign `Origin`.
    let both = http()
        .post(server.url("/api/sign_out"))
        .header(COOKIE, &alice.cookie)
        .header("sec-fetch-site", "same-origin")
        .header(ORIGIN, "https://evil.example")
        .send()
        .await
        .expect("an answer");
    assert_eq!(both.status(), 403);
    server.stop().await;
}

fn form(conversation: ConversationId) -> String {
    format!(
        "conversation={conversation}&client_id={}&body=forged&id={conversation}&delivered=1&read=1",
        protocol::ClientId::new()
    )
}

//! Pages under load: other work on the same or another thread must not change a page.

use std::sync::Arc;

use crate::support::{TestServer, http};

/// Number of concurrent requests per round.
const AT_ONCE: usize = 32;
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pages_are_complete_under_concurrent_requests() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let alice = Arc::new(alice);
    let askers = (0..AT_ONCE).map(|_| {
        let alice = alice.clone();
        let (opened, about) = (format!("/c/{conversation}"), format!("/c/{conversation}/about"));
        tokio::spawn(async move {
            let pages = [
                ("/", "Duet"),
                (&opened, "bob · Duet"),
                (&about, "bob · Duet"),
                ("/settings", "Settings · Duet"),
                ("/requests", "Requests · Duet"),
                ("/invite", "Invite someone · Duet"),
            ];
            for _ in 0..ROUNDS {
                for (path, title) in pages {
                    let response = alice.get_page(path).await;
                    let status = response.status();
                    let page = response.text().await.expect("a page");
                    assert_eq!(status, 200, "{path}: {page}");
                    assert!(page.contains(&format!("<title>{title}</title>")), "{path}: {page}");
                    assert!(page.contains("</html>"), "{path}: {page}");
                }
            }
        })
    });
    for asker in askers.collect::<Vec<_>>() {
        asker.await.expect("every page was whole");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_file_requests_take_no_headers_of_a_page() {
    let server = TestServer::start().await;
    let (alice, _bob, conversation) = server.pair().await;
    let alice = Arc::new(alice);
    let askers = (0..AT_ONCE).map(|number| {
        let (alice, page) = (alice.clone(), format!("/c/{conversation}"));
        tokio::spawn(async move {
            for _ in 0..5 * ROUNDS {
                let path = if number % 2 == 0 { page.as_str() } else { "/favicon.svg" };
                let response = alice.get_page(path).await;
                let policy = response.headers()["content-security-policy"].to_str().expect("ASCII");
                assert_eq!(policy.contains("'nonce-"), number % 2 == 0, "{path}: {policy}");
                _ = response.bytes().await.expect("the whole answer");
            }
        })
    });
    for asker in askers.collect::<Vec<_>>() {
        asker.await.expect("every answer had its own policy");
    }
    server.stop().await;
}

#[tokio::test]
async fn security_txt_is_served_if_the_operator_has_set_a_contact() {
    const PATH: &str = "/.well-known/security.txt";
    let server = TestServer::with(&["--security-contact=duty@example.org"]).await;
    let answer = http().get(server.url(PATH)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let text = answer.text().await.expect("a text");
    assert!(text.starts_with("Contact: mailto:duty@example.org\nExpires: 20"), "{text}");
    server.stop().await;

    let server = TestServer::start().await;
    let answer = http().get(server.url(PATH)).send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
    server.stop().await;
}

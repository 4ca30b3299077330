//! Requests, blocks, mutes and reports over HTTP: the plain forms, and the operator's command.

use protocol::{BlockedUser, ClientId, Conversation, ConversationPage, Marks};
use serde_json::json;

use crate::process::duet;
use crate::support::{Browser, TestServer, redirect_target};

async fn send(from: &Browser, conversation: protocol::ConversationId, body: &str) {
    let form = format!("conversation={conversation}&client_id={}&body={body}", ClientId::new());
    assert_eq!(from.post_call("send_message", &form).await.status(), 200);
}

async fn conversation(of: &Browser, id: protocol::ConversationId) -> Conversation {
    of.call("get_conversation", json!({"id": id})).await.json().await.expect("a conversation")
}

#[tokio::test]
async fn a_request_is_listed_read_and_answered_without_scripts() {
    let server = TestServer::start().await;
    let alice = server.browser("alice").await;
    let bob = server.browser("bob").await;
    let id = alice.open_conversation(bob.id).await;
    send(&alice, id, "hello-bob").await;
    let home = bob.get_page("/").await.text().await.expect("a page");
    assert!(home.contains("href=\"/requests\"") && !home.contains("hello-bob"), "{home}");
    let page = bob.get_page("/requests").await.text().await.expect("a page");
    assert!(page.contains(&format!("href=\"/c/{id}\"")) && page.contains("hello-bob"), "{page}");
    let page = bob.get_page(&format!("/c/{id}")).await.text().await.expect("a page");
    for form in ["accept", "delete", "block"] {
        assert!(page.contains(&format!("action=\"/c/{id}/{form}\"")), "{form}: {page}");
    }
    let none = alice.call("get_conversation", json!({"id": id})).await;
    let seen: Conversation = none.json().await.expect("a conversation");
    assert_eq!(seen.theirs, Marks::default());

    let deleted = bob.submit_form(&format!("/c/{id}/delete"), "").await;
    assert_eq!(redirect_target(&deleted), "/requests");
    let list: ConversationPage =
        bob.call("list_conversations", json!({"after": null})).await.json().await.expect("a list");
    assert_eq!((list.conversations.len(), list.requests), (0, 0));
    send(&alice, id, "again").await;
    let accepted = bob.submit_form(&format!("/c/{id}/accept"), "").await;
    assert_eq!(redirect_target(&accepted), format!("/c/{id}"));
    let page = bob.get_page(&format!("/c/{id}")).await.text().await.expect("a page");
    assert!(!page.contains("/accept\""), "answered");
    server.stop().await;
}

#[tokio::test]
async fn a_peer_is_muted_blocked_and_unblocked_without_scripts() {
    let server = TestServer::start().await;
    let (alice, bob, id) = server.pair().await;
    let about = bob.get_page(&format!("/c/{id}/about")).await.text().await.expect("a page");
    for form in ["mute", "block", "report"] {
        assert!(about.contains(&format!("action=\"/c/{id}/{form}\"")), "{form}: {about}");
    }
    let muted = bob.submit_form(&format!("/c/{id}/mute"), "minutes=60").await;
    assert_eq!(redirect_target(&muted), format!("/c/{id}/about"));
    assert!(conversation(&bob, id).await.standing.muted_until.is_some());
    bob.submit_form(&format!("/c/{id}/mute"), "minutes=0").await;
    assert_eq!(conversation(&bob, id).await.standing.muted_until, None);
    bob.submit_form(&format!("/c/{id}/mute"), "").await;
    let forever = Some(protocol::Timestamp::FOREVER);
    assert_eq!(conversation(&bob, id).await.standing.muted_until, forever);

    let blocked = bob.submit_form(&format!("/c/{id}/block"), "blocked=true").await;
    assert_eq!(redirect_target(&blocked), format!("/c/{id}"));
    send(&alice, id, "unseen").await;
    let page = bob.get_page(&format!("/c/{id}")).await.text().await.expect("a page");
    assert!(!page.contains("unseen") && !page.contains("name=\"body\""), "{page}");
    let listed: Vec<BlockedUser> =
        bob.call("list_blocked", json!({})).await.json().await.expect("a list");
    assert_eq!((listed.len(), listed[0].user.id), (1, alice.id));
    let settings = bob.get_page("/settings").await.text().await.expect("a page");
    assert!(settings.contains(&format!("action=\"/c/{id}/block\"")), "{settings}");
    let form = format!("conversation={id}&client_id={}&body=no", ClientId::new());
    let refused = bob.post_call("send_message", &form).await;
    assert_eq!(refused.status(), 409);
    bob.submit_form(&format!("/c/{id}/block"), "blocked=false").await;
    assert!(!conversation(&bob, id).await.standing.blocked);
    let page = bob.get_page(&format!("/c/{id}")).await.text().await.expect("a page");
    assert!(!page.contains("unseen") && page.contains("name=\"body\""), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn the_operator_reads_and_closes_reports() {
    let server = TestServer::start().await;
    let (alice, bob, id) = server.pair().await;
    for body in ["one", "two", "three"] {
        send(&alice, id, body).await;
    }
    let none = bob.submit_form(&format!("/c/{id}/report"), "reason=nothing").await;
    assert_eq!(none.status(), 422);
    let form = "m1=true&m3=true&reason=insults%0Aand+worse";
    let reported = bob.submit_form(&format!("/c/{id}/report"), form).await;
    assert_eq!(redirect_target(&reported), format!("/c/{id}/about"));
    let malformed = bob.post_call("report", &format!("conversation={id}&messages=1+x")).await;
    assert_eq!(malformed.status(), 422);
    let directory = server.stop().await;
    let data = directory.path().join("data");
    let run = |arguments: &[&str]| {
        let data = data.to_str().expect("a path");
        let output = duet(&[&["reports", "--data", data], arguments].concat()).output();
        let output = output.expect("it ran");
        let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        (output.status.success(), text.concat())
    };
    let (done, text) = run(&[]);
    assert!(done && text.contains("@bob reports @alice"), "{text}");
    assert!(text.contains("  | insults\n  | and worse\n"), "{text}");
    assert!(
        text.contains("| one\n") && text.contains("| three\n") && !text.contains("two"),
        "{text}"
    );
    let report = text.split_whitespace().nth(1).expect("an id").trim_end_matches(',').to_owned();
    let (done, text) = run(&["--close", &report]);
    assert!(done && text.contains("is closed"), "{text}");
    let (done, text) = run(&["--close", &report]);
    assert!(!done && text.contains("no open report"), "{text}");
    let (done, text) = run(&[]);
    assert!(done && text == "No report is open.\n", "{text}");
}

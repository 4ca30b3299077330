//! Invitations over HTTP: by API call, by plain form, and under each registration setting.

use protocol::{ConversationId, ErrorCode, Invitation, InvitationInfo};
use serde_json::json;

use crate::support::{Browser, PASSWORD, TestServer, code, cookie, post_form, redirect_target};

async fn create_invitation(browser: &Browser) -> String {
    let made: Invitation =
        browser.post_call("create_invitation", "").await.json().await.expect("an invitation");
    made.token
}

#[tokio::test]
async fn with_registration_by_invitation_a_link_permits_one_sign_up() {
    let server = TestServer::with(&["--registration=open"]).await;
    let alice = server.browser("alice").await;
    let token = create_invitation(&alice).await;
    let directory = server.stop().await;

    let invited = TestServer::at(directory, &["--registration=invited"]).await;
    let form = format!("username=bob&password={PASSWORD}");
    let stranger = post_form(invited.address, "/api/sign_up", &form).await;
    assert_eq!(stranger.status(), 403);
    assert_eq!(code(stranger).await, json!(ErrorCode::RegistrationClosed));
    let nobody = Browser { address: invited.address, cookie: String::new(), ..alice.clone() };
    let looked = nobody.call("get_invitation", json!({"token": token})).await;
    let info: InvitationInfo = looked.json().await.expect("good");
    assert_eq!(info.inviter.id, alice.id);
    let made =
        post_form(invited.address, "/api/sign_up", &format!("{form}&invitation={token}")).await;
    assert_eq!(made.status(), 200);
    let bob = Browser { cookie: cookie(&made), ..nobody.clone() };
    let conversation: Option<ConversationId> = made.json().await.expect("an answer");
    let conversation = conversation.expect("a conversation");
    assert!(bob.read_history(conversation).await.is_empty(), "it is his");
    let again = nobody.call("get_invitation", json!({"token": token})).await;
    assert_eq!((again.status().as_u16(), code(again).await), (404, json!("invitation_invalid")));
    invited.stop().await;
}

#[tokio::test]
async fn the_plain_forms_redirect_to_the_conversation() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let token = create_invitation(&alice).await;
    let path = format!("/invite/{token}");
    let stranger = post_form(server.address, &path, "").await;
    assert_eq!(redirect_target(&stranger), format!("/sign-in?next={path}"));
    let own = alice.submit_form(&path, "").await;
    assert_eq!(own.status(), 422, "one's own");
    assert_eq!(redirect_target(&bob.submit_form(&path, "").await), format!("/c/{conversation}"));
    let used = bob.submit_form(&path, "").await;
    assert_eq!(used.status(), 404);
    assert!(used.text().await.expect("a page").contains("</html>"));

    let token = create_invitation(&alice).await;
    let form = format!("username=carol&password={PASSWORD}&invitation={token}");
    let made = post_form(server.address, "/sign-up?next=/settings", &form).await;
    let place = redirect_target(&made);
    let carol = Browser { cookie: cookie(&made), ..bob.clone() };
    let id = place.strip_prefix("/c/").expect("a conversation").parse().expect("an id");
    assert!(carol.read_history(id).await.is_empty());
    let plain = format!("username=dave&password={PASSWORD}&invitation=");
    assert_eq!(redirect_target(&post_form(server.address, "/sign-up", &plain).await), "/");
    server.stop().await;
}

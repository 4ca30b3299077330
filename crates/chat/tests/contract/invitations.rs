//! An invitation works once, for one user, and opens a conversation with the inviter.

use crate::support::{PASSWORD, SOMEWHERE, World, change, code};
use chat::{Caller, Chat, PasswordChange, Registration};
use protocol::{ErrorCode, Seq, ServerFrame, UserId};

async fn invites(chat: &Chat, me: Caller) -> String {
    chat.create_invitation(me).await.expect("an invitation").token
}

/// The peers' usernames in a user's conversation list.
async fn listed(chat: &Chat, me: UserId) -> Vec<String> {
    let page = chat.conversations(me, None).await.expect("a list");
    page.conversations.into_iter().map(|one| one.peer.user.username).collect()
}

#[tokio::test]
async fn an_invited_user_signs_up_into_a_conversation_that_both_users_see() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    let mut of_alice = world.connect(&alice).await;
    let token = invites(chat, alice.caller()).await;
    let info = chat.invitation(&token, SOMEWHERE).await.expect("good");
    assert_eq!(info.inviter, alice.user);
    let (bob, conversation) = chat
        .sign_up_invited(&token, "bob", "Bob Birch", PASSWORD, SOMEWHERE)
        .await
        .expect("an account");
    let (by_bob, bob) = (bob.session.caller(), bob.session.user);
    let conversation = conversation.expect("theirs");
    let ServerFrame::Receipt { conversation: told, user, read, .. } = of_alice.next_frame().await
    else {
        panic!("the inviter is not told");
    };
    assert_eq!((told, user, read), (conversation, bob.id, Seq::ZERO));
    assert_eq!(listed(chat, alice.user.id).await, ["bob"]);
    assert_eq!(listed(chat, bob.id).await, ["alice"]);
    let same = chat.open_conversation(by_bob, alice.user.id).await.expect("open");
    assert_eq!(same, conversation);
    let again = chat.invitation(&token, SOMEWHERE).await;
    assert_eq!(code(again), ErrorCode::InvitationInvalid, "it was used");
}

#[tokio::test]
async fn forged_used_and_foreign_tokens_get_the_same_refusal() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, conversation) = world.pair().await;
    let used = invites(chat, alice.caller()).await;
    let opened = chat.accept_invitation(&bob, &used, SOMEWHERE).await.expect("accepted");
    assert_eq!(opened, conversation, "the one they have");
    let forged = format!("{}A", &used[..42]);
    let session = chat.sign_in("alice", PASSWORD, SOMEWHERE).await.expect("signed in").token;
    for token in ["", "x", "../../etc", &used, &forged, &session] {
        let expected = ErrorCode::InvitationInvalid;
        assert_eq!(code(chat.invitation(token, SOMEWHERE).await), expected, "{token}");
        let accepted = chat.accept_invitation(&bob, token, SOMEWHERE).await;
        assert_eq!(code(accepted), expected, "{token}");
        let made = chat.sign_up_invited(token, "carol", "", PASSWORD, SOMEWHERE).await;
        assert_eq!(code(made.map(|_| ())), expected, "{token}");
    }
    assert!(chat.sign_up("carol", "", PASSWORD, SOMEWHERE).await.is_ok(), "nothing was stored");
}

#[tokio::test]
async fn an_inviter_cannot_use_their_own_invitation_which_stays_valid() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, _) = world.pair().await;
    let token = invites(chat, alice.caller()).await;
    let own = chat.accept_invitation(&alice, &token, SOMEWHERE).await;
    assert_eq!(code(own), ErrorCode::NotWithOneself);
    assert!(chat.accept_invitation(&bob, &token, SOMEWHERE).await.is_ok());
}

#[tokio::test]
async fn a_failed_sign_up_leaves_the_invitation_valid() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    let token = invites(chat, alice.caller()).await;
    for (username, password, expected) in [
        ("alice", PASSWORD, ErrorCode::UsernameTaken),
        ("bo", PASSWORD, ErrorCode::UsernameInvalid),
        ("bob", "short", ErrorCode::PasswordTooShort),
    ] {
        let refused = chat.sign_up_invited(&token, username, "", password, SOMEWHERE).await;
        assert_eq!(code(refused.map(|_| ())), expected);
    }
    assert!(chat.sign_up_invited(&token, "bob", "", PASSWORD, SOMEWHERE).await.is_ok());
}

#[tokio::test]
async fn of_two_concurrent_uses_of_an_invitation_one_succeeds() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    let token = invites(chat, alice.caller()).await;
    let (one, two) = tokio::join!(
        chat.sign_up_invited(&token, "bob", "", PASSWORD, SOMEWHERE),
        chat.sign_up_invited(&token, "carol", "", PASSWORD, SOMEWHERE)
    );
    let refusals: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].refusal().code, ErrorCode::InvitationInvalid);
    assert_eq!(listed(chat, alice.user.id).await.len(), 1);
    let known = ["bob", "carol"]
        .map(|name| async move { chat.sign_in(name, PASSWORD, SOMEWHERE).await.is_ok() });
    let [bob, carol] = known;
    assert!(bob.await != carol.await, "an account without its conversation was not made");
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_open_invitations() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, _) = world.pair().await;
    let mut tokens = Vec::new();
    for _ in 0..20 {
        tokens.push(invites(chat, alice.caller()).await);
    }
    let more = chat.create_invitation(alice.caller()).await;
    assert_eq!(code(more), ErrorCode::TooManyInvitations);
    chat.accept_invitation(&bob, &tokens[0], SOMEWHERE).await.expect("accepted");
    assert!(chat.create_invitation(alice.caller()).await.is_ok(), "a used one waits no more");
    assert!(chat.create_invitation(bob.caller()).await.is_ok());
}

#[tokio::test]
async fn a_call_of_a_deleted_user_creates_no_invitation() {
    let world = World::new().await;
    let chat = &world.chat;
    let alice = world.person("alice").await;
    invites(chat, alice.caller()).await;
    chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");
    // The call was authenticated before the deletion.
    let late = chat.create_invitation(alice.caller()).await;
    assert_eq!(code(late), ErrorCode::Unauthenticated);
    assert_eq!(world.home.number("select count(*) from invitations"), 0);
}

#[tokio::test]
async fn an_invitation_expires_after_a_week() {
    let world = World::new().await;
    let (alice, bob, _) = world.pair().await;
    let invitation = world.chat.create_invitation(alice.caller()).await.expect("an invitation");
    let info = world.chat.invitation(&invitation.token, SOMEWHERE).await.expect("good");
    assert_eq!(info.expires_at, invitation.expires_at);
    // The test does not wait: it sets the times in the store back by a week.
    let week = 7 * 24 * 60 * 60 * 1_000_i64;
    world.home.execute(&format!(
        "update invitations set created_at = created_at - {week}, expires_at = expires_at - {week}"
    ));
    let accepted = world.chat.accept_invitation(&bob, &invitation.token, SOMEWHERE).await;
    assert_eq!(code(accepted), ErrorCode::InvitationInvalid);
    let made = world.chat.sign_up_invited(&invitation.token, "carol", "", PASSWORD, SOMEWHERE);
    assert_eq!(code(made.await.map(|_| ())), ErrorCode::InvitationInvalid);
}

#[tokio::test]
async fn registration_is_open_invited_or_closed() {
    for (gate, strangers, invited) in [
        (Registration::Open, true, true),
        (Registration::Invited, false, true),
        (Registration::Closed, false, false),
    ] {
        let world = World::new().await;
        let alice = world.person("alice").await.caller();
        let before = invites(&world.chat, alice).await;
        let world = world.restart_with(|config| config.registration = gate).await;
        let chat = &world.chat;
        assert_eq!((chat.registration_open(), chat.invitations_open()), (strangers, invited));
        let refused = |result: Result<(), chat::Error>| result.err().map(|e| e.refusal().code);
        let closed = |open: bool| (!open).then_some(ErrorCode::RegistrationClosed);
        let stranger = chat.sign_up("mallory", "", PASSWORD, SOMEWHERE).await.map(|_| ());
        assert_eq!(refused(stranger), closed(strangers), "{gate:?}");
        let guest = chat.sign_up_invited(&before, "bob", "", PASSWORD, SOMEWHERE).await.map(|_| ());
        assert_eq!(refused(guest), closed(invited), "{gate:?}");
        let more = chat.create_invitation(alice).await.map(|_| ());
        assert_eq!(refused(more), closed(invited), "{gate:?}");
    }
}

#[tokio::test]
async fn the_first_account_is_created_with_the_first_invitation() {
    let world = World::with(|config| config.registration = Registration::Invited).await;
    let chat = &world.chat;
    let token = chat.first_invitation().await.expect("an answer").expect("nobody is in");
    let (one, two) = tokio::join!(
        chat.sign_up_invited(&token, "alice", "", PASSWORD, SOMEWHERE),
        chat.sign_up_invited(&token, "mallory", "", PASSWORD, SOMEWHERE)
    );
    let (mut made, refused): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!(refused.len(), 1, "one use");
    let (first, conversation) = made.pop().expect("one").expect("it is good");
    assert_eq!(conversation, None);
    let again = chat.sign_up_invited(&token, "carol", "", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(again.map(|_| ())), ErrorCode::InvitationInvalid);
    assert_eq!(chat.first_invitation().await.expect("an answer"), None, "somebody can invite now");
    invites(chat, first.session.caller()).await;
}

#[tokio::test]
async fn any_first_invitation_is_valid_until_one_was_used() {
    for used in [0, 1] {
        let world = World::with(|config| config.registration = Registration::Invited).await;
        let chat = &world.chat;
        // As two nodes or two starts would do.
        let mut offered = Vec::new();
        for _ in 0..2 {
            offered.push(chat.first_invitation().await.expect("an answer").expect("nobody is in"));
        }
        let made = chat.sign_up_invited(&offered[used], "alice", "", PASSWORD, SOMEWHERE).await;
        assert!(made.is_ok(), "the offer {used}");
        for token in &offered {
            let late = chat.sign_up_invited(token, "mallory", "", PASSWORD, SOMEWHERE).await;
            assert_eq!(code(late.map(|_| ())), ErrorCode::InvitationInvalid);
        }
    }
}

#[tokio::test]
async fn of_two_concurrent_uses_of_different_first_invitations_one_succeeds() {
    let world = World::with(|config| config.registration = Registration::Invited).await;
    let chat = &world.chat;
    let [one, two] = [chat.first_invitation().await, chat.first_invitation().await]
        .map(|offered| offered.expect("an answer").expect("nobody is in"));
    let (one, two) = tokio::join!(
        chat.sign_up_invited(&one, "alice", "", PASSWORD, SOMEWHERE),
        chat.sign_up_invited(&two, "mallory", "", PASSWORD, SOMEWHERE)
    );
    let refusals: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].refusal().code, ErrorCode::InvitationInvalid);
}

#[tokio::test]
async fn the_number_of_first_invitations_is_bounded() {
    let world = World::with(|config| config.registration = Registration::Invited).await;
    for _ in 0..40 {
        world.chat.first_invitation().await.expect("an answer").expect("nobody is in");
    }
    let waiting = "select count(*) from meta where key like 'first_invitation:%'";
    assert_eq!(world.home.number(waiting), 16);
}

#[tokio::test]
async fn open_registration_has_no_first_invitation() {
    let open = World::new().await;
    assert_eq!(open.chat.first_invitation().await.expect("an answer"), None);
    let closed = World::with(|config| config.registration = Registration::Closed).await;
    assert_eq!(closed.chat.first_invitation().await.expect("an answer"), None);
}

#[tokio::test]
async fn the_first_invitation_expires_when_an_account_is_created_without_it() {
    let world = World::with(|config| config.registration = Registration::Invited).await;
    let token = world.chat.first_invitation().await.expect("an answer").expect("nobody is in");
    let world = world.restart_with(|config| config.registration = Registration::Open).await;
    world.person("alice").await;
    let late = world.chat.sign_up_invited(&token, "bob", "", PASSWORD, SOMEWHERE).await;
    assert_eq!(code(late.map(|_| ())), ErrorCode::InvitationInvalid);
}

#[tokio::test]
async fn an_open_invitation_is_listed_for_and_withdrawn_by_its_inviter_only() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, _) = world.pair().await;
    let (me, other) = (alice.caller(), bob.caller());
    let first = chat.create_invitation(me).await.expect("an invitation");
    let second = chat.create_invitation(me).await.expect("an invitation");
    let waiting = async || chat.waiting_invitations(me.user).await.expect("a list");
    let mut ids: Vec<_> = waiting().await.into_iter().map(|one| one.id).collect();
    ids.sort();
    let mut expected = [first.id.clone(), second.id.clone()];
    expected.sort();
    assert_eq!(ids, expected);
    assert!(chat.waiting_invitations(other.user).await.expect("a list").is_empty());

    chat.withdraw_invitation(other, &first.id).await.expect("nothing of theirs");
    assert_eq!(waiting().await.len(), 2, "it is not theirs to withdraw");
    for _ in 0..2 {
        chat.withdraw_invitation(me, &first.id).await.expect("withdrawn");
    }
    let gone = chat.invitation(&first.token, SOMEWHERE).await;
    assert_eq!(code(gone), ErrorCode::InvitationInvalid);
    chat.accept_invitation(&bob, &second.token, SOMEWHERE).await.expect("accepted");
    assert!(waiting().await.is_empty(), "it was used");
    assert_eq!(code(chat.withdraw_invitation(me, "no id").await), ErrorCode::NotFound);
}

#[tokio::test]
async fn a_new_password_withdraws_open_invitations_if_the_user_wishes() {
    let world = World::new().await;
    let chat = &world.chat;
    let (alice, bob, _) = world.pair().await;
    let used = invites(chat, alice.caller()).await;
    chat.accept_invitation(&bob, &used, SOMEWHERE).await.expect("accepted");
    let (open, of_bob) = (invites(chat, alice.caller()).await, invites(chat, bob.caller()).await);
    let another = "marsh-Lantern-41";
    let is_valid = async |token: &str| chat.invitation(token, SOMEWHERE).await.is_ok();
    chat.change_password(&alice, change(PASSWORD, another), SOMEWHERE).await.expect("changed");
    assert!(is_valid(&open).await, "the user did not ask for it");
    let withdrawing = |current: &'static str, new| PasswordChange {
        current: current.into(),
        new,
        withdraws_invitations: true,
    };
    let wrong = withdrawing("wrong-Harbor-92", PASSWORD);
    let refused = chat.change_password(&alice, wrong, SOMEWHERE).await;
    assert_eq!(code(refused), ErrorCode::WrongPassword);
    assert!(is_valid(&open).await);
    let right = withdrawing(another, PASSWORD);
    chat.change_password(&alice, right, SOMEWHERE).await.expect("changed");
    assert!(!is_valid(&open).await && is_valid(&of_bob).await);
    assert_eq!(world.home.number("select count(*) from invitations"), 2, "used, and Bob's");
}

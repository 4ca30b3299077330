//! Test support: calls every method of a store, so that each SQL statement runs at least once. Used
//! by the query-plan tests of both engines.

use std::time::Duration;

use protocol::{
    ClientId, ConversationId, Cursor, IdentityId, ListCursor, Marks, PasskeyId, Privacy, Seq,
    SessionId, Timestamp, User, UserId,
};

use super::{
    Acceptance, AccountOutcome, Allowance, AllowanceKey, Batch, BlockTime, Caller, ChangedPassword,
    ClusterState, GuessEnd, IdentityAdded, IdentityRemoved, InvitationOutcome, NewDeviceLink,
    NewIdentity, NewInvitation, NewMarks, NewMessage, NewPasskey, NewReport, NewSession, NewUser,
    NodeId, NodeKey, PasskeyAdded, PasskeyRemoved, Pauses, ReportId, Result, SessionLife, Store,
};

/// The ids created by [`run_every_statement`].
pub(super) struct People {
    pub(super) one: UserId,
    pub(super) other: UserId,
    /// A valid session of each.
    pub(super) sessions: [SessionId; 2],
    pub(super) conversation: ConversationId,
}

impl People {
    /// A batch with every kind of write. Committed twice, the second message is a repeat.
    pub(super) fn batch(&self) -> Batch {
        let message = NewMessage {
            sender: self.one,
            session: self.sessions[0],
            conversation: self.conversation,
            client_id: ClientId::new(),
            body: "hello".into(),
        };
        let marks = NewMarks {
            user: self.other,
            session: self.sessions[1],
            conversation: self.conversation,
            marks: Marks { delivered: Seq(1), read: Seq(1) },
        };
        Batch {
            messages: vec![message],
            marks: vec![marks],
            seen_users: vec![self.one],
            seen_sessions: vec![self.sessions[0]],
            ..Batch::default()
        }
    }
}

fn new_session(user: UserId, token: u8) -> NewSession {
    NewSession { id: SessionId::new(), user, token_hash: [token; 32], device: String::new() }
}

async fn sign_up(store: &dyn Store, name: &str, token: u8) -> Caller {
    let user = User { id: UserId::new(), username: name.into(), display_name: name.into() };
    let (id, first) = (user.id, new_session(user.id, token));
    let session = first.id;
    let new = NewUser {
        user,
        username_key: name.into(),
        display_key: name.into(),
        password_hash: String::new(),
        passkey: None,
        identity: None,
    };
    let made = store.create_user(new, first, None, Timestamp(1)).await.expect("an account");
    assert!(matches!(made, AccountOutcome::Made(None)));
    Caller { user: id, session }
}

/// Calls every method of the store.
pub(super) async fn run_every_statement(store: &dyn Store) -> Result<People> {
    let caller = sign_up(store, "one", 1).await;
    let of_other = sign_up(store, "other", 2).await;
    let (one, other) = (caller.user, of_other.user);
    store.check_writable().await?;
    store.check_readable().await?;
    assert!(store.size().await? > 0);
    run_session_statements(store, caller).await?;
    run_settings_statements(store, caller).await?;
    run_second_factor_statements(store, caller).await?;
    run_device_link_statements(store, caller).await?;
    run_passkey_statements(store, caller).await?;
    run_identity_statements(store, caller).await?;
    let conversation = run_search_and_open(store, caller, other).await?;
    run_reading_statements(store, one, conversation).await?;
    run_standing_statements(store, caller, of_other, conversation).await?;
    run_invitation_statements(store, caller, of_other).await?;
    store.delete_session(caller.session).await?;
    let third = sign_up(store, "third", 5).await;
    store.open_conversation(third, one, Timestamp(5)).await?.expect("a peer");
    store.delete_account(third, "", Timestamp(6)).await?.expect("deleted");
    assert!(!store.is_username_free("third", "third", Timestamp(7)).await?, "reserved");
    store.forget_reservations(Timestamp(i64::MAX)).await?;
    assert!(store.is_username_free("third", "third", Timestamp(7)).await?);
    if let Some(shared) = store.cluster_state() {
        run_every_cluster_statement(shared, one).await?;
    }
    let again = new_session(one, 6);
    let of_one = again.id;
    store.create_session(again, "the same", 10, Timestamp(6)).await?.expect("a session");
    Ok(People { one, other, sessions: [of_one, of_other.session], conversation })
}

async fn run_session_statements(store: &dyn Store, caller: Caller) -> Result<()> {
    let Caller { user, session: first } = caller;
    let life =
        SessionLife { now: Timestamp(2), oldest_created: Timestamp(0), oldest_seen: Timestamp(0) };
    store.credentials("one").await?;
    let second = new_session(user, 3);
    let second_id = second.id;
    store.create_session(second, "", 10, Timestamp(2)).await?.expect("a session");
    store.session(&[1; 32], life).await?;
    store.rotate_session(first, &[1; 32], &[4; 32], Timestamp(2), Timestamp(1)).await?;
    store.end_old_token(first, &[4; 32], Timestamp(2), Timestamp(3)).await?;
    store.see_sessions(&[first], Timestamp(2), Timestamp(1)).await?;
    store.good_sessions(&[first], life).await?;
    store.sessions(user, life).await?;
    assert!(store.delete_session_of(caller, second_id).await?);
    store.delete_other_sessions(caller).await?;
    store.forget_old_sessions(life).await
}

async fn run_settings_statements(store: &dyn Store, caller: Caller) -> Result<()> {
    let user = caller.user;
    store.settings(user).await?;
    store.set_display_name(caller, "One", "one").await?;
    let privacy = Privacy { receipts: true, last_seen: true };
    store.set_privacy(caller, privacy).await?;
    let verified = store.password_hash(user).await?.expect("a hash");
    let new = ChangedPassword {
        verified: &verified,
        hash: "another",
        token_hash: &[8; 32],
        withdraws_invitations: true,
    };
    store.set_password(caller, new, Timestamp(3)).await?.expect("set");
    store.replace_password_hash(user, "another", "the same").await?;
    assert_eq!(store.password_hash(user).await?.as_deref(), Some("the same"));
    store.replace_password_hash(user, "another", "too late").await?;
    assert_eq!(store.password_hash(user).await?.as_deref(), Some("the same"));
    Ok(())
}

async fn run_second_factor_statements(store: &dyn Store, caller: Caller) -> Result<()> {
    let user = caller.user;
    let (secret, codes) = ([8; 20], [[1; 32], [2; 32]]);
    assert!(store.begin_second_factor(caller, &[7; 20], Timestamp(2)).await?);
    assert!(store.begin_second_factor(caller, &secret, Timestamp(2)).await?);
    assert!(store.confirm_second_factor(caller, &secret, 3, &codes, Timestamp(3)).await?);
    assert!(store.accept_step(user, &secret, 4).await?);
    assert!(store.use_recovery_code(user, &codes[0]).await?);
    assert!(store.replace_recovery_codes(caller, &codes).await?);
    assert_eq!(store.second_factor(user).await?.expect("stored").recovery_codes, 2);
    assert!(store.turn_off_second_factor(caller).await?);
    assert!(!store.delete_second_factor(user).await?);
    Ok(())
}

async fn run_device_link_statements(store: &dyn Store, caller: Caller) -> Result<()> {
    let life =
        SessionLife { now: Timestamp(2), oldest_created: Timestamp(0), oldest_seen: Timestamp(0) };
    let (verified, token_hash) = ("the same", &[10; 32]);
    let new = NewDeviceLink { caller, verified, token_hash, expires_at: Timestamp(9) };
    assert!(store.create_device_link(new).await?);
    store.withdraw_device_link(caller, token_hash).await?;
    assert!(store.create_device_link(new).await?);
    assert!(!store.create_device_link(NewDeviceLink { verified: "another", ..new }).await?);
    store.device_link(token_hash, life).await?.expect("a user");
    let session = new_session(caller.user, 11);
    store.use_device_link(token_hash, session, 10, life).await?.expect("used");
    assert!(store.device_link_state(caller, token_hash, Timestamp(3)).await?.used_by.is_some());
    Ok(())
}

async fn run_passkey_statements(store: &dyn Store, caller: Caller) -> Result<()> {
    let id = PasskeyId::new();
    let (credential_id, text) = (vec![7; 16], "{}".to_owned());
    let new = NewPasskey { id, credential_id, credential: text, name: "Phone".into() };
    let added = store.add_passkey(caller, new.clone(), 1, Timestamp(2)).await?;
    assert_eq!(added, PasskeyAdded::Added);
    let more = NewPasskey { id: PasskeyId::new(), ..new };
    assert_eq!(store.add_passkey(caller, more, 2, Timestamp(2)).await?, PasskeyAdded::Taken);
    assert_eq!(store.passkeys(caller.user).await?.len(), 1);
    assert_eq!(store.passkey(&[7; 16]).await?.expect("stored").user.id, caller.user);
    assert!(store.use_passkey(id, "{}", "{ }", Timestamp(3)).await?);
    assert!(!store.use_passkey(id, "{}", "{ }", Timestamp(3)).await?, "another counter");
    assert!(store.rename_passkey(caller, id, "Key").await?);
    assert_eq!(store.remove_passkey(caller, id, None).await?, PasskeyRemoved::Removed);
    assert_eq!(store.remove_passkey(caller, id, None).await?, PasskeyRemoved::NotFound);
    assert!(store.use_ceremony(&[1; 32], Timestamp(4)).await?);
    assert!(!store.use_ceremony(&[1; 32], Timestamp(4)).await?);
    assert!(store.is_ceremony_used(&[1; 32]).await?);
    assert!(!store.is_ceremony_used(&[2; 32]).await?);
    store.forget_ceremonies(Timestamp(5)).await
}

async fn run_identity_statements(store: &dyn Store, caller: Caller) -> Result<()> {
    let (id, issuer) = (IdentityId::new(), "https://id.example.org");
    let (subject, name) = ("248289761001".to_owned(), "one".to_owned());
    let new = NewIdentity { id, issuer: issuer.to_owned(), subject, name };
    let added = store.add_identity(caller, new.clone(), 1, Timestamp(2)).await?;
    assert_eq!(added, IdentityAdded::Added);
    let more = NewIdentity { id: IdentityId::new(), ..new.clone() };
    let added = store.add_identity(caller, more.clone(), 1, Timestamp(2)).await?;
    assert_eq!(added, IdentityAdded::TooMany);
    let added = store.add_identity(caller, more, 2, Timestamp(2)).await?;
    assert_eq!(added, IdentityAdded::Taken);
    assert_eq!(store.identities(caller.user, issuer).await?.len(), 1);
    assert!(store.identities(caller.user, "https://other.example.org").await?.is_empty());
    let found = store.identity(issuer, &new.subject).await?.expect("stored");
    assert_eq!((found.0, found.1.id), (id, caller.user));
    assert!(store.use_identity(id, Timestamp(3)).await?);
    let removed = store.remove_identity(caller, id, issuer).await?;
    assert_eq!(removed, IdentityRemoved::Removed);
    let removed = store.remove_identity(caller, id, issuer).await?;
    assert_eq!(removed, IdentityRemoved::NotFound);
    Ok(())
}

/// Searches for the other user before and after the conversation is opened.
async fn run_search_and_open(
    store: &dyn Store,
    caller: Caller,
    other: UserId,
) -> Result<ConversationId> {
    let one = caller.user;
    let words = ["oth".to_owned(), "o".to_owned()];
    let others = store.others_by_words(one, &words, "other", 20).await?;
    assert_eq!((others.first.len(), others.total), (1, 1));
    store.person_by_username(one, "other").await?;
    store.recent_peers(one, 20).await?;
    store.peers(one, 20).await?;
    store.presence_peers(one, 20).await?;
    store.directory(one, 20).await?;
    assert!(!store.has_conversation(one, other).await?);
    let opened = store.open_conversation(caller, other, Timestamp(3)).await?;
    let conversation = opened.expect("a peer");
    assert!(store.has_conversation(other, one).await?);
    assert_eq!(store.peers_by_words(one, &words, 20).await?.total, 1);
    assert_eq!(store.others_by_words(one, &words, "other", 20).await?.total, 0);
    Ok(conversation)
}

async fn run_reading_statements(store: &dyn Store, me: UserId, id: ConversationId) -> Result<()> {
    store.conversation(me, id).await?;
    store.conversations(me, None, 50).await?;
    let after = ListCursor { active_at: Timestamp(9), id };
    store.conversations(me, Some(after), 50).await?;
    store.requests(me, None, 50).await?;
    store.requests(me, Some(after), 50).await?;
    store.unread_behind(me, after, 50, Timestamp(9)).await?;
    store.typing_peer(me, id).await?.expect("a peer");
    store.tick_times(me, id).await?.expect("mine");
    let others = [Cursor::Before(Seq(9)), Cursor::After(Seq(1)), Cursor::Around(Seq(3))];
    for cursor in [Cursor::Latest].into_iter().chain(others) {
        store.history(me, id, cursor, 50).await?;
    }
    Ok(())
}

/// Leaves both users as they were, but for the other's request.
async fn run_standing_statements(
    store: &dyn Store,
    one: Caller,
    other: Caller,
    id: ConversationId,
) -> Result<()> {
    assert!(store.delete_request(other, id).await?);
    let accepted = store.accept_request(other, id, Timestamp(4)).await?.expect("mine");
    assert!(accepted.changed && accepted.peer == one.user);
    for blocked in [true, false] {
        let since = BlockTime { now: Timestamp(4), is_online: true };
        let change = store.set_blocked(one, id, blocked.then_some(since)).await?.expect("mine");
        assert!(change.changed && change.peer == other.user);
        assert_eq!(store.blocked_users(one.user, 9).await?.len(), usize::from(blocked));
    }
    assert!(store.set_muted(one, id, Some(Timestamp(9))).await?);
    assert!(store.set_muted(one, id, None).await?);
    assert_eq!(store.count_requests(one.user, 9).await?, 0);
    let report = ReportId(uuid::Uuid::nil());
    let new = NewReport { id: report, conversation: id, messages: &[Seq(1)], reason: "" };
    assert!(!store.store_report(one, new, Timestamp(4)).await?, "no such message");
    assert!(store.reports(9).await?.is_empty());
    assert!(!store.close_report(report).await?);
    Ok(())
}

async fn run_invitation_statements(store: &dyn Store, one: Caller, other: Caller) -> Result<()> {
    let (token_hash, expires_at) = ([9; 32], Timestamp(9));
    let new = NewInvitation { token_hash, inviter: one, expires_at };
    let made = store.create_invitation(new, 20, Timestamp(3)).await?;
    assert_eq!(made, InvitationOutcome::Made);
    assert_eq!(store.waiting_invitations(one.user, Timestamp(4)).await?.len(), 1);
    assert!(!store.withdraw_invitation(other, &token_hash).await?);
    store.invitation(&token_hash, Timestamp(4)).await?.expect("an invitation");
    store.accept_invitation(&token_hash, one, Timestamp(4)).await?;
    let accepted = store.accept_invitation(&token_hash, other, Timestamp(4)).await?;
    assert!(matches!(accepted, Acceptance::Opened(_)));
    Ok(())
}

async fn run_every_cluster_statement(shared: &dyn ClusterState, one: UserId) -> Result<()> {
    let (node, fallen) = (NodeId::new(), NodeId::new());
    let (key, hears, lease) = (NodeKey([7; 32]), shared.instance(), Duration::from_secs(60));
    shared.renew(fallen, &key, Some(hears), lease).await?;
    assert!(shared.arrive(fallen, one).await?);
    let first = shared.renew(node, &key, Some(hears), lease).await?;
    assert!(first.is_new && first.instance == *hears && first.leader == Some((node, key)));
    // This lease expires at once.
    shared.renew(fallen, &key, Some(hears), Duration::ZERO).await?;
    let renewed = shared.renew(node, &key, Some(hears), lease).await?;
    assert!(renewed.node_failed && renewed.gone == [one]);
    assert!(!shared.renew(node, &key, None, lease).await?.is_new);
    assert!(shared.replace_secret().await? && !shared.replace_secret().await?);
    shared.announce(node, &[one]).await?;
    assert_eq!(shared.present(&[one]).await?, [one]);
    shared.depart(node, one).await?;
    shared.end(node).await?;
    let allowance = Allowance { each: Duration::from_secs(60), burst: 1 };
    let of_stranger = AllowanceKey::Stranger("try", [5; 16]);
    for of in [AllowanceKey::Account("try", one), of_stranger] {
        assert_eq!(shared.take(of, allowance).await?, None);
        assert!(shared.take(of, allowance).await?.is_some());
        shared.give_back(of, allowance.each).await?;
        assert_eq!(shared.take(of, allowance).await?, None);
    }
    let (longest, forget_after) = (Duration::from_secs(9), Duration::from_secs(60));
    let (key, pauses) = ([1; 16], Pauses { free: 0, longest, forget_after });
    for end in [GuessEnd::NotCompared, GuessEnd::Right, GuessEnd::Wrong] {
        assert_eq!(shared.count_guess(&key, pauses).await?, None);
        assert!(shared.count_guess(&key, pauses).await?.is_some());
        shared.end_guess(&key, end).await?;
    }
    assert!(shared.count_guess(&key, pauses).await?.is_some());
    shared.tidy(Duration::ZERO).await
}

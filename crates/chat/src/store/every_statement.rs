//! Test support: calls every method of a store, so that each SQL statement runs at least once, and
//! captures the statements.

use std::fmt::{Debug, Write as _};
use std::time::Duration;

use protocol::{
    ClientId, ConversationId, Cursor, ListCursor, Marks, Privacy, Seq, SessionId, Timestamp, User,
    UserId,
};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer};

use super::{
    Acceptance, AccountOutcome, Allowance, Batch, ClusterState, NewInvitation, NewMarks,
    NewMessage, NewSession, NewUser, NodeId, NodeKey, Result, SessionLife, Store,
};

/// The ids created by [`run_every_statement`].
pub(super) struct People {
    pub(super) one: UserId,
    pub(super) other: UserId,
    pub(super) session: SessionId,
    pub(super) conversation: ConversationId,
}

impl People {
    /// A batch with every kind of write. Committed twice, the second message is a repeat.
    pub(super) fn batch(&self) -> Batch {
        let message = NewMessage {
            sender: self.one,
            conversation: self.conversation,
            client_id: ClientId::new(),
            body: "hello".into(),
        };
        let marks = Marks { delivered: Seq(1), read: Seq(1) };
        Batch {
            messages: vec![message],
            marks: vec![NewMarks { user: self.other, conversation: self.conversation, marks }],
            seen_users: vec![self.one],
            seen_sessions: vec![self.session],
            ..Batch::default()
        }
    }
}

fn session(user: UserId, token: u8) -> NewSession {
    NewSession { id: SessionId::new(), user, token_hash: [token; 32], device: String::new() }
}

async fn sign_up(store: &dyn Store, name: &str, token: u8) -> (UserId, SessionId) {
    let user = User { id: UserId::new(), username: name.into(), display_name: name.into() };
    let (id, first) = (user.id, session(user.id, token));
    let session = first.id;
    let new = NewUser {
        user,
        username_key: name.into(),
        display_key: name.into(),
        password_hash: String::new(),
    };
    let made = store.create_user(new, first, None, Timestamp(1)).await.expect("an account");
    assert!(matches!(made, AccountOutcome::Made(None)));
    (id, session)
}

/// Calls every method of the store.
pub(super) async fn run_every_statement(store: &dyn Store) -> Result<People> {
    let (one, session_of_one) = sign_up(store, "one", 1).await;
    let (other, _) = sign_up(store, "other", 2).await;
    let life =
        SessionLife { now: Timestamp(2), oldest_created: Timestamp(0), oldest_seen: Timestamp(0) };
    store.check_writable().await?;
    store.check_readable().await?;
    store.credentials("one").await?;
    store.create_session(session(one, 3), "", 10, Timestamp(2)).await?.expect("a session");
    store.session(&[1; 32], life).await?;
    store.rotate_session(session_of_one, &[1; 32], &[4; 32], Timestamp(2), Timestamp(1)).await?;
    store.end_old_token(session_of_one, &[4; 32], Timestamp(2), Timestamp(3)).await?;
    store.see_sessions(&[session_of_one], Timestamp(2), Timestamp(1)).await?;
    store.good_sessions(&[session_of_one], life).await?;
    store.sessions(one, life).await?;
    store.delete_session_of(one, session_of_one).await?;
    store.delete_other_sessions(one, session_of_one).await?;
    store.settings(one).await?;
    store.set_display_name(one, "One", "one").await?;
    let privacy = Privacy { receipts: true, last_seen: true };
    store.set_privacy(one, privacy).await?;
    let hash = store.password_hash(one).await?.expect("a hash");
    store.set_password(one, &hash, "another", session_of_one).await?.expect("set");
    store.replace_password_hash(one, "another", "the same").await?;
    assert_eq!(store.password_hash(one).await?.as_deref(), Some("the same"));
    store.replace_password_hash(one, "another", "too late").await?;
    assert_eq!(store.password_hash(one).await?.as_deref(), Some("the same"));
    store.forget_old_sessions(life).await?;
    let words = ["oth".to_owned(), "o".to_owned()];
    let others = store.others_by_words(one, &words, "other", 20).await?;
    assert_eq!((others.first.len(), others.total), (1, 1));
    store.person_by_username(one, "other").await?;
    store.recent_peers(one, 20).await?;
    store.peers(one, 20).await?;
    store.presence_peers(one, 20).await?;
    store.directory(one, 20).await?;
    let conversation = store.open_conversation(one, other, Timestamp(3)).await?.expect("a peer");
    assert_eq!(store.peers_by_words(one, &words, 20).await?.total, 1);
    assert_eq!(store.others_by_words(one, &words, "other", 20).await?.total, 0);
    store.conversation(one, conversation).await?;
    store.conversations(one, None, 50).await?;
    let after = ListCursor { active_at: Timestamp(9), id: conversation };
    store.conversations(one, Some(after), 50).await?;
    store.unread_behind(one, after, 50).await?;
    store.peer(one, conversation).await?;
    store.tick_times(one, conversation).await?.expect("mine");
    let others = [Cursor::Before(Seq(9)), Cursor::After(Seq(1)), Cursor::Around(Seq(3))];
    for cursor in [Cursor::Latest].into_iter().chain(others) {
        store.history(one, conversation, cursor, 50).await?;
    }
    let (token_hash, expires_at) = ([9; 32], Timestamp(9));
    let new = NewInvitation { token_hash, inviter: one, expires_at };
    assert!(store.create_invitation(new, 20, Timestamp(3)).await?);
    assert_eq!(store.waiting_invitations(one, Timestamp(4)).await?.len(), 1);
    assert!(!store.withdraw_invitation(other, &token_hash).await?);
    store.invitation(&token_hash, Timestamp(4)).await?.expect("an invitation");
    store.accept_invitation(&token_hash, one, Timestamp(4)).await?;
    let accepted = store.accept_invitation(&token_hash, other, Timestamp(4)).await?;
    assert!(matches!(accepted, Acceptance::Opened(_)));
    store.delete_session(session_of_one).await?;
    let (third, _) = sign_up(store, "third", 5).await;
    store.open_conversation(third, one, Timestamp(5)).await?.expect("a peer");
    store.delete_account(third, "", Timestamp(6)).await?.expect("deleted");
    if let Some(shared) = store.cluster_state() {
        run_every_cluster_statement(shared, one).await?;
    }
    Ok(People { one, other, session: session_of_one, conversation })
}

async fn run_every_cluster_statement(shared: &dyn ClusterState, one: UserId) -> Result<()> {
    let (node, fallen) = (NodeId::new(), NodeId::new());
    let (key, hears, lease) = (NodeKey([7; 32]), shared.instance(), Duration::from_secs(60));
    shared.renew(fallen, &key, Some(hears), lease).await?;
    assert!(shared.arrive(fallen, one).await?);
    let first = shared.renew(node, &key, Some(hears), lease).await?;
    assert!(first.is_new && first.instance == *hears && first.first == Some((node, key)));
    // This lease expires at once.
    shared.renew(fallen, &key, Some(hears), Duration::ZERO).await?;
    let renewed = shared.renew(node, &key, Some(hears), lease).await?;
    assert!(renewed.one_fell && renewed.gone == [one]);
    assert!(!shared.renew(node, &key, None, lease).await?.is_new);
    shared.announce(node, &[one]).await?;
    assert_eq!(shared.present(&[one]).await?, [one]);
    shared.depart(node, one).await?;
    shared.end(node).await?;
    let allowance = Allowance { each: Duration::from_secs(60), burst: 1 };
    assert_eq!(shared.take("try", allowance).await?, None);
    assert!(shared.take("try", allowance).await?.is_some());
    shared.wrong_password("one", 0, Duration::from_secs(9)).await?;
    shared.wrong_password("one", 0, Duration::from_secs(9)).await?;
    assert!(shared.pause("one").await?.is_some());
    shared.right_password("one").await?;
    assert_eq!(shared.pause("one").await?, None);
    shared.tidy(Duration::ZERO).await
}

/// Passes each statement that a pool logs to a function.
pub(super) struct StatementCapture(pub(super) fn(&str));

impl<S: tracing::Subscriber> Layer<S> for StatementCapture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            self.0(if statement.whole.is_empty() { &statement.summary } else { &statement.whole });
        }
    }
}

/// The log event of a short statement has only the field `summary`.
#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

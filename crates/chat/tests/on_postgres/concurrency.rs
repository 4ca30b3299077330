//! Random operations on two nodes at once, many times: none fails, and none deadlocks.

use std::sync::Arc;

use chat::store::{
    AccountOutcome, Batch, Caller, ChangedPassword, NewInvitation, NewMarks, NewMessage,
    NewSession, NewUser, SessionLife, Store, TokenHash,
};
use protocol::{ClientId, ConversationId, Marks, Privacy, Seq, SessionId, Timestamp, User, UserId};
use tokio::task::JoinSet;

use crate::support::World;

/// Operations per task, of eight tasks.
const THINGS: u32 = 100;
const PEOPLE: usize = 6;

/// Users who all have conversations with each other.
#[derive(Clone)]
struct Town {
    people: Vec<Caller>,
    talks: Vec<(UserId, UserId, ConversationId)>,
}

impl Town {
    fn session_of(&self, user: UserId) -> SessionId {
        self.people.iter().find(|one| one.user == user).expect("one of the town").session
    }
}

/// A pseudo-random generator with the same sequence in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }
}

/// A batch with writes to many conversations, in random order.
fn batch(town: &Town, dice: &mut Dice) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..1 + dice.below(20) {
        let (one, two, conversation) = town.talks[dice.below(town.talks.len())];
        let sender = if dice.below(2) == 0 { one } else { two };
        let (client_id, body) = (ClientId::new(), "hello".to_owned());
        let session = town.session_of(sender);
        batch.messages.push(NewMessage { sender, session, conversation, client_id, body });
        let marks = Marks { delivered: Seq(1), read: Seq(i64::from(dice.below(2) == 0)) };
        let session = town.session_of(one);
        batch.marks.push(NewMarks { user: one, session, conversation, marks });
    }
    for _ in 0..dice.below(4) {
        let Caller { user, session } = town.people[dice.below(PEOPLE)];
        batch.seen_users.push(user);
        batch.seen_sessions.push(session);
    }
    batch
}

fn token() -> TokenHash {
    let mut token = [0; 32];
    token[..16].copy_from_slice(SessionId::new().0.as_bytes());
    token
}

fn new_session(user: UserId) -> NewSession {
    NewSession { id: SessionId::new(), user, token_hash: token(), device: String::new() }
}

/// A new user signs up by invitation, sends one message, and deletes the account.
async fn visit(store: &dyn Store, host: Caller, now: Timestamp) -> chat::store::Result<()> {
    let id = UserId::new();
    let name = id.to_string();
    let token_hash = token();
    let new = NewInvitation { token_hash, inviter: host, expires_at: Timestamp(9) };
    store.create_invitation(new, 1_000, now).await?;
    let guest = NewUser {
        user: User { id, username: name.clone(), display_name: name.clone() },
        username_key: name.clone(),
        display_key: name,
        password_hash: "guest".into(),
        passkey: None,
        identity: None,
    };
    let session = new_session(id);
    let seen = session.id;
    let made = store.create_user(guest, session, Some(token_hash), now).await?;
    let AccountOutcome::Made(Some(opened)) = made else { panic!("the invitation was good") };
    let (conversation, body) = (opened.conversation, "hello".to_owned());
    let client_id = ClientId::new();
    let message = NewMessage { sender: id, session: seen, conversation, client_id, body };
    let (seen_users, seen_sessions) = (vec![id, host.user], vec![seen]);
    let batch = Batch { messages: vec![message], seen_users, seen_sessions, ..Batch::default() };
    store.commit(Arc::new(batch), now).await?;
    let guest = Caller { user: id, session: seen };
    store.delete_account(guest, "guest", now).await?;
    Ok(())
}

async fn random_operation(
    store: &dyn Store,
    town: &Town,
    dice: &mut Dice,
) -> chat::store::Result<()> {
    let me = town.people[dice.below(PEOPLE)];
    let peer = town.people[dice.below(PEOPLE)];
    let user = me.user;
    let now = Timestamp(5);
    let life = SessionLife { now, oldest_created: Timestamp(-1), oldest_seen: Timestamp(-1) };
    match dice.below(11) {
        0 if me != peer => drop(store.open_conversation(me, peer.user, now).await?),
        1 => drop(store.set_display_name(me, "Somebody", "somebody").await?),
        2 => store.set_privacy(me, Privacy { receipts: true, last_seen: true }).await?,
        3 => drop(store.delete_other_sessions(me).await?),
        4 => {
            let token_hash = &token();
            let withdraws_invitations = false;
            let new = ChangedPassword { verified: "", hash: "", token_hash, withdraws_invitations };
            store.set_password(me, new, now).await?;
        }
        // Less recently used than the session that writes, which stays.
        5 => drop(store.create_session(new_session(user), "", 3, Timestamp(4)).await?),
        6 => {
            let token_hash = token();
            let new = NewInvitation { token_hash, inviter: me, expires_at: Timestamp(9) };
            store.create_invitation(new, 1_000, now).await?;
            store.accept_invitation(&token_hash, peer, now).await?;
        }
        7 => visit(store, me, now).await?,
        8 => store.forget_old_sessions(life).await?,
        _ => drop(store.commit(Arc::new(batch(town, dice)), now).await?),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_operations_of_two_nodes_neither_fail_nor_deadlock() {
    let world = World::new().await;
    let mut town = Town { people: Vec::new(), talks: Vec::new() };
    let mut sessions = Vec::new();
    for n in 0..PEOPLE {
        sessions.push(world.person(&format!("person{n}")).await);
    }
    for (at, one) in sessions.iter().enumerate() {
        for two in &sessions[at + 1..] {
            town.talks.push((one.user.id, two.user.id, world.open(one, two).await));
        }
        town.people.push(one.caller());
    }
    world.home.execute("update users set password_hash = ''");
    let mut doing = JoinSet::new();
    for node in 0..2 {
        let store = world.home.store().await;
        for task in 0..4 {
            let (store, town) = (store.clone(), town.clone());
            doing.spawn(async move {
                let mut dice = Dice(node * 10 + task);
                for _ in 0..THINGS {
                    random_operation(store.as_ref(), &town, &mut dice).await.expect("done");
                }
            });
        }
    }
    doing.join_all().await;
    assert_eq!(world.home.deadlocks(), Vec::<String>::new());
    assert_eq!(world.home.orphans(), 0);
    let gaps = "select count(*) from conversations c where last_seq <> \
                 (select count(*) from messages m where m.conversation_id = c.id) or last_seq <> \
                 (select coalesce(max(seq), 0) from messages m where m.conversation_id = c.id)";
    assert_eq!(world.home.number(gaps), 0);
}

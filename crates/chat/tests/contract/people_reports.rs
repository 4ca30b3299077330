//! Reports to the operator hold the chosen messages, and nothing that their author cannot read.

use chat::Session;
use protocol::{ConversationId, ErrorCode, Seq};

use crate::support::{World, code};

async fn report(
    world: &World,
    who: &Session,
    id: ConversationId,
    seqs: &[i64],
) -> Result<(), chat::Error> {
    let seqs: Vec<Seq> = seqs.iter().copied().map(Seq).collect();
    world.chat.report(who.caller(), id, &seqs, " insults ").await
}

#[tokio::test]
async fn a_report_keeps_copies_of_the_chosen_messages_until_it_is_closed() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    for n in 1..=5 {
        let from = if n == 2 { &bob } else { &alice };
        world.send(from.caller(), id, &format!("message {n}")).await;
    }
    report(&world, &bob, id, &[4, 2, 4]).await.expect("reported");
    world.chat.close().await;
    let store = world.home.store().await;
    let reports = store.reports(10).await.expect("reports");
    let [report] = &reports[..] else { panic!("one report: {reports:?}") };
    assert_eq!((&report.reporter, &report.reported), (&bob.user, &alice.user));
    assert_eq!(report.reason, "insults");
    let copies: Vec<_> =
        report.messages.iter().map(|m| (m.seq.0, m.sender, m.body.as_str())).collect();
    let expected = [(2, bob.user.id, "message 2"), (4, alice.user.id, "message 4")];
    assert_eq!(copies, expected);
    assert!(store.close_report(report.id).await.expect("closed"));
    assert!(!store.close_report(report.id).await.expect("closed before"));
    assert!(store.reports(10).await.expect("reports").is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_report_needs_one_to_twenty_messages_that_its_author_can_read() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    world.send(alice.caller(), id, "one").await;
    world.chat.set_blocked(bob.caller(), id, true).await.expect("blocked");
    for n in 2..=25 {
        world.send(alice.caller(), id, &n.to_string()).await;
    }
    let mallory = world.person("mallory").await;
    let all: Vec<i64> = (1..=21).collect();
    let refused = [
        report(&world, &bob, id, &[]).await,
        report(&world, &bob, id, &all).await,
        report(&world, &bob, id, &[1; 1_000]).await,
        report(&world, &bob, id, &[1, 2]).await,
        report(&world, &bob, id, &[0]).await,
        report(&world, &mallory, id, &[1]).await,
        report(&world, &bob, ConversationId::new(), &[1]).await,
    ];
    for result in refused {
        assert_eq!(code(result), ErrorCode::ReportInvalid);
    }
    world.chat.set_blocked(bob.caller(), id, false).await.expect("ended");
    assert_eq!(code(report(&world, &bob, id, &[1, 2]).await), ErrorCode::ReportInvalid, "withheld");
    let chat = &world.chat;
    for reason in ["x".repeat(1_001), "\0".to_owned(), "\u{1b}[2J".to_owned()] {
        let refused = chat.report(bob.caller(), id, &[Seq(1)], &reason).await;
        assert_eq!(code(refused), ErrorCode::ReportInvalid);
    }
    let ended = chat::Caller { session: mallory.id, ..bob.caller() };
    let refused = chat.report(ended, id, &[Seq(1)], "").await;
    assert_eq!(code(refused), ErrorCode::Unauthenticated);
    chat.report(bob.caller(), id, &[Seq(1)], &"ö".repeat(1_000)).await.expect("reported");
    chat.close().await;
    let store = world.home.store().await;
    assert_eq!(store.reports(10).await.expect("reports").len(), 1, "refused ones left nothing");
    store.close().await;
}

#[tokio::test]
async fn a_user_reports_ten_times_a_day() {
    let world = World::new().await;
    let (alice, bob, id) = world.pair().await;
    world.send(alice.caller(), id, "one").await;
    for _ in 0..10 {
        report(&world, &bob, id, &[1]).await.expect("reported");
    }
    assert_eq!(code(report(&world, &bob, id, &[1]).await), ErrorCode::RateLimited);
}

//! Thousands of mutated frames and request bodies against a live server: each one is refused or
//! valid, nothing panics, and other users are not affected.

use futures::SinkExt;
use protocol::{ClientFrame, ClientId, ConversationId, Seq, ServerFrame};
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Browser, TestServer, http, origin};

/// A small deterministic generator (xorshift): every run produces the same mutations.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (sides.max(1) as u64)).unwrap_or_default()
    }
}

const SCRAPS: [&str; 16] = [
    "null",
    "-1",
    "9223372036854775808",
    "1e400",
    "\"\"",
    "[]",
    "{}",
    "\\u0000",
    "\\ud800",
    "\"",
    "{\"type\":\"send\"",
    "true",
    "\u{202e}",
    "%00",
    "&body=",
    "💥",
];

fn mutate(seed: &str, dice: &mut Dice) -> String {
    let mut characters: Vec<char> = seed.chars().collect();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(characters.len());
        match dice.roll(5) {
            0 if !characters.is_empty() => drop(characters.remove(at)),
            1 => characters.truncate(at),
            2 => characters.splice(at..at, SCRAPS[dice.roll(SCRAPS.len())].chars()).for_each(drop),
            3 => characters.insert(at, char::from(u8::try_from(dice.roll(128)).unwrap_or(0))),
            _ => {
                let copy: Vec<char> = characters[at..].to_vec();
                characters.extend(copy);
            }
        }
    }
    characters.truncate(8_000);
    characters.into_iter().collect()
}

fn frames(conversation: ConversationId) -> Vec<String> {
    [
        ClientFrame::Send { conversation, client_id: ClientId::new(), body: "hello".into() },
        ClientFrame::Delivered { conversation, up_to: Seq(1) },
        ClientFrame::Read { conversation, up_to: Seq(1) },
        ClientFrame::Typing { conversation, active: true },
        ClientFrame::Ping,
    ]
    .iter()
    .map(|frame| serde_json::to_string(frame).expect("a frame"))
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_frames_do_no_harm() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let carol = server.browser("carol").await;
    let own = carol.open_conversation(alice.id).await;
    let mut dice = Dice(0x5eed);
    let seeds = frames(conversation);
    let (mut sent, mut closed) = (0, 0);
    while sent < 4_000 {
        let mut socket = carol.connect_past_hello().await;
        // The server closes a socket after several malformed frames; the test continues on a new
        // one.
        for _ in 0..200 {
            let frame = mutate(&seeds[dice.roll(seeds.len())], &mut dice);
            if socket.0.send(Message::text(frame)).await.is_err() {
                break;
            }
            sent += 1;
        }
        closed += 1;
    }
    assert!(closed > 1);
    still_serves(&alice, &bob, conversation).await;
    assert!(carol.read_history(own).await.len() <= 4_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_bodies_do_no_harm() {
    let server = TestServer::start().await;
    let (alice, bob, conversation) = server.pair().await;
    let client = http();
    let mut dice = Dice(0xb0d7);
    let form = format!("conversation={conversation}&client_id={}&body=hi", ClientId::new());
    let mark = format!("id={conversation}&delivered=1&read=1");
    let history = format!("{{\"id\":\"{conversation}\",\"cursor\":{{\"after\":0}}}}");
    let seeds = [
        ("send_message", "application/x-www-form-urlencoded", form.as_str()),
        ("mark_conversation", "application/x-www-form-urlencoded", mark.as_str()),
        ("open_conversation", "application/x-www-form-urlencoded", "peer=x"),
        ("load_history", "application/json", history.as_str()),
        ("find_people", "application/json", "{\"typed\":\"a\"}"),
        ("list_conversations", "application/json", "{\"after\":null}"),
        ("get_conversation", "application/json", history.as_str()),
    ];
    for _ in 0..3_000 {
        let (function, kind, seed) = seeds[dice.roll(seeds.len())];
        let kind = if dice.roll(10) == 0 { "image/png" } else { kind };
        let response = client
            .post(server.url(&format!("/api/{function}")))
            .header(ORIGIN, origin(server.address))
            .header(COOKIE, &alice.cookie)
            .header(CONTENT_TYPE, kind)
            .body(mutate(seed, &mut dice))
            .send()
            .await
            .expect("an answer");
        let status = response.status().as_u16();
        assert!(status < 500 || status == 503, "{function}: {status}");
    }
    still_serves(&alice, &bob, conversation).await;
    server.stop().await;
}

async fn still_serves(alice: &Browser, bob: &Browser, conversation: ConversationId) {
    let mut at_bob = bob.connect_past_hello().await;
    let mut at_alice = alice.connect_past_hello().await;
    at_alice.send_message(conversation, "still here").await;
    loop {
        let heard = at_bob.receive().await;
        if matches!(heard, ServerFrame::Message(message) if message.body == "still here") {
            break;
        }
    }
    assert_eq!(alice.get_page("/readyz").await.status(), 200);
    let messages = bob.read_history(conversation).await;
    assert!(messages.iter().zip(1..).all(|(message, n)| message.seq == Seq(n)));
}

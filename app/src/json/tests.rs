use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::{
    ClientId, ConversationId, Cursor, ErrorCode, Limits, Message, Person, Presence, Refusal, Seq,
    ServerFrame, Timestamp, User, UserId,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Unreadable, read};
use crate::error::AppError;

/// Checks that this reader and `serde_json` agree on a text that both can read.
fn agrees<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
    let expected: T = serde_json::from_str(text).expect("JSON of this shape");
    assert_eq!(read::<T>(text), Ok(expected), "{text}");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    word: String,
    #[serde(default)]
    left_out: u32,
    number: i64,
    small: u32,
    yes: bool,
    nothing: Option<String>,
    something: Option<i64>,
    list: Vec<String>,
    pair: (i64, String),
    map: BTreeMap<String, bool>,
    unit: (),
    plain: Plain,
    loaded: Vec<Loaded>,
    tagged: Vec<Tagged>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Plain {
    One,
    TheOther,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Loaded {
    Unit,
    New(i64),
    Tuple(i64, String),
    Fields { a: i64, b: Option<bool> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Ping,
    Text {
        body: String,
        #[serde(flatten)]
        more: More,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct More {
    retry: Option<u64>,
    list: Vec<i64>,
}

#[test]
fn every_shape_that_serde_derives_is_read() {
    agrees::<Everything>(
        r#" { "word" : "a\"b\\c\/d\n\t\r\b\f\u00e4\ud83d\ude00é😀" , "number": -9007199254740993,
        "small":4294967295,"yes":true,"nothing":null,"something":0,"list":["x","","\u0000"],
        "pair":[1,"2"],"map":{"a":true,"b":false},"unit":null,"plain":"the_other",
        "unknown":[1.5e-3,{"a":[null,true,{"":-0.1}]},"\"",[],{}],
        "loaded":["Unit",{"New":1},{"Tuple":[2,"zwei"]},{"Fields":{"b":true,"a":3}},{"Unit":null}],
        "tagged":[{"type":"Ping"},{"body":"x","retry":7,"type":"Text","list":[1,2],"newer":1}] } "#,
    );
}

#[test]
fn invalid_json_and_other_shapes_are_refused() {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "1 2",
        "01",
        "-",
        "+1",
        "1.5",
        "1e3",
        "nul",
        "truex",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"a\nb\"",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "99999999999999999999",
    ];
    for text in texts {
        assert!(read::<i64>(text).is_err(), "{text} is no number");
        assert!(read::<String>(text).is_err(), "{text} is no string");
        assert!(read::<Vec<i64>>(text).is_err(), "{text} is no list");
        assert!(read::<BTreeMap<String, i64>>(text).is_err(), "{text} is no map");
        assert!(read::<(i64, i64)>(text).is_err(), "{text} is no pair");
        assert!(read::<Loaded>(text).is_err(), "{text} is no variant");
        assert!(read::<Tagged>(text).is_err(), "{text} is no tagged variant");
    }
    assert_eq!(read::<(i64, i64)>("[1,2,3]"), Err(Unreadable));
    assert_eq!(read::<(i64, i64)>("[1]"), Err(Unreadable));
    assert_eq!(read::<u32>("-1"), Err(Unreadable));
    assert_eq!(read::<u32>("4294967296"), Err(Unreadable));
    assert_eq!(read::<Plain>("\"three\""), Err(Unreadable));
    assert_eq!(read::<bool>("1"), Err(Unreadable));
    assert_eq!(read::<Option<bool>>("null"), Ok(None));
}

#[test]
fn deeply_nested_json_is_refused_without_overflowing_the_stack() {
    let deep = "[".repeat(1_000_000);
    assert_eq!(read::<Vec<String>>(&deep), Err(Unreadable));
    let unknown = format!("{{\"type\":\"Ping\",\"x\":{deep}");
    assert_eq!(read::<Tagged>(&unknown), Err(Unreadable));
    assert_eq!(read::<More>(&format!("{{\"x\":{deep}")), Err(Unreadable));
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("a value that can be written")
}

#[test]
fn frames_and_responses_of_the_server_are_read() {
    let user = User {
        id: UserId::new(),
        username: "anna".to_owned(),
        display_name: "Anna \"A\" Änderung".to_owned(),
    };
    let presence = Presence { online: false, last_seen: Some(Timestamp(1_764_000_000_000)) };
    let message = Message {
        conversation: ConversationId::new(),
        seq: Seq(7),
        client_id: ClientId::new(),
        sender: user.id,
        body: "One\nline \u{1f600} and \\ another".to_owned(),
        sent_at: Timestamp(1_764_000_000_001),
    };
    agrees::<ServerFrame>(&json(&ServerFrame::Message(message.clone())));
    agrees::<ServerFrame>(&json(&ServerFrame::Presence { user: user.id, presence }));
    agrees::<ServerFrame>(&json(&ServerFrame::Pong));
    agrees::<ServerFrame>(&json(&ServerFrame::Refused {
        re: Some("send".to_owned()),
        conversation: Some(message.conversation),
        client_id: None,
        refusal: Refusal { code: ErrorCode::Busy, retry_after_ms: Some(250) },
    }));
    agrees::<Person>(&json(&Person { user: user.clone(), presence }));
    agrees::<Vec<Message>>(&json(&vec![message.clone(), message]));
    agrees::<Cursor>(&json(&Cursor::Latest));
    agrees::<Cursor>(&json(&Cursor::Around(Seq(3))));
    agrees::<AppError>(&json(&AppError::Unreached));
    agrees::<AppError>(&json(&AppError::from(ErrorCode::Busy)));
    agrees::<Limits>(&json(&Limits::default()));
}

proptest! {
    #[test]
    fn strings_of_any_characters_are_read(text in any::<String>(), key in any::<String>(), number in any::<i64>()) {
        let value = (vec![Some(text)], BTreeMap::from([(key, number)]));
        let json = serde_json::to_string(&value).expect("a value");
        prop_assert_eq!(read(&json), Ok(value));
    }

    #[test]
    fn random_input_never_panics_and_only_json_is_accepted(text in "[\\[\\]{}\",:\\\\ntrue0-9.a\u{e9}-]{0,24}") {
        if read::<Everything>(&text).is_ok() || read::<Vec<Tagged>>(&text).is_ok() || read::<Loaded>(&text).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }
        if let Ok(list) = read::<Vec<Option<i64>>>(&text) {
            prop_assert_eq!(Some(list), serde_json::from_str(&text).ok());
        }
        if let Ok(list) = serde_json::from_str::<Vec<Option<i64>>>(&text) {
            prop_assert_eq!(Ok(list), read(&text));
        }
    }
}

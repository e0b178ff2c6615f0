//! The chat as its clients meet it, without a browser: what is true whatever they send. Each event's answers are in
//! `tests/browser/contract.test.js`.

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::handlers::chat;
use greenroom::testing::{Client, ClientError};
use greenroom::{Binary, Server, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde_json::json;

fn serve() -> Server {
    let mut config = Config::default();
    config.recovery.enabled = true;
    let chat = chat::handlers(&config);
    let builder = Server::builder().config(config).namespace("/", chat);
    builder.build().unwrap()
}

/// A tab of the browser `token`, welcomed. What everybody is told, as how many are in a room, may come before.
async fn enter(server: &Server, token: &str) -> (Client, serde_json::Value) {
    let auth = json!({"token": format!("token-of-{token:0>16}"), "name": token});
    let mut client = Client::connect_to(server, "/", auth).await.unwrap();
    loop {
        let event = client.next_event().await.unwrap();
        if event.name == "welcome" {
            return (client, event.args.first().unwrap());
        }
        assert_eq!(event.name, "room");
    }
}

async fn ask<T: Serialize>(client: &mut Client, event: &str, values: T) -> serde_json::Value {
    let answer = client.emit_with_ack(event, values).await.unwrap();
    answer.first().unwrap()
}

fn counter(server: &Server, name: &str) -> u64 {
    let mut counters = server.counters();
    counters.find(|(known, _)| *known == name).unwrap().1
}

/// Any number of arguments.
#[derive(Clone, Debug)]
struct Several(Vec<Value>);

impl Serialize for Several {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0
            .iter()
            .try_for_each(|value| tuple.serialize_element(value))?;
        tuple.end()
    }
}

/// Values of any shape, and often of nearly the right one.
fn arguments() -> impl Strategy<Value = Several> {
    let text = prop_oneof![
        "[a-z]{0,10}",
        ".{0,20}",
        Just("lobby".to_owned()),
        Just("message-1".to_owned()),
        Just("x".repeat(5000)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number).into()),
        text.clone().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Binary(bytes.into())),
    ];
    let key = prop_oneof![
        "room", "person", "id", "text", "seq", "before", "after", "on", ".*"
    ];
    let value = leaf.prop_recursive(3, 20, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::vec(value, 0..4).prop_map(Several)
}

#[test]
fn whatever_is_sent_gets_an_answer_with_a_code_and_stops_nobody() {
    System::new().block_on(async {
        let server = serve();
        let (mut witness, _) = enter(&server, "witness").await;
        ask(&mut witness, "join", "lobby").await;
        let mut runner = TestRunner::deterministic();
        let events = [
            "name", "join", "leave", "open", "history", "say", "show", "picture", "unknown",
        ];
        // A client of its own for every few events: above the rate nothing would be looked at.
        for round in 0..40 {
            let (mut client, _) = enter(&server, &format!("rascal-{round}")).await;
            ask(&mut client, "join", "lobby").await;
            for event in events.into_iter().chain(events) {
                let values = arguments().new_tree(&mut runner).unwrap().current();
                let shown = format!("{event} {values:?}");
                client.emit("typing", &values).await.unwrap();
                let answer = client.emit_with_ack(event, &values).await.unwrap();
                let answer: serde_json::Value = answer.first().unwrap();
                let is_refused = answer["ok"] == false
                    && answer["code"].is_string()
                    && answer["message"].is_string();
                assert!(answer["ok"] == true || is_refused, "{shown}: {answer}");
            }
        }
        assert_eq!(ask(&mut witness, "leave", "lobby").await["ok"], true);
        assert_eq!(counter(&server, "handler_restarted"), 0);
        assert_eq!(counter(&server, "forgotten_ack"), 0);
    });
}

#[test]
fn who_is_nobody_does_not_come_in() {
    System::new().block_on(async {
        let server = serve();
        for auth in [
            json!({}),
            json!({"token": 5}),
            json!({"token": "short"}),
            json!({"token": null, "name": "Ada"}),
        ] {
            let refused = Client::connect_to(&server, "/", auth.clone()).await;
            let Err(ClientError::Refused { payload, .. }) = refused else {
                panic!("{auth} came in");
            };
            let payload: serde_json::Value = payload.first().unwrap();
            assert_eq!(payload["data"]["code"], "bad_auth");
            assert_eq!(payload["data"]["message"], payload["message"]);
        }
    });
}

#[test]
fn a_recovered_tab_is_welcomed_after_what_it_missed_and_is_where_it_was() {
    System::new().block_on(async {
        let server = serve();
        let (mut ada, _) = enter(&server, "ada").await;
        let (mut bob, welcome) = enter(&server, "bob").await;
        for client in [&mut ada, &mut bob] {
            assert_eq!(ask(client, "join", "lobby").await["ok"], true);
        }
        let say = |id: &str| json!({"room": "lobby", "id": id, "text": id});
        ask(&mut ada, "say", say("message-1")).await;
        let heard = bob.event("message").await.unwrap();
        let offset: String = heard.args.get(1).unwrap();
        let (id, pid) = (bob.id().to_owned(), bob.pid().unwrap().to_owned());
        bob.close();
        ask(&mut ada, "say", say("message-2")).await;

        let auth = json!({"token": "token-of-0000000000000bob", "pid": pid, "offset": offset});
        let mut bob = Client::connect_to(&server, "/", auth).await.unwrap();
        assert_eq!(bob.id(), id);
        let mut names = Vec::new();
        let again = loop {
            let event = bob.next_event().await.unwrap();
            names.push(event.name.clone());
            if event.name == "welcome" {
                break event.args.first::<serde_json::Value>().unwrap();
            }
        };
        assert!(names.contains(&"message".to_owned()), "{names:?}");
        assert_eq!(again["you"], welcome["you"]);
        // No join again, and no second Bob in the room.
        assert_eq!(ask(&mut bob, "say", say("message-3")).await["ok"], true);
        let people = ask(&mut ada, "join", "lobby").await["people"].clone();
        assert_eq!(people.as_array().unwrap().len(), 2);
    });
}

#[test]
fn pictures_come_back_as_they_were_sent() {
    System::new().block_on(async {
        let server = serve();
        let (mut ada, _) = enter(&server, "ada").await;
        ask(&mut ada, "join", "lobby").await;
        let bytes = Binary::from(b"\x89PNG\r\n\x1a\n and so on".to_vec());
        let body = json!({"room": "lobby", "id": "message-1", "text": ""});
        let shown = ask(&mut ada, "show", (body, &bytes)).await;
        let which = json!({"room": "lobby", "seq": shown["seq"]});
        let answer = ada.emit_with_ack("picture", which).await.unwrap();
        let answer: Value = answer.first().unwrap();
        assert_eq!(answer.member("bytes").unwrap().as_binary(), Some(&*bytes));
        assert_eq!(answer.member("mime").unwrap().as_str(), Some("image/png"));
    });
}

//! How events and their arguments arrive, and how they are acknowledged.

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Handlers, On, per_worker};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ask, error_of, serve};
use crate::support::{counter, lobby, on_actix};

/// One event for each kind of arguments.
#[derive(Default)]
struct Typed;

#[derive(Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Deserialize)]
struct Say(String, Option<u8>);

#[derive(Deserialize)]
struct Nothing;

impl Actor for Typed {
    type Context = Context<Self>;
}

macro_rules! answers {
    ($($args:ty, $pattern:pat => $answer:expr;)*) => {
        $(impl Handler<On<$args>> for Typed {
            type Result = ();

            fn handle(&mut self, on: On<$args>, _: &mut Context<Self>) {
                let $pattern = on.args;
                on.ack.send($answer);
            }
        })*
    };
}

answers! {
    Point, Point { x, y } => x + y;
    (i32, String), (n, text) => (text, n);
    Say, Say(text, volume) => format!("{text} at {volume:?}");
    Nothing, Nothing => ();
    Vec<u8>, bytes => bytes.len();
}

fn typed() -> Handlers<Typed> {
    per_worker(Typed::default)
        .on::<Point>("struct")
        .on::<(i32, String)>("tuple")
        .on::<Say>("say")
        .on::<Nothing>("nothing")
        .on::<Vec<u8>>("list")
}

#[test]
fn typed_events_take_their_arguments_apart() {
    on_actix(async {
        let server = serve(typed());
        let mut client = Client::connect(&server).await.unwrap();
        let table = [
            ("struct", json!([{ "x": 1, "y": 2 }]), json!([3])),
            ("tuple", json!([1, "a"]), json!(["a", 1])),
            ("tuple", json!([1, "a", "beyond the last"]), json!(["a", 1])),
            ("say", json!(["hi", 11]), json!(["hi at Some(11)"])),
            ("say", json!(["hi"]), json!(["hi at None"])),
            ("nothing", json!([]), json!([])),
            ("nothing", json!([1, 2]), json!([])),
            ("list", json!([[1, 2, 3]]), json!([3])),
        ];
        for (name, args, expected) in table {
            let answer = ask(&mut client, name, &args).await;
            assert_eq!(answer.raw_json(), expected.to_string(), "{name}");
        }
        assert_eq!(counter(&server, "arguments_refused"), 0);
    });
}

#[test]
fn arguments_that_do_not_parse_are_refused_with_the_reason() {
    on_actix(async {
        let server = serve(typed());
        let mut client = Client::connect(&server).await.unwrap();
        let table = [
            (
                "struct",
                json!([{ "x": 1 }]),
                "argument 0: missing field `y`",
            ),
            ("struct", json!([]), "argument 0: invalid type: null"),
            ("tuple", json!([1]), "argument 1: invalid type: null"),
            ("tuple", json!(["a", 1]), "argument 0: invalid type: string"),
            (
                "list",
                json!([[1, 256]]),
                "argument 0: invalid value: integer `256`",
            ),
        ];
        let n_wrong = u64::try_from(table.len()).unwrap();
        for (name, args, reason) in table {
            let answer = ask(&mut client, name, &args).await;
            let error = error_of(&answer);
            assert!(
                error.starts_with(&format!("invalid arguments: {reason}")),
                "{name}: {error}"
            );
        }
        assert_eq!(counter(&server, "arguments_refused"), n_wrong);
        // Without an ack there is nobody to tell, and the session goes on.
        client.emit("tuple", "wrong").await.unwrap();
        let answer = client.emit_with_ack("tuple", (1, "a")).await.unwrap();
        assert_eq!(
            answer.parse::<(String, i32)>().unwrap(),
            ("a".to_owned(), 1)
        );
        assert_eq!(counter(&server, "arguments_refused"), n_wrong + 1);
    });
}

#[test]
fn events_nobody_handles_are_counted() {
    on_actix(async {
        let server = serve(typed());
        let mut client = Client::connect(&server).await.unwrap();
        client.emit("unknown", 1).await.unwrap();
        client.emit("unknown too", ()).await.unwrap();
        client.emit_with_ack("nothing", ()).await.unwrap();
        assert_eq!(counter(&server, "unhandled_event"), 2);
        assert_eq!(counter(&server, "forgotten_ack"), 0);
    });
}

#[test]
fn events_without_a_type_arrive_as_they_came() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut client, socket) = lobby.join().await;
        client
            .emit("relay", (1, json!({ "b": [null], "a": "ä" })))
            .await
            .unwrap();
        let event = lobby.hearing.event().await;
        assert_eq!(event.name(), "relay");
        assert_eq!(event.socket, socket);
        assert!(!event.ack.is_wanted());
        let parsed: (u8, Value) = event.args().parse().unwrap();
        assert_eq!(parsed, (1, json!({ "a": "ä", "b": [null] })));
        // Passed on without being parsed: the text is the same, key order included.
        socket.emit_args("back", event.args()).unwrap();
        let back = client.event("back").await.unwrap();
        assert_eq!(back.args.raw_json(), r#"[1,{"b":[null],"a":"ä"}]"#);
    });
}

#[test]
fn a_forgotten_ack_shows() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut client, _) = lobby.join().await;
        let hearing = &mut lobby.hearing;
        let (answer, ()) = tokio::join!(client.emit_with_ack("a", ()), async {
            drop(hearing.event().await);
        });
        assert_eq!(error_of(&answer.unwrap()), "not answered");
        assert_eq!(counter(&lobby.server, "forgotten_ack"), 1);
        // On purpose is another thing.
        client.emit("b", ()).await.unwrap();
        hearing.event().await.ack.forget();
        assert_eq!(counter(&lobby.server, "forgotten_ack"), 1);
    });
}

#[test]
fn an_ack_can_be_sent_later_and_from_another_thread() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut client, _) = lobby.join().await;
        let hearing = &mut lobby.hearing;
        let (answer, ()) = tokio::join!(client.emit_with_ack("a", ()), async {
            let event = hearing.event().await;
            let thread = std::thread::spawn(move || event.ack.send((1, "two")));
            thread.join().unwrap();
        });
        assert_eq!(
            answer.unwrap().parse::<(i32, String)>().unwrap(),
            (1, "two".to_owned())
        );
    });
}

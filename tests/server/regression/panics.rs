//! Panics of what the program brings.

use actix::prelude::*;
use greenroom::testing::{Client, ClientError};
use greenroom::{On, Refusal, Server, Socket, per_worker};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::support::{counter, ear, eventually, on_actix};

/// A panic, in place of anything.
fn panic_on_purpose() -> Result<(), Refusal> {
    panic!("a panic on purpose")
}

#[test]
fn a_panic_in_a_middleware_refuses_the_client() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let handlers = handlers.middleware(|socket: Socket| async move {
            let is_bad = socket.auth::<Value>().unwrap() == json!({ "bad": true });
            if is_bad { panic_on_purpose() } else { Ok(()) }
        });
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        let _good = Client::connect(&server).await.unwrap();
        let refused = Client::connect_to(&server, "/", json!({ "bad": true })).await;
        assert!(
            matches!(refused, Err(ClientError::Refused { .. })),
            "{refused:?}"
        );
        drop(refused);
        eventually("it has gone", || server.n_sessions() == 1).await;
        assert_eq!(server.root().n_sockets(), 1);
        assert_eq!(counter(&server, "socket_refused"), 1);
        let _good = Client::connect(&server).await.unwrap();
    });
}

#[test]
fn a_panic_in_an_event_middleware_refuses_the_event() {
    on_actix(async {
        let (handlers, mut hearing) = ear();
        let handlers = handlers.event_middleware(|event| {
            let is_bad = event.name() == "bad";
            async move { if is_bad { panic_on_purpose() } else { Ok(()) } }
        });
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        socket.use_middleware(|event| {
            assert!(event.name() != "worse", "a panic on purpose");
            std::future::ready(Ok(()))
        });
        for name in ["bad", "worse"] {
            let answer = client.emit_with_ack(name, ()).await.unwrap();
            assert_eq!(
                answer.first::<Value>().unwrap(),
                json!({ "error": "not answered" })
            );
            client.emit(name, ()).await.unwrap();
        }
        client.emit("good", ()).await.unwrap();
        assert_eq!(hearing.event().await.name(), "good");
        assert_eq!(counter(&server, "event_refused"), 4);
    });
}

/// Cannot be read without a panic.
struct Bad;

impl<'de> Deserialize<'de> for Bad {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("a panic on purpose")
    }
}

struct Reading;

impl Actor for Reading {
    type Context = Context<Self>;
}

impl Handler<On<Bad>> for Reading {
    type Result = ();

    fn handle(&mut self, _: On<Bad>, _: &mut Context<Self>) {}
}

impl Handler<On<()>> for Reading {
    type Result = ();

    fn handle(&mut self, on: On<()>, _: &mut Context<Self>) {
        on.ack.send("good");
    }
}

#[test]
fn a_panic_while_arguments_are_read_refuses_the_event() {
    on_actix(async {
        let handlers = per_worker(|| Reading).on::<Bad>("bad").on::<()>("good");
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let answer = client.emit_with_ack("bad", ()).await.unwrap();
        assert!(answer.first::<Value>().unwrap()["error"].is_string());
        let answer = client.emit_with_ack("good", ()).await.unwrap();
        assert_eq!(answer.first::<String>().unwrap(), "good");
    });
}

#[test]
fn a_panic_while_a_namespace_is_looked_for_leaves_nothing_behind() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let server = Server::builder()
            .namespace_matching(
                |name, _| name == "/good" || panic_on_purpose().is_ok(),
                handlers,
            )
            .build()
            .unwrap();
        let bad = Client::connect_to(&server, "/bad", ()).await;
        assert!(bad.is_err(), "{bad:?}");
        drop(bad);
        eventually("it has gone", || server.n_sessions() == 0).await;
        let _good = Client::connect_to(&server, "/good", ()).await.unwrap();
    });
}

//! Who returns gets what was missed.

use std::time::Duration;

use greenroom::config::{Config, Parser};
use greenroom::testing::Client;
use greenroom::{Binary, Server};
use serde_json::json;

use super::{Ticket, enabled, names, offset, ticket};
use crate::support::tcp::{Arrived, Ws, listen};
use crate::support::{counter, ear, lobby, on_actix};

#[test]
fn only_with_recovery_there_is_a_pid_and_an_offset() {
    on_actix(async {
        for is_on in [false, true] {
            let mut config = Config::default();
            config.recovery.enabled = is_on;
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            assert_eq!(client.pid().is_some(), is_on);
            assert_ne!(client.pid(), Some(client.id()), "the pid is secret");
            let nsp = lobby.server.root();
            let with_offset = usize::from(is_on);
            socket.emit("a", (1, 2));
            assert_eq!(client.event("a").await.unwrap().args.len(), 2 + with_offset);
            nsp.emit("b", ());
            assert_eq!(client.event("b").await.unwrap().args.len(), with_offset);
            // What cannot be replayed has no offset.
            socket.clone().volatile().emit("c", 1);
            assert_eq!(client.event("c").await.unwrap().args.len(), 1);
            let asking = actix::spawn(socket.emit_with_ack("d", 1));
            let asked = client.event("d").await.unwrap();
            assert_eq!(asked.args.len(), 1);
            client.ack(asked.ack.unwrap(), 5).await.unwrap();
            assert_eq!(asking.await.unwrap().unwrap().len(), 1);
            let answers = nsp.emit_with_ack("e", 1);
            let (answers, ()) = tokio::join!(answers, async {
                let asked = client.event("e").await.unwrap();
                assert_eq!(asked.args.len(), 1);
                client.ack(asked.ack.unwrap(), ()).await.unwrap();
            });
            assert!(answers.unwrap().is_complete());
            let (answer, ()) = tokio::join!(client.emit_with_ack("f", ()), async {
                lobby.hearing.event().await.ack.send(1);
            });
            assert_eq!(answer.unwrap().len(), 1);
        }
    });
}

#[test]
fn who_returns_is_who_left_and_gets_what_was_missed() {
    for parser in [Parser::Json, Parser::Msgpack] {
        on_actix(async {
            let mut config = enabled();
            config.socketio.parser = parser;
            let mut lobby = lobby(config);
            let nsp = lobby.server.root();
            let (mut client, socket) = lobby.join().await;
            let (_other, other) = lobby.join().await;
            socket.join(["r1", "r2"]);
            other.join(["r1", "r3"]);
            socket.set_data(&json!({ "name": "Ada" })).unwrap();
            let ticket = ticket(&mut client, &socket).await;
            assert!(!socket.is_recovered());
            drop(client);
            lobby.hearing.gone().await;

            nsp.emit("1 all", (1, Binary::from(vec![1, 2, 3])));
            nsp.to("r1").emit("2 room", "ä");
            nsp.to(["r2", "r3"]).emit("3 rooms", ());
            nsp.to(&ticket.id).emit("4 id", ());
            socket.emit("5 socket", ());
            nsp.except("r3").emit("6 except", ());
            other.to("r1").emit("7 others", ());
            // Not for it, or not to be replayed.
            nsp.to("r3").emit("no: room", ());
            nsp.except("r2").emit("no: except", ());
            nsp.except(&ticket.id).emit("no: except id", ());
            nsp.to("r1").except(["r2"]).emit("no: both", ());
            nsp.volatile().emit("no: volatile", ());
            socket.clone().volatile().emit("no: volatile", ());
            let unanswered = nsp.to("r1").timeout(Duration::from_millis(1));
            unanswered.emit_with_ack("no: ack", ()).await.unwrap();
            drop(socket.emit_with_ack("no: ack", ()));
            nsp.emit("8 last", ());

            let (mut client, socket) = ticket.return_to(&mut lobby).await;
            assert!(socket.is_recovered());
            assert_eq!(client.id(), ticket.id);
            assert_eq!(client.pid(), Some(&*ticket.pid));
            assert_eq!(socket.rooms(), [&*ticket.id, "r1", "r2"]);
            assert_eq!(
                socket.data::<serde_json::Value>().unwrap(),
                json!({ "name": "Ada" })
            );
            assert_eq!(counter(&lobby.server, "recovered"), 1);
            let first = client.event("1 all").await.unwrap();
            let (n, bytes, _): (u8, Binary, String) = first.args.parse().unwrap();
            assert_eq!((n, bytes), (1, Binary::from(vec![1, 2, 3])));
            let second = client.event("2 room").await.unwrap();
            assert_eq!(second.args.first::<String>().unwrap(), "ä");
            assert_eq!(
                names(&mut client, &socket).await,
                [
                    "3 rooms", "4 id", "5 socket", "6 except", "7 others", "8 last"
                ]
            );
            // It is in its rooms again.
            nsp.to("r2").emit("room", ());
            nsp.to(&ticket.id).emit("id", ());
            assert_eq!(names(&mut client, &socket).await, ["room", "id"]);
            assert_eq!(nsp.room_size("r1").await.found, 2);
        });
    }
}

#[test]
fn the_answer_to_connect_comes_before_what_was_missed() {
    on_actix(async {
        let (handlers, mut hearing) = ear();
        let listening = listen(enabled(), |builder| builder.namespace("/", handlers)).await;
        let (mut ws, joined) = Ws::join(&listening, json!({})).await;
        let pid = joined.pid.unwrap();
        let nsp = listening.server.root();
        nsp.emit("a", 1);
        let (name, args) = ws.event().await;
        assert_eq!((name.as_str(), args.len()), ("a", 2));
        ws.close().await;
        hearing.gone().await;
        nsp.emit("b", Binary::from(vec![7]));
        nsp.emit("c", ());
        let mut ws = Ws::open(&listening).await;
        ws.send(&format!("40{}", json!({ "pid": pid, "offset": args[1] })))
            .await;
        let sid = joined.sid;
        assert_eq!(
            ws.text().await,
            format!(r#"40{{"sid":"{sid}","pid":"{pid}"}}"#)
        );
        let text = ws.text().await;
        assert!(
            text.starts_with(r#"451-["b",{"_placeholder":true,"num":0},""#),
            "{text}"
        );
        assert_eq!(ws.next().await, Arrived::Binary(vec![7]));
        assert_eq!(ws.event().await.0, "c");
    });
}

#[test]
fn a_state_can_be_taken_up_again_and_again_but_each_once() {
    on_actix(async {
        let mut lobby = lobby(enabled());
        let nsp = lobby.server.root();
        let (mut client, socket) = lobby.join().await;
        let mut ticket = ticket(&mut client, &socket).await;
        for n in 0..5 {
            drop(client);
            lobby.hearing.gone().await;
            nsp.emit("missed", n);
            let socket;
            (client, socket) = ticket.return_to(&mut lobby).await;
            assert!(socket.is_recovered());
            let missed = client.next_event().await.unwrap();
            assert_eq!(missed.args.first::<i32>().unwrap(), n);
            nsp.emit("live", n);
            let live = client.next_event().await.unwrap();
            assert_eq!(live.name, "live", "nothing comes twice");
            ticket.offset = offset(&live);
        }
        // While the owner is here, its pid is worth nothing to others.
        let (thief, socket) = ticket.return_to(&mut lobby).await;
        assert!(!socket.is_recovered());
        assert_ne!(thief.id(), ticket.id);
        assert_ne!(thief.pid(), Some(&*ticket.pid));
        drop(client);
        lobby.hearing.gone().await;
        let (_client, socket) = ticket.return_to(&mut lobby).await;
        assert!(socket.is_recovered());
        let (_late, socket) = ticket.return_to(&mut lobby).await;
        assert!(!socket.is_recovered());
    });
}

#[test]
fn who_cannot_prove_it_starts_anew() {
    on_actix(async {
        let mut lobby = lobby(enabled());
        let (mut client, socket) = lobby.join().await;
        let ticket = ticket(&mut client, &socket).await;
        drop(client);
        lobby.hearing.gone().await;
        let Ticket { pid, offset, .. } = ticket.clone();
        let table = [
            json!({}),
            json!({ "pid": pid }),
            json!({ "offset": offset }),
            json!({ "pid": pid, "offset": "" }),
            json!({ "pid": pid, "offset": "nonsense" }),
            json!({ "pid": pid, "offset": format!("{offset}0") }),
            json!({ "pid": pid, "offset": 1 }),
            json!({ "pid": "nonsense", "offset": offset }),
            json!({ "pid": [pid], "offset": offset }),
            json!({ "pid": ticket.id, "offset": offset }),
        ];
        let mut strangers = Vec::new();
        for auth in table {
            let client = Client::connect_to(&lobby.server, "/", &auth).await.unwrap();
            let socket = lobby.hearing.connected().await;
            assert!(!socket.is_recovered(), "{auth}");
            assert_ne!(client.id(), ticket.id);
            strangers.push(client);
        }
        // None of these attempts has used the state up.
        let (_client, socket) = ticket.return_to(&mut lobby).await;
        assert!(socket.is_recovered());
        assert_eq!(counter(&lobby.server, "recovered"), 1);
    });
}

#[test]
fn a_state_belongs_to_its_namespace() {
    on_actix(async {
        let (root, mut in_root) = ear();
        let (other, mut in_other) = ear();
        let server = Server::builder()
            .config(enabled())
            .namespace("/", root)
            .namespace("/other", other)
            .build()
            .unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let socket = in_root.connected().await;
        server.of("/other").unwrap().emit("elsewhere", ());
        let ticket = ticket(&mut client, &socket).await;
        drop(client);
        in_root.gone().await;
        server.of("/other").unwrap().emit("elsewhere", ());
        let auth = json!({ "pid": ticket.pid, "offset": ticket.offset });
        let _stranger = Client::connect_to(&server, "/other", &auth).await.unwrap();
        assert!(!in_other.connected().await.is_recovered());
        let mut client = ticket.try_return(&server).await.unwrap();
        let socket = in_root.connected().await;
        assert!(socket.is_recovered());
        assert_eq!(names(&mut client, &socket).await, Vec::<String>::new());
    });
}

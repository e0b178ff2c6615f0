//! Names of events, rooms and namespaces.

use greenroom::Room;
use greenroom::config::Config;
use serde_json::{Value, json};

use crate::support::tcp::{Ws, listen};
use crate::support::{counter, ear, lobby, on_actix};

#[test]
fn bytes_of_an_event_name() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.event_name_bytes = 5;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let answer = client.emit_with_ack("123456", ()).await.unwrap();
        assert_eq!(
            answer.first::<Value>().unwrap(),
            json!({ "error": "the event name is too long" })
        );
        client.emit("äöü", ()).await.unwrap();
        assert_eq!(counter(&lobby.server, "event_refused"), 2);
        client.emit("12345", ()).await.unwrap();
        assert_eq!(lobby.hearing.event().await.name(), "12345");
        assert!(socket.try_emit("123456", ()).is_err());
        assert!(socket.try_emit("12345", ()).is_ok());
    });
}

#[test]
fn bytes_and_number_of_rooms() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.room_name_bytes = 5;
        config.limits.rooms_per_socket = 3;
        let mut lobby = lobby(config);
        let (_client, socket) = lobby.join().await;
        socket.join(["123456", "12345", "äöü", "ä"]);
        assert!(socket.is_in("12345") && socket.is_in("ä"));
        assert!(!socket.is_in("123456") && !socket.is_in("äöü"));
        assert!(
            socket.is_in(socket.id().as_str()),
            "its own id is no matter of length"
        );
        assert_eq!(counter(&lobby.server, "room_refused"), 2);
        socket.join(["c", "d"]);
        assert!(socket.is_in("c") && !socket.is_in("d"));
        assert_eq!(counter(&lobby.server, "room_refused"), 3);
        // Where it is already it may be asked again, and what it left makes room.
        socket.join("c");
        assert_eq!(counter(&lobby.server, "room_refused"), 3);
        socket.leave("c");
        lobby.server.root().sockets_join(["d", "e"]);
        assert!(socket.is_in("d") && !socket.is_in("e"));
        assert_eq!(counter(&lobby.server, "room_refused"), 4);
        let own = Room::from(socket.id().as_str());
        assert_eq!(lobby.server.root().all_rooms().await.len(), 4);
        socket.leave(own.clone());
        socket.join(&own);
        assert!(socket.is_in(&own), "the own room does not count");
    });
}

#[test]
fn bytes_of_a_namespace_name_and_number_of_namespaces() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.namespace_name_bytes = 6;
        config.limits.namespaces_per_session = 3;
        let (root, _hearing) = ear();
        let (children, _others) = ear();
        let listening = listen(config, |builder| {
            builder
                .namespace("/", root)
                .namespace_matching(|_, _| true, children)
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("40/1234567,").await;
        let answer = ws.text().await;
        assert_eq!(
            answer,
            r#"44/1234567,{"message":"the namespace name is too long"}"#
        );
        for name in ["/12345", "/2", "/3"] {
            ws.send(&format!("40{name},")).await;
            assert!(ws.text().await.starts_with(&format!("40{name},")));
        }
        ws.send("40").await;
        assert_eq!(ws.text().await, r#"44{"message":"too many namespaces"}"#);
        assert_eq!(counter(&listening.server, "namespace_refused"), 2);
        // Who leaves one may enter another.
        ws.send("41/2,").await;
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
    });
}

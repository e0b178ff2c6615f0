//! The `rust_socketio` client against the fixture, over each transport.
//!
//! As far as this client can go: it is in one namespace only, cannot answer when the server asks for an ack, cannot ask for
//! one with binary, and hears of the first attachment of a packet only.

use rust_socketio::TransportType;
use serde_json::json;

use crate::peer::{Heard, Peer};
use crate::program::Program;

fn fixture() -> Program {
    Program::start("fixture", &[])
}

/// Makes three tests of each scenario.
macro_rules! over_every_transport {
    ($($scenario:ident)*) => {
        over_every_transport!(polling, Polling, $($scenario)*);
        over_every_transport!(websocket, Websocket, $($scenario)*);
        over_every_transport!(upgrade, WebsocketUpgrade, $($scenario)*);
    };
    ($module:ident, $transport:ident, $($scenario:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(rust_socketio::TransportType::$transport).await;
            })*
        }
    };
}

over_every_transport! {
    the_server_knows_the_transport
    auth_comes_back
    a_middleware_accepts_and_refuses
    an_unknown_namespace_is_refused
    a_namespace_is_apart_from_others
    values_come_back
    binary_comes_back
    acks_carry_values
    an_answer_to_nothing_is_ignored
    an_unanswered_question_times_out
    a_broadcast_reaches_a_room
    the_client_leaves
    the_server_disconnects
    a_lost_connection_comes_back
}

async fn the_server_knows_the_transport(transport: TransportType) {
    let program = fixture();
    let expected = if transport == TransportType::Polling {
        "polling"
    } else {
        "websocket"
    };
    let peer = Peer::connect(&program, transport).await;
    let info = peer.control("info", json!({})).await;
    assert_eq!(info["transport"], expected);
    assert_eq!(info["protocol"], 4);
    assert_eq!(info["nsp"], "/");
    assert_eq!(info["clientsCount"], 1);
}

async fn auth_comes_back(transport: TransportType) {
    let program = fixture();
    let auth = json!({ "token": "ä \"quoted\"", "list": [1, { "two": 2 }] });
    let mut peer = Peer::open(&program, transport, |builder| builder.auth(auth.clone())).await;
    peer.connected().await;
    assert_eq!(peer.next("auth").await, [auth]);
}

async fn a_middleware_accepts_and_refuses(transport: TransportType) {
    let program = fixture();
    let open = async |token: &str| {
        let auth = json!({ "token": token });
        Peer::open(&program, transport.clone(), |builder| {
            builder.namespace("/auth").auth(auth)
        })
        .await
    };
    let mut accepted = open("secret").await;
    accepted.connected().await;
    assert_eq!(accepted.control("info", json!({})).await["nsp"], "/auth");

    let refusal = open("wrong").await.error().await;
    assert!(
        refusal.contains(r#"\"message\":\"unauthorized\""#),
        "{refusal}"
    );
    assert!(refusal.contains(r#"\"code\":\"E_AUTH\""#), "{refusal}");
}

async fn an_unknown_namespace_is_refused(transport: TransportType) {
    let program = fixture();
    let mut peer = Peer::open(&program, transport, |builder| builder.namespace("/nobody")).await;
    let refusal = peer.error().await;
    assert!(refusal.contains("Invalid namespace"), "{refusal}");
}

async fn a_namespace_is_apart_from_others(transport: TransportType) {
    let program = fixture();
    let mut root = Peer::connect(&program, transport.clone()).await;
    let mut custom = Peer::open(&program, transport, |builder| builder.namespace("/custom")).await;
    custom.connected().await;
    custom
        .control("emit", json!({ "event": "news", "args": ["custom"] }))
        .await;
    root.control("emit", json!({ "event": "news", "args": ["root"] }))
        .await;
    assert_eq!(custom.next("news").await, [json!("custom")]);
    assert_eq!(root.next("news").await, [json!("root")]);
}

async fn values_come_back(transport: TransportType) {
    let program = fixture();
    let mut peer = Peer::connect(&program, transport).await;
    let values = vec![
        json!(null),
        json!(true),
        json!(-1.5),
        json!(9_007_199_254_740_991_i64),
        json!("Я ü 😀 \u{0} \n"),
        json!([[], {}]),
        json!({ "z": 1, "a": { "b": [null] } }),
    ];
    peer.emit("message", values.clone()).await;
    assert_eq!(peer.next("message-back").await, values);
}

async fn binary_comes_back(transport: TransportType) {
    let program = fixture();
    let mut peer = Peer::connect(&program, transport).await;
    // Without 1e, which this client takes for a separator also inside binary messages.
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != 0x1e).collect();
    peer.emit("message", bytes.clone()).await;
    assert_eq!(peer.next_binary("message-back").await, bytes);
}

async fn acks_carry_values(transport: TransportType) {
    let program = fixture();
    let peer = Peer::connect(&program, transport).await;
    let values = vec![json!("a"), json!(2), json!({ "three": [3] })];
    assert_eq!(peer.ask("message-with-ack", values.clone()).await, values);
}

/// What this client sends for binary with an ack request is the packet of a binary answer, to a question that was never
/// asked; so it cannot get binary in an ack. The server is not confused.
async fn an_answer_to_nothing_is_ignored(transport: TransportType) {
    let program = fixture();
    let peer = Peer::connect(&program, transport).await;
    peer.emit_with_ack("message-with-ack", vec![1_u8, 2, 255], |_| {})
        .await;
    assert_eq!(peer.ask("message-with-ack", json!(1)).await, [json!(1)]);
}

async fn an_unanswered_question_times_out(transport: TransportType) {
    let program = fixture();
    let mut peer = Peer::connect(&program, transport).await;
    let asked = json!({ "event": "question", "args": [41], "timeout": 50 });
    let reply = peer.control("selfAck", asked).await;
    assert_eq!(reply, json!({ "ok": false, "error": "timeout" }));
    assert_eq!(peer.next("question").await, [json!(41)]);
}

async fn a_broadcast_reaches_a_room(transport: TransportType) {
    let program = fixture();
    let mut inside = Peer::connect(&program, transport.clone()).await;
    let mut outside = Peer::connect(&program, transport).await;
    inside.control("join", json!({ "rooms": ["room"] })).await;
    let to_room =
        json!({ "target": { "to": ["room"] }, "event": "news", "args": ["for the room"] });
    outside.control("emit", to_room).await;
    outside
        .control("emit", json!({ "event": "news", "args": ["for all"] }))
        .await;
    assert_eq!(inside.next("news").await, [json!("for the room")]);
    assert_eq!(outside.next("news").await, [json!("for all")]);
}

async fn the_client_leaves(transport: TransportType) {
    let program = fixture();
    let observer = Peer::connect(&program, transport.clone()).await;
    let peer = Peer::connect(&program, transport).await;
    let id = peer.control("info", json!({})).await["id"].clone();
    peer.disconnect().await;
    assert_eq!(end_of(&observer, &id).await, "client namespace disconnect");
}

async fn the_server_disconnects(transport: TransportType) {
    let program = fixture();
    let observer = Peer::connect(&program, transport.clone()).await;
    let mut peer = Peer::connect(&program, transport).await;
    let id = peer.control("info", json!({})).await["id"].clone();
    peer.control("disconnectSelf", json!({})).await;
    peer.wait(|heard| (*heard == Heard::Close).then_some(()))
        .await;
    assert_eq!(end_of(&observer, &id).await, "server namespace disconnect");
}

async fn a_lost_connection_comes_back(transport: TransportType) {
    let program = fixture();
    let observer = Peer::connect(&program, transport.clone()).await;
    let reconnecting = Peer::open(&program, transport, |builder| {
        builder.reconnect(true).reconnect_delay(10, 50)
    });
    let mut peer = reconnecting.await;
    peer.connected().await;
    let id = peer.control("info", json!({})).await["id"].clone();
    peer.control("dropTransport", json!({})).await;
    peer.connected().await;
    assert_eq!(end_of(&observer, &id).await, "forced close");
    let again = peer.control("info", json!({})).await["id"].clone();
    assert_ne!(again, id);
}

/// Waits until the server's journal says why a socket has gone.
async fn end_of(observer: &Peer, id: &serde_json::Value) -> String {
    let look = async {
        loop {
            let question = json!({ "type": "disconnect", "id": id });
            let found = observer.control("journal", question).await;
            if let Some(entry) = found["entries"].get(0) {
                return entry["reason"].as_str().unwrap_or_default().to_owned();
            }
        }
    };
    let found = tokio::time::timeout(crate::program::DEADLINE, look).await;
    found.unwrap_or_else(|_| panic!("the journal has no end of {id}"))
}

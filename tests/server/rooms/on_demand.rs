//! Namespaces on demand.

use greenroom::config::Config;
use greenroom::testing::{Client, ClientError};
use greenroom::{Server, Socket};
use serde_json::{Value, json};

use crate::support::tcp::{Ws, listen};
use crate::support::{DEADLINE, counter, ear, eventually, on_actix};

fn dynamic(cleanup: bool) -> Server {
    let mut config = Config::default();
    config.socketio.cleanup_empty_child_namespaces = cleanup;
    let (named, _) = ear();
    let (first, _) = ear();
    let (second, _) = ear();
    Server::builder()
        .config(config)
        .namespace(
            "/dyn-named",
            named.middleware(|_| async { Err("named".into()) }),
        )
        .namespace_matching(
            |name, _| name.starts_with("/dyn-"),
            first.middleware(|socket: Socket| async move {
                let is_guest = socket.auth::<Value>().unwrap() == json!({ "guest": true });
                if is_guest {
                    Err("first".into())
                } else {
                    Ok(())
                }
            }),
        )
        .namespace_matching(
            |name, _| name.starts_with("/d"),
            second.middleware(|_| async { Err("second".into()) }),
        )
        .build()
        .unwrap()
}

async fn refusal(server: &Server, name: &str) -> String {
    let guest = json!({ "guest": true });
    match Client::connect_to(server, name, guest).await {
        Err(ClientError::Refused { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_come_before_patterns_and_patterns_in_the_order_of_adding() {
    on_actix(async {
        let server = dynamic(false);
        assert_eq!(refusal(&server, "/dyn-named").await, "named");
        assert_eq!(refusal(&server, "/dyn-1").await, "first");
        assert_eq!(refusal(&server, "/d-1").await, "second");
        assert_eq!(refusal(&server, "/e").await, "Invalid namespace");
        assert_eq!(counter(&server, "namespace_refused"), 1);
        assert_eq!(counter(&server, "socket_refused"), 3);
    });
}

#[test]
fn children_of_a_pattern_are_namespaces_of_their_own() {
    on_actix(async {
        let server = dynamic(false);
        assert!(server.of("/dyn-1").is_none());
        let mut one = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
        let mut two = Client::connect_to(&server, "/dyn-2", ()).await.unwrap();
        let (nsp_1, nsp_2) = (server.of("/dyn-1").unwrap(), server.of("/dyn-2").unwrap());
        nsp_1.sockets_join("room");
        nsp_2.sockets_join("room");
        nsp_1.to("room").emit("for one", ());
        nsp_2.to("room").emit("for two", ());
        assert_eq!(one.next_event().await.unwrap().name, "for one");
        assert_eq!(two.next_event().await.unwrap().name, "for two");
        assert_eq!(nsp_1.fetch_sockets().await.len(), 1);
        assert_eq!(server.namespaces(), ["/", "/dyn-1", "/dyn-2", "/dyn-named"]);
    });
}

#[test]
fn empty_children_go_if_the_configuration_says_so() {
    on_actix(async {
        for cleanup in [false, true] {
            let server = dynamic(cleanup);
            let one = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
            let two = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
            assert_eq!(refusal(&server, "/dyn-2").await, "first");
            drop(one);
            let nsp = server.of("/dyn-1").unwrap();
            eventually("one has gone", || nsp.n_sockets() == 1).await;
            assert!(server.of("/dyn-1").is_some(), "somebody is in it");
            drop(two);
            eventually("both have gone", || nsp.n_sockets() == 0).await;
            for name in ["/dyn-1", "/dyn-2"] {
                assert_eq!(server.of(name).is_none(), cleanup, "{name} {cleanup}");
            }
            assert!(server.of("/dyn-named").is_some(), "names stay");
            // It is made again for the next who asks.
            let mut again = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
            server.of("/dyn-1").unwrap().emit("e", ());
            assert_eq!(again.next_event().await.unwrap().name, "e");
        }
    });
}

#[test]
fn a_pattern_reads_the_handshake() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder.namespace_matching(
                |name, handshake| {
                    name == "/mine" && handshake.query("transport") == Some("websocket")
                },
                handlers,
            )
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("40/mine,").await;
        let answer = tokio::time::timeout(DEADLINE, ws.text()).await.unwrap();
        assert!(answer.starts_with(r#"40/mine,{"sid":""#), "{answer}");
    });
}

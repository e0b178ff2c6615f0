//! What decides whether a state is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom::testing::{Client, ClientError};
use greenroom::{Refusal, Server, Socket};
use serde_json::json;

use super::{enabled, ticket};
use crate::support::tcp::{Ws, listen};
use crate::support::{self, ear, lobby, on_actix};

#[test]
fn the_window_ends() {
    on_actix(async {
        let window = Duration::from_millis(200);
        let mut config = enabled();
        config.recovery.max_disconnection_duration = window;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let late = ticket(&mut client, &socket).await;
        drop(client);
        lobby.hearing.gone().await;
        // Nothing happens at the end of the window that could be waited for.
        tokio::time::sleep(window + Duration::from_millis(20)).await;
        let (_client, socket) = late.return_to(&mut lobby).await;
        assert!(!socket.is_recovered());
        // And in time, however slow the machine is.
        let mut lobby = support::lobby(enabled());
        let (mut client, socket) = lobby.join().await;
        let in_time = ticket(&mut client, &socket).await;
        drop(client);
        lobby.hearing.gone().await;
        let (_client, socket) = in_time.return_to(&mut lobby).await;
        assert!(socket.is_recovered());
    });
}

#[test]
fn the_reason_decides_whether_a_state_is_kept() {
    type End = fn(&Server, &Socket, Client) -> Option<Client>;
    let table: [(&str, bool, End); 7] = [
        ("transport close", true, |_, _, client| {
            client.close();
            None
        }),
        ("forced close", true, |_, socket, client| {
            socket.drop_transport();
            Some(client)
        }),
        ("ping timeout", true, |_, _, client| Some(client)),
        ("server shutting down", true, |server, _, client| {
            server.close();
            Some(client)
        }),
        ("client namespace disconnect", false, |_, _, client| {
            actix::spawn(client.disconnect());
            None
        }),
        ("server namespace disconnect", false, |_, socket, client| {
            socket.disconnect(false);
            Some(client)
        }),
        ("server namespace disconnect", false, |server, _, client| {
            server.root().disconnect_sockets(true);
            Some(client)
        }),
    ];
    for (reason, is_kept, end) in table {
        on_actix(async {
            let mut config = enabled();
            if reason == "ping timeout" {
                config.engine.ping_interval = Duration::from_millis(20);
                config.engine.ping_timeout = Duration::from_millis(20);
            }
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let ticket = ticket(&mut client, &socket).await;
            let _client = end(&lobby.server, &socket, client);
            let (gone, why) = lobby.hearing.gone().await;
            assert_eq!((gone, why.to_string().as_str()), (socket, reason));
            lobby.server.root().emit("missed", ());
            let (mut client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), is_kept, "{reason}");
            if is_kept {
                assert_eq!(client.next_event().await.unwrap().name, "missed");
            }
        });
    }
}

#[test]
fn what_a_client_does_wrong_decides_too() {
    on_actix(async {
        let (handlers, mut hearing) = ear();
        let listening = listen(enabled(), |builder| builder.namespace("/", handlers)).await;
        for (text, reason, is_kept) in [
            ("4nonsense", "forced close", true),
            (r#"42/other,["a"]"#, "forced close", true),
            ("2", "transport error", true),
            ("nonsense", "parse error", false),
        ] {
            let (mut ws, joined) = Ws::join(&listening, json!({})).await;
            let socket = hearing.connected().await;
            socket.emit("a", ());
            let (_, args) = ws.event().await;
            ws.send(text).await;
            let (_, why) = hearing.gone().await;
            assert_eq!(why.to_string(), reason);
            let auth = json!({ "pid": joined.pid, "offset": args[0] });
            let (_ws, again) = Ws::join(&listening, auth).await;
            assert_eq!(again.sid == joined.sid, is_kept, "{reason}");
            assert_eq!(hearing.connected().await.is_recovered(), is_kept);
        }
    });
}

#[test]
fn middlewares_are_skipped_if_the_configuration_says_so() {
    on_actix(async {
        for skips in [true, false] {
            let mut config = enabled();
            config.recovery.skip_middlewares = skips;
            let is_open = Arc::new(AtomicBool::new(true));
            let (handlers, mut hearing) = ear();
            let opened = Arc::clone(&is_open);
            let handlers = handlers.middleware(move |_| {
                let is_open = opened.load(Ordering::SeqCst);
                async move {
                    if is_open {
                        Ok(())
                    } else {
                        Err(Refusal::new("closed"))
                    }
                }
            });
            let builder = Server::builder().config(config).namespace("/", handlers);
            let server = builder.build().unwrap();
            let mut client = Client::connect(&server).await.unwrap();
            let socket = hearing.connected().await;
            let ticket = ticket(&mut client, &socket).await;
            drop(client);
            hearing.gone().await;
            is_open.store(false, Ordering::SeqCst);
            match ticket.try_return(&server).await {
                Ok(_) if skips => assert!(hearing.connected().await.is_recovered()),
                Err(ClientError::Refused { message, .. }) if !skips => {
                    assert_eq!(message, "closed");
                }
                other => panic!("{skips}: {other:?}"),
            }
            // Who has no state to take up is judged in any case.
            assert!(Client::connect(&server).await.is_err());
        }
    });
}

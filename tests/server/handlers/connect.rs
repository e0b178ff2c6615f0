//! Who is let in, and what waits for it.

use std::sync::Arc;

use actix::prelude::*;
use greenroom::config::{Carrier, Config};
use greenroom::testing::Client;
use greenroom::{Connect, Event, Handlers, Refusal, Socket, per_worker};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::{refused, serve};
use crate::support::tcp::{Raw, Ws, get, http, listen, post, text_frame};
use crate::support::{counter, ear, eventually, lobby, on_actix};

/// Lets those in whose auth payload says `{"name": …}`, or whose query does, and waits for a permit before it answers.
struct Doorman {
    gate: Arc<Semaphore>,
}

impl Actor for Doorman {
    type Context = Context<Self>;
}

impl Handler<Connect> for Doorman {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        #[derive(Deserialize)]
        struct Auth {
            name: String,
        }
        socket.join("lobby");
        socket.emit("early", 1);
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            socket.emit("late", 2);
            let auth = socket.auth::<Auth>();
            // Clients of revision 3 have none.
            let name = socket.handshake().query("name");
            match auth.or(name.map(|name| Auth { name: name.into() }).ok_or(())) {
                Ok(Auth { name }) => socket.set_data(&name).map_err(|_| "data".into()),
                Err(_) => Err(Refusal::new("who are you?").with_data(json!({ "code": 7 }))),
            }
        })
    }
}

impl Handler<Event> for Doorman {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Context<Self>) {
        let args = event.args().clone();
        event.ack.send_args(&args);
    }
}

fn doorman(gate: &Arc<Semaphore>) -> Handlers<Doorman> {
    let gate = Arc::clone(gate);
    per_worker(move || Doorman {
        gate: Arc::clone(&gate),
    })
    .on_connect()
}

#[test]
fn what_connect_emits_follows_its_answer_and_what_it_joins_holds() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let handlers = doorman(&gate);
        let listening = listen(Config::default(), |builder| {
            builder.namespace("/", handlers)
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send(r#"40{"name":"Ada"}"#).await;
        eventually("the handler has joined the socket", || {
            listening.server.root().n_sockets() == 1
        })
        .await;
        gate.add_permits(1);
        let answer = ws.text().await;
        assert!(answer.starts_with(r#"40{"sid":""#), "{answer}");
        assert_eq!(ws.event().await, ("early".to_owned(), vec![json!(1)]));
        assert_eq!(ws.event().await, ("late".to_owned(), vec![json!(2)]));
        listening.server.root().to("lobby").emit("all", ());
        assert_eq!(ws.event().await, ("all".to_owned(), vec![]));
    });
}

#[test]
fn what_comes_before_the_answer_of_connect_waits_for_it() {
    on_actix(async {
        for carrier in [Carrier::Direct, Carrier::Mounted] {
            let gate = Arc::new(Semaphore::new(0));
            let handlers = doorman(&gate).on_event();
            let mut config = Config::default();
            config.server.carrier = carrier;
            config.engine.allow_eio3 = true;
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let is_inside = || listening.server.root().n_sockets() == 1;
            let mut ws = Raw::websocket(&listening, "").await;
            // In one piece, so that all of it is there before the handler is asked.
            let packets = [
                r#"40{"name":"Ada"}"#,
                r#"421["echo",1]"#,
                r#"422["echo",2]"#,
            ];
            ws.write(&packets.map(text_frame).concat()).await;
            eventually("the handler has joined the socket", is_inside).await;
            gate.add_permits(1);
            let open = ws.text().await;
            assert!(open.starts_with("0{"), "{open}");
            let answer = ws.text().await;
            assert!(answer.starts_with(r#"40{"sid":""#), "{answer}");
            assert_eq!(ws.text().await, r#"42["early",1]"#);
            assert_eq!(ws.text().await, r#"42["late",2]"#);
            assert_eq!(ws.text().await, "431[1]");
            assert_eq!(ws.text().await, "432[2]");
            ws.write(&text_frame("41")).await;
            eventually("the client has left", || !is_inside()).await;

            // Clients of revision 3 are let in without asking: they cannot know how long it takes.
            let v3 = |request: String| request.replace("EIO=4", "EIO=3");
            let (_, opened) = http(&listening, &v3(get("&b64=1&name=Ada"))).await;
            let sid = opened.split('"').nth(3).unwrap();
            let request = v3(post(sid, r#"13:421["echo",3]"#));
            let (posted, ()) = tokio::join!(http(&listening, &request), async {
                eventually("the handler has joined the socket", is_inside).await;
                gate.add_permits(1);
            });
            assert_eq!(posted.0, 200, "{}", posted.1);
            let mut polled = String::new();
            while !polled.contains(":431[3]") {
                let (status, more) = http(&listening, &v3(get(&format!("&sid={sid}")))).await;
                assert_eq!(status, 200, "{polled}{more}");
                polled += &more;
            }
        }
    });
}

#[test]
fn connect_refuses_with_message_and_data_after_awaiting() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let server = serve(doorman(&gate));
        let connecting = actix::spawn({
            let server = server.clone();
            async move { Client::connect(&server).await }
        });
        eventually("the attempt", || server.root().n_sockets() == 1).await;
        assert!(!connecting.is_finished());
        gate.add_permits(1);
        let (message, payload) = refused(connecting.await.unwrap());
        assert_eq!(message, "who are you?");
        assert_eq!(
            payload,
            json!({ "message": "who are you?", "data": { "code": 7 } })
        );
        assert_eq!(counter(&server, "socket_refused"), 1);
        assert_eq!(server.root().n_sockets(), 0);
        assert_eq!(server.root().all_rooms().await.found, Vec::<String>::new());
    });
}

#[test]
fn connect_reads_auth_and_keeps_data() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(1));
        let server = serve(doorman(&gate));
        let client = Client::connect_to(&server, "/", json!({ "name": "Ada" }))
            .await
            .unwrap();
        let sockets = server.root().fetch_sockets().await;
        assert_eq!(sockets.len(), 1);
        assert_eq!(sockets[0].id().as_str(), client.id());
        assert_eq!(sockets[0].data::<String>().unwrap(), "Ada");
    });
}

#[test]
fn a_namespace_that_nobody_registered_is_refused() {
    on_actix(async {
        let server = lobby(Config::default()).server;
        let (message, payload) = refused(Client::connect_to(&server, "/nowhere", ()).await);
        assert_eq!(message, "Invalid namespace");
        assert_eq!(payload, json!({ "message": "Invalid namespace" }));
        assert_eq!(counter(&server, "namespace_refused"), 1);
    });
}

#[test]
fn middlewares_run_in_order_and_the_first_refusal_ends_the_attempt() {
    on_actix(async {
        let (seen, mut order) = mpsc::unbounded_channel();
        let step = |name: &'static str, verdict: Result<(), &'static str>| {
            let seen = seen.clone();
            move |socket: Socket| {
                let seen = seen.clone();
                async move {
                    // Another task may run in between, which changes nothing.
                    tokio::task::yield_now().await;
                    seen.send(name).unwrap();
                    let is_guest = socket.auth::<Value>().unwrap() == json!({ "guest": true });
                    match verdict {
                        Err(message) if is_guest => {
                            Err(Refusal::new(message).with_data(vec![1, 2]))
                        }
                        _ => Ok(()),
                    }
                }
            }
        };
        let (handlers, mut hearing) = ear();
        let server = serve(
            handlers
                .middleware(step("first", Ok(())))
                .middleware(step("second", Err("no guests")))
                .middleware(step("third", Err("never said"))),
        );
        let (message, payload) =
            refused(Client::connect_to(&server, "/", json!({ "guest": true })).await);
        assert_eq!(message, "no guests");
        assert_eq!(payload, json!({ "message": "no guests", "data": [1, 2] }));
        assert!(hearing.now().is_none(), "the handler hears of nobody");
        let _client = Client::connect(&server).await.unwrap();
        hearing.connected().await;
        let mut names = Vec::new();
        while let Ok(name) = order.try_recv() {
            names.push(name);
        }
        assert_eq!(names, ["first", "second", "first", "second", "third"]);
        assert_eq!(counter(&server, "socket_refused"), 1);
    });
}

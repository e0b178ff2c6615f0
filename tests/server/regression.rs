//! Bugs that were found, each by the test that showed it. All of issue 2.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use greenroom::config::{Carrier, Config};
use greenroom::testing::{Client, ClientError};
use greenroom::{
    Connect, Disconnect, DisconnectReason, Disconnecting, Handlers, Namespace, On, Refusal, Server,
    Socket, engine, per_worker,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::support::tcp::{Raw, Ws, frame, get, http, join_polling, listen, post, text_frame};
use crate::support::{
    Heard, Worker, counter, ear, eventually, lobby, on_actix, shared_ear, within,
};

const CARRIERS: [Carrier; 2] = [Carrier::Direct, Carrier::Mounted];

/// A handler that does something with each socket when it comes.
struct Welcome<F>(Arc<F>);

impl<F: Fn(&Socket) + Unpin + 'static> Actor for Welcome<F> {
    type Context = Context<Self>;
}

impl<F: Fn(&Socket) + Unpin + 'static> Handler<Connect> for Welcome<F> {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        (self.0)(&socket);
        Ok(())
    }
}

fn welcome<F>(welcome: F) -> Handlers<Welcome<F>>
where
    F: Fn(&Socket) + Send + Sync + Unpin + 'static,
{
    let welcome = Arc::new(welcome);
    per_worker(move || Welcome(Arc::clone(&welcome))).on_connect()
}

// --- coming in -------------------------------------------------------------------------------------

#[test]
fn broadcasts_made_in_connect_reach_the_socket_after_its_answer() {
    on_actix(async {
        let handlers = welcome(|socket| {
            let nsp = socket.namespace();
            socket.join("a");
            socket.emit("1 it", ());
            nsp.to("a").emit("2 room", ());
            nsp.emit("3 all", ());
            socket.broadcast().emit("no: the others", ());
            nsp.to(socket.id()).emit("4 id", ());
            socket.emit("5 it", ());
        });
        let listening = listen(Config::default(), |builder| {
            builder.namespace("/", handlers)
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
        for expected in ["1 it", "2 room", "3 all", "4 id", "5 it"] {
            assert_eq!(ws.event().await.0, expected);
        }
    });
}

#[test]
fn a_socket_that_connect_disconnects_is_told() {
    on_actix(async {
        for close in [false, true] {
            let handlers = welcome(move |socket| {
                socket.emit("welcome", ());
                socket.disconnect(close);
            });
            let listening = listen(Config::default(), |builder| {
                builder.namespace("/", handlers)
            })
            .await;
            let mut ws = Ws::open(&listening).await;
            ws.send("40").await;
            assert!(ws.text().await.starts_with("40{"));
            assert_eq!(ws.event().await.0, "welcome");
            assert_eq!(ws.text().await, "41");
            if close {
                assert_eq!(ws.end().await.0, Some(1000));
            }
            let nsp = listening.server.root();
            eventually("the socket has gone", || nsp.n_sockets() == 0).await;
        }
    });
}

/// Lets everybody in who comes, but not before there is a permit, and tells of every end.
struct Slow {
    gate: Arc<Semaphore>,
    told: mpsc::UnboundedSender<String>,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<Connect> for Slow {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        socket.join("room");
        self.told.send(format!("{} comes", socket.id())).unwrap();
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            Ok(())
        })
    }
}

impl Handler<Disconnecting> for Slow {
    type Result = ();

    fn handle(&mut self, ending: Disconnecting, _: &mut Context<Self>) {
        assert!(ending.socket.is_in("room"));
        self.told
            .send(format!("{} goes", ending.socket.id()))
            .unwrap();
    }
}

impl Handler<Disconnect> for Slow {
    type Result = ();

    fn handle(&mut self, Disconnect { socket, .. }: Disconnect, _: &mut Context<Self>) {
        self.told.send(format!("{} has gone", socket.id())).unwrap();
    }
}

#[test]
fn a_handler_hears_of_the_end_of_everybody_it_let_in() {
    on_actix(async {
        for handlers in [per_worker, greenroom::shared] {
            let gate = Arc::new(Semaphore::new(0));
            let (sender, mut told) = mpsc::unbounded_channel();
            let waits = Arc::clone(&gate);
            let factory: Box<dyn Fn() -> Slow + Send + Sync> = Box::new(move || Slow {
                gate: Arc::clone(&waits),
                told: sender.clone(),
            });
            let handlers = handlers(factory)
                .on_connect()
                .on_disconnecting()
                .on_disconnect();
            let server = Server::builder().namespace("/", handlers).build().unwrap();
            let connecting = actix::spawn({
                let server = server.clone();
                async move { drop(Client::connect(&server).await) }
            });
            let comes = within("the attempt", told.recv()).await.unwrap();
            let id = comes.strip_suffix(" comes").unwrap();
            connecting.abort();
            eventually("the client has gone", || server.n_sessions() == 0).await;
            assert!(told.try_recv().is_err(), "it is not in yet");
            gate.add_permits(1);
            assert_eq!(
                within("the end", told.recv()).await.unwrap(),
                format!("{id} goes")
            );
            assert_eq!(
                within("the end", told.recv()).await.unwrap(),
                format!("{id} has gone")
            );
            assert_eq!(server.root().n_sockets(), 0);
            assert_eq!(server.root().all_rooms().await.found, Vec::<String>::new());
        }
    });
}

#[test]
fn a_handler_hears_of_the_end_before_the_return() {
    on_actix(async {
        let mut config = Config::default();
        config.recovery.enabled = true;
        let workers = [Worker::new(), Worker::new()];
        let (handlers, mut hearing) = shared_ear();
        let builder = Server::builder().config(config);
        let server = builder.namespace("/", handlers).build().unwrap();
        let mut client = workers[0].connect(&server).await;
        let id = client.id().to_owned();
        server.emit("offset", ());
        let offset: String = client.event("offset").await.unwrap().args.first().unwrap();
        let auth = json!({ "pid": client.pid(), "offset": offset });
        let mut n_returns = 0;
        for round in 1..=50 {
            drop(client);
            // Until the old socket has gone the attempts get new ones.
            client = loop {
                let (server, auth) = (server.clone(), auth.clone());
                let again = workers[round % 2]
                    .run(move || async move { Client::connect_to(&server, "/", auth).await })
                    .await
                    .unwrap();
                if again.id() == id {
                    break again;
                }
            };
            n_returns += 1;
        }
        let mut is_here = false;
        let mut n_comings = 0;
        while n_comings <= n_returns {
            match hearing.next().await {
                Heard::Connect(socket) if socket.id().as_str() == id => {
                    assert!(!is_here, "it has returned before it went");
                    is_here = true;
                    n_comings += 1;
                }
                Heard::Disconnect(socket, ..) if socket.id().as_str() == id => {
                    assert!(is_here);
                    is_here = false;
                }
                _ => {}
            }
        }
    });
}

// --- panics ----------------------------------------------------------------------------------------

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

// --- reading -----------------------------------------------------------------------------------------

/// Sends each message back.
struct Echo(engine::Client);

impl engine::Connection for Echo {
    fn message(&mut self, message: engine::Message<'_>) {
        match message {
            engine::Message::Text("panic") => panic!("a panic on purpose"),
            engine::Message::Text(text) => self.0.send_text(text.to_owned()),
            engine::Message::Binary(bytes) => self.0.send_binary(bytes.to_vec()),
        }
    }
}

#[test]
fn an_engine_client_may_stream_for_longer_than_one_packet_may_take() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let limit = Duration::from_millis(100);
            config.limits.time_to_complete_packet = limit;
            let listening = listen(config, |builder| {
                builder.engine(|client, _: &Arc<greenroom::Handshake>| Echo(client))
            })
            .await;
            let mut raw = Raw::websocket(&listening, "").await;
            assert!(raw.text().await.starts_with('0'));
            let whole = text_frame("4hello");
            let (head, tail) = whole.split_at(8);
            raw.write(head).await;
            let begin = std::time::Instant::now();
            while begin.elapsed() < 4 * limit {
                raw.write(&[tail, head].concat()).await;
                assert_eq!(raw.text().await, "4hello");
            }
            assert_eq!(counter(&listening.server, "incomplete_packet"), 0);
        }
    });
}

#[test]
fn a_panic_of_an_engine_application_ends_its_session() {
    on_actix(async {
        let listening = listen(Config::default(), |builder| {
            builder.engine(|client, _: &Arc<greenroom::Handshake>| Echo(client))
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("4panic").await;
        ws.end().await;
        let server = &listening.server;
        eventually("it has gone", || server.n_sessions() == 0).await;
        let mut ws = Ws::open(&listening).await;
        ws.send("4hello").await;
        assert_eq!(ws.text().await, "4hello");
    });
}

#[test]
fn a_poll_that_comes_a_moment_after_the_goodbye_goes_home() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (handlers, _hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let sid = join_polling(&listening).await;
            let (goodbye, poll) = (post(&sid, "1"), get(&format!("&sid={sid}")));
            // The one that is written first is met first.
            let (posted, polled) =
                tokio::join!(http(&listening, &goodbye), http(&listening, &poll));
            assert_eq!(posted.0, 200, "{}", posted.1);
            assert_eq!(polled.0, 200, "{}", polled.1);
            assert!(polled.1.ends_with("\r\n\r\n6"), "{}", polled.1);
            let (status, _) = http(&listening, &poll).await;
            assert_eq!(status, 400, "and the session is gone");
        }
    });
}

#[test]
fn what_follows_a_failed_probe_is_not_the_session_s() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (handlers, mut hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let sid = join_polling(&listening).await;
            let socket = hearing.connected().await;
            let behind = [
                frame(8, &1000_u16.to_be_bytes()),
                text_frame(r#"42["from the probe"]"#),
                text_frame("1"),
                text_frame("nonsense"),
                vec![0xff; 20],
            ];
            for bytes in behind {
                let mut raw = Raw::websocket(&listening, &format!("&sid={sid}")).await;
                raw.write(&[text_frame("4no probe"), bytes].concat()).await;
                raw.end().await;
            }
            // Polling goes on.
            let body = post(&sid, r#"42["by polling"]"#);
            assert_eq!(http(&listening, &body).await.0, 200);
            assert_eq!(hearing.event().await.name(), "by polling");
            socket.emit("still here", ());
            let (_, response) = http(&listening, &get(&format!("&sid={sid}"))).await;
            assert!(response.ends_with(r#"42["still here"]"#), "{response}");
            assert!(counter(&listening.server, "upgrade_failed") >= 5);
        }
    });
}

#[test]
fn events_that_waited_are_not_delivered_after_the_end() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let (handlers, mut hearing) = ear();
        let waits = Arc::clone(&gate);
        let handlers = handlers.event_middleware(move |_| {
            let gate = Arc::clone(&waits);
            async move {
                gate.acquire().await.expect("the gate stays").forget();
                Ok(())
            }
        });
        let (other, _others) = ear();
        let server = Server::builder()
            .namespace("/", handlers)
            .namespace("/other", other)
            .build()
            .unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        let sending = actix::spawn(async move {
            client.emit("waits", ()).await.unwrap();
            client
        });
        // The event is in the middleware when the socket is disconnected.
        let mut probe = Client::connect_to(&server, "/other", ()).await.unwrap();
        probe.emit("round", ()).await.unwrap();
        socket.disconnect(false);
        assert_eq!(hearing.gone().await.0, socket);
        gate.add_permits(1);
        sending.await.unwrap();
        let _client = Client::connect(&server).await.unwrap();
        match hearing.next().await {
            Heard::Connect(_) => {}
            other => panic!("after the end: {other:?}"),
        }
    });
}

// --- sending -----------------------------------------------------------------------------------------

#[test]
fn a_broadcast_reaches_a_worker_that_is_new() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (here, there) = (Worker::new(), Worker::new());
        let (mut first, _) = lobby.join_on(&here).await;
        // The first worker is busy while the second gets its first client.
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let server = lobby.server.clone();
        here.start(move || async move {
            told.recv().unwrap();
            server.emit("news", ());
        });
        let (mut second, _) = lobby.join_on(&there).await;
        tell.send(()).unwrap();
        second.event("news").await.unwrap();
        first.event("news").await.unwrap();
    });
}

#[test]
fn a_worker_does_what_another_thread_asks_of_it_in_that_order() {
    on_actix(async {
        const ROUNDS: usize = 2000;
        let worker = Worker::new();
        let mut lobby = lobby(Config::default());
        let (mut client, _socket) = lobby.join_on(&worker).await;
        let nsp = lobby.server.root();
        // The worker begins while we still ask.
        for round in 0..ROUNDS {
            nsp.sockets_join("x");
            nsp.to("x").emit("e", round);
            nsp.sockets_leave("x");
            nsp.to("x").emit("nobody is there", round);
        }
        for round in 0..ROUNDS {
            let event = client.next_event().await.unwrap();
            assert_eq!(event.name, "e");
            assert_eq!(event.args.first::<usize>().unwrap(), round);
        }
    });
}

#[test]
fn the_handle_of_a_socket_is_good_after_its_return() {
    on_actix(async {
        let mut config = Config::default();
        config.recovery.enabled = true;
        let mut lobby = lobby(config);
        let (mut client, old) = lobby.join().await;
        old.emit("offset", ());
        let offset: String = client.event("offset").await.unwrap().args.first().unwrap();
        let auth = json!({ "pid": client.pid(), "offset": offset });
        drop(client);
        lobby.hearing.gone().await;
        let mut client = Client::connect_to(&lobby.server, "/", auth).await.unwrap();
        let new = lobby.hearing.connected().await;
        assert!(new.is_recovered());
        assert_eq!(new, old);
        // A task that began before the interruption ends now. In the reference the packet goes to the room of the id.
        old.emit("result", 42);
        new.emit("fence", ());
        assert_eq!(client.next_event().await.unwrap().name, "result");
    });
}

// --- workers and systems -----------------------------------------------------------------------------

#[test]
fn a_worker_that_ends_takes_its_sessions_along_and_no_others() {
    on_actix(async {
        let (handlers, mut hearing) = shared_ear();
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        let mut stays = Client::connect(&server).await.unwrap();
        let worker = Worker::new();
        let mut goes = worker.connect(&server).await;
        hearing.connected().await;
        hearing.connected().await;
        worker.stop();
        goes.disconnected().await.unwrap();
        let (gone, reason) = hearing.gone().await;
        assert_eq!(gone.id().as_str(), goes.id());
        assert_eq!(reason, DisconnectReason::ServerShuttingDown);
        assert_eq!(server.n_sessions(), 1);
        let nsp: Namespace = server.root();
        assert_eq!(nsp.fetch_sockets().await.len(), 1);
        // Broadcasts with acks do not wait for the worker that is no more.
        let asking = nsp
            .timeout(Duration::from_secs(3600))
            .emit_with_ack("ask", ());
        let (answers, ()) = tokio::join!(within("all answers", asking), async {
            let asked = stays.event("ask").await.unwrap();
            stays.ack(asked.ack.unwrap(), ()).await.unwrap();
        });
        assert!(answers.unwrap().is_complete());
    });
}

#[test]
fn a_server_outlives_the_system_it_was_first_used_on() {
    let (handlers, _hearing) = shared_ear();
    let server = Server::builder().namespace("/", handlers).build().unwrap();
    for _ in 0..2 {
        let server = server.clone();
        // As in two tests of a program that share a server.
        let test = std::thread::spawn(move || {
            on_actix(async {
                let mut client = Client::connect(&server).await.unwrap();
                server.emit("e", ());
                assert_eq!(client.next_event().await.unwrap().name, "e");
                assert_eq!(server.root().fetch_sockets().await.len(), 1);
                assert_eq!(server.root().all_rooms().await.found, [client.id()]);
            });
        });
        test.join().unwrap();
    }
}

// --- limits ------------------------------------------------------------------------------------------

#[test]
fn bytes_held_for_a_client_that_is_not_let_in_yet() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 10_000;
        let gate = Arc::new(Semaphore::new(0));
        let waits = Arc::clone(&gate);
        let (handlers, _hearing) = ear();
        let handlers = handlers.middleware(move |socket| {
            let gate = Arc::clone(&waits);
            async move {
                for _ in 0..20 {
                    socket.emit("flood", "x".repeat(1000));
                }
                gate.acquire().await.expect("the gate stays").forget();
                Ok(())
            }
        });
        let builder = Server::builder().config(config);
        let server = builder.namespace("/", handlers).build().unwrap();
        gate.add_permits(1);
        let ended = match Client::connect(&server).await {
            Ok(mut client) => client.disconnected().await,
            Err(err) => Err(err),
        };
        assert!(
            matches!(
                ended,
                Ok(()) | Err(ClientError::Closed | ClientError::Disconnected)
            ),
            "{ended:?}"
        );
        eventually("the session has gone", || server.n_sessions() == 0).await;
        assert_eq!(counter(&server, "slow_consumer"), 1);
    });
}

#[test]
fn a_header_that_is_too_large_does_not_hide_others() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.headers_bytes = 500;
        let (handlers, mut hearing) = ear();
        let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
        let large = "x".repeat(1000);
        let headers: String = (0..10)
            .map(|n| format!("X-Small-{n}: {n}\r\nX-Large-{n}: {large}\r\n"))
            .collect();
        let request = get("").replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
        let (status, response) = http(&listening, &request).await;
        assert_eq!(status, 200);
        let sid = response.split(r#""sid":""#).nth(1).unwrap();
        let sid = sid.split('"').next().unwrap();
        assert_eq!(http(&listening, &post(sid, "40")).await.0, 200);
        let socket = hearing.connected().await;
        for n in 0..10 {
            let header = |size: &str| socket.handshake().header(&format!("x-{size}-{n}"));
            assert_eq!(header("small"), Some(&*n.to_string()));
            assert_eq!(header("large"), None);
        }
    });
}

/// Whether the kernel still has an established connection from `port`, seen from the server's side.
fn is_established(server: std::net::SocketAddr, client: std::net::SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ports = (
        format!(":{:04X}", server.port()),
        format!(":{:04X}", client.port()),
    );
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1].ends_with(&ports.0) && fields[2].ends_with(&ports.1) && fields[3] == "01"
    })
}

#[test]
fn the_connection_of_a_client_that_does_not_read_is_ended() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            config.limits.outbox_bytes = 1_000_000;
            config.engine.ping_interval = Duration::from_secs(2);
            config.engine.ping_timeout = Duration::from_secs(2);
            let (handlers, mut hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let lazy = Raw::join(&listening).await;
            let client = lazy.stream.local_addr().unwrap();
            let socket = hearing.connected().await;
            assert!(is_established(listening.address, client));
            while counter(&listening.server, "slow_consumer") == 0 {
                socket.emit("flood", "x".repeat(100_000));
                tokio::task::yield_now().await;
            }
            hearing.gone().await;
            // On the direct carrier by us, mounted by the kernel when nothing was taken for a heartbeat.
            eventually("the end of the connection", || {
                !is_established(listening.address, client)
            })
            .await;
        }
    });
}

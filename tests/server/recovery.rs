//! Connection state recovery in memory: who comes back in time finds its id, rooms and data, and gets what it missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use greenroom::config::{Config, Parser};
use greenroom::testing::{Client, ClientError, Received};
use greenroom::{Binary, Connect, Refusal, Server, Socket, per_worker};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use crate::support::tcp::{Arrived, Ws, listen};
use crate::support::{self, Lobby, Worker, counter, ear, eventually, lobby, on_actix, within};

fn enabled() -> Config {
    let mut config = Config::default();
    config.recovery.enabled = true;
    config
}

/// What a client keeps of its connection.
#[derive(Clone, Debug)]
struct Ticket {
    id: String,
    pid: String,
    offset: String,
}

/// The last argument of an event.
fn offset(event: &Received) -> String {
    event.args.get(event.args.len() - 1).unwrap()
}

/// Gets `client` an offset by one event.
async fn ticket(client: &mut Client, socket: &Socket) -> Ticket {
    socket.emit("first", ());
    let offset = offset(&client.event("first").await.unwrap());
    Ticket {
        id: client.id().to_owned(),
        pid: client.pid().unwrap().to_owned(),
        offset,
    }
}

impl Ticket {
    async fn try_return(&self, server: &Server) -> Result<Client, ClientError> {
        let auth = json!({ "pid": self.pid, "offset": self.offset });
        Client::connect_to(server, "/", auth).await
    }

    async fn return_to(&self, lobby: &mut Lobby) -> (Client, Socket) {
        let client = self.try_return(&lobby.server).await.unwrap();
        (client, lobby.hearing.connected().await)
    }
}

/// Everything that has come up to the event `fence`, which is emitted now.
async fn names(client: &mut Client, socket: &Socket) -> Vec<String> {
    socket.emit("fence", ());
    let mut names = Vec::new();
    loop {
        let event = client.next_event().await.unwrap();
        if event.name == "fence" {
            return names;
        }
        names.push(event.name);
    }
}

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

// --- caps ----------------------------------------------------------------------------------------

#[test]
fn packets_are_kept_up_to_a_number() {
    on_actix(async {
        for (n_missed, is_kept) in [(4, true), (5, false)] {
            let mut config = enabled();
            config.recovery.max_packets = 5;
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let ticket = ticket(&mut client, &socket).await;
            drop(client);
            lobby.hearing.gone().await;
            for n in 0..n_missed {
                lobby.server.root().emit("missed", n);
            }
            let (mut client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), is_kept, "{n_missed}");
            let n_replayed = names(&mut client, &socket).await.len();
            assert_eq!(n_replayed, if is_kept { n_missed } else { 0 });
            assert!(is_kept || counter(&lobby.server, "recovery_packet_dropped") > 0);
        }
    });
}

#[test]
fn packets_are_kept_up_to_a_size() {
    on_actix(async {
        for (n_missed, is_kept) in [(3, true), (4, false)] {
            let mut config = enabled();
            config.recovery.max_bytes = 3500;
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let ticket = ticket(&mut client, &socket).await;
            drop(client);
            lobby.hearing.gone().await;
            for n in 0..n_missed {
                // Attachments count.
                lobby
                    .server
                    .root()
                    .emit("missed", (n, Binary::from(vec![0; 1000])));
            }
            let (_client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), is_kept, "{n_missed}");
        }
    });
}

#[test]
fn sessions_are_kept_up_to_a_number_and_the_first_to_leave_goes_first() {
    on_actix(async {
        let mut config = enabled();
        config.recovery.max_sessions = 2;
        let mut lobby = lobby(config);
        let mut tickets = Vec::new();
        for _ in 0..3 {
            let (mut client, socket) = lobby.join().await;
            tickets.push(ticket(&mut client, &socket).await);
            drop(client);
            lobby.hearing.gone().await;
        }
        let mut returned = Vec::new();
        for (n, ticket) in tickets.iter().enumerate() {
            let (client, socket) = ticket.return_to(&mut lobby).await;
            assert_eq!(socket.is_recovered(), n > 0, "{n}");
            returned.push(client);
        }
        assert_eq!(counter(&lobby.server, "recovery_session_dropped"), 1);
    });
}

// --- at the same time ----------------------------------------------------------------------------

/// Lets nobody in without a permit.
struct Gatekeeper {
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedSender<Socket>,
}

impl Actor for Gatekeeper {
    type Context = Context<Self>;
}

impl Handler<Connect> for Gatekeeper {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        self.seen.send(socket).unwrap();
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            Ok(())
        })
    }
}

#[test]
fn what_is_sent_while_the_handler_thinks_is_not_lost() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(1));
        let (seen, mut sockets) = mpsc::unbounded_channel();
        let keeper = Arc::clone(&gate);
        let handlers = per_worker(move || Gatekeeper {
            gate: Arc::clone(&keeper),
            seen: seen.clone(),
        });
        let builder = Server::builder().config(enabled());
        let server = builder
            .namespace("/", handlers.on_connect())
            .build()
            .unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let socket = within("the socket", sockets.recv()).await.unwrap();
        let ticket = ticket(&mut client, &socket).await;
        drop(client);
        let nsp = server.root();
        eventually("it has gone", || nsp.n_sockets() == 0).await;
        nsp.emit("before", ());
        let returning = actix::spawn({
            let (ticket, server) = (ticket.clone(), server.clone());
            async move { ticket.try_return(&server).await.unwrap() }
        });
        let socket = within("the socket", sockets.recv()).await.unwrap();
        nsp.emit("meanwhile", ());
        socket.emit("meanwhile to it", ());
        nsp.to(&ticket.id).emit("meanwhile to its id", ());
        gate.add_permits(1);
        let mut client = within("it is in", returning).await.unwrap();
        nsp.emit("after", ());
        assert_eq!(
            names(&mut client, &socket).await,
            [
                "before",
                "meanwhile",
                "meanwhile to it",
                "meanwhile to its id",
                "after"
            ]
        );
    });
}

/// Emits numbers from a thread of its own, as many as are allowed; `u64::MAX` ends it.
fn emit_allowed(server: &Server, name: &'static str, allowed: &Arc<AtomicU64>) {
    let (server, allowed) = (server.clone(), Arc::clone(allowed));
    std::thread::spawn(move || {
        let mut n = 0;
        loop {
            match allowed.load(Ordering::Relaxed) {
                u64::MAX => return,
                up_to if n < up_to => {
                    server.root().emit(name, n);
                    n += 1;
                }
                _ => std::thread::park_timeout(Duration::from_millis(1)),
            }
        }
    });
}

#[test]
fn nothing_is_lost_or_doubled_while_a_client_comes_and_goes() {
    on_actix(async {
        let workers = [Worker::new(), Worker::new()];
        let mut lobby = lobby(enabled());
        let (mut client, socket) = lobby.join_on(&workers[0]).await;
        let mut ticket = ticket(&mut client, &socket).await;
        let allowed: Arc<AtomicU64> = Arc::default();
        emit_allowed(&lobby.server, "n", &allowed);
        let mut next = 0_u64;
        for round in 0..60 {
            // More than is read in this round: the thread emits while the client goes and comes.
            allowed.fetch_add(40, Ordering::Relaxed);
            for _ in 0..round * 3 % 40 {
                let event = client.event("n").await.unwrap();
                assert_eq!(event.args.first::<u64>().unwrap(), next, "round {round}");
                next += 1;
                ticket.offset = offset(&event);
            }
            drop(client);
            lobby.hearing.gone().await;
            let (ticket, server) = (ticket.clone(), lobby.server.clone());
            client = workers[round % 2]
                .run(move || async move { ticket.try_return(&server).await.unwrap() })
                .await;
            assert!(lobby.hearing.connected().await.is_recovered());
        }
        while next < allowed.load(Ordering::Relaxed) {
            let event = client.event("n").await.unwrap();
            assert_eq!(event.args.first::<u64>().unwrap(), next);
            next += 1;
        }
        allowed.store(u64::MAX, Ordering::Relaxed);
    });
}

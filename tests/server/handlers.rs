//! What handler actors can rely on: who is let in, what reaches them and how, and what becomes of the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::prelude::*;
use greenroom::config::{Carrier, Config};
use greenroom::testing::{Client, ClientError};
use greenroom::{
    Ack, Args, Connect, Disconnect, DisconnectReason, Event, Handlers, On, Refusal, Server, Socket,
    per_worker, shared,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::support::tcp::{Raw, Ws, frame, get, http, join_polling, listen, post, text_frame};
use crate::support::{Heard, Worker, counter, ear, eventually, lobby, on_actix, within};

fn serve<A: Actor<Context = Context<A>>>(handlers: Handlers<A>) -> Server {
    serve_with(Config::default(), handlers)
}

fn serve_with<A: Actor<Context = Context<A>>>(config: Config, handlers: Handlers<A>) -> Server {
    let builder = Server::builder().config(config).namespace("/", handlers);
    builder.build().unwrap()
}

fn refused(result: Result<Client, ClientError>) -> (String, Value) {
    match result {
        Err(ClientError::Refused { message, payload }) => (message, payload.first().unwrap()),
        other => panic!("not refused: {other:?}"),
    }
}

fn error_of(answer: &Args) -> String {
    #[derive(Deserialize)]
    struct Refused {
        error: String,
    }
    answer.first::<Refused>().unwrap().error
}

/// Emits an event whose arguments are the items of `args`.
async fn ask(client: &mut Client, name: &str, args: &Value) -> Args {
    let answer = match &args.as_array().unwrap()[..] {
        [] => client.emit_with_ack(name, ()).await,
        [a] => client.emit_with_ack(name, (a,)).await,
        [a, b] => client.emit_with_ack(name, (a, b)).await,
        [a, b, c] => client.emit_with_ack(name, (a, b, c)).await,
        more => panic!("{more:?}"),
    };
    answer.unwrap()
}

// --- coming in ---------------------------------------------------------------------------------

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

// --- events --------------------------------------------------------------------------------------

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

// --- middleware of events ------------------------------------------------------------------------

/// Notes `name` for each event; refuses those whose first argument is the name.
fn noting(
    name: &'static str,
    seen: &mpsc::UnboundedSender<String>,
) -> impl Fn(&Event) -> futures_util::future::BoxFuture<'static, Result<(), Refusal>>
+ Send
+ Sync
+ 'static {
    let seen = seen.clone();
    move |event| {
        let seen = seen.clone();
        let first: Value = event.args().first().unwrap();
        let label = format!("{name} {}", event.name());
        Box::pin(async move {
            tokio::task::yield_now().await;
            seen.send(label).unwrap();
            if first == name {
                return Err(Refusal::new(format!("{name} refuses")));
            }
            Ok(())
        })
    }
}

#[test]
fn event_middlewares_of_the_namespace_run_before_those_of_the_socket() {
    on_actix(async {
        let (seen, mut order) = mpsc::unbounded_channel();
        let (handlers, mut hearing) = ear();
        let server = serve(
            handlers
                .event_middleware(noting("n1", &seen))
                .event_middleware(noting("n2", &seen)),
        );
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        socket.use_middleware(noting("s1", &seen));
        socket.use_middleware(noting("s2", &seen));
        client.emit("a", "ok").await.unwrap();
        assert_eq!(hearing.event().await.name(), "a");
        for refuser in ["n1", "n2", "s1", "s2"] {
            let answer = client.emit_with_ack("b", refuser).await.unwrap();
            assert_eq!(error_of(&answer), format!("{refuser} refuses"));
        }
        // Without an ack the event is dropped, and the next one comes.
        client.emit("c", "n1").await.unwrap();
        client.emit("d", "ok").await.unwrap();
        assert_eq!(hearing.event().await.name(), "d");
        assert_eq!(counter(&server, "event_refused"), 5);
        let mut notes = Vec::new();
        while let Ok(note) = order.try_recv() {
            notes.push(note);
        }
        let expected = [
            "n1 a", "n2 a", "s1 a", "s2 a", "n1 b", "n1 b", "n2 b", "n1 b", "n2 b", "s1 b", "n1 b",
            "n2 b", "s1 b", "s2 b", "n1 c", "n1 d", "n2 d", "s1 d", "s2 d",
        ];
        assert_eq!(notes, expected);
    });
}

#[test]
fn an_event_that_waits_in_a_middleware_is_not_overtaken() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let (handlers, mut hearing) = ear();
        let waits = Arc::clone(&gate);
        let server = serve(handlers.event_middleware(move |event| {
            let gate = (event.name() == "slow").then(|| Arc::clone(&waits));
            async move {
                if let Some(gate) = gate {
                    gate.acquire().await.expect("the gate stays").forget();
                }
                Ok(())
            }
        }));
        let mut client = Client::connect(&server).await.unwrap();
        let mut other = Client::connect(&server).await.unwrap();
        let sending = actix::spawn(async move {
            for name in ["slow", "fast", "slow", "fast"] {
                client.emit(name, ()).await.unwrap();
            }
            client
        });
        // Other clients are not held up.
        other.emit("other", ()).await.unwrap();
        assert_eq!(hearing.event().await.name(), "other");
        assert!(!sending.is_finished());
        gate.add_permits(2);
        for name in ["slow", "fast", "slow", "fast"] {
            assert_eq!(hearing.event().await.name(), name);
        }
        sending.await.unwrap();
    });
}

#[test]
fn events_pass_the_middleware_on_both_carriers() {
    on_actix(async {
        for carrier in ["direct", "mounted"] {
            let toml = format!("[server]\ncarrier = {carrier:?}");
            let (handlers, mut hearing) = ear();
            let handlers = handlers.event_middleware(|_| async {
                tokio::task::yield_now().await;
                Ok(())
            });
            let config = Config::from_toml(&toml).unwrap();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            for n in 0..20 {
                ws.send(&format!(r#"42["n",{n}]"#)).await;
            }
            for n in 0..20 {
                let event = hearing.event().await;
                assert_eq!(event.args().first::<i32>().unwrap(), n, "{carrier}");
            }
            // Once more, after everything before was handled.
            ws.send(r#"42["again"]"#).await;
            assert_eq!(hearing.event().await.name(), "again", "{carrier}");
        }
    });
}

// --- instances -----------------------------------------------------------------------------------

/// Counts the events it was given; its instances are counted too.
struct Counting {
    n_events: usize,
}

impl Counting {
    fn factory(n_made: &Arc<AtomicUsize>) -> impl Fn() -> Self + Send + Sync + 'static {
        let n_made = Arc::clone(n_made);
        move || {
            n_made.fetch_add(1, Ordering::SeqCst);
            Self { n_events: 0 }
        }
    }
}

impl Actor for Counting {
    type Context = Context<Self>;
}

impl Handler<On<()>> for Counting {
    type Result = ();

    fn handle(&mut self, on: On<()>, _: &mut Context<Self>) {
        self.n_events += 1;
        on.ack.send(self.n_events);
    }
}

/// Six events of three clients on two workers: what the last one was told.
async fn count_six(server: &Server) -> usize {
    let (here, there) = (Worker::new(), Worker::new());
    let mut last = 0;
    let mut a = here.connect(server).await;
    let mut b = here.connect(server).await;
    let mut c = there.connect(server).await;
    for _ in 0..2 {
        for client in [&mut a, &mut b, &mut c] {
            last = client
                .emit_with_ack("n", ())
                .await
                .unwrap()
                .first()
                .unwrap();
        }
    }
    last
}

#[test]
fn each_worker_has_an_instance_of_its_own() {
    on_actix(async {
        let n_made = Arc::default();
        let server = serve(per_worker(Counting::factory(&n_made)).on::<()>("n"));
        assert_eq!(n_made.load(Ordering::SeqCst), 0, "made when it is needed");
        assert_eq!(count_six(&server).await, 2, "of the second worker's client");
        assert_eq!(n_made.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_shared_instance_hears_all_workers() {
    on_actix(async {
        let n_made = Arc::default();
        let server = serve(shared(Counting::factory(&n_made)).on::<()>("n"));
        assert_eq!(count_six(&server).await, 6);
        assert_eq!(n_made.load(Ordering::SeqCst), 1);
    });
}

// --- panics --------------------------------------------------------------------------------------

/// Keeps the acks of `keep`, panics at `boom`, says how many it keeps at `n`.
#[derive(Default)]
struct Fragile {
    kept: Vec<Ack>,
}

struct Boom;
struct Count;

impl<'de> Deserialize<'de> for Boom {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

impl Handler<Connect> for Fragile {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        assert!(
            socket.auth::<Value>().unwrap() == json!({}),
            "a handler that panics on purpose"
        );
        Ok(())
    }
}

impl Handler<On<String>> for Fragile {
    type Result = ();

    fn handle(&mut self, on: On<String>, _: &mut Context<Self>) {
        self.kept.push(on.ack);
    }
}

impl Handler<On<Boom>> for Fragile {
    type Result = ();

    fn handle(&mut self, _: On<Boom>, _: &mut Context<Self>) {
        panic!("a handler that panics on purpose");
    }
}

impl Handler<On<Count>> for Fragile {
    type Result = ();

    fn handle(&mut self, on: On<Count>, _: &mut Context<Self>) {
        on.ack.send(self.kept.len());
    }
}

fn fragile(handlers: Handlers<Fragile>) -> Handlers<Fragile> {
    handlers
        .on_connect()
        .on::<String>("keep")
        .on::<Boom>("boom")
        .on::<Count>("n")
}

async fn panics_take_no_sessions_down(handlers: Handlers<Fragile>) {
    let server = serve(fragile(handlers));
    let mut keeper = Client::connect(&server).await.unwrap();
    let mut bomber = Client::connect(&server).await.unwrap();
    let keeping = actix::spawn(async move {
        let answer = keeper.emit_with_ack("keep", "this").await.unwrap();
        (keeper, answer)
    });
    let is_kept = async {
        while bomber
            .emit_with_ack("n", ())
            .await
            .unwrap()
            .first::<u8>()
            .unwrap()
            == 0
        {}
    };
    within("an ack is kept", is_kept).await;
    // The ack of the event that panics and the one that is kept are refused.
    let answer = bomber.emit_with_ack("boom", ()).await.unwrap();
    assert_eq!(error_of(&answer), "not answered");
    let (mut keeper, answer) = keeping.await.unwrap();
    assert_eq!(error_of(&answer), "not answered");
    assert_eq!(counter(&server, "forgotten_ack"), 2);
    // A new instance answers the same sockets. On another thread the old one may still be on its way out.
    let answer = within("an answer", async {
        loop {
            let answer = keeper.emit_with_ack("n", ()).await.unwrap();
            if answer.first::<u8>().is_ok() || error_of(&answer) != "not answered" {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(answer.first::<u8>().unwrap(), 0);
    assert_eq!(counter(&server, "handler_restarted"), 1);
    // Failures in a row: sooner or later there is no instance for a while, which the ack says.
    let is_left_alone = async {
        loop {
            bomber.emit_with_ack("boom", ()).await.unwrap();
            let answer = keeper.emit_with_ack("n", ()).await.unwrap();
            // On another thread the ack of `boom` comes before the instance is gone.
            if answer.first::<u8>().is_err() && error_of(&answer) != "not answered" {
                return answer;
            }
        }
    };
    let answer = within("the handler is left alone", is_left_alone).await;
    assert_eq!(error_of(&answer), "the handler is not available");
    assert!(counter(&server, "handler_gone") >= 1);
    let comes_back = async {
        while keeper
            .emit_with_ack("n", ())
            .await
            .unwrap()
            .first::<u8>()
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    within("the handler is back", comes_back).await;
    assert!(counter(&server, "handler_restarted") >= 2);
    assert_eq!(server.root().fetch_sockets().await.len(), 2);
}

#[test]
fn a_panic_restarts_the_instance_of_the_worker_and_takes_no_session_down() {
    on_actix(panics_take_no_sessions_down(per_worker(Fragile::default)));
}

#[test]
fn a_panic_restarts_the_shared_instance_and_takes_no_session_down() {
    on_actix(panics_take_no_sessions_down(shared(Fragile::default)));
}

#[test]
fn a_panic_in_connect_refuses_the_client() {
    on_actix(async {
        let server = serve(fragile(per_worker(Fragile::default)));
        let mut client = Client::connect(&server).await.unwrap();
        let (message, _) = refused(Client::connect_to(&server, "/", json!({ "a": 1 })).await);
        assert_eq!(message, "the handler is not available");
        client.emit_with_ack("n", ()).await.unwrap();
        assert_eq!(counter(&server, "handler_restarted"), 1);
        assert_eq!(server.root().n_sockets(), 1);
    });
}

// --- back-pressure -------------------------------------------------------------------------------

/// Handles one event per permit, and nothing meanwhile.
struct Slow {
    gate: Arc<Semaphore>,
    handled: mpsc::UnboundedSender<usize>,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<On<usize>> for Slow {
    type Result = ();

    fn handle(&mut self, on: On<usize>, ctx: &mut Context<Self>) {
        let (gate, handled) = (Arc::clone(&self.gate), self.handled.clone());
        let wait = async move {
            gate.acquire().await.expect("the gate stays").forget();
            handled.send(on.args).unwrap();
        };
        ctx.wait(wait.into_actor(self));
    }
}

fn slow(
    gate: &Arc<Semaphore>,
    handlers: impl FnOnce(Box<dyn Fn() -> Slow + Send + Sync>) -> Handlers<Slow>,
) -> (Handlers<Slow>, mpsc::UnboundedReceiver<usize>) {
    let (sender, handled) = mpsc::unbounded_channel();
    let gate = Arc::clone(gate);
    let factory = move || Slow {
        gate: Arc::clone(&gate),
        handled: sender.clone(),
    };
    (handlers(Box::new(factory)).on::<usize>("n"), handled)
}

const N_EVENTS: usize = 500;

async fn a_full_queue_holds_the_client_up(
    handlers: impl FnOnce(Box<dyn Fn() -> Slow + Send + Sync>) -> Handlers<Slow>,
) {
    let gate = Arc::new(Semaphore::new(0));
    let (handlers, mut handled) = slow(&gate, handlers);
    let mut config = Config::default();
    config.limits.handler_queue = 8;
    let (ears, mut hearing) = ear();
    let builder = Server::builder().config(config).namespace("/", handlers);
    let server = builder.namespace("/other", ears).build().unwrap();
    let mut client = Client::connect(&server).await.unwrap();
    let mut other = Client::connect_to(&server, "/other", ()).await.unwrap();
    let n_sent = Arc::new(AtomicUsize::new(0));
    let sending = actix::spawn({
        let n_sent = Arc::clone(&n_sent);
        async move {
            for n in 0..N_EVENTS {
                client.emit("n", n).await.unwrap();
                n_sent.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    // The loop has gone round a hundred times: what could be sent was sent.
    for _ in 0..100 {
        other.emit("round", ()).await.unwrap();
        hearing.event().await;
    }
    let n_sent = n_sent.load(Ordering::SeqCst);
    assert!((8..40).contains(&n_sent), "{n_sent} events were taken");
    assert!(handled.try_recv().is_err());
    gate.add_permits(N_EVENTS);
    for n in 0..N_EVENTS {
        assert_eq!(within("an event", handled.recv()).await, Some(n));
    }
    sending.await.unwrap();
    assert_eq!(counter(&server, "handler_gone"), 0);
    assert!(counter(&server, "handler_full") > 0);
}

#[test]
fn a_full_queue_holds_the_client_up_and_loses_nothing() {
    on_actix(a_full_queue_holds_the_client_up(per_worker));
}

#[test]
fn a_full_queue_of_a_shared_instance_holds_the_client_up_and_loses_nothing() {
    on_actix(a_full_queue_holds_the_client_up(shared));
}

#[test]
fn a_queue_without_limit_takes_everything() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let (handlers, mut handled) = slow(&gate, per_worker);
        let mut config = Config::default();
        config.limits.handler_queue = 0;
        let server = serve_with(config, handlers);
        let mut client = Client::connect(&server).await.unwrap();
        for n in 0..N_EVENTS {
            within("the queue takes it", client.emit("n", n))
                .await
                .unwrap();
        }
        gate.add_permits(N_EVENTS);
        for n in 0..N_EVENTS {
            assert_eq!(within("an event", handled.recv()).await, Some(n));
        }
    });
}

// --- from elsewhere ------------------------------------------------------------------------------

#[test]
fn emits_before_any_runtime_reach_nobody_and_do_no_harm() {
    let (handlers, mut hearing) = ear();
    let server = serve(handlers);
    let clone = server.clone();
    let early = std::thread::spawn(move || {
        clone.emit("early", 1);
        clone.root().to("room").emit("early", 2);
        clone.root().sockets_join("room");
        clone.root().disconnect_sockets(true);
        clone.close();
    });
    early.join().unwrap();
    on_actix(async {
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        assert_eq!(socket.rooms().len(), 1);
        server.emit("now", ());
        assert_eq!(client.next_event().await.unwrap().name, "now");
    });
}

#[test]
fn plain_threads_emit_while_it_runs() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let workers = [Worker::new(), Worker::new()];
        let mut clients = Vec::new();
        for worker in &workers {
            clients.push(lobby.join_on(worker).await);
        }
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (server, socket) = (lobby.server.clone(), clients[0].1.clone());
                std::thread::spawn(move || {
                    for n in 0..100 {
                        server.emit("all", (thread, n));
                        socket.emit("one", (thread, n));
                    }
                })
            })
            .collect();
        // What one thread emits to one socket comes in its order, whatever the others do.
        for (n_client, (client, _)) in clients.iter_mut().enumerate() {
            let mut next = [[0; 2]; 4];
            let n_expected = if n_client == 0 { 800 } else { 400 };
            for _ in 0..n_expected {
                let event = client.next_event().await.unwrap();
                let (thread, n): (usize, i32) = event.args.parse().unwrap();
                let next = &mut next[thread];
                assert_eq!(n, next[usize::from(event.name == "one")]);
                next[usize::from(event.name == "one")] += 1;
                assert!(next[1] <= next[0], "an emit overtook a broadcast");
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

// --- the end -------------------------------------------------------------------------------------

#[test]
fn disconnecting_still_reads_the_rooms_and_disconnect_follows() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (client, socket) = lobby.join().await;
        socket.join(["b", "a"]);
        let id = client.id().to_owned();
        client.disconnect().await;
        let reason = DisconnectReason::ClientNamespaceDisconnect;
        match lobby.hearing.next().await {
            Heard::Disconnecting(socket, rooms, why) => {
                assert_eq!(socket.id().as_str(), id);
                assert_eq!(rooms, [id.as_str(), "a", "b"]);
                assert_eq!(why, reason);
                assert!(!socket.is_connected());
            }
            other => panic!("{other:?}"),
        }
        match lobby.hearing.next().await {
            Heard::Disconnect(socket, rooms, why) => {
                assert_eq!(socket.id().as_str(), id);
                assert_eq!(rooms, Vec::<String>::new());
                assert_eq!(why, reason);
            }
            other => panic!("{other:?}"),
        }
        socket.join("c");
        assert!(!socket.is_in("c"), "nothing can be joined after the end");
        assert_eq!(lobby.server.root().n_sockets(), 0);
        assert_eq!(
            lobby.server.root().all_rooms().await.found,
            Vec::<String>::new()
        );
    });
}

#[test]
fn the_server_says_why_it_ends_sockets() {
    type End = fn(&Server, &Socket);
    let table: [(&str, End); 5] = [
        ("server namespace disconnect", |_, socket| {
            socket.disconnect(false)
        }),
        ("server namespace disconnect", |_, socket| {
            socket.disconnect(true)
        }),
        ("server namespace disconnect", |server, _| {
            server.root().disconnect_sockets(true)
        }),
        ("forced close", |_, socket| socket.drop_transport()),
        ("server shutting down", |server, _| server.close()),
    ];
    for (reason, end) in table {
        on_actix(async {
            let mut lobby = lobby(Config::default());
            let (mut client, socket) = lobby.join().await;
            end(&lobby.server, &socket);
            let (gone, why) = lobby.hearing.gone().await;
            assert_eq!(gone, socket);
            assert_eq!(why.to_string(), reason);
            client.disconnected().await.unwrap();
        });
    }
}

#[test]
fn clients_and_their_connections_end_sockets_for_a_reason() {
    on_actix(async {
        let mut config = Config::default();
        config.engine.ping_interval = Duration::from_millis(300);
        config.engine.ping_timeout = Duration::from_millis(200);
        let (handlers, mut hearing) = ear();
        let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
        let close_frame = frame(8, &1000_u16.to_be_bytes());
        let table: [(&str, Option<Vec<u8>>); 9] = [
            ("transport close", Some(close_frame)),
            ("transport close", Some(text_frame("1"))),
            ("client namespace disconnect", Some(text_frame("41"))),
            ("forced close", Some(text_frame("4nonsense"))),
            ("forced close", Some(text_frame(r#"42/other,["a"]"#))),
            ("parse error", Some(text_frame("nonsense"))),
            ("transport error", Some(text_frame("2"))),
            ("transport error", Some(vec![0xff, 0xff])),
            ("ping timeout", None),
        ];
        for (reason, bytes) in table {
            let mut raw = Raw::join(&listening).await;
            hearing.connected().await;
            if let Some(bytes) = &bytes {
                raw.write(bytes).await;
            }
            let (_, why) = hearing.gone().await;
            assert_eq!(why.to_string(), reason, "{bytes:?}");
        }
        // By polling, with no poll that could take the end along.
        let sid = join_polling(&listening).await;
        http(&listening, &post(&sid, r#"42/other,["a"]"#)).await;
        assert_eq!(hearing.gone().await.1.to_string(), "forced server close");
        let gone = {
            let raw = Raw::join(&listening).await;
            hearing.connected().await;
            drop(raw);
            hearing.gone().await
        };
        assert_eq!(gone.1.to_string(), "transport close");
        assert_eq!(counter(&listening.server, "ping_timeout"), 1);
    });
}

/// Hears only of the end: the registration decides, not the implementations.
struct OnlyEnd(mpsc::UnboundedSender<DisconnectReason>);

impl Actor for OnlyEnd {
    type Context = Context<Self>;
}

impl Handler<Disconnect> for OnlyEnd {
    type Result = ();

    fn handle(&mut self, Disconnect { reason, .. }: Disconnect, _: &mut Context<Self>) {
        self.0.send(reason).unwrap();
    }
}

#[test]
fn a_handler_hears_only_what_it_is_registered_for() {
    on_actix(async {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let server = serve(per_worker(move || OnlyEnd(sender.clone())).on_disconnect());
        let mut client = Client::connect(&server).await.unwrap();
        client.emit("a", ()).await.unwrap();
        client.disconnect().await;
        let reason = within("the end", heard.recv()).await;
        assert_eq!(reason, Some(DisconnectReason::ClientNamespaceDisconnect));
        assert_eq!(counter(&server, "unhandled_event"), 1);
    });
}

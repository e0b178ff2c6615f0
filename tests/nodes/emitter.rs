//! Programs that are no servers, in code and on the command line: the bytes they publish, and what becomes of them.

use std::process::{Command, Stdio};

use actix::prelude::*;
use futures_util::StreamExt;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Args, Binary, Emitter, EmitterError, Server, ServerEvent, Value, shared};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::servers::Redis;
use crate::support::{eventually, on_actix, within};

// --- the bytes ---

/// Hears everything that is published.
struct Spy(redis::aio::PubSub);

impl Spy {
    async fn start(server: &Redis) -> Self {
        let client = redis::Client::open(server.url()).unwrap();
        let mut spy = client.get_async_pubsub().await.unwrap();
        spy.psubscribe("*").await.unwrap();
        Self(spy)
    }

    /// The next message: channel and payload.
    async fn next(&mut self) -> (String, Vec<u8>) {
        let mut messages = self.0.on_message();
        let message = within("a message", messages.next()).await.unwrap();
        let channel = message.get_channel_name().to_owned();
        (channel, message.get_payload_bytes().to_vec())
    }

    async fn hears(&mut self, channel: &str, payload: &[u8]) {
        let (heard_on, heard) = self.next().await;
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            (&*heard_on, &*heard),
            (channel, payload),
            "{} instead of {}",
            shown(&heard),
            shown(payload)
        );
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// The captures are of `@socket.io/redis-emitter` 5.1.0 for the same calls.
#[tokio::test]
async fn the_bytes_are_those_of_the_reference() {
    let redis = Redis::start();
    let mut spy = Spy::start(&redis).await;
    let emitter = Emitter::connect(&redis.url()).await.unwrap();

    let hello = serde_json::json!({ "a": "b" });
    emitter.emit("hello", (1, hello)).await.unwrap();
    let bytes = hex(
        "93a7656d697474657283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f83a5726f6f6d7390\
         a5666c61677380a665786365707490",
    );
    spy.hears("socket.io#/#", &bytes).await;

    emitter.to("r1").emit("hi", ()).await.unwrap();
    let bytes = hex(
        "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7391a27231a5666c616773\
         80a665786365707490",
    );
    spy.hears("socket.io#/#r1#", &bytes).await;
    // A room that is named twice is one room.
    let twice = emitter.within(["r1", "r1"]).to("r1");
    twice.emit_args("hi", &Args::none()).await.unwrap();
    spy.hears("socket.io#/#r1#", &bytes).await;

    let some = emitter.to(["r1", "r2"]).except("r3");
    some.emit("hi", ()).await.unwrap();
    let bytes = hex(
        "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7392a27231a27232a5666c\
         61677380a665786365707491a27233",
    );
    spy.hears("socket.io#/#", &bytes).await;

    let volatile = emitter.volatile().compress(false);
    volatile.emit("v", ()).await.unwrap();
    let bytes = hex(
        "93a7656d697474657283a47479706502a46461746191a176a36e7370a12f83a5726f6f6d7390a5666c61677382a8766f\
         6c6174696c65c3a8636f6d7072657373c2a665786365707490",
    );
    spy.hears("socket.io#/#", &bytes).await;

    let three = Binary::from(vec![1, 2, 3]);
    for chat in [emitter.of("chat"), emitter.of("/chat")] {
        chat.emit("bin", three.clone()).await.unwrap();
        let bytes = hex(
            "93a7656d697474657283a47479706502a46461746192a362696ec403010203a36e7370a52f6368617483a5726f6f\
             6d7390a5666c61677380a665786365707490",
        );
        spy.hears("socket.io#/chat#", &bytes).await;
    }

    // A date is a text in Rust, where JavaScript has the extension d7ff; `undefined` is null in both.
    let date = "2023-11-14T22:13:20.123Z";
    let values = (date, None::<u8>, Binary::from(vec![5]));
    emitter.emit("t", values).await.unwrap();
    let bytes = [
        hex("93a7656d697474657283a47479706502a46461746194a174b8"),
        date.into(),
        hex("c0c40105a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490"),
    ];
    spy.hears("socket.io#/#", &bytes.concat()).await;
}

/// The captures are of the same emitter.
#[tokio::test]
async fn the_requests_are_those_of_the_reference() {
    let redis = Redis::start();
    let mut spy = Spy::start(&redis).await;
    let emitter = Emitter::connect(&redis.url()).await.unwrap();
    let channel = "socket.io-request#/#";

    let some = emitter.to("r1");
    some.sockets_join(["x1", "x2"]).await.unwrap();
    let request = br#"{"type":2,"opts":{"rooms":["r1"],"except":[]},"rooms":["x1","x2"]}"#;
    spy.hears(channel, request).await;

    let some = emitter.to("r1").except("r2");
    some.sockets_leave("x1").await.unwrap();
    let request = br#"{"type":3,"opts":{"rooms":["r1"],"except":["r2"]},"rooms":["x1"]}"#;
    spy.hears(channel, request).await;

    emitter.to("r1").disconnect_sockets(true).await.unwrap();
    let request = br#"{"type":4,"opts":{"rooms":["r1"],"except":[]},"close":true}"#;
    spy.hears(channel, request).await;

    emitter.server_side_emit("sse", ("a", 1)).await.unwrap();
    let request = br#"{"uid":"emitter","type":6,"data":["sse","a",1]}"#;
    spy.hears(channel, request).await;

    let other = emitter.of("/chat").key("k");
    other.disconnect_sockets(false).await.unwrap();
    let request = br#"{"type":4,"opts":{"rooms":[],"except":[]},"close":false}"#;
    spy.hears("k-request#/chat#", request).await;
}

// --- what cannot be sent ---

#[tokio::test]
async fn what_servers_would_not_survive_is_refused() {
    let redis = Redis::start();
    let mut spy = Spy::start(&redis).await;
    let emitter = Emitter::connect(&redis.url()).await.unwrap();
    for name in ["connect", "disconnecting", "newListener"] {
        let refused = emitter.to("a").emit(name, 1).await;
        assert!(matches!(refused, Err(EmitterError::Reserved(known)) if known == name));
    }
    for name in ["connect", "connection", "new_namespace"] {
        let refused = emitter.server_side_emit(name, 1).await;
        assert!(matches!(refused, Err(EmitterError::Reserved(known)) if known == name));
    }
    let deep = "[".repeat(2000) + &"]".repeat(2000);
    let deep = Args::from_json(&deep.into()).unwrap();
    let refused = emitter.emit_args("deep", &deep).await;
    assert!(matches!(refused, Err(EmitterError::TooDeep)));
    let refused = emitter.server_side_emit_args("deep", &deep).await;
    assert!(matches!(refused, Err(EmitterError::TooDeep)));
    let unfit = std::collections::BTreeMap::from([(vec![1], 1)]);
    let refused = emitter.emit("map", unfit).await;
    assert!(matches!(refused, Err(EmitterError::Encode(_))));
    // Nothing of that was sent.
    emitter.server_side_emit("end", ()).await.unwrap();
    let end = br#"{"uid":"emitter","type":6,"data":["end"]}"#;
    spy.hears("socket.io-request#/#", end).await;
}

#[tokio::test]
async fn it_dials_anew_after_a_break() {
    let mut redis = Redis::start();
    let emitter = Emitter::connect(&redis.url()).await.unwrap();
    let other = emitter.of("/chat");
    redis.kill();
    for emitter in [&emitter, &other, &emitter] {
        let lost = emitter.emit("lost", ()).await;
        assert!(matches!(lost, Err(EmitterError::Redis(_))), "{lost:?}");
    }
    redis.restart();
    let mut spy = Spy::start(&redis).await;
    // Futures of an emitter go to other threads.
    let sent = tokio::spawn(emitter.server_side_emit("back", ()));
    sent.await.unwrap().unwrap();
    let back = br#"{"uid":"emitter","type":6,"data":["back"]}"#;
    spy.hears("socket.io-request#/#", back).await;
    other.disconnect_sockets(false).await.unwrap();
    assert_eq!(spy.next().await.0, "socket.io-request#/chat#");
    // Nobody dialed twice.
    let connections = redis.cli(&["CLIENT", "LIST", "TYPE", "normal"]);
    let ours = connections.matches("name=greenroom").count();
    assert_eq!(ours, 1, "{connections}");
}

#[tokio::test]
async fn errors_say_why_and_show_no_password() {
    let redis = Redis::start();
    let user = [
        "ACL", "SETUSER", "job", "on", ">s3cret", "~*", "&*", "+@all",
    ];
    redis.cli(&[&user[..], &["-publish"]].concat());
    let url = |password: &str| format!("redis://job:{password}@127.0.0.1:{}", redis.port());

    let emitter = Emitter::connect(&url("s3cret")).await.unwrap();
    let refused = emitter.emit("x", ()).await.unwrap_err().to_string();
    assert!(refused.contains("lacks a permission"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
    redis.cli(&["ACL", "SETUSER", "job", "+publish"]);
    // The connection was not at fault.
    emitter.emit("x", ()).await.unwrap();

    for (url, expected) in [
        (url("wr0ng"), "wrong or missing user name or password"),
        ("http://job:wr0ng@h".to_owned(), "unknown scheme"),
        ("redis://job:wr0ng@127.0.0.1:1".to_owned(), "not reachable"),
    ] {
        let err = Emitter::connect(&url).await.unwrap_err().to_string();
        assert!(err.contains(expected), "{err}");
        assert!(!err.contains("wr0ng"), "{err}");
    }
    // One that connects later fails when it is used.
    let client = redis::Client::open("redis://127.0.0.1:1").unwrap();
    let later = Emitter::new(client).emit("x", ()).await;
    assert!(matches!(later, Err(EmitterError::Redis(_))));
}

// --- what becomes of it ---

/// A handler that passes on what programs tell the server.
struct Listener(UnboundedSender<(String, Args)>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<ServerEvent> for Listener {
    type Result = ();

    fn handle(&mut self, event: ServerEvent, _: &mut Context<Self>) {
        assert!(!event.ack.is_wanted());
        let (name, args, _) = event.into_parts();
        // The test may be over.
        let _ = self.0.send((name.to_string(), args));
    }
}

/// How it is said.
#[derive(Clone, Copy, Debug)]
enum Way {
    InCode,
    OnTheCommandLine,
}

/// A server and those who emit to its clients.
struct Stage {
    redis: Redis,
    server: Server,
    told: UnboundedReceiver<(String, Args)>,
    way: Way,
}

impl Stage {
    async fn open(way: Way) -> Self {
        let redis = Redis::start();
        let mut config = Config::default();
        config.redis.uri = redis.url();
        let (teller, told) = unbounded_channel();
        let listener = |teller: &UnboundedSender<_>| {
            let teller = teller.clone();
            shared(move || Listener(teller.clone())).on_server_event()
        };
        let server = Server::builder()
            .config(config)
            .namespace("/", listener(&teller))
            .namespace("/chat", listener(&teller))
            .build()
            .unwrap();
        let stage = Self {
            redis,
            server,
            told,
            way,
        };
        stage.client("/").await.close();
        let requests = ["socket.io-request#/#", "socket.io-request#/chat#"];
        eventually("the server listens", || {
            let n_patterns = stage.redis.cli(&["PUBSUB", "NUMPAT"]);
            let counts = stage
                .redis
                .cli(&[&["PUBSUB", "NUMSUB"], &requests[..]].concat());
            let is_heard = counts.lines().skip(1).step_by(2).all(|count| count == "1");
            is_heard && n_patterns.parse::<usize>().unwrap() >= 2
        })
        .await;
        stage
    }

    async fn client(&self, nsp: &str) -> Client {
        Client::connect_to(&self.server, nsp, ()).await.unwrap()
    }

    /// Says it one way or the other: `words` follow `greenroom emit`.
    async fn say(&self, words: &[&str], in_code: impl Future<Output = Result<(), EmitterError>>) {
        match self.way {
            Way::InCode => in_code.await.unwrap(),
            Way::OnTheCommandLine => {
                let output = Command::new(env!("CARGO_BIN_EXE_greenroom"))
                    .arg("emit")
                    .args(words)
                    .env_clear()
                    .env("REDIS_URL", self.redis.url())
                    .current_dir(env!("CARGO_TARGET_TMPDIR"))
                    .stdin(Stdio::null())
                    .output()
                    .unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{words:?}: {errors}");
                assert_eq!((&*output.stdout, &*errors), (&b""[..], ""));
            }
        }
    }
}

/// The next event of a client is this one.
async fn hears(client: &mut Client, name: &str, values: &[Value]) {
    let event = client.next_event().await.unwrap();
    assert_eq!(event.name, name);
    assert_eq!(event.args.to_values().unwrap(), values, "{name}");
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

async fn play(way: Way) {
    let mut stage = Stage::open(way).await;
    let emitter = Emitter::connect(&stage.redis.url()).await.unwrap();
    let mut ann = stage.client("/").await;
    let mut bob = stage.client("/").await;
    let mut cat = stage.client("/chat").await;
    let (ann_id, bob_id) = (ann.id().to_owned(), bob.id().to_owned());

    // Text and JSON to all of a namespace.
    let json = serde_json::json!({ "home": 1 });
    let sent = emitter.emit("news", ("It works.", &json, -2));
    stage
        .say(&["news", "It works.", r#"{"home":1}"#, "-2"], sent)
        .await;
    let home = Value::Object([("home".to_owned(), Value::Number(1.into()))].into());
    let expected = [text("It works."), home, Value::Number((-2).into())];
    hears(&mut ann, "news", &expected).await;
    hears(&mut bob, "news", &expected).await;
    let sent = emitter.of("/chat").volatile().emit("news", "chat");
    stage
        .say(&["--nsp", "chat", "--volatile", "news", "chat"], sent)
        .await;
    hears(&mut cat, "news", &[text("chat")]).await;

    // Binary; to one by its id. What the other does not hear shows in what it hears next.
    let file = stage.redis.folder().join("three");
    std::fs::write(&file, [1, 2, 3]).unwrap();
    let sent = emitter
        .to(&*ann_id)
        .emit("picture", ("x", Binary::from(vec![1, 2, 3])));
    let file = file.to_str().unwrap();
    stage
        .say(&["--to", &ann_id, "picture", "x", "--binary", file], sent)
        .await;
    let bytes = Value::Binary(vec![1, 2, 3].into());
    hears(&mut ann, "picture", &[text("x"), bytes]).await;

    // Rooms. A name may begin with a minus: of the ids of sockets, one in 64 does.
    let sent = emitter.to(&*ann_id).sockets_join(["-red", "-blue"]);
    stage
        .say(
            &["--to", &ann_id, "--join", "-red", "--join", "-blue"],
            sent,
        )
        .await;
    let sent = emitter.to(&*bob_id).sockets_join("-blue");
    stage.say(&["--to", &bob_id, "--join", "-blue"], sent).await;
    let sent = emitter.to("-red").emit("red", ());
    stage.say(&["--to", "-red", "red"], sent).await;
    let sent = emitter.to(["-red", "-blue"]).emit("both", ());
    stage
        .say(&["--to", "-red", "both", "--to", "-blue"], sent)
        .await;
    let sent = emitter.to("-blue").except("-red").emit("blue only", ());
    stage
        .say(&["--to", "-blue", "--except", "-red", "blue only"], sent)
        .await;
    let sent = emitter.except(&*bob_id).emit("not bob", ());
    stage.say(&["--except", &bob_id, "not bob"], sent).await;
    hears(&mut ann, "red", &[]).await;
    hears(&mut ann, "both", &[]).await;
    hears(&mut ann, "not bob", &[]).await;
    hears(&mut bob, "both", &[]).await;
    hears(&mut bob, "blue only", &[]).await;
    let sent = emitter.to("-red").sockets_leave("-blue");
    stage.say(&["--to", "-red", "--leave", "-blue"], sent).await;
    let sent = emitter.to("-blue").emit("left", ());
    stage.say(&["--to", "-blue", "left"], sent).await;
    let sent = emitter.emit("all", ());
    stage.say(&["all"], sent).await;
    hears(&mut ann, "all", &[]).await;
    hears(&mut bob, "left", &[]).await;
    hears(&mut bob, "all", &[]).await;

    // To the servers.
    let sent = emitter.server_side_emit("forget", ("everything", 1));
    stage
        .say(&["--server-side", "forget", "everything", "1"], sent)
        .await;
    let (name, args) = within("what the server is told", stage.told.recv())
        .await
        .unwrap();
    let told: (String, u8) = args.parse().unwrap();
    assert_eq!((&*name, &*told.0, told.1), ("forget", "everything", 1));

    // The end.
    let sent = emitter.to("-red").disconnect_sockets(false);
    stage.say(&["--to", "-red", "--disconnect"], sent).await;
    ann.disconnected().await.unwrap();
    let sent = emitter.to("-blue").disconnect_sockets(true);
    stage
        .say(&["--to", "-blue", "--disconnect", "--close"], sent)
        .await;
    bob.disconnected().await.unwrap();
    // Nobody told this one anything since.
    let sent = emitter.of("/chat").emit("end", ());
    stage.say(&["--nsp", "/chat", "end"], sent).await;
    hears(&mut cat, "end", &[]).await;
}

#[test]
fn clients_get_what_a_program_emits() {
    on_actix(play(Way::InCode));
}

#[test]
fn clients_get_what_is_emitted_on_the_command_line() {
    on_actix(play(Way::OnTheCommandLine));
}

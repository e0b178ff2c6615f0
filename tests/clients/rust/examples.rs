//! Runs each example and does with it what its first lines promise.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rust_socketio::TransportType;
use rust_socketio::asynchronous::ClientBuilder;
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::program::Program;

async fn connect(program: &Program) -> Peer {
    Peer::connect(program, TransportType::Websocket).await
}

async fn open(program: &Program, auth: Value) -> Peer {
    let build = |builder: ClientBuilder| builder.auth(auth);
    Peer::open(program, TransportType::Websocket, build).await
}

#[tokio::test]
async fn echo_sends_back_and_acknowledges() {
    let mut program = Program::start("echo", &[]);
    let mut peer = connect(&program).await;
    let values = vec![json!(1), json!({ "two": [2, null] })];
    peer.emit("anything", values.clone()).await;
    assert_eq!(peer.next("anything").await, values);
    assert_eq!(peer.ask("something else", values.clone()).await, values);
    assert!(program.end().success());
}

#[tokio::test]
async fn counter_is_one_for_all_clients() {
    let mut program = Program::start("counter", &[]);
    // Consecutive connections land on different workers.
    let mut peers = [
        connect(&program).await,
        connect(&program).await,
        connect(&program).await,
    ];
    for peer in &mut peers {
        assert_eq!(peer.next("total").await, [json!(0)]);
    }
    let mut total = 0;
    for (index, amount) in [2, 40, -7].into_iter().enumerate() {
        total += amount;
        assert_eq!(peers[index].ask("add", json!(amount)).await, [json!(total)]);
        for other in (0..peers.len()).filter(|other| *other != index) {
            assert_eq!(peers[other].next("total").await, [json!(total)]);
        }
    }
    let mut late = connect(&program).await;
    assert_eq!(late.next("total").await, [json!(35)]);

    let refused = late.ask("add", json!(i64::MAX)).await;
    assert_eq!(refused, [json!({ "error": "that is too much" })]);
    let refused = late.ask("add", json!("much")).await.remove(0);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .starts_with("invalid arguments"),
        "{refused}"
    );
    assert_eq!(late.ask("add", json!(0)).await, [json!(35)]);
    assert!(program.end().success());
}

#[tokio::test]
async fn auth_lets_in_who_has_a_token() {
    let mut program = Program::start("auth", &[]);
    let refusal = async |auth| open(&program, auth).await.error().await;

    let old = refusal(json!({ "version": 1, "token": "ada-secret" })).await;
    assert!(
        old.contains("please update") && old.contains(r#"\"code\":\"OLD\""#),
        "{old}"
    );
    let unknown = refusal(json!({ "version": 2, "token": "guessed" })).await;
    assert!(
        unknown.contains("nobody has this token") && unknown.contains("TOKEN"),
        "{unknown}"
    );

    let mut ada = open(&program, json!({ "version": 2, "token": "ada-secret" })).await;
    assert_eq!(ada.next("welcome").await, [json!("Ada")]);
    let mut bob = open(&program, json!({ "version": 2, "token": "bob-secret" })).await;
    assert_eq!(bob.next("welcome").await, [json!("Bob")]);
    let twice = refusal(json!({ "version": 2, "token": "bob-secret" })).await;
    assert!(twice.contains("you are here already"), "{twice}");

    assert_eq!(
        bob.ask("report", json!("it works")).await,
        Vec::<Value>::new()
    );
    assert_eq!(ada.next("report").await, [json!("Bob"), json!("it works")]);

    // Once gone, Bob may come back: the handler was told.
    bob.disconnect().await;
    let again = async {
        loop {
            let mut bob = open(&program, json!({ "version": 2, "token": "bob-secret" })).await;
            if bob.is_admitted().await {
                return bob;
            }
        }
    };
    let mut bob = tokio::time::timeout(crate::program::DEADLINE, again)
        .await
        .unwrap();
    assert_eq!(bob.next("welcome").await, [json!("Bob")]);
    assert!(program.end().success());
}

#[tokio::test]
async fn mounted_has_routes_of_its_own() {
    let mut program = Program::start("mounted", &[]);
    for transport in [
        TransportType::Polling,
        TransportType::Websocket,
        TransportType::WebsocketUpgrade,
    ] {
        let mut peer = Peer::connect(&program, transport).await;
        assert_eq!(peer.ask("hello", json!("Ada")).await, [json!("hello Ada")]);
        let announced = http(&program, "POST /announce", "to all").unwrap();
        assert!(announced.starts_with("HTTP/1.1 204"), "{announced}");
        assert_eq!(peer.next("announcement").await, [json!("to all")]);
        let online = http(&program, "GET /online", "").unwrap();
        assert!(online.starts_with("HTTP/1.1 200"), "{online}");
        let n_online: u32 = online.rsplit("\r\n\r\n").next().unwrap().parse().unwrap();
        assert!(n_online >= 1);
        peer.disconnect().await;
    }
    assert!(program.end().success());
}

#[tokio::test]
async fn background_ticks_from_a_plain_thread() {
    let mut program = Program::start("background", &[]);
    let mut peer = connect(&program).await;
    let mut tick = async || peer.next("tick").await[0].as_u64().unwrap();
    let (first, second) = (tick().await, tick().await);
    assert!(first < second, "{first} {second}");
    assert!(program.end().success());
}

/// One HTTP request: the whole answer.
fn http(program: &Program, line: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(program.address())?;
    stream.set_read_timeout(Some(crate::program::DEADLINE))?;
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    )?;
    write!(
        stream,
        "Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

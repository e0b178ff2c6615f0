//! What many clients get is written to them together (io_uring) or one by one: nobody can tell which.
#![allow(clippy::unwrap_used, reason = "tests may")]
#![cfg(target_os = "linux")]

mod support;

use greenroom::config::{Carrier, Config};
use serde_json::{Value, json};

use crate::support::tcp::{Raw, Ws, get, http, join_polling, listening};
use crate::support::{counter, eventually, on_actix};

/// More than one call takes.
const N_CLIENTS: usize = 300;
/// Those who get more than the kernel keeps for them.
const N_BULKY: usize = 3;
const N_ROUNDS: usize = 24;
const BULK: usize = 1 << 20;

/// How many rings this process has.
fn n_rings() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|link| link.to_string_lossy().contains("[io_uring]"))
        .count()
}

/// What is sent in a round; sizes below and above those that are gathered.
fn text(round: usize) -> String {
    "x".repeat([3, 500, 5000, 1, 20_000, 200][round % 6] + round)
}

/// Everything that a client was sent: names and first arguments, those of `bulk` by their length.
async fn heard(ws: &mut Ws, n: usize) -> Vec<(String, Value)> {
    let mut heard = Vec::new();
    for _ in 0..n {
        let (name, args) = ws.event().await;
        let first = match &args[0] {
            Value::String(bulk) if name == "bulk" => json!(bulk.len()),
            first => first.clone(),
        };
        heard.push((name, first));
    }
    heard
}

async fn everybody_gets_everything(carrier: Carrier, io_uring: bool) {
    let mut config = Config::default();
    config.server.carrier = carrier;
    config.server.io_uring = io_uring;
    config.limits.outbox_bytes = 64 << 20;
    let (listening, mut hearing) = listening(config).await;
    let server = &listening.server;

    let mut clients = Vec::new();
    for n in 0..N_CLIENTS {
        clients.push(Ws::join(&listening, json!({})).await.0);
        let socket = hearing.connected().await;
        if n < N_BULKY {
            socket.join("bulky");
        }
    }
    let polling = join_polling(&listening).await;
    hearing.connected().await;
    // One goes without a word, and one reads nothing and is in the way of nobody.
    let gone = Raw::join(&listening).await;
    hearing.connected().await;
    let lazy = Raw::join(&listening).await;
    hearing.connected().await;
    drop(gone);

    for round in 0..N_ROUNDS {
        server.root().emit("text", text(round));
        if round % 6 == 0 {
            server.root().to("bulky").emit("bulk", "y".repeat(BULK));
        }
    }

    let texts: Vec<_> = (0..N_ROUNDS)
        .map(|round| ("text".to_owned(), json!(text(round))))
        .collect();
    for client in &mut clients[N_BULKY..] {
        assert!(heard(client, N_ROUNDS).await == texts);
    }
    let mut with_bulk = texts.clone();
    for round in (0..N_ROUNDS).step_by(6).rev() {
        with_bulk.insert(round + 1, ("bulk".to_owned(), json!(BULK)));
    }
    for client in &mut clients[..N_BULKY] {
        assert!(heard(client, with_bulk.len()).await == with_bulk);
    }
    let (status, answer) = http(&listening, &get(&format!("&sid={polling}"))).await;
    assert_eq!(
        (status, answer.matches("\"text\"").count()),
        (200, N_ROUNDS)
    );

    assert_eq!(counter(server, "slow_consumer"), 0);
    drop(lazy);
    let n_left = N_CLIENTS + 1;
    eventually("those without a word have gone", || {
        server.n_sessions() == n_left
    })
    .await;
}

#[test]
fn whether_together_or_alone_everybody_gets_everything_in_order() {
    on_actix(async {
        for carrier in [Carrier::Direct, Carrier::Mounted] {
            everybody_gets_everything(carrier, false).await;
        }
        assert_eq!(n_rings(), 0, "nobody asked for one");
        for (n_servers, carrier) in (1..).zip([Carrier::Direct, Carrier::Mounted]) {
            everybody_gets_everything(carrier, true).await;
            assert_eq!(n_rings(), n_servers, "the kernel has one for each server");
        }
    });
}

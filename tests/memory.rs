//! What a client can send without end does not pile up, and a server that has ended leaves no thread. Alone in its process: it
//! reads what that has.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod support;

use std::time::Duration;

use greenroom::config::Config;
use parking_lot::Mutex;
use serde_json::json;

use crate::support::backend::Backend;
use crate::support::servers::Redis;
use crate::support::tcp::{Raw, Ws, listen, listen_with, part, text_frame};
use crate::support::{Hearing, ear, eventually, on_actix, shared_ear};

/// Memory of this process in pages of 4 KiB; 0 where nobody tells.
fn resident_pages() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    resident.unwrap_or_default()
}

/// How many messages each flood has: at 40 bytes of memory for each they would show as 6 MB.
const N_MESSAGES: usize = 150_000;
const MAX_GROWTH_PAGES: usize = 3 << 20 >> 12;

/// Sends `message` again and again, then waits until all of it has been looked at.
async fn flood(raw: &mut Raw, hearing: &mut Hearing, message: &[u8]) {
    let chunk = message.repeat(1000);
    for _ in 0..N_MESSAGES / 1000 {
        raw.write(&chunk).await;
    }
    raw.write(&text_frame(r#"42["fence"]"#)).await;
    while hearing.event().await.name() != "fence" {}
}

/// What they measure is that of the process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_a_client_sends_piles_up() {
    let _alone = ALONE.lock();
    on_actix(async {
        let (handlers, mut hearing) = ear();
        // The client below hears nothing while others flood, and is not to be missed.
        let mut config = Config::default();
        config.engine.ping_interval = Duration::from_secs(3600);
        let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
        let in_fragments = [
            part(1, br#"43999["#),
            part(0, br#""la"#),
            part(0x80, br#"te"]"#),
        ];
        let floods = [
            ("pongs", text_frame("3")),
            ("pongs of the websocket", vec![0x8a, 0x80, 0, 0, 0, 0]),
            ("noops", text_frame("6")),
            ("acks that nobody waits for", text_frame(r#"437["late"]"#)),
            ("acks in fragments", in_fragments.concat()),
            ("events that nobody hears of", text_frame("42")),
        ];
        // Once, so that what is kept for reuse is there.
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        ws.send(r#"42["fence"]"#).await;
        hearing.event().await;
        for (what, message) in floods {
            let mut raw = Raw::join(&listening).await;
            flood(&mut raw, &mut hearing, &message).await;
            let before = resident_pages();
            flood(&mut raw, &mut hearing, &message).await;
            let growth = resident_pages().saturating_sub(before);
            assert!(growth < MAX_GROWTH_PAGES, "{what}: {growth} pages more");
        }
        // Broadcasts that are never answered.
        let nsp = listening.server.root();
        let mut before = 0;
        for round in 0..2 {
            for _ in 0..5000 {
                nsp.to("nobody").emit_with_ack("ask", ()).await.unwrap();
                drop(nsp.emit_with_ack("ask", ()));
                ws.text().await;
            }
            if round == 0 {
                before = resident_pages();
            }
        }
        let growth = resident_pages().saturating_sub(before);
        assert!(growth < MAX_GROWTH_PAGES, "answers: {growth} pages more");
    });
}

/// The threads of this process, by name.
fn threads() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/task").unwrap();
    // One may end while they are looked at.
    let names =
        entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Runs a server with a client until it is stopped, and forgets it.
async fn run_once(workers: usize, config: &Config, is_shared: bool) {
    let (handlers, mut hearing) = if is_shared { shared_ear() } else { ear() };
    let listening = listen_with(workers, config.clone(), |builder| {
        builder.namespace("/", handlers)
    })
    .await;
    let (mut ws, _) = Ws::join(&listening, json!({})).await;
    let socket = hearing.connected().await;
    socket.join_confirmed("room").await.unwrap();
    listening.stop().await.unwrap();
    assert_eq!(ws.end().await.0, Some(1001));
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_that_has_ended_leaves_no_thread_behind() {
    let _alone = ALONE.lock();
    let redis = Redis::start();
    on_actix(async {
        let alone = Config::default();
        let clustered = support::cluster::config(&redis, "one");
        let mut backend = Backend::start();
        // The last of its threads.
        let accepts = |name: &String| name.starts_with("actix-server");
        eventually("the backend", || threads().iter().any(accepts)).await;
        let mut hooked = Config::default();
        hooked.webhooks.url = backend.url.clone();
        let _answers = actix::spawn(async move {
            loop {
                backend.next().await.answer(&json!({}));
            }
        });
        for (what, config) in [
            ("alone", &alone),
            ("clustered", &clustered),
            ("hooked", &hooked),
        ] {
            for (workers, is_shared) in [(1, false), (2, true)] {
                let before = threads();
                run_once(workers, config, is_shared).await;
                eventually(what, || threads() == before).await;
            }
        }
    });
}

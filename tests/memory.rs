//! What a client can send without end does not pile up. Alone in its process: it reads how much memory that has.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod support;

use std::time::Duration;

use greenroom::config::Config;
use serde_json::json;

use crate::support::tcp::{Raw, Ws, listen, part, text_frame};
use crate::support::{Hearing, ear, on_actix};

/// Memory of this process in pages of 4 KiB; 0 where nobody tells.
fn resident_pages() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    resident.unwrap_or_default()
}

/// How many messages each flood has: at 40 bytes of memory for each they would show as 12 MB.
const N_MESSAGES: usize = 300_000;
const MAX_GROWTH_PAGES: usize = 6 << 20 >> 12;

/// Sends `message` again and again, then waits until all of it has been looked at.
async fn flood(raw: &mut Raw, hearing: &mut Hearing, message: &[u8]) {
    let chunk = message.repeat(1000);
    for _ in 0..N_MESSAGES / 1000 {
        raw.write(&chunk).await;
    }
    raw.write(&text_frame(r#"42["fence"]"#)).await;
    while hearing.event().await.name() != "fence" {}
}

#[test]
fn nothing_a_client_sends_piles_up() {
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

//! Acks on the wire.

use greenroom::Binary;
use greenroom::config::Config;
use serde_json::json;

use super::{LONG, answer};
use crate::support::tcp::{Arrived, Ws, listen};
use crate::support::{counter, ear, eventually, lobby, on_actix, within};

#[test]
fn acks_have_the_form_of_the_protocol() {
    on_actix(async {
        let (handlers, mut hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder.namespace("/", handlers)
        })
        .await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let socket = hearing.connected().await.timeout(LONG);
        // An id is any unsigned number; it comes back as it was.
        for id in ["0", "7", "18446744073709551615"] {
            ws.send(&format!(r#"42{id}["a",1]"#)).await;
            hearing.event().await.ack.send("b");
            assert_eq!(ws.text().await, format!(r#"43{id}["b"]"#));
        }
        ws.send(r#"427["a"]"#).await;
        hearing.event().await.ack.send(Binary::from(vec![1, 2]));
        assert_eq!(ws.text().await, r#"461-7[{"_placeholder":true,"num":0}]"#);
        assert_eq!(ws.next().await, Arrived::Binary(vec![1, 2]));
        let asking = actix::spawn(socket.emit_with_ack("ask", 1));
        let text = ws.text().await;
        let id = text
            .strip_prefix("42")
            .and_then(|text| text.strip_suffix(r#"["ask",1]"#));
        let id = id.unwrap_or_else(|| panic!("{text}"));
        ws.send(&format!(r#"461-{id}[{{"_placeholder":true,"num":0}}]"#))
            .await;
        ws.send_binary(&[9]).await;
        let answered = within("the answer", asking).await.unwrap().unwrap();
        assert_eq!(answered.first::<Binary>().unwrap(), Binary::from(vec![9]));
        // Twice is once too often, and an ack without an id is none.
        ws.send(&format!("43{id}[1]")).await;
        ws.send("43[1]").await;
        let server = &listening.server;
        eventually("both are counted", || counter(server, "unknown_ack") == 2).await;
        ws.send(r#"42["still here"]"#).await;
        assert_eq!(hearing.event().await.name(), "still here");
    });
}

#[test]
fn answers_that_nobody_has_room_for_are_counted() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut a, _) = lobby.join().await;
        let (mut b, _) = lobby.join().await;
        // `"12345"` is seven bytes of JSON.
        for (most, most_bytes, kept) in [(2, 14, 2), (1, 14, 1), (2, 13, 1), (2, 6, 0), (0, 14, 0)]
        {
            let asked = lobby
                .server
                .root()
                .timeout(LONG)
                .max_answers(most, most_bytes);
            let (answers, (), ()) = tokio::join!(
                asked.emit_with_ack("ask", ()),
                answer(&mut a, "12345"),
                answer(&mut b, "12345")
            );
            let answers = answers.unwrap();
            let found = (answers.responses.len(), answers.left_out, answers.missing);
            assert_eq!(found, (kept, 2 - kept, 0), "{most} {most_bytes}");
            assert_eq!(answers.is_complete(), kept == 2);
        }
    });
}

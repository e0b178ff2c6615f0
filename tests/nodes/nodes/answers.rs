//! Events between servers, and answers of clients.

use std::time::Duration;

use serde_json::json;

use super::Pair;
use crate::support::{DEADLINE, on_actix};

#[test]
fn events_between_servers_reach_each_other_server_once() {
    on_actix(async {
        let mut pair = Pair::new().await;
        let nsp = pair.one.server.root();
        nsp.server_side_emit("hello", (1, json!({"a": "b"})))
            .unwrap();
        let event = pair.two.server_event().await;
        assert_eq!(
            (event.name(), &*event.args().raw_json()),
            ("hello", r#"[1,{"a":"b"}]"#)
        );
        assert!(!event.ack.is_wanted());
        event.ack.forget();

        let asked = nsp.server_side_emit_with_ack("question", 1);
        let answering = async {
            let event = pair.two.server_event().await;
            assert_eq!(event.name(), "question");
            assert!(event.ack.is_wanted());
            event.ack.send(json!({"sum": 2}));
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert!(answers.silent.is_nobody());
        assert_eq!(answers.len(), 1);
        assert_eq!(&*answers[0].raw_json(), r#"[{"sum":2}]"#);

        let asked = nsp.server_side_emit_with_ack("question", 2);
        let answering = async { drop(pair.two.server_event().await) };
        let (answers, ()) = tokio::join!(asked, answering);
        assert_eq!(
            &*answers.unwrap()[0].raw_json(),
            r#"[{"error":"not answered"}]"#
        );

        for reserved in ["connection", "connect", "disconnect"] {
            assert!(nsp.server_side_emit(reserved, ()).is_err(), "{reserved}");
        }
        // In the namespace alone, and not to itself.
        let chat = pair.one.server.of("/chat").unwrap();
        chat.server_side_emit("hello", ()).unwrap();
        let event = pair.two.server_event().await;
        assert_eq!(event.namespace().name(), "/chat");
        assert!(pair.one.now().is_empty());
        assert!(pair.two.now().is_empty());
    });
}

#[test]
fn answers_of_clients_come_from_all_servers() {
    on_actix(async {
        let mut pair = Pair::new().await;
        let nsp = pair.one.server.root();
        let asked = nsp.timeout(DEADLINE).emit_with_ack("q", 7);
        let answering = async {
            for (name, (client, _)) in pair.guests() {
                let event = client.event("q").await.unwrap();
                assert_eq!(event.args.first::<u8>().unwrap(), 7);
                client.ack(event.ack.unwrap(), name).await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        let mut names: Vec<String> = answers
            .responses
            .iter()
            .map(|answer| answer.first().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(answers.is_complete());
        // One that says nothing is missing; one of this server alone is asked alone.
        let timeout = Duration::from_millis(500);
        let asked = nsp.to("r1").timeout(timeout).emit_with_ack("q", ());
        let answering = async {
            let id = pair.a.0.event("q").await.unwrap().ack.unwrap();
            pair.a.0.ack(id, "a").await.unwrap();
            pair.c.0.event("q").await.unwrap();
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert_eq!((answers.responses.len(), answers.missing), (1, 1));
        assert!(answers.silent.is_nobody());
        let asked = nsp
            .local()
            .to("r1")
            .timeout(DEADLINE)
            .emit_with_ack("q", ());
        let answering = async {
            let id = pair.a.0.event("q").await.unwrap().ack.unwrap();
            pair.a.0.ack(id, "a").await.unwrap();
        };
        let (answers, ()) = tokio::join!(asked, answering);
        assert!(answers.unwrap().is_complete());
    });
}

//! What can be told.

use greenroom::user_room;
use serde_json::{Value, json};

use super::{served, up_to_the_end, with_key};
use crate::support::tcp::{Arrived, CARRIERS};
use crate::support::{eventually, on_actix, within};

#[test]
fn events_reach_whom_a_command_names() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = with_key();
            config.server.carrier = carrier;
            let mut served = served(config).await;
            let (mut a, at_a) = served.join(&["r1"]).await;
            let (mut b, _) = served.join(&["r1", "r2", &user_room("42")]).await;
            for (whom, expected) in [
                (json!({"all": true}), "ab"),
                (json!({"rooms": ["r1"]}), "ab"),
                (json!({"rooms": ["r2", "r1"], "except": ["r2"]}), "a"),
                (json!({"sockets": [at_a.id()]}), "a"),
                (json!({"users": ["42"]}), "b"),
                (
                    json!({"users": ["42"], "sockets": [at_a.id()], "rooms": ["nobody"]}),
                    "ab",
                ),
                (json!({"rooms": ["nobody"]}), ""),
                (
                    json!({"all": true, "local": true, "volatile": true, "compress": false}),
                    "ab",
                ),
            ] {
                let mut command = whom.clone();
                command["event"] = "e".into();
                command["args"] = json!([1, {"a": null}]);
                let reply = served.backend.post("/emit", command).await.ok();
                assert_eq!(reply, json!({"complete": true}));
                served.listening.server.emit("end", ());
                let mut reached = String::new();
                for (name, ws) in [("a", &mut a), ("b", &mut b)] {
                    for (event, args) in up_to_the_end(ws).await {
                        assert_eq!((&*event, args), ("e", vec![json!(1), json!({"a": null})]));
                        reached.push_str(name);
                    }
                }
                assert_eq!(reached, expected, "{whom}");
            }
        }
    });
}

#[test]
fn binary_is_sent_as_such() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut ws, _) = served.join(&[]).await;
        let args = json!([{"a": [{"$binary": "AQL/"}]}, {"$$binary": "x"}]);
        let command = json!({"all": true, "event": "e", "args": args});
        served.backend.post("/emit", command).await.ok();
        let text = r#"451-["e",{"a":[{"_placeholder":true,"num":0}]},{"$binary":"x"}]"#;
        assert_eq!(ws.next().await, Arrived::Text(text.to_owned()));
        assert_eq!(ws.next().await, Arrived::Binary(vec![1, 2, 255]));
    });
}

#[test]
fn answers_come_back_and_the_missing_are_counted() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut a, _) = served.join(&["phones"]).await;
        let (mut b, _) = served.join(&["phones"]).await;
        let (mut silent, _) = served.join(&["phones"]).await;
        let backend = served.backend;
        let command = json!({
            "rooms": ["phones"], "event": "vote", "args": ["lunch?"], "timeout_ms": 1500,
        });
        let asked = actix::spawn(async move { backend.post("/emit-with-ack", command).await.ok() });
        for (ws, answer) in [(&mut a, r#"["yes",1]"#), (&mut b, "[]")] {
            let text = ws.text().await;
            let id = text
                .strip_prefix("42")
                .unwrap()
                .strip_suffix(r#"["vote","lunch?"]"#);
            ws.send(&format!("43{}{answer}", id.unwrap())).await;
        }
        assert!(silent.text().await.contains("vote"));
        let mut reply = within("the deadline", asked).await.unwrap();
        let answers = reply["answers"].as_array_mut().unwrap();
        answers.sort_by_key(Value::to_string);
        let none = json!({"nodes": [], "unnamed": 0});
        let expected = json!({
            "answers": [["yes", 1], []], "missing": 1, "left_out": 0, "complete": false, "silent": none,
        });
        assert_eq!(reply, expected);

        // Nobody to ask is an answer at once, and a complete one.
        let command = json!({"rooms": ["nobody"], "event": "vote"});
        let reply = backend.post("/emit-with-ack", command).await.ok();
        let expected = json!({
            "answers": [], "missing": 0, "left_out": 0, "complete": true, "silent": none,
        });
        assert_eq!(reply, expected);
    });
}

#[test]
fn answers_that_do_not_fit_are_left_out() {
    on_actix(async {
        let mut config = with_key();
        config.api.answers = 1;
        let mut served = served(config).await;
        let mut clients = vec![served.join(&[]).await.0, served.join(&[]).await.0];
        let backend = served.backend;
        let command = json!({"all": true, "event": "vote", "timeout_ms": 30_000});
        let asked = actix::spawn(async move { backend.post("/emit-with-ack", command).await.ok() });
        for ws in &mut clients {
            let text = ws.text().await;
            let id = text.strip_prefix("42").unwrap().strip_suffix(r#"["vote"]"#);
            let answer = format!(r#"431-{}[{{"_placeholder":true,"num":0}}]"#, id.unwrap());
            ws.send(&answer.replacen("431-", "461-", 1)).await;
            ws.send_binary(&[7]).await;
        }
        let reply = within("all answers", asked).await.unwrap();
        assert_eq!(reply["answers"], json!([[{"$binary": "Bw=="}]]));
        let counts = (&reply["missing"], &reply["left_out"], &reply["complete"]);
        assert_eq!(counts, (&json!(0), &json!(1), &json!(false)));
    });
}

#[test]
fn sockets_join_leave_and_go() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut a, at_a) = served.join(&["r"]).await;
        let (mut b, at_b) = served.join(&[]).await;
        let backend = served.backend;
        let join = json!({"rooms": ["r"], "join": ["x", "y"]});
        assert_eq!(
            backend.post("/join", join).await.ok(),
            json!({"complete": true})
        );
        eventually("a join", || at_a.is_in("x") && at_a.is_in("y")).await;
        assert!(!at_b.is_in("x"));
        let leave = json!({"rooms": ["x"], "leave": ["x"]});
        assert_eq!(
            backend.post("/leave", leave).await.ok(),
            json!({"complete": true})
        );
        eventually("a leave", || !at_a.is_in("x")).await;
        assert!(at_a.is_in("y"));
        let only = json!({"sockets": [at_a.id()]});
        assert_eq!(
            backend.post("/disconnect", only).await.ok(),
            json!({"complete": true})
        );
        assert_eq!(a.text().await, "41");
        let close = json!({"all": true, "close": true});
        assert_eq!(
            backend.post("/disconnect", close).await.ok(),
            json!({"complete": true})
        );
        b.end().await;
    });
}

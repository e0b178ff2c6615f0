//! Requests on one connection after the other. What our own listener reads itself and what it hands on to the HTTP server have
//! to be told apart by nothing but the time they take, so most is compared with the carrier where the HTTP server reads all.

use std::time::{Duration, Instant};

use greenroom::config::{Config, Origins};
use tokio::io::AsyncReadExt;

use crate::support::tcp::{
    Answer, Raw, http, join_polling, listening, on_both_carriers, text_frame, upgrade,
};
use crate::support::{self, eventually, on_actix, within};

const ENGINE: &str = "/socket.io/?EIO=4&transport=polling";

fn get(query: &str) -> String {
    format!("GET {ENGINE}{query} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(sid: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {ENGINE}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// What differs from run to run is left out.
fn comparable(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    // And that a 204 has no body, which the original says in so many words, and the HTTP server takes out.
    let is_empty = answer.status == 204;
    answer
        .headers
        .retain(|line| !(line.starts_with("date: ") || is_empty && line == "content-length: 0"));
    if let Some((before, sid)) = answer.body.split_once(r#""sid":""#) {
        let after = sid.split_once('"').unwrap().1;
        answer.body = format!("{before}{after}");
    }
    answer
}

/// The answers to `requests` on one connection for each carrier, and whether the connection goes on after the last. In them, `SID`
/// stands for a session.
async fn answers(config: &Config, requests: &[String]) -> Vec<(Vec<Answer>, bool)> {
    let mut all = Vec::new();
    for (listening, _hearing) in on_both_carriers(config).await {
        let sid = join_polling(&listening).await;
        let mut raw = Raw::connect(&listening).await;
        let mut answers = Vec::new();
        for request in requests {
            raw.write(request.replace("SID", &sid).as_bytes()).await;
            answers.push(comparable(&raw.answer().await));
        }
        // It may have been closed.
        let _ = raw.stream.try_write(get("").as_bytes());
        let mut one = [0];
        let goes_on = within("an answer or the end", raw.stream.read(&mut one)).await;
        all.push((answers, matches!(goes_on, Ok(1))));
    }
    all
}

#[test]
fn answers_are_those_of_the_http_server() {
    on_actix(async {
        let plain = Config::default();
        let mut with_cors = Config::default();
        with_cors.cors.origins = Origins::List(vec!["http://a.example".to_owned()]);
        with_cors.cors.credentials = true;
        let cors = |method: &str| {
            format!(
                "{method} {ENGINE} HTTP/1.1\r\nHost: a\r\nOrigin: http://a.example\r\n\
                 Access-Control-Request-Headers: x-a\r\n\r\n"
            )
        };
        let of = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: a\r\n{rest}\r\n");
        let chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\n6\r\n0\r\n";
        let event = || post("SID", r#"42["a"]"#);
        let last = event().replace("Host: a", "Host: a\r\nConnection: close");
        for (what, config, requests) in [
            ("a handshake", &plain, vec![get("")]),
            ("events", &plain, vec![event(), event(), get("")]),
            ("no session", &plain, vec![get("&sid=none"), get("")]),
            (
                "no transport",
                &plain,
                vec![of("GET /socket.io/?EIO=4", "")],
            ),
            (
                "no revision",
                &plain,
                vec![of("GET /socket.io/?EIO=9&transport=polling", "")],
            ),
            (
                "another path of ours",
                &plain,
                vec![of("GET /socket.io?EIO=4&transport=polling", "")],
            ),
            (
                "a method of others",
                &plain,
                vec![of(&format!("PUT {ENGINE}"), "")],
            ),
            (
                "a head alone",
                &plain,
                vec![of(&format!("DELETE {ENGINE}&sid=SID"), "")],
            ),
            ("OPTIONS without cors", &plain, vec![cors("OPTIONS")]),
            (
                "cors",
                &with_cors,
                vec![cors("OPTIONS"), cors("GET"), cors("OPTIONS")],
            ),
            ("the last", &plain, vec![event(), last]),
            (
                "chunks, and then plainly",
                &plain,
                vec![
                    event(),
                    of(&format!("POST {ENGINE}&sid=SID"), chunks),
                    event(),
                    get(""),
                ],
            ),
            (
                "another page in between",
                &plain,
                vec![get(""), of("GET /nothing", ""), get("")],
            ),
            (
                "too much",
                &plain,
                vec![event(), post("SID", &"6".repeat(1_000_001))],
            ),
        ] {
            let both = answers(config, &requests).await;
            assert_eq!(both[0], both[1], "{what}");
        }
    });
}

#[test]
fn requests_may_come_in_one_piece_or_in_many() {
    on_actix(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            let mut raw = Raw::connect(&listening).await;
            let requests: String = (0..5)
                .map(|n| post(&sid, &format!(r#"42["n{n}"]"#)))
                .collect();
            raw.write(requests.as_bytes()).await;
            for n in 0..5 {
                assert_eq!(hearing.event().await.name(), format!("n{n}"));
                assert_eq!(raw.answer().await.body, "ok");
            }
            // The body apart from its head, and the head in pieces, on another connection for each.
            let request = post(&sid, r#"42["pieces"]"#);
            let end = request.find("\r\n\r\n").unwrap() + 4;
            for places in [vec![end], vec![end + 3], vec![1, 20, end - 1, end + 1]] {
                let mut raw = Raw::connect(&listening).await;
                for place in 0..=places.len() {
                    let from = place.checked_sub(1).map_or(0, |before| places[before]);
                    let to = places.get(place).copied().unwrap_or(request.len());
                    raw.write(&request.as_bytes()[from..to]).await;
                    // The only worker has read it when another has been served.
                    assert_eq!(http(&listening, &support::tcp::get("")).await.0, 200);
                }
                assert_eq!(raw.answer().await.body, "ok");
                assert_eq!(hearing.event().await.name(), "pieces");
            }
        }
    });
}

#[test]
fn a_large_body_and_a_large_answer_pass_whole() {
    on_actix(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            let text = "x".repeat(900_000);
            let mut raw = Raw::connect(&listening).await;
            raw.write(post(&sid, &format!(r#"42["large","{text}"]"#)).as_bytes())
                .await;
            assert_eq!(raw.answer().await.body, "ok");
            let event = hearing.event().await;
            assert_eq!(event.args().first::<String>().unwrap(), text);
            event.socket.emit("large", &text);
            // Small enough a receive buffer that the answer does not leave in one piece.
            let mut raw = Raw::with_small_buffer(&listening).await;
            raw.write(get(&format!("&sid={sid}")).as_bytes()).await;
            let answer = raw.answer().await;
            assert_eq!(answer.body, format!(r#"42["large","{text}"]"#));
            raw.write(get("").as_bytes()).await;
            assert_eq!(raw.answer().await.status, 200);
        }
    });
}

#[test]
fn a_body_that_nobody_wants_does_not_break_the_answer() {
    on_actix(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            let mut raw = Raw::connect(&listening).await;
            raw.write(post("none", &"6".repeat(500_000)).as_bytes())
                .await;
            let answer = raw.answer().await;
            assert_eq!(answer.status, 400);
            assert!(answer.body.contains("Session ID unknown"), "{answer:?}");
        }
    });
}

#[test]
fn who_goes_while_a_poll_waits_is_gone() {
    on_actix(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            hearing.connected().await;
            let mut raw = Raw::connect(&listening).await;
            raw.write(get(&format!("&sid={sid}")).as_bytes()).await;
            drop(raw);
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            eventually("no session is left", || listening.server.n_sessions() == 0).await;
        }
    });
}

#[test]
fn a_connection_that_asks_for_nothing_more_is_closed() {
    on_actix(async {
        let (listening, _hearing) = listening(Config::default()).await;
        let begin = Instant::now();
        let mut raw = Raw::connect(&listening).await;
        for _ in 0..3 {
            raw.write(get("").as_bytes()).await;
            assert_eq!(raw.answer().await.status, 200);
        }
        assert_eq!(raw.end().await, None);
        let kept = begin.elapsed();
        assert!(kept >= Duration::from_secs(4), "{kept:?}");
        assert!(kept < Duration::from_secs(20), "{kept:?}");
    });
}

#[test]
fn a_websocket_may_follow_polls_on_the_same_connection() {
    on_actix(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let mut raw = Raw::connect(&listening).await;
            raw.write(get("").as_bytes()).await;
            assert_eq!(raw.answer().await.status, 200);
            // With the first frame right behind it.
            let mut request = upgrade("/socket.io/?EIO=4&transport=websocket").into_bytes();
            request.extend(text_frame("40"));
            raw.write(&request).await;
            raw.switched().await;
            assert!(raw.text().await.starts_with("0{"));
            assert!(raw.text().await.starts_with("40{"));
            hearing.connected().await;
        }
    });
}

//! The end of a server in good order: who is told what, when, and what is left in Redis.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use greenroom::config::Config;
use greenroom::{DisconnectReason, Server};
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::cluster::{self, Node, Peer, config};
use crate::support::scrape::{Samples, at, scraped};
use crate::support::servers::Redis;
use crate::support::tcp::{Ws, get, http, join_polling, listening, on_both_carriers};
use crate::support::{DEADLINE, Heard, Worker, lobby, on_actix, within};

fn spread(millis: u64) -> Config {
    let mut config = Config::default();
    config.shutdown.spread = Duration::from_millis(millis);
    config
}

#[test]
fn a_server_without_sessions_ends_at_once() {
    on_actix(async {
        let lobby = lobby(Config::default());
        let begin = Instant::now();
        assert_eq!(lobby.server.drain().await, 0);
        assert!(begin.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn sessions_end_one_after_the_other_on_all_workers() {
    const N_CLIENTS: u32 = 60;
    const SPREAD: Duration = Duration::from_millis(600);
    on_actix(async {
        let mut lobby = lobby(spread(600));
        let workers = [Worker::new(), Worker::new()];
        let mut clients = Vec::new();
        for n in 0..N_CLIENTS as usize {
            clients.push(lobby.join_on(&workers[n % 2]).await.0);
        }
        let begin = Instant::now();
        let server = lobby.server.clone();
        let draining = actix::spawn(async move { server.drain().await });
        let mut ends = Vec::new();
        for _ in 0..N_CLIENTS {
            let (_, reason) = lobby.hearing.gone().await;
            assert_eq!(reason, DisconnectReason::ServerShuttingDown);
            ends.push(begin.elapsed());
        }
        assert_eq!(within("the end", draining).await.unwrap(), 0);
        for client in &mut clients {
            client.disconnected().await.unwrap();
        }
        // Each has a part of the time of its own, so a late machine can only make ends later, and they come in order: by
        // half of the time at most half have ended, but for one of each worker.
        let early = ends.iter().filter(|at| **at < SPREAD / 2).count();
        assert!(early <= N_CLIENTS as usize / 2 + 2, "{ends:?}");
        let last = ends.last().unwrap();
        assert!(*last >= SPREAD * 9 / 10, "{ends:?}");
    });
}

#[test]
fn few_sessions_do_not_take_the_whole_time() {
    on_actix(async {
        let mut config = spread(20_000);
        config.shutdown.timeout = Duration::from_secs(60);
        let mut lobby = lobby(config);
        let (mut client, _) = lobby.join().await;
        let begin = Instant::now();
        assert_eq!(lobby.server.drain().await, 0);
        client.disconnected().await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn everybody_gets_the_notice_and_what_was_emitted_before_the_end() {
    on_actix(async {
        let mut config = spread(0);
        config.shutdown.notice_event = "closing".to_owned();
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let (mut websocket, _) = Ws::join(&listening, json!({})).await;
            let socket = hearing.connected().await;
            let sid = join_polling(&listening).await;
            let polling = hearing.connected().await;
            socket.emit("before", 1);
            polling.emit("before", 2);
            let server = listening.server.clone();
            let draining = actix::spawn(async move { server.drain().await });
            assert_eq!(
                websocket.event().await,
                ("before".to_owned(), vec![json!(1)])
            );
            assert_eq!(
                websocket.event().await,
                ("closing".to_owned(), vec![json!(0)])
            );
            let (code, _) = websocket.end().await;
            assert_eq!(code, Some(1001));
            // It was between two polls: the next takes all with it, and the session's close packet.
            let (status, body) = http(&listening, &get(&format!("&sid={sid}"))).await;
            let expected = "\r\n\r\n42[\"before\",2]\u{1e}42[\"closing\",0]\u{1e}1";
            assert!(status == 200 && body.ends_with(expected), "{body}");
            assert_eq!(within("the end", draining).await.unwrap(), 0);
        }
    });
}

#[test]
fn a_client_that_does_not_poll_again_is_not_waited_for_long() {
    on_actix(async {
        let (listening, mut hearing) = listening(spread(0)).await;
        join_polling(&listening).await;
        hearing.connected().await;
        let begin = Instant::now();
        // It is not cut off: it had its time.
        assert_eq!(listening.server.drain().await, 0);
        assert!(begin.elapsed() < Duration::from_secs(10));
    });
}

#[test]
fn who_is_there_at_the_limit_is_cut_off_and_counted() {
    on_actix(async {
        let mut config = spread(0);
        config.shutdown.timeout = Duration::from_millis(200);
        let (listening, mut hearing) = listening(config).await;
        // Between two polls, for longer than the limit.
        for _ in 0..2 {
            join_polling(&listening).await;
            hearing.connected().await;
        }
        let (_websocket, _) = Ws::join(&listening, json!({})).await;
        hearing.connected().await;
        assert_eq!(listening.server.drain().await, 2);
        assert_eq!(listening.server.n_sessions(), 0);
        let mut n_gone = 0;
        while let Some(heard) = hearing.now() {
            n_gone += usize::from(matches!(heard, Heard::Disconnect(..)));
        }
        assert_eq!(n_gone, 3, "handlers hear of all of them");
    });
}

#[test]
fn the_program_stops_what_it_runs() {
    on_actix(async {
        for (listening, mut hearing) in on_both_carriers(&spread(0)).await {
            let (mut client, _) = Ws::join(&listening, json!({})).await;
            hearing.connected().await.emit("before", 1);
            listening.stop().await.unwrap();
            assert_eq!(client.event().await, ("before".to_owned(), vec![json!(1)]));
            assert_eq!(client.end().await.0, Some(1001));
            let (_, reason) = hearing.gone().await;
            assert_eq!(reason, DisconnectReason::ServerShuttingDown);
            let refused = TcpStream::connect(listening.address).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn a_server_that_was_stopped_before_it_runs_ends_at_once_and_so_do_its_neighbours() {
    let mut config = spread(0);
    config.server.host = "127.0.0.1".to_owned();
    config.server.port = 0;
    let first = Server::builder().config(config.clone()).build().unwrap();
    config.server.path = "/other/".to_owned();
    let second = Server::builder().config(config).build().unwrap();
    second.stop();
    second.stop();
    let (ended, has_ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(Server::run_all(vec![first, second], |_| {})));
    has_ended.recv_timeout(DEADLINE).unwrap().unwrap();
}

#[test]
fn new_handshakes_are_refused_while_sessions_are_seen_off() {
    on_actix(async {
        let (listening, mut hearing) = listening(Config::default()).await;
        // Some three seconds, in which others are seen off before this one.
        let mut crowd = Vec::new();
        for _ in 0..60 {
            crowd.push(Ws::open(&listening).await);
        }
        let sid = join_polling(&listening).await;
        hearing.connected().await;
        let server = listening.server.clone();
        let draining = actix::spawn(async move { server.drain().await });
        crowd[0].end().await;
        // The connections are not kept, whatever the client says.
        let asks = |query: &str| get(query).replace("Connection: close\r\n", "");
        let (status, answer) = http(&listening, &asks("")).await;
        assert_eq!(status, 503, "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nshutting down"), "{answer}");
        assert_eq!(Ws::try_open_at(&listening, "").await.unwrap_err().0, 503);
        // Who is there is served to the end.
        let (status, answer) = http(&listening, &asks(&format!("&sid={sid}"))).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n1"), "{answer}");
        let (_, reason) = hearing.gone().await;
        assert_eq!(reason, DisconnectReason::ServerShuttingDown);
        within("the end", draining).await.unwrap();
    });
}

#[test]
fn nobody_counts_on_a_server_that_ends_but_its_clients_hear_the_others() {
    on_actix(async {
        let redis = Redis::start();
        let mut set_up = config(&redis, "ending");
        // Long enough for the test to look; the limit ends it.
        set_up.shutdown.timeout = Duration::from_secs(60);
        set_up.shutdown.spread = Duration::from_secs(20);
        let (mut ending, client, socket) = Node::start(set_up).await;
        let (mut staying, _other, _) = Node::start(config(&redis, "staying")).await;
        let mut clients = vec![(client, socket)];
        // Enough of them that the last does not end before the test has looked.
        for _ in 0..400 {
            clients.push(ending.join().await);
        }
        let mut peer = Peer::asking(&redis).await;
        assert_eq!(staying.server.root().server_count().await.found, 2);

        let server = ending.server.clone();
        let draining = actix::spawn(async move { server.drain().await });
        let request = "k-request#/#";
        cluster::until("requests are not heard", async || {
            let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", request]).await;
            n == 1
        })
        .await;
        // Those who ask wait for nobody who is silent.
        let found = staying.server.root().fetch_sockets().await;
        assert!(found.silent.is_nobody(), "{found:?}");
        assert_eq!(found.found.len(), 1);
        // It counts the others as before.
        assert_eq!(ending.server.root().server_count().await.found, 2);
        let found = ending.server.root().fetch_sockets().await;
        assert!(found.silent.is_nobody(), "{found:?}");

        staying.server.emit("news", 7);
        let heard = join_all(clients.iter_mut().map(|(client, _)| client.event("news"))).await;
        let n_heard = heard.iter().filter(|event| event.is_ok()).count();
        assert!(n_heard > 0, "nobody has heard it");
        let members: usize = peer.ask(&["SCARD", "k-nodes"]).await;
        assert_eq!(members, 2, "it is a member to the last");
        ending.server.close();
        assert_eq!(within("the end", draining).await.unwrap(), 0);
        let members: usize = peer.ask(&["SCARD", "k-nodes"]).await;
        assert_eq!(members, 1);
        let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", "k-response#/#"]).await;
        assert_eq!(n, 1, "only the other is subscribed to anything");
        staying.now();
    });
}

#[test]
fn what_was_asked_before_is_answered() {
    on_actix(async {
        let redis = Redis::start();
        let mut peer = Peer::asking(&redis).await;
        for _ in 0..100 {
            let (node, _client, _) = Node::start(config(&redis, "node")).await;
            // In the pipe when the order comes.
            let question = json!({"requestId": "q", "type": 1}).to_string();
            let server = node.server.clone();
            let (n, draining) = tokio::join!(peer.say("k-request#/#", question), async move {
                server.drain().await
            });
            assert_eq!(draining, 0);
            if n == 1 {
                let (_, answer) = peer.next().await;
                assert_eq!(cluster::value(&answer)["requestId"], "q");
                return;
            }
            // The order was faster: nobody was asked.
        }
        panic!("the order is always faster");
    });
}

#[test]
fn a_notice_that_no_server_may_emit_is_refused() {
    let mut config = Config::default();
    config.shutdown.notice_event = "disconnect".to_owned();
    let refused = Server::builder().config(config).build();
    let message = refused.unwrap_err().to_string();
    assert!(message.starts_with("shutdown.notice_event "), "{message}");
}

#[test]
fn the_progress_of_a_drain_is_shown() {
    const STATES: [&str; 3] = ["remaining", "ended", "cut_off"];
    fn shown(samples: &Samples) -> (u64, [u64; 3]) {
        let sessions = STATES.map(|state| {
            at(
                samples,
                &format!(r#"greenroom_drain_sessions{{state="{state}"}}"#),
            )
        });
        (at(samples, "greenroom_draining"), sessions)
    }
    on_actix(async {
        let mut config = Config::default();
        config.shutdown.timeout = Duration::from_secs(3600);
        config.shutdown.spread = Duration::from_secs(1800);
        let mut lobby = lobby(config);
        let server = lobby.server.clone();
        let mut clients = Vec::new();
        for _ in 0..60 {
            clients.push(lobby.join().await.0);
        }
        assert_eq!(shown(&scraped(&server).await), (0, [0; 3]));
        // 60 times 50 ms.
        let draining = server.clone();
        let draining = actix::spawn(async move { draining.drain().await });
        cluster::until("one has ended", async || {
            let (is_draining, [remaining, ended, cut_off]) = shown(&scraped(&server).await);
            assert!(cut_off == 0 && ended < 60, "{remaining} {ended} {cut_off}");
            is_draining == 1 && ended > 0 && remaining + ended == 60
        })
        .await;
        assert_eq!(within("the end", draining).await.unwrap(), 0);
        assert_eq!(shown(&scraped(&server).await), (1, [0, 60, 0]));
    });
}

#[test]
fn a_drain_that_meets_its_limit_shows_who_was_cut_off() {
    on_actix(async {
        let mut config = Config::default();
        config.shutdown.timeout = Duration::from_millis(500);
        config.shutdown.spread = Duration::ZERO;
        let (listening, mut hearing) = listening(config).await;
        // It does not poll, so its end is waited for.
        join_polling(&listening).await;
        hearing.connected().await;
        assert_eq!(listening.server.drain().await, 1);
        let samples = scraped(&listening.server).await;
        for (state, n) in [("remaining", 0), ("ended", 0), ("cut_off", 1)] {
            let name = format!(r#"greenroom_drain_sessions{{state="{state}"}}"#);
            assert_eq!(at(&samples, &name), n, "{state}");
        }
    });
}

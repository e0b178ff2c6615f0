//! Tests against real servers.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use ::redis::{Cmd, ServerError, Value};
use futures_util::StreamExt;

use super::*;
use servers::{Certificates, Cluster, Redis, Sentinels};

#[path = "../../tests/support/redis.rs"]
#[allow(unreachable_pub, reason = "tests from outside use it too")]
pub(crate) mod servers;

/// Long enough for a machine that has other work too.
const TIMEOUT: Duration = Duration::from_secs(20);

fn endpoint(url: &str) -> Endpoint {
    Endpoint::Url(url.parse().unwrap())
}

async fn connect(url: &str) -> Link {
    endpoint(url).connect(TIMEOUT).await.unwrap()
}

/// The errors of all kinds of dial.
async fn refused(url: &str) -> [LinkError; 3] {
    let endpoint = endpoint(url);
    [
        endpoint.connect(TIMEOUT).await.expect_err(url),
        endpoint.pubsub(TIMEOUT).await.err().expect(url),
        endpoint.shared(TIMEOUT).await.err().expect(url),
    ]
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// The answer to one command.
async fn ask(link: &Link, words: &[&str]) -> Result<Value, ServerError> {
    let answers = link.pipeline(vec![command(words)]).await.unwrap();
    answers.into_iter().next().unwrap()
}

async fn hears(pubsub: &mut PubSub, expected: &[&str]) {
    for text in expected {
        let message = tokio::time::timeout(TIMEOUT, pubsub.messages.next()).await;
        let message = message.expect(text).expect("the connection is there");
        assert_eq!(message.get_payload_bytes(), text.as_bytes());
    }
}

/// Publishes and hears through an endpoint, with a connection for each and with one for both.
async fn works(endpoint: &Endpoint) {
    let link = endpoint.connect(TIMEOUT).await.unwrap();
    let pubsub = endpoint.pubsub(TIMEOUT).await.unwrap();
    assert!(pubsub.link.is_none());
    work(link, pubsub).await;
    let mut shared = endpoint.shared(TIMEOUT).await.unwrap();
    let link = match shared.link.take() {
        Some(link) => link,
        None => endpoint.connect(TIMEOUT).await.unwrap(),
    };
    work(link, shared).await;
}

async fn work(link: Link, mut pubsub: PubSub) {
    pubsub.sink.subscribe("news").await.unwrap();
    pubsub.sink.psubscribe("new*s/*").await.unwrap();
    assert_eq!(link.numsub("news").await.unwrap(), 1);
    assert_eq!(link.numsub("new").await.unwrap(), 0);
    let answers = link
        .pipeline(vec![
            command(&["PUBLISH", "news", "one"]),
            command(&["PUBLISH", "news/1", "two"]),
            command(&["NONSENSE"]),
            command(&["PUBLISH", "news", "three"]),
        ])
        .await
        .unwrap();
    assert_eq!(answers.len(), 4);
    assert!(matches!(answers[0], Ok(Value::Int(_))), "{:?}", answers[0]);
    assert_eq!(answers[2].as_ref().expect_err("no command").code(), "ERR");
    assert!(answers[3].is_ok());
    hears(&mut pubsub, &["one", "two", "three"]).await;
    pubsub.sink.punsubscribe("new*s/*").await.unwrap();
    pubsub.sink.unsubscribe("news").await.unwrap();
    assert_eq!(link.numsub("news").await.unwrap(), 0);
    assert!(link.pipeline(Vec::new()).await.unwrap().is_empty());
}

#[actix_rt::test]
async fn one_server_is_reached_in_both_protocols_and_by_any_name() {
    let redis = Redis::start();
    let port = redis.port();
    for url in [
        redis.url(),
        format!("127.0.0.1:{port}"),
        format!("valkey://localhost:{port}/3?protocol=resp3"),
    ] {
        works(&endpoint(&url)).await;
    }
    let link = connect(&format!("{}/3", redis.url())).await;
    ask(&link, &["SET", "key", "value"]).await.unwrap();
    assert_eq!(redis.cli(&["-n", "3", "GET", "key"]), "value");
    let client = ::redis::Client::open(redis.url()).unwrap();
    works(&Endpoint::from(client)).await;
    let [at_once, ..] = refused(&format!("{}/99", redis.url())).await;
    assert!(at_once.to_string().contains("database"), "{at_once}");
}

#[actix_rt::test]
async fn one_connection_takes_commands_and_hears_where_the_server_can() {
    let redis = Redis::start();
    let n_clients = || redis.cli(&["CLIENT", "LIST"]).lines().count();
    let before = n_clients();
    let shared = endpoint(&redis.url()).shared(TIMEOUT).await.unwrap();
    assert_eq!(n_clients(), before + 1);
    let list = redis.cli(&["CLIENT", "LIST"]);
    assert!(
        list.contains("name=greenroom ") && list.contains("resp=3"),
        "{list}"
    );
    // Commands go on when nobody hears any more.
    let link = shared.link.expect("it takes commands");
    drop((shared.sink, shared.messages));
    assert_eq!(link.numsub("news").await.unwrap(), 0);
    assert_eq!(n_clients(), before + 1);

    let is_shared = async |url: &str| {
        works(&endpoint(url)).await;
        endpoint(url).shared(TIMEOUT).await.unwrap().link.is_some()
    };
    assert!(is_shared(&format!("{}?protocol=resp3", redis.url())).await);
    assert!(!is_shared(&format!("{}?protocol=resp2", redis.url())).await);
    // As servers before Redis 6, and proxies.
    let old = Redis::with(&["--rename-command", "HELLO", ""]);
    assert!(!is_shared(&old.url()).await);
}

#[actix_rt::test]
async fn a_shared_connection_ends_for_all_who_have_it() {
    let mut redis = Redis::start();
    let mut shared = endpoint(&redis.url()).shared(TIMEOUT).await.unwrap();
    let link = shared.link.take().unwrap();
    let (broken, clone) = (link.broken(), link.clone());
    link.give_up();
    broken.await;
    assert!(clone.is_broken());
    clone.numsub("a").await.expect_err("given up");
    redis.kill();
    let ended = tokio::time::timeout(TIMEOUT, shared.messages.next()).await;
    assert!(ended.expect("the stream ends").is_none());
}

#[actix_rt::test]
async fn connections_are_named() {
    let redis = Redis::start();
    let url: RedisUrl = redis.url().parse().unwrap();
    let endpoint = Endpoint::Url(url.with_client_name("greenroom-a1"));
    let _link = endpoint.connect(TIMEOUT).await.unwrap();
    assert!(
        redis
            .cli(&["CLIENT", "LIST"])
            .contains("name=greenroom-a1 ")
    );
}

#[actix_rt::test]
async fn a_unix_socket_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.sock");
    let path = path.to_str().unwrap();
    let _redis = Redis::with(&["--unixsocket", path]);
    works(&endpoint(&format!("unix://{path}"))).await;
    works(&endpoint(&format!("unix://{path}?db=1&protocol=resp3"))).await;
    for err in refused("unix:///no/such/redis.sock").await {
        assert_eq!(err.cause(), Cause::Unreachable, "{err}");
        assert!(
            err.to_string().starts_with("unix:///no/such/redis.sock: "),
            "{err}"
        );
    }
}

#[actix_rt::test]
async fn users_and_passwords_are_checked_at_the_dial() {
    let redis = Redis::start();
    let rights = [
        ("app", &["+@all"][..]),
        ("poor", &["+ping", "+publish", "+client"]),
    ];
    for (user, rights) in rights {
        let known = ["ACL", "SETUSER", user, "on", ">s3cret", "~*", "&*"];
        redis.cli(&[&known, rights].concat());
    }
    redis.cli(&["CONFIG", "SET", "requirepass", "p@ss"]);
    let port = redis.port();
    for protocol in ["resp2", "resp3"] {
        works(&endpoint(&format!(
            "redis://:p%40ss@127.0.0.1:{port}?protocol={protocol}"
        )))
        .await;
        works(&endpoint(&format!(
            "redis://app:s3cret@127.0.0.1:{port}?protocol={protocol}"
        )))
        .await;
        for credentials in ["", "app:wr0ng@", "nobody:wr0ng@", ":wr0ng@"] {
            let url = format!("redis://{credentials}127.0.0.1:{port}?protocol={protocol}");
            for err in refused(&url).await {
                assert_eq!(err.cause(), Cause::Auth, "{url}: {err}");
                assert!(err.needs_operator());
                assert!(!format!("{err} {err:?}").contains("wr0ng"), "{err:?}");
            }
        }
    }
    let link = connect(&format!("redis://poor:s3cret@127.0.0.1:{port}")).await;
    let denied = ask(&link, &["SADD", "a", "b"])
        .await
        .expect_err("not allowed");
    assert_eq!(Cause::of(&denied), Cause::Permission);
    assert!(ask(&link, &["PUBLISH", "a", "b"]).await.is_ok());
}

#[actix_rt::test]
async fn what_a_server_repeats_is_searched_for_passwords() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // As an old server does with commands that it does not know.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap();
            let heard = String::from_utf8_lossy(&buffer[..length]).replace("\r\n", " ");
            assert!(heard.contains("s3cret"), "{heard}");
            let answer =
                format!("-ERR unknown command `HELLO`, with args beginning with: {heard}\r\n");
            // All in one piece: who has read the first may be gone before a second is written.
            stream.write_all(answer.repeat(8).as_bytes()).unwrap();
        }
    });
    let url = format!("redis://app:s3cret@127.0.0.1:{port}?protocol=resp3");
    for err in refused(&url).await {
        assert!(!format!("{err} {err:?}").contains("s3cret"), "{err:?}");
        assert_eq!(err.cause(), Cause::Protocol, "{err}");
    }
}

#[actix_rt::test]
async fn tls_trusts_whom_the_url_says() {
    let certificates = Certificates::new();
    let redis = certificates.redis("no");
    let port = redis.port();
    let ca = certificates.ca.display();
    works(&endpoint(&format!("rediss://127.0.0.1:{port}?ca={ca}"))).await;
    works(&endpoint(&format!(
        "rediss://localhost:{port}?ca={ca}&protocol=resp3"
    )))
    .await;
    works(&endpoint(&format!("rediss://127.0.0.1:{port}#insecure"))).await;
    for wrong in [
        format!("rediss://127.0.0.1:{port}"),
        format!("rediss://127.0.0.1:{port}?ca=/no/such/file"),
        format!(
            "rediss://127.0.0.1:{port}?ca={}",
            certificates.server.1.display()
        ),
    ] {
        for err in refused(&wrong).await {
            assert_eq!(err.cause(), Cause::Tls, "{err}");
        }
    }
    refused(&format!("redis://127.0.0.1:{port}")).await;
}

#[actix_rt::test]
async fn tls_shows_our_certificate() {
    let certificates = Certificates::new();
    let redis = certificates.redis("yes");
    let url = format!(
        "rediss://127.0.0.1:{}?ca={}",
        redis.port(),
        certificates.ca.display()
    );
    refused(&url).await;
    let (cert, key) = &certificates.client;
    works(&endpoint(&format!(
        "{url}&cert={}&key={}",
        cert.display(),
        key.display()
    )))
    .await;
}

#[actix_rt::test]
async fn nobody_there_is_told_at_once() {
    let port = servers::free_port();
    for url in [
        format!("redis://127.0.0.1:{port}"),
        format!("redis+cluster://127.0.0.1:{port}"),
        format!("redis+sentinel://127.0.0.1:{port}/mymaster"),
    ] {
        let begun = Instant::now();
        for err in refused(&url).await {
            assert_eq!(err.cause(), Cause::Unreachable, "{err}");
            assert!(
                err.to_string().contains(&format!("127.0.0.1:{port}")),
                "{err}"
            );
            assert!(!err.needs_operator());
        }
        assert!(begun.elapsed() < TIMEOUT / 2);
    }
}

#[actix_rt::test]
async fn a_frozen_server_is_noticed_in_time() {
    let redis = Redis::start();
    let endpoint = endpoint(&redis.url());
    let timeout = Duration::from_millis(300);
    let link = endpoint.connect(TIMEOUT).await.unwrap();
    let impatient = endpoint.connect(timeout).await.unwrap();
    redis.freeze();
    let begun = Instant::now();
    let err = impatient.numsub("a").await.expect_err("no answer");
    assert_eq!(err.cause(), Cause::Timeout(timeout), "{err}");
    // From then on at once, also when the server is back: the owner has to dial.
    let again = Instant::now();
    impatient
        .pipeline(vec![command(&["PING"])])
        .await
        .expect_err("broken");
    assert!(again.elapsed() < timeout);
    for err in [
        endpoint.connect(timeout).await.expect_err("no answer"),
        endpoint.pubsub(timeout).await.err().expect("no answer"),
        endpoint.shared(timeout).await.err().expect("no answer"),
    ] {
        assert_eq!(err.cause(), Cause::Timeout(timeout), "{err}");
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
    redis.thaw();
    impatient
        .pipeline(vec![command(&["PING"])])
        .await
        .expect_err("broken");
    assert!(ask(&link, &["PING"]).await.is_ok());
}

#[actix_rt::test]
async fn a_killed_server_is_noticed_and_one_that_is_back_is_dialed() {
    let mut redis = Redis::start();
    let endpoint = endpoint(&redis.url());
    let link = endpoint.connect(TIMEOUT).await.unwrap();
    let mut pubsub = endpoint.pubsub(TIMEOUT).await.unwrap();
    pubsub.sink.subscribe("a").await.unwrap();
    redis.kill();
    let err = link.numsub("a").await.expect_err("nobody there");
    assert_eq!(err.cause(), Cause::Unreachable, "{err}");
    let ended = tokio::time::timeout(TIMEOUT, pubsub.messages.next()).await;
    assert!(ended.expect("the stream ends").is_none());
    redis.restart();
    works(&endpoint).await;
}

#[actix_rt::test]
async fn errors_of_commands_say_what_they_are() {
    let redis = Redis::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    let link = connect(&redis.url()).await;
    let full = ask(&link, &["SADD", "a", "b"])
        .await
        .expect_err("no memory");
    assert_eq!(Cause::of(&full), Cause::Memory);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let replica = ask(&link, &["SADD", "a", "b"])
        .await
        .expect_err("a replica");
    assert_eq!(Cause::of(&replica), Cause::ReadOnly);
}

#[actix_rt::test]
async fn a_cluster_is_one_server_to_us() {
    let cluster = Cluster::start();
    let urls = [cluster.url(), format!("{}?protocol=resp3", cluster.url())];
    // Each is dialed at a master of its own choice.
    let mut subscribers = Vec::new();
    for at in 0..8 {
        let mut pubsub = endpoint(&urls[at % 2]).pubsub(TIMEOUT).await.unwrap();
        pubsub.sink.subscribe("all").await.unwrap();
        subscribers.push(pubsub);
    }
    let per_node: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| node.cli(&["PUBSUB", "NUMSUB", "all"]).replace("all\n", ""))
        .collect();
    for url in &urls {
        works(&endpoint(url)).await;
        let link = connect(url).await;
        assert_eq!(link.numsub("all").await.unwrap(), 8, "{per_node:?}");
        let messages: Vec<String> = (0..100).map(|at| at.to_string()).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let publish = |text: &&str| command(&["PUBLISH", "all", text]);
        let commands = messages.iter().map(publish).collect();
        link.pipeline(commands).await.unwrap();
        for pubsub in &mut subscribers {
            hears(pubsub, &messages).await;
        }
        let keys: Vec<String> = (0..200).map(|at| format!("key{at}")).collect();
        let mut commands = Vec::new();
        for key in &keys {
            commands.push(command(&["SET", key, "first"]));
            commands.push(command(&["APPEND", key, key]));
            commands.push(command(&["GETDEL", key]));
            commands.push(command(&["EVAL", "return KEYS[1]", "1", key]));
        }
        let answers = link.pipeline(commands).await.unwrap();
        for (key, answers) in keys.iter().zip(answers.chunks(4)) {
            let text = |text: &str| Ok(Value::BulkString(text.as_bytes().to_vec()));
            assert_eq!(answers[2], text(&format!("first{key}")));
            assert_eq!(answers[3], text(key));
        }
    }
}

#[actix_rt::test]
async fn one_dead_master_of_a_cluster_is_noticed_by_trying_all() {
    let mut cluster = Cluster::start();
    let link = connect(&cluster.url()).await;
    link.try_all().await.unwrap();
    cluster.nodes[1].kill();
    link.try_all().await.expect_err("one does not answer");
    let mut redis = Redis::start();
    let link = connect(&redis.url()).await;
    link.try_all().await.unwrap();
    redis.kill();
    link.try_all().await.expect_err("nobody answers");
}

#[actix_rt::test]
async fn a_cluster_is_reached_through_tls() {
    let certificates = Certificates::new();
    let mut options = certificates.options("no");
    options.extend(["--tls-cluster", "yes"].map(str::to_owned));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let cluster = Cluster::with(&options);
    let url = format!("rediss+cluster://{}", cluster.hosts());
    let trusting = format!("{url}?ca={}", certificates.ca.display());
    works(&endpoint(&trusting)).await;
    let link = connect(&trusting).await;
    let keys = ["a", "b", "c", "d"];
    let commands = keys.iter().map(|key| command(&["SET", key, "1"])).collect();
    let answers = link.pipeline(commands).await.unwrap();
    assert_eq!(answers, vec![Ok(Value::Okay); 4]);
    for err in refused(&url).await {
        assert_eq!(err.cause(), Cause::Tls, "{err}");
    }
}

#[actix_rt::test]
async fn a_failover_of_sentinels_is_followed() {
    let mut servers = Sentinels::start();
    let url = servers.url();
    let endpoint = endpoint(&url);
    works(&endpoint).await;
    let link = endpoint.connect(TIMEOUT).await.unwrap();
    let port_of = async |link: &Link| match ask(link, &["CONFIG", "GET", "port"]).await {
        Ok(Value::Array(pair)) => pair[1].clone(),
        other => panic!("{other:?}"),
    };
    let port = |redis: &Redis| Value::BulkString(redis.port().to_string().into_bytes());
    assert_eq!(port_of(&link).await, port(&servers.master));
    // What is wrong is told by its name, and not only that somebody is away.
    let unknown = url.replace("/mymaster", "/other");
    for err in refused(&unknown).await {
        assert_eq!(err.cause(), Cause::NoMaster, "{err}");
        assert!(
            err.to_string()
                .contains("does not know the service `other`"),
            "{err}"
        );
    }
    for (right, wrong) in [
        (Sentinels::PASSWORD, "wr0ng"),
        (Sentinels::SENTINEL_PASSWORD, "wr0ng"),
    ] {
        for err in refused(&url.replace(right, wrong)).await {
            assert_eq!(err.cause(), Cause::Auth, "{err}");
            let shown = format!("{err} {err:?}");
            assert!(
                !shown.contains("wr0ng") && !shown.contains("of-the"),
                "{shown}"
            );
        }
    }
    servers.fail_over();
    link.pipeline(vec![command(&["PING"])])
        .await
        .expect_err("the old master is gone");
    let mut backoff = Backoff::default();
    let begun = Instant::now();
    let link = loop {
        tokio::time::sleep(backoff.next()).await;
        match endpoint.connect(TIMEOUT).await {
            Ok(link) => break link,
            Err(err) => assert!(begun.elapsed() < TIMEOUT, "{err}"),
        }
    };
    assert_eq!(port_of(&link).await, port(&servers.replica));
    works(&endpoint).await;
}

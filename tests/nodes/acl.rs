//! What a user of Redis has to be allowed is what the documentation says, and no more has to be.

use std::time::Duration;

use greenroom::Observer;
use greenroom::config::{Config, Subscription};

use crate::support::cluster::{Node, Peer, config, until, value};
use crate::support::servers::Redis;
use crate::support::{DEADLINE, on_actix};
use serde_json::json;

/// The paragraph about ACLs.
fn documented() -> String {
    let text = include_str!("../../docs/clustering.md");
    let from = text.find("With ACLs a user needs").unwrap();
    let paragraph = &text[from..];
    paragraph[..paragraph.find("\n\n").unwrap()].to_owned()
}

/// Makes the user `node` with what the documentation lists.
fn allow(redis: &Redis) {
    let documented = documented();
    let listed = documented.split('`').skip(1).step_by(2);
    let is_command = |word: &&str| {
        word.len() > 1
            && word
                .chars()
                .all(|symbol| symbol.is_uppercase() || symbol == '|')
    };
    let commands: Vec<String> = listed
        .filter(is_command)
        .map(|word| format!("+{}", word.to_lowercase()))
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let user = ["ACL", "SETUSER", "node", "reset", "on", ">secret"];
    let mut words = user.to_vec();
    words.extend(["~k*", "&k*"]);
    words.extend([
        "&k#/#*",
        "&k#/chat#*",
        "&k-request#/#?*",
        "&k-request#/chat#?*",
    ]);
    words.extend(commands.iter().map(String::as_str));
    redis.cli(&words);
}

fn of_user(redis: &Redis, name: &str, subscription: Subscription) -> Config {
    let mut config = config(redis, name);
    config.redis.uri = redis.url().replace("//", "//node:secret@");
    config.redis.subscription = subscription;
    config.redis.lease = Duration::from_millis(500);
    config
}

/// Waits until redis-cli prints this.
async fn prints(redis: &Redis, words: &[&str], text: &str) {
    until(&format!("{words:?} to print {text}"), async || {
        redis.cli(words) == text
    })
    .await;
}

#[test]
fn a_user_with_what_the_documentation_lists_can_do_all() {
    on_actix(async {
        let redis = Redis::start();
        allow(&redis);
        let of_one = of_user(&redis, "one", Subscription::Pattern);
        let endpoint = of_one.redis.endpoints().unwrap().unwrap().data;
        let (one, mut a, ears) = Node::start(of_one).await;
        let (two, _b, socket) = Node::start(of_user(&redis, "two", Subscription::Exact)).await;

        // Messages, questions, and what is stored.
        socket.join_confirmed("room").await.unwrap();
        let there = one.server.root().within("room").fetch_sockets().await;
        assert_eq!(there.len(), 1);
        two.server.emit("hello", "a");
        assert_eq!(a.event("hello").await.unwrap().args.raw_json(), "[\"a\"]");
        ears.join_confirmed("exact").await.unwrap();
        prints(&redis, &["SCARD", "k#room"], "1").await;

        // Written anew, and taken out again.
        redis.cli(&["FLUSHALL"]);
        prints(&redis, &["SCARD", "k#room"], "1").await;
        socket.leave("room");
        prints(&redis, &["EXISTS", "k#room"], "0").await;

        // A node that was killed is reaped, by the others or by hand.
        let id = "A".repeat(20);
        let (entry, key) = (format!("#{id}"), format!("k#{id}"));
        redis.cli(&["SADD", &key, &id]);
        redis.cli(&["SADD", "k-node#gone", &entry]);
        redis.cli(&["SADD", "k-nodes", "gone"]);
        prints(&redis, &["EXISTS", &key], "0").await;
        greenroom::gc(&endpoint, "k", DEADLINE, false)
            .await
            .unwrap();

        // Nor does a check want more, while others talk.
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let mut config = of_user(&redis, "three", subscription);
            config.webhooks.url = "http://127.0.0.1:1/".to_owned();
            let endpoints = config.redis.endpoints().unwrap().unwrap();
            let observer = Observer::new(endpoints, &config.redis);
            let checks = observer.check(&config).await;
            let problems = checks.iter().filter_map(|check| check.problem.as_deref());
            assert_eq!(problems.collect::<Vec<_>>(), [""; 0]);
        }

        for node in [one, two] {
            node.server.close();
        }
        prints(&redis, &["EXISTS", "k-nodes"], "0").await;
        assert_eq!(redis.cli(&["ACL", "LOG"]), "", "it wanted more");
    });
}

#[test]
fn who_may_not_hear_publishes_all_the_same() {
    on_actix(async {
        let redis = Redis::start();
        let user = ["ACL", "SETUSER", "node", "reset", "on", ">secret"];
        let all_but_hear = ["~*", "&*", "+@all", "-subscribe", "-psubscribe"];
        redis.cli(&[&user[..], &all_but_hear].concat());
        let mut node = Node::build(of_user(&redis, "one", Subscription::Pattern));
        let (_client, _socket) = node.join().await;
        let mut peer = Peer::new(&redis, &["k#/*"]).await;
        let connections = async |peer: &mut Peer| {
            let list: String = peer.ask(&["CLIENT", "LIST"]).await;
            let ours = list.lines().filter(|line| line.contains(" user=node "));
            let ids = ours.filter_map(|line| line.split(' ').next());
            ids.map(str::to_owned).collect::<Vec<_>>()
        };
        // One that publishes and one that stores stay; the one that is to hear is made again and again.
        until("two that outlive three of the third", async || {
            let first = connections(&mut peer).await;
            let mut seen = first.clone();
            until("others", async || {
                seen.extend(connections(&mut peer).await);
                seen.sort();
                seen.dedup();
                seen.len() >= first.len() + 3
            })
            .await;
            let last = connections(&mut peer).await;
            first.iter().filter(|id| last.contains(id)).count() == 2
        })
        .await;
        node.server.emit("heard by others", ());
        let (_, payload) = peer.next().await;
        assert_eq!(value(&payload)[1]["data"], json!(["heard by others"]));
        let trouble = node.server.trouble().unwrap();
        assert!(trouble.contains("no connection to subscribe"), "{trouble}");
    });
}

//! What an operator reads of Redis: one line when it goes, one when it is back, and no password.
//!
//! In a process of its own, since a process has one logger.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod support;

use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

use crate::support::cluster::{Node, config};
use crate::support::servers::Redis;
use crate::support::{eventually, on_actix};

/// Keeps what this crate logs for operators.
struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("greenroom")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = (record.level(), record.args().to_string());
            self.0.lock().push(line);
        }
    }

    fn flush(&self) {}
}

impl Lines {
    /// What was said of the connections since the last time, from info up; no line of any level may have a password.
    fn take(&self) -> Vec<(Level, String)> {
        let mut lines = std::mem::take(&mut *self.0.lock());
        for (_, line) in &lines {
            assert!(!line.contains("a-secret"), "{line}");
        }
        lines.retain(|(level, line)| *level <= Level::Info && line.starts_with("redis"));
        lines
    }

    /// How many lines of any level have it in them.
    fn n(&self, text: &str) -> usize {
        let lines = self.0.lock();
        lines.iter().filter(|(_, line)| line.contains(text)).count()
    }
}

#[test]
fn an_outage_is_one_line_in_and_one_out() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    on_actix(async {
        let mut redis = Redis::with(&["--requirepass", "a-secret"]);
        let mut config = config(&redis, "one");
        config.redis.uri = format!("redis://:a-secret@127.0.0.1:{}", redis.port());
        config.redis.canary_interval = Duration::from_millis(500);
        config.redis.connect_timeout = Duration::from_secs(1);
        let (node, _client, _) = Node::start(config.clone()).await;
        let lines = LINES.take();
        assert_eq!(lines, [(Level::Info, "redis is connected".to_owned())]);
        for n_outage in 0..3 {
            redis.kill();
            let mut n_emitted = 0;
            eventually("all three are missed, and again", || {
                node.server.emit("lost perhaps", n_emitted);
                n_emitted += 1;
                let trouble = node.server.trouble().unwrap_or_default();
                trouble.contains("publish, subscribe, data") && LINES.n("redis is still away") > 5
            })
            .await;
            redis.restart();
            eventually("redis is back", || LINES.n("redis is back") > 0).await;
            node.is_well().await;
            let lines = LINES.take();
            let [(level_in, line_in), (level_out, line_out)] = &lines[..] else {
                panic!("outage {n_outage}: {lines:?}");
            };
            assert_eq!((*level_in, *level_out), (Level::Warn, Level::Info));
            assert!(
                line_in.starts_with("redis is away, local delivery goes on "),
                "{line_in}"
            );
            assert!(
                line_out.starts_with("redis is back after_ms="),
                "{line_out}"
            );
            assert!(line_out.contains("lost_messages="), "{line_out}");
        }
        // One that is over before the connections that are idle have been used is one outage all the same.
        redis.kill();
        redis.restart();
        eventually("both connections are there again", || {
            let clients = redis.cli(&["-a", "a-secret", "CLIENT", "LIST"]);
            clients.lines().count() == 2 + 1
        })
        .await;
        eventually("redis is back", || LINES.n("redis is back") > 0).await;
        node.is_well().await;
        let lines = LINES.take();
        let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [Level::Warn, Level::Info], "{lines:?}");
        // What only an operator can mend is an error, once.
        let mut wrong = config.clone();
        wrong.redis.uri = format!("redis://:a-secret-too@127.0.0.1:{}", redis.port());
        let mut other = Node::build(wrong);
        let _guest = other.join().await;
        eventually("it is refused again and again", || {
            LINES.n("redis is still away") > 5
        })
        .await;
        let lines = LINES.take();
        let [(level, line)] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(*level, Level::Error);
        assert!(
            line.starts_with("redis refuses this server, local delivery goes on "),
            "{line}"
        );
    });
}

//! Answers of clients: to one, to many, in time, too late, never; with binary and in both dialects.

mod broadcasts;
mod one;
mod wire;

use std::time::Duration;

use greenroom::config::{Config, Parser};
use greenroom::testing::Client;

fn msgpack() -> Config {
    let mut config = Config::default();
    config.socketio.parser = Parser::Msgpack;
    config
}

/// A timeout that is long over when a test ends, and one that no test reaches.
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

/// Answers the next question of the server with `values`.
async fn answer<T: serde::Serialize>(client: &mut Client, values: T) {
    let asked = client.event("ask").await.unwrap();
    let id = asked.ack.expect("the server asks for an ack");
    client.ack(id, values).await.unwrap();
}

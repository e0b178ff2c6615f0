//! Asking the servers of a cluster from programs that are none.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::{Config, RedisConfig, Subscription};
use crate::namespace::{Gathered, IntoRooms, Room, Silent};
use crate::protocol::adapter::{self, AnswerBody, Channels, FetchedSocket, Opts};
use crate::protocol::engineio::SocketId;
use crate::protocol::socketio::MAIN_NAMESPACE;
use crate::redis::{Endpoints, Link, LinkError, PubSub};
use crate::registry::check_data;

/// Asks the servers of a cluster, Greenroom and Node.js alike, from a program that is none: a command, a job.
///
/// It needs a tokio runtime and the Redis that the servers share. Each question has connections of its own. Servers that do
/// not answer within `redis.requests_timeout` are counted; those that are about to end ([`Server::drain`]) are not asked.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use greenroom::{Observer, config::Config};
///
/// let redis = Config::load()?.redis;
/// if let Some(endpoints) = redis.endpoints()? {
///     let observer = Observer::new(endpoints, &redis);
///     for socket in observer.sockets("/", ["red", "blue"]).await? {
///         println!("{} is in {:?}", socket.id, socket.rooms);
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// [`Server::drain`]: crate::Server::drain
#[derive(Clone, Debug)]
pub struct Observer {
    endpoints: Endpoints,
    channels: Channels,
    /// Who asks: not a server.
    uid: ByteString,
    connect_timeout: Duration,
    requests_timeout: Duration,
}

/// Something that was tried out at Redis.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// What a server needs.
    pub what: &'static str,
    /// Why it is not there. Without passwords.
    pub problem: Option<String>,
}

impl Observer {
    /// One for the servers with these settings: their prefix, and how long is waited.
    #[must_use]
    pub fn new(endpoints: Endpoints, settings: &RedisConfig) -> Self {
        let uid = ByteString::from(SocketId::generate().as_str());
        Self {
            endpoints,
            channels: Channels::new(settings.key.as_str(), uid.clone()),
            uid,
            connect_timeout: settings.connect_timeout,
            requests_timeout: settings.requests_timeout,
        }
    }

    /// All rooms of a namespace, sorted; the ids of its sockets are rooms too.
    ///
    /// # Errors
    /// Redis cannot be reached, or refuses.
    pub async fn rooms(&self, nsp: &str) -> Result<Gathered<Vec<Room>>, LinkError> {
        let (bodies, silent) = self
            .ask(nsp, |id| adapter::encode_all_rooms(&self.uid, id))
            .await?;
        let rooms: BTreeSet<Room> = bodies
            .into_iter()
            .flat_map(|body| match body {
                AnswerBody::Rooms(rooms) => rooms,
                _ => Vec::new(),
            })
            .collect();
        Ok(Gathered::new(rooms.into_iter().collect(), silent))
    }

    /// The sockets of a namespace that are in one of these rooms, or all if there are none; sorted by id.
    ///
    /// # Errors
    /// Redis cannot be reached, or refuses.
    pub async fn sockets(
        &self,
        nsp: &str,
        rooms: impl IntoRooms,
    ) -> Result<Gathered<Vec<FetchedSocket>>, LinkError> {
        let opts = Opts {
            rooms: rooms.into_rooms().collect(),
            ..Opts::default()
        };
        let (bodies, silent) = self
            .ask(nsp, |id| adapter::encode_fetch(&self.uid, id, &opts))
            .await?;
        let mut sockets: Vec<FetchedSocket> = bodies
            .into_iter()
            .flat_map(|body| match body {
                AnswerBody::Fetched(sockets) => sockets,
                _ => Vec::new(),
            })
            .collect();
        sockets.sort_by(|one, other| one.id.cmp(&other.id));
        // One that moves from a server to another may be told of by both.
        sockets.dedup_by(|one, other| one.id == other.id);
        Ok(Gathered::new(sockets, silent))
    }

    /// What the servers answer, and who does not.
    async fn ask(
        &self,
        nsp: &str,
        encode: impl FnOnce(&str) -> Bytes,
    ) -> Result<(Vec<AnswerBody>, Silent), LinkError> {
        let link = self.endpoints.publish.connect(self.connect_timeout).await?;
        let channels = [self.channels.response(nsp), self.channels.own_response(nsp)];
        let mut messages = self.hear(&channels, &[]).await?;
        let request = self.channels.request(nsp);
        let expected = link.numsub(&request).await?;
        let id = SocketId::generate();
        link.publish(&request, &encode(id.as_str())).await?;
        let deadline = Instant::now() + self.requests_timeout;
        let mut bodies = Vec::new();
        while bodies.len() < expected {
            let Ok(Some(message)) = timeout_at(deadline, messages.next()).await else {
                break;
            };
            match adapter::decode_response(&message) {
                Ok(answer) if *answer.request_id == *id.as_str() => bodies.push(answer.body),
                // Answers to others.
                _ => {}
            }
        }
        let silent = Silent {
            unnamed: expected - bodies.len(),
            ..Silent::default()
        };
        Ok((bodies, silent))
    }

    /// What comes on these channels from now on, and on those that match a pattern.
    async fn hear(
        &self,
        channels: &[String],
        patterns: &[String],
    ) -> Result<impl Stream<Item = Bytes> + Unpin + use<>, LinkError> {
        let endpoint = &self.endpoints.subscribe;
        let pubsub = endpoint.pubsub(self.connect_timeout).await?;
        let PubSub {
            mut sink, messages, ..
        } = pubsub;
        let subscribing = async {
            sink.subscribe(channels).await?;
            match patterns {
                [] => Ok(()),
                patterns => sink.psubscribe(patterns).await,
            }
        };
        match timeout(self.connect_timeout, subscribing).await {
            Ok(Ok(())) => {}
            Ok(Err(err)) => return Err(endpoint.refused(&err, self.connect_timeout)),
            Err(_) => return Err(endpoint.silent(self.connect_timeout)),
        }
        // The connection ends with its sink.
        Ok(Box::pin(messages.map(move |message| {
            let _ = &sink;
            Bytes::copy_from_slice(message.get_payload_bytes())
        })))
    }

    /// Tries out all that a server with these settings needs of Redis: to publish, to be heard and to hear, to count who
    /// listens; and, if the membership is stored, the commands for it, with keys of its own that it removes. With webhooks
    /// of rooms that is more: `TIME` too.
    pub async fn check(&self, config: &Config) -> Vec<Check> {
        let mut checks = vec![Check {
            what: "publish, and hear it",
            problem: self.round_trip(config.redis.subscription).await.err(),
        }];
        if config.redis.store_membership {
            let (data, key) = (&self.endpoints.data, self.channels.key());
            let is_watched = config.webhooks.tells_of_rooms();
            let stored = check_data(data, key, &self.uid, is_watched, self.connect_timeout).await;
            checks.push(Check {
                what: "store who is in which room",
                problem: stored.err().map(|err| err.to_string()),
            });
        }
        checks
    }

    async fn round_trip(&self, subscription: Subscription) -> Result<(), String> {
        let text = |err: LinkError| err.to_string();
        let link: Link = self
            .endpoints
            .publish
            .connect(self.connect_timeout)
            .await
            .map_err(text)?;
        // A channel of requests is what servers are counted by; of a namespace that nobody has.
        let channel = self.channels.request(&format!("/check-{}", self.uid));
        // Patterns may be allowed letter by letter, so they are those of a namespace that every server has.
        let patterns = match subscription {
            Subscription::Exact => vec![],
            Subscription::Pattern => vec![
                self.channels.pattern(MAIN_NAMESPACE),
                self.channels.unterminated_request_pattern(MAIN_NAMESPACE),
            ],
        };
        let hearing = self.hear(std::slice::from_ref(&channel), &patterns);
        let messages = hearing.await.map_err(text)?;
        if link.numsub(&channel).await.map_err(text)? != 1 {
            return Err(
                "who subscribes is not counted where is published: are they one Redis?".to_owned(),
            );
        }
        let sent = format!("check {}", self.uid);
        link.publish(&channel, sent.as_bytes())
            .await
            .map_err(text)?;
        // Besides there is what servers say to each other.
        let heard = messages.any(|message| std::future::ready(message == sent));
        match timeout(self.connect_timeout, heard).await {
            Ok(true) => Ok(()),
            _ => Err("what is published is not heard".to_owned()),
        }
    }
}

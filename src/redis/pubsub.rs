//! A connection for subscriptions.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use ::redis::{
    Msg, PushInfo, RedisResult, ToRedisArgs,
    aio::{self, MultiplexedConnection},
};
use futures_util::Stream;
use tokio::sync::mpsc;

use super::Link;

/// A connection for subscriptions, and for commands too where the server speaks RESP3.
pub(crate) struct PubSub {
    pub(crate) sink: Sink,
    pub(crate) messages: Messages,
    /// The same connection, for commands. It outlives the other two.
    pub(crate) link: Option<Link>,
}

/// What subscribes and unsubscribes. Cheap to clone; a clone is the same connection.
#[derive(Clone)]
pub(crate) enum Sink {
    /// A connection that can do nothing else.
    Only(aio::PubSubSink),
    /// One that can do all.
    Shared(MultiplexedConnection),
}

macro_rules! both {
    ($($name:ident)*) => {
        /// Done when the server has confirmed all of them.
        impl Sink {
            $(pub(crate) async fn $name(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
                match self {
                    Self::Only(sink) => sink.$name(channels).await,
                    Self::Shared(connection) => connection.$name(channels).await,
                }
            })*
        }
    };
}

both!(subscribe psubscribe unsubscribe punsubscribe);

/// What comes. Ends with the connection.
pub(crate) enum Messages {
    Only(aio::PubSubStream),
    Shared(mpsc::UnboundedReceiver<Msg>),
}

impl Stream for Messages {
    type Item = Msg;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Msg>> {
        match self.get_mut() {
            Self::Only(stream) => Pin::new(stream).poll_next(context),
            Self::Shared(received) => received.poll_recv(context),
        }
    }
}

impl From<aio::PubSub> for PubSub {
    fn from(pubsub: aio::PubSub) -> Self {
        let (sink, stream) = pubsub.split();
        Self {
            sink: Sink::Only(sink),
            messages: Messages::Only(stream),
            link: None,
        }
    }
}

/// Where a connection puts what the server sends of itself, and where that comes out: ends when the connection drops it.
pub(super) fn inbox() -> (
    impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static,
    Messages,
) {
    let (sender, received) = mpsc::unbounded_channel();
    // What is no message confirms a subscription, which its sender hears of in another way.
    let push = move |push| match Msg::from_push_info(push) {
        Some(message) => sender.send(message).map_err(drop),
        None => Ok(()),
    };
    (push, Messages::Shared(received))
}

//! Packets of Engine.IO, over either transport.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::broken::Broken;
use super::polling::Polling;
use super::target::{Caller, Target};
use super::websocket::Socket;

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Transport {
    /// A WebSocket from the start
    Websocket,
    /// HTTP long-polling, and no upgrade: two connections of each client
    Polling,
}

impl Transport {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Websocket => "websocket",
            Self::Polling => "polling",
        }
    }
}

/// What a wire has to say.
#[derive(Debug)]
pub(super) enum Heard {
    /// A text packet, with its type in front.
    Packet(Utf8Bytes),
    /// What was queued is on its way: there is room for more.
    Flushed,
}

/// A connection of a client.
pub(super) enum Wire {
    Websocket(Box<Socket>),
    Polling(Box<Polling>),
}

impl Wire {
    /// Connects a client.
    ///
    /// # Errors
    /// [`Broken`]
    pub(super) async fn open(
        target: &Arc<Target>,
        transport: Transport,
        caller: Caller,
    ) -> Result<Self, Broken> {
        Ok(match transport {
            Transport::Websocket => Self::Websocket(Box::new(Socket::open(target, caller).await?)),
            Transport::Polling => {
                Self::Polling(Box::new(Polling::open(Arc::clone(target), caller)))
            }
        })
    }

    /// The next packet. Nothing is lost if this is given up and called again.
    ///
    /// # Errors
    /// [`Broken`]
    pub(super) async fn next(&mut self) -> Result<Heard, Broken> {
        match self {
            Self::Websocket(socket) => socket.next().await,
            Self::Polling(polling) => polling.next().await,
        }
    }

    /// Sends a packet, as soon as somebody waits for the next one.
    ///
    /// # Errors
    /// [`Broken`]
    pub(super) fn queue(&mut self, packet: String) -> Result<(), Broken> {
        match self {
            Self::Websocket(socket) => socket.queue(packet),
            Self::Polling(polling) => {
                polling.queue(packet);
                Ok(())
            }
        }
    }

    /// Whether something is on its way still: the server does not take it, and more would have to wait here.
    pub(super) const fn is_busy(&self) -> bool {
        match self {
            Self::Websocket(socket) => socket.is_busy(),
            Self::Polling(polling) => polling.is_busy(),
        }
    }

    /// Hears the id of the session, without which nobody can poll.
    pub(super) fn opened(&mut self, sid: &str) {
        if let Self::Polling(polling) = self {
            polling.opened(sid);
        }
    }

    /// Says goodbye, and waits until that has gone.
    pub(super) async fn close(&mut self) {
        match self {
            Self::Websocket(socket) => socket.close().await,
            Self::Polling(polling) => polling.close().await,
        }
    }
}

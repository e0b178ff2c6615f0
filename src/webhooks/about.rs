//! What programs elsewhere are told about a socket.

use serde::Serialize;
use serde_json::Value as Json;

use crate::namespace::{Room, Socket};
use crate::protocol::binary_json::to_json;
use crate::protocol::engineio::Transport;
use crate::protocol::socketio::Value;

/// A socket as it is now.
#[derive(Serialize)]
pub(crate) struct About {
    id: String,
    address: Option<String>,
    transport: &'static str,
    recovered: bool,
    /// `null` if it is nested too deep to be read.
    auth: Json,
    data: Json,
    rooms: Vec<Room>,
}

impl About {
    pub(crate) fn new(socket: &Socket) -> Self {
        Self {
            id: socket.id().to_string(),
            address: socket.handshake().address().map(|ip| ip.to_string()),
            transport: match socket.transport() {
                Transport::Polling => "polling",
                Transport::Websocket => "websocket",
            },
            recovered: socket.is_recovered(),
            auth: to_json(&socket.auth::<Value>().unwrap_or_default()),
            data: to_json(&socket.data::<Value>().unwrap_or_default()),
            rooms: socket.rooms(),
        }
    }
}

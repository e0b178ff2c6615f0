//! What becomes of a client that is too fast.

use std::sync::Arc;

use actix::prelude::*;

use super::{Application, Session};
use crate::metrics::Counter;
use crate::namespace::{Ack, Socket};
use crate::protocol::DisconnectReason;
use crate::protocol::socketio::{Body, Packet, split_query};
use crate::rates::{self, Judged, Verdict};

impl Session {
    /// Whether a packet may pass; if not, its client has been told.
    pub(super) fn is_within_rates(&mut self, packet: &Packet, ctx: &mut Context<Self>) -> bool {
        let (event, id) = match &packet.body {
            Body::Event { name, id, .. } => (Some(&**name), *id),
            _ => (None, None),
        };
        let judged = self.charge(event);
        if judged.verdict == Verdict::Pass {
            return true;
        }
        let socket = self.socket_of(packet);
        if judged.is_news
            && let Some(socket) = &socket
        {
            self.notify(socket, judged);
        }
        match judged.verdict {
            Verdict::Pass | Verdict::Warn => true,
            // Whoever waits for an answer of this client has asked for it; and who leaves should.
            Verdict::Drop if matches!(packet.body, Body::Ack { .. } | Body::Disconnect) => true,
            Verdict::Drop => {
                if let (Some(socket), Some(id)) = (socket, id) {
                    Ack::new(socket, id).refuse(&reason(judged));
                }
                false
            }
            Verdict::Disconnect => {
                self.close_saying(&reason(judged), DisconnectReason::ForcedServerClose, ctx);
                false
            }
        }
    }

    /// Whether a message may pass to an application without Socket.IO.
    pub(super) fn is_message_within_rates(
        &mut self,
        n_bytes: usize,
        ctx: &mut Context<Self>,
    ) -> bool {
        if let Some(meters) = &mut self.meters {
            meters.add_bytes(n_bytes);
        }
        let judged = self.charge(None);
        if judged.verdict == Verdict::Disconnect {
            self.close_saying(&reason(judged), DisconnectReason::ForcedServerClose, ctx);
        }
        judged.verdict < Verdict::Drop
    }

    fn charge(&mut self, event: Option<&str>) -> Judged {
        let Some(meters) = &mut self.meters else {
            return Judged {
                verdict: Verdict::Pass,
                limit: "",
                is_news: false,
            };
        };
        let judged = meters.charge(event, rates::now());
        let counter = match judged.verdict {
            Verdict::Pass => return judged,
            Verdict::Warn => Counter::RateWarned,
            Verdict::Drop => Counter::RateDropped,
            Verdict::Disconnect => Counter::RateDisconnected,
        };
        self.server.metrics.count(counter);
        if judged.is_news {
            log::debug!(
                "a client is too fast sid={} limit={} action={}",
                self.sid(),
                judged.limit,
                judged.verdict.as_str()
            );
        }
        judged
    }

    /// The socket that sent a packet, if it is connected.
    fn socket_of(&self, packet: &Packet) -> Option<Socket> {
        let Application::SocketIo(sockets) = &self.application else {
            return None;
        };
        let (nsp, _) = split_query(&packet.nsp);
        let seated = &sockets.seated[sockets.position(nsp)?];
        let socket = seated.is_connected.then(|| Arc::clone(&seated.socket));
        socket.map(Socket::from)
    }

    fn notify(&self, socket: &Socket, judged: Judged) {
        let event = self
            .meters
            .as_ref()
            .map_or("", |meters| meters.notice_event());
        if !event.is_empty() {
            let action = judged.verdict.as_str();
            let notice = serde_json::json!({ "limit": judged.limit, "action": action });
            socket.emit(event, notice);
        }
    }
}

fn reason(judged: Judged) -> String {
    format!("rate limit exceeded: {}", judged.limit)
}

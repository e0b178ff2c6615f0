//! What becomes of a message of the cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Subscriber;
use super::wanted::Source;
use crate::hub::{Change, Command, Fanout, Flags, Selection};
use crate::metrics::Counter;
use crate::namespace::{BroadcastAcks, NamespaceInner, Relayed, ServerAck, ServerEvent};
use crate::protocol::adapter::{
    self, Asker, BroadcastEvent, Junk, OptFlags, Opts, Request, Target,
};
use crate::registry::{AnswerRequest, NODES_EVENT};
use crate::throttle::throttled;

/// How long acks are relayed to a server that does not say how long it waits.
const DEFAULT_ACK_TIMEOUT: Duration = Duration::from_secs(60);

impl Subscriber {
    pub(super) fn incoming(&mut self, message: &redis::Msg) {
        self.heard.messages += 1;
        self.heard.bytes += message.get_payload_bytes().len() as u64;
        // Our own broadcast: half of what a node hears that publishes as much as others.
        if message.get_payload_bytes().starts_with(&self.own_head) {
            return;
        }
        let is_pattern = message.from_pattern();
        let channel = message.get_channel_name();
        let name = if is_pattern {
            message.get_pattern().unwrap_or_default()
        } else {
            channel.to_owned()
        };
        let Some(source) = self.wanted.source(is_pattern, name) else {
            // It was wanted a moment ago.
            return;
        };
        let payload = || Bytes::copy_from_slice(message.get_payload_bytes());
        match source {
            Source::Canary => self.cluster.health.heard_canary(Instant::now()),
            Source::Broadcasts(nsp) => {
                match self.cluster.channels.room_of(nsp.name(), channel) {
                    Some(Target::Everybody) => {
                        self.broadcast(nsp, None, message.get_payload_bytes())
                    }
                    Some(Target::Room(room) | Target::Unterminated(room)) => {
                        // Before anything is decoded.
                        if self.server.locals.may_have(nsp.index, room) {
                            self.broadcast(nsp, Some(room), message.get_payload_bytes());
                        } else {
                            self.heard.needless += 1;
                        }
                    }
                    None => self.junk(Junk::Shape, channel),
                }
            }
            // The pattern for those without the `#` at the end meets the channels of other namespaces too.
            Source::Requests(nsp) => {
                let channels = &self.cluster.channels;
                if !is_pattern || channels.is_request(nsp.name(), channel) {
                    self.request(nsp, channel, &payload());
                }
            }
            Source::Answers => match adapter::decode_response(&payload()) {
                Ok(answer) => {
                    if !self.cluster.pending.answer(answer) {
                        // Those to questions of others come here too.
                        self.server.metrics.count(Counter::UnknownAnswer);
                    }
                }
                Err(junk) => self.junk(junk, channel),
            },
        }
    }

    fn junk(&self, junk: Junk, channel: &str) {
        if junk == Junk::Foreign {
            self.server.metrics.count(Counter::ClusterForeign);
            return Self::warn_of_foreigners(channel);
        }
        self.server.metrics.count(Counter::ClusterJunk);
        log::debug!("a message of the cluster is ignored channel={channel} err={junk}");
    }

    /// What the streams adapter publishes ends every Node.js server that uses the classic one with the same prefix:
    /// that is worth more than a counter, but not a line for each.
    fn warn_of_foreigners(channel: &str) {
        throttled!(
            warn,
            "servers with another adapter (streams) publish on our channels, which Node.js servers do not survive: \
             they need another redis.key channel={channel}"
        );
    }

    // Hot: copied once, its head decoded, its arguments transcoded into the packet of the clients; then one fan-out per hub.
    fn broadcast(&self, nsp: &Arc<NamespaceInner>, room: Option<&str>, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(payload);
        let broadcast = match adapter::decode(&payload) {
            Ok(broadcast) => broadcast,
            Err(junk) => return self.junk(junk, nsp.name()),
        };
        let is_ours = broadcast.uid == self.cluster.uid;
        let is_of_nsp = broadcast.nsp.as_deref().unwrap_or("/") == nsp.name();
        let exists = |room: &str| self.server.locals.may_have(nsp.index, room);
        if is_ours
            || !is_of_nsp
            || room.is_some_and(|room| adapter::is_duplicate(room, &broadcast.opts.rooms, exists))
        {
            return;
        }
        let flags = flags(broadcast.opts.flags);
        nsp.deliver(
            selection(broadcast.opts),
            flags,
            &broadcast.name,
            &broadcast.args,
        );
    }

    fn request(&self, nsp: &Arc<NamespaceInner>, channel: &str, payload: &Bytes) {
        let incoming = match adapter::decode_request(payload) {
            Ok(incoming) => incoming,
            Err(junk) => return self.junk(junk, channel),
        };
        // What we ask of others, we have done or answered ourselves.
        if incoming.uid.as_ref() == Some(&self.cluster.uid) {
            return;
        }
        match incoming.request {
            Request::Join { opts, rooms } => {
                self.change(nsp, opts, &Change::Join(rooms.into_vec()));
            }
            Request::Leave { opts, rooms } => {
                self.change(nsp, opts, &Change::Leave(rooms.into_vec()));
            }
            Request::Disconnect { opts, close } => {
                self.change(nsp, opts, &Change::Disconnect { close });
            }
            Request::ServerSideEmit { asker, name, .. } if name == NODES_EVENT => {
                ServerAck::new(Arc::clone(nsp), asker).send(self.server.load());
            }
            Request::ServerSideEmit { asker, name, args } => {
                let ack = ServerAck::new(Arc::clone(nsp), asker);
                ServerEvent::new(Arc::clone(nsp), name, args, ack).hand_over();
            }
            Request::Broadcast { asker, event } => self.broadcast_with_ack(nsp, asker, *event),
            request => self.server.tell_registry(|| AnswerRequest {
                nsp: Arc::clone(nsp),
                request,
            }),
        }
    }

    fn change(&self, nsp: &NamespaceInner, opts: Opts, change: &Change) {
        let selection = selection(opts);
        self.server.change(nsp.index, &selection, change);
    }

    fn broadcast_with_ack(&self, nsp: &Arc<NamespaceInner>, asker: Asker, event: BroadcastEvent) {
        if event.nsp.as_deref().unwrap_or("/") != nsp.name() {
            return;
        }
        let OptFlags { timeout, .. } = event.opts.flags;
        let timeout = timeout.unwrap_or(DEFAULT_ACK_TIMEOUT);
        let flags = flags(event.opts.flags);
        let selection = selection(event.opts);
        let hubs = self.server.hubs_with(nsp.index, &selection.rooms);
        let (cluster, channel) = (Arc::clone(&self.cluster), self.answer_channel(nsp, &asker));
        let relay = move |relayed| {
            let uid = Some(&*cluster.uid);
            let answer = match relayed {
                Relayed::Asked(n_clients) => Ok(asker.client_count(n_clients, uid)),
                Relayed::Answer(args) => asker.ack(&args, uid),
            };
            cluster.publish_encoded(channel.clone(), answer);
        };
        let acks = BroadcastAcks::relayed(hubs.len(), Box::new(relay), Instant::now() + timeout);
        let id = nsp.next_ack_id();
        let dialect = self.server.dialect();
        let fanout = Arc::new(Fanout {
            nsp: nsp.index,
            packet: dialect.event(nsp.name(), Some(id), &event.name, &event.args),
            selection,
            flags,
            acks: Some((id, acks)),
            logged: 0,
        });
        hubs.tell(|| Command::Fanout(Arc::clone(&fanout)));
    }

    fn answer_channel(&self, nsp: &NamespaceInner, asker: &Asker) -> String {
        let prefers_own = self.cluster.settings.publish_on_specific_response_channel;
        asker.channel(&self.cluster.channels, nsp.name(), prefers_own)
    }
}

fn selection(opts: Opts) -> Selection {
    Selection {
        rooms: opts.rooms,
        except: opts.except,
    }
}

fn flags(flags: OptFlags) -> Flags {
    Flags {
        volatile: flags.volatile,
        compress: flags.compress.unwrap_or(true),
    }
}

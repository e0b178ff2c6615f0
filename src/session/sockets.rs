//! Socket.IO on a session: who it is in each namespace, how it gets in, how it leaves.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use bytestring::ByteString;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::token::TokenStage;
use super::{Application, Session};
use crate::SocketId;
use crate::error::Refusal;
use crate::hub::{self, Member, MemberKey, Timer};
use crate::locals::Held;
use crate::metrics::Counter;
use crate::namespace::{
    Disconnecting, Dispatch, NamespaceInner, NotEntered, Opening, Room, Socket, SocketInner,
    require_token,
};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::ProtocolVersion;
use crate::protocol::socketio::{Args, Decoder, Encoded};
use crate::recovery::{Restored, Saved};
use crate::registry;
use crate::server::Shared;

/// What Socket.IO knows of a session.
pub(super) struct Sockets {
    pub(super) decoder: Decoder,
    pub(super) seated: SmallVec<[Seated; 1]>,
    /// Dropped when a namespace has decided, if a packet waits for that.
    pub(super) decided: Option<oneshot::Sender<()>>,
    /// Whether it has been in a namespace.
    pub(super) has_joined: bool,
    /// When the end of a token is looked for next.
    pub(super) token_watched: Option<Instant>,
}

/// A socket of this session.
pub(super) struct Seated {
    pub(super) socket: Arc<SocketInner>,
    pub(super) member: MemberKey,
    pub(super) dispatch: Rc<dyn Dispatch>,
    pub(super) is_connected: bool,
    pub(super) token: TokenStage,
}

impl Sockets {
    pub(super) fn new(server: &Shared) -> Self {
        let decoder = Decoder::new(server.dialect());
        Self {
            decoder,
            seated: SmallVec::new(),
            decided: None,
            has_joined: false,
            token_watched: None,
        }
    }

    pub(super) fn position(&self, nsp: &str) -> Option<usize> {
        self.seated
            .iter()
            .position(|seated| seated.socket.namespace().name() == nsp)
    }
}

impl Session {
    pub(super) const fn sockets(&mut self) -> Option<&mut Sockets> {
        match &mut self.application {
            Application::SocketIo(sockets) => Some(sockets),
            Application::Raw(_) => None,
        }
    }

    fn send_packet(&self, packet: Encoded) {
        self.hub.borrow_mut().push_packet(self.seat, packet);
    }

    /// Clients of revision 3 are in the root namespace without asking, with the query as their auth.
    pub(super) fn connect_v3(&mut self, ctx: &mut Context<Self>) {
        if let Application::SocketIo(_) = self.application {
            self.connect("/", Args::none(), ctx);
        }
    }

    /// A client wants into a namespace.
    pub(super) fn connect(&mut self, name: &str, auth: Args, ctx: &mut Context<Self>) {
        let server = Arc::clone(&self.server);
        let limits = server.limits();
        let n_seated = self.sockets().map_or(0, |sockets| sockets.seated.len());
        let namespaces = server.namespaces();
        let entered = if name.len() > limits.namespace_name_bytes {
            Err(NotEntered::NameTooLong)
        } else if n_seated >= limits.namespaces_per_session {
            Err(NotEntered::TooMany)
        } else {
            namespaces.map_or(Err(NotEntered::Unknown), |table| {
                table.enter(name, &self.handshake)
            })
        };
        let nsp = match entered {
            Ok(nsp) => nsp,
            Err(why) => {
                server.metrics.count(Counter::NamespaceRefused);
                log::debug!(
                    "a namespace is refused sid={} why={why} bytes={} sockets={n_seated}",
                    self.sid(),
                    name.len()
                );
                return self.send_packet(server.dialect().connect_error(
                    name,
                    &why.to_string(),
                    None,
                ));
            }
        };
        let mut restored = self.restore(&nsp, &auth);
        let skips_middleware = restored.is_some() && server.config.recovery.skip_middlewares;
        let recovery_pid = |restored: &Option<Restored>| match (&server.recovery, restored) {
            (None, _) => None,
            (Some(_), Some(_)) => auth.first::<Resume>().ok().map(|resume| resume.pid.into()),
            (Some(_), None) => Some(ByteString::from(SocketId::generate().as_str())),
        };
        let pid = recovery_pid(&restored);
        let (id, data) = match &restored {
            Some(Restored { saved, .. }) => (saved.id.clone(), Some(saved.data.clone())),
            None => (SocketId::generate(), None),
        };
        let socket = SocketInner::new(Opening {
            id,
            pid,
            hub: Arc::clone(&self.hub.borrow().handle),
            handshake: Arc::clone(&self.handshake),
            auth,
            protocol: self.version,
            transport: self.transport,
            recovered: restored.is_some(),
            data,
            nsp: self.hub.borrow().namespace(&nsp),
        });
        let mut member = Member::new(Arc::clone(&socket), self.seat);
        if let Some(Restored { up_to, .. }) = &restored {
            member.replayed_up_to = *up_to;
            member.enter();
        }
        let member = self.hub.borrow_mut().add_member(member);
        socket.seat_at(member);
        let definition = &nsp.definition;
        let dispatch = definition.here(|| nsp.env());
        if let Some(sockets) = self.sockets() {
            let dispatch = Rc::clone(&dispatch);
            sockets.seated.push(Seated {
                socket: Arc::clone(&socket),
                member,
                dispatch,
                is_connected: false,
                token: TokenStage::Good,
            });
        }
        let handle = Socket::from(socket);
        if let Some(Restored { saved, held, .. }) = &mut restored {
            // What waits for this worker may be for these rooms, and newer than what is replayed.
            hub::before_mail(&self.hub, || {
                handle.join(handle.id());
                handle.join(saved.rooms.clone());
            });
            // It is in them now.
            drop(held.take());
        }
        let middleware = if skips_middleware {
            Vec::new()
        } else {
            definition.middleware.clone()
        };
        let auth = server.auth.as_ref();
        let auth = auth.filter(|auth| auth.is_required(name)).cloned();
        let asks_nobody = middleware.is_empty() && auth.is_none();
        let (hub, entering) = (Rc::clone(&self.hub), handle.clone());
        let enter = move || {
            if let Some(member) = hub.borrow_mut().members.get_mut(member) {
                member.enter();
            }
            entering.join(entering.id());
        };
        if asks_nobody {
            enter();
        }
        let asked = asks_nobody.then(|| dispatch.connect(handle.clone()));
        if let Some(None) = asked {
            return self.admit(member, Ok(()), restored);
        }
        // In a task of its own: what the handler decides has to be known also if the session ends first.
        let (tell, told) = oneshot::channel();
        actix_rt::spawn(async move {
            let mut verdict = Verdict {
                result: Ok(()),
                socket: handle.clone(),
                asked: None,
            };
            if let Some(auth) = auth {
                verdict.result = require_token(auth, handle.clone()).await;
            }
            for middleware in middleware {
                if verdict.result.is_err() {
                    break;
                }
                verdict.result = middleware(handle.clone()).await;
            }
            if verdict.result.is_err() {
                // Whoever waits may have gone.
                return drop(tell.send(verdict));
            }
            enter();
            if let Some(answer) = asked.flatten().or_else(|| dispatch.connect(handle)) {
                verdict.asked = Some(dispatch);
                verdict.result = answer.await;
            }
            // Without a session the verdict is dropped, and so the handler told.
            let _ = tell.send(verdict);
        });
        let told = told.into_actor(self);
        ctx.spawn(told.map(move |verdict, session: &mut Self, _| {
            match verdict {
                Ok(verdict) => session.judged(member, verdict, restored),
                // A middleware has panicked.
                Err(_) => session.admit(member, Err(Refusal::new("internal error")), None),
            }
            if let Some(sockets) = session.sockets() {
                sockets.decided = None;
            }
        }));
    }

    /// The namespace has decided; the socket may have gone meanwhile.
    fn judged(&mut self, member: MemberKey, mut verdict: Verdict, restored: Option<Restored>) {
        let is_here = self.hub.borrow().members.contains_key(member);
        if is_here {
            verdict.asked = None;
            self.admit(
                member,
                std::mem::replace(&mut verdict.result, Ok(())),
                restored,
            );
        }
    }

    /// The state under which the client was here before, if it asks for it and it is kept.
    fn restore(&self, nsp: &NamespaceInner, auth: &Args) -> Option<Restored> {
        let recovery = self.server.recovery.as_ref()?;
        let resume = auth.first::<Resume>().ok()?;
        let restored = recovery.restore(nsp.name(), &resume.pid, &resume.offset)?;
        self.server.metrics.count(Counter::Recovered);
        Some(restored)
    }

    /// The namespace has decided.
    fn admit(
        &mut self,
        member: MemberKey,
        result: Result<(), Refusal>,
        restored: Option<Restored>,
    ) {
        let (server, version) = (Arc::clone(&self.server), self.version);
        // The session may have ended, or the socket been disconnected, while the namespace thought.
        let Some(sockets) = self.sockets() else {
            return;
        };
        let Some(index) = sockets
            .seated
            .iter()
            .position(|seated| seated.member == member)
        else {
            return;
        };
        if let Err(refusal) = result {
            let seated = sockets.seated.remove(index);
            return self.refuse(&seated, &refusal);
        }
        let is_first = !std::mem::replace(&mut sockets.has_joined, true);
        if is_first {
            server.joined_first();
        }
        let seated = &mut sockets.seated[index];
        seated.is_connected = true;
        let socket = Arc::clone(&seated.socket);
        socket.set_connected();
        let handle = Socket::from(Arc::clone(&socket));
        handle.join(socket.id());
        if let Some(webhooks) = &server.webhooks {
            webhooks.connected(&handle);
        }
        let (dialect, name) = (server.dialect(), socket.namespace().name());
        let answer = match version {
            ProtocolVersion::V4 => {
                dialect.connect(name, socket.id().as_str(), socket.pid.as_deref())
            }
            ProtocolVersion::V3 => dialect.connect_v3(name),
        };
        let missed = restored.map(|restored| restored.missed).unwrap_or_default();
        let replay = missed
            .iter()
            .map(|(event, args)| dialect.event(name, None, event, args))
            .collect();
        let mut hub = self.hub.borrow_mut();
        hub.tally.connected += 1;
        if is_first {
            hub.take_timer(self.seat, Timer::Connect, self.join_until());
        }
        hub.accept(member, answer, replay);
        drop(hub);
        self.watch_tokens();
    }

    fn refuse(&self, seated: &Seated, refusal: &Refusal) {
        let server = &self.server;
        server.metrics.count(Counter::SocketRefused);
        let name = seated.socket.namespace().name();
        log::debug!(
            "a socket is refused sid={} nsp={name} why={refusal}",
            self.sid()
        );
        let data = refusal.data.clone().map(|data| Args::from_vec(vec![data]));
        let dialect = server.dialect();
        let packet = match self.version {
            ProtocolVersion::V4 => dialect.connect_error(name, &refusal.message, data.as_ref()),
            ProtocolVersion::V3 => dialect.connect_error_v3(name, &refusal.message, data.as_ref()),
        };
        self.send_packet(packet);
        self.give_up(seated, DisconnectReason::ServerNamespaceDisconnect, false);
    }

    /// Takes a socket out of the hub, the registry and the namespace: the rooms it was in.
    /// With `may_return` they are held.
    fn give_up(
        &self,
        seated: &Seated,
        reason: DisconnectReason,
        may_return: bool,
    ) -> (Vec<Room>, Option<Held>) {
        let socket = &seated.socket;
        let rooms = socket.close(reason);
        let own = socket
            .is_in_own_room()
            .then(|| Room::from(socket.id().as_str()));
        let told: Vec<Room> = rooms.iter().cloned().chain(own).collect();
        // Before it leaves them, so that nothing is missed in between.
        let locals = self.server.kept_locals().filter(|_| may_return);
        let held = locals.map(|locals| Held::new(locals, socket.namespace().index, told.clone()));
        self.hub.borrow_mut().remove_member(seated.member, &rooms);
        self.server.tell_change(|| registry::Change::Gone {
            socket: Arc::clone(socket),
            rooms: told,
        });
        if let Some(table) = self.server.namespaces() {
            table.leave(socket.namespace());
        }
        (rooms, held)
    }

    /// A socket has gone: everybody who has to know is told.
    fn disconnected(&self, seated: &Seated, reason: DisconnectReason) {
        let socket = &seated.socket;
        let may_return = seated.is_connected
            && self.server.recovery.is_some()
            && socket.pid.is_some()
            && reason.is_recoverable();
        let (rooms, held) = self.give_up(seated, reason, may_return);
        if !seated.is_connected {
            return;
        }
        self.hub.borrow_mut().tally.disconnected[reason as usize] += 1;
        log::debug!(
            "a socket has left nsp={} id={} reason={reason}",
            socket.namespace().name(),
            socket.id()
        );
        let kept = Arc::clone(socket);
        let ended = Disconnecting::new(Socket::from(Arc::clone(socket)), reason);
        if let Some(webhooks) = &self.server.webhooks {
            webhooks.disconnected(&ended.socket, reason);
        }
        // Before the state can be taken up elsewhere: a handler hears of the end before the return.
        seated.dispatch.disconnected(ended);
        if let (Some(recovery), Some(pid)) = (&self.server.recovery, &kept.pid)
            && may_return
        {
            let saved = Saved {
                id: kept.id().clone(),
                rooms,
                data: kept.data(),
            };
            recovery.save(kept.namespace().name(), pid.clone(), saved, held);
        }
    }

    pub(super) fn disconnect_at(&mut self, index: usize, reason: DisconnectReason) {
        if let Some(sockets) = self.sockets() {
            let seated = sockets.seated.remove(index);
            self.disconnected(&seated, reason);
        }
    }

    pub(super) fn disconnect_all(&mut self, reason: DisconnectReason) {
        if let Some(sockets) = self.sockets() {
            for seated in std::mem::take(&mut sockets.seated) {
                self.disconnected(&seated, reason);
            }
        }
    }

    /// The server has disconnected sockets; their packets are in the outbox already.
    pub(super) fn kicked(&mut self, members: &[MemberKey], close: bool, ctx: &mut Context<Self>) {
        for member in members {
            let index = self.sockets().and_then(|sockets| {
                sockets
                    .seated
                    .iter()
                    .position(|seated| seated.member == *member)
            });
            if let Some(index) = index {
                self.disconnect_at(index, DisconnectReason::ServerNamespaceDisconnect);
            }
        }
        if close {
            self.close(DisconnectReason::ForcedServerClose, ctx);
        }
    }

    /// By when it has to have joined a namespace.
    pub(super) fn join_until(&self) -> Instant {
        self.opened + self.server.config.socketio.connect_timeout
    }

    pub(super) fn connect_due(&mut self, ctx: &mut Context<Self>) {
        if self.sockets().is_some_and(|sockets| !sockets.has_joined) {
            self.server.metrics.count(Counter::ConnectTimeout);
            let why = "no namespace was joined in time";
            log::debug!("a session is closed sid={} why={why}", self.sid());
            self.close_saying(why, DisconnectReason::ForcedServerClose, ctx);
        }
    }
}

/// What a namespace has decided. A handler that let a socket in which is not there any more is told of its end.
struct Verdict {
    result: Result<(), Refusal>,
    socket: Socket,
    /// The handler, if it was asked and nobody has taken over.
    asked: Option<Rc<dyn Dispatch>>,
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if let (Ok(()), Some(handler)) = (&self.result, self.asked.take()) {
            let reason = self
                .socket
                .end_reason()
                .unwrap_or(DisconnectReason::TransportClose);
            handler.disconnected(Disconnecting::new(self.socket.clone(), reason));
        }
    }
}

/// What a client that wants its state back says in its auth payload.
#[derive(serde::Deserialize)]
struct Resume {
    pid: String,
    offset: String,
}

//! Requests of every version, read.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Asker, BroadcastEvent, Incoming, Junk, Names, Opts, Request,
    broadcast::Packet,
    is_reserved_server_event, opts,
    response_encode::{Id, Numbering},
    walk::{self, Walk},
};
use crate::protocol::socketio::{
    Args, Attachments, Dialect, Value, json,
    msgpack::{Reader, Token},
};

/// Decodes a request of any version, in JSON or `MessagePack`.
///
/// **Shape** told apart by their members: `requestid` is the numbering of 2 to 5, `transaction` alone is 1.1, and the rest is that
/// of 6 and later.
///
/// ```text
/// {"uid":"h4qIkV","requestId":"fTjrGI","type":5,"opts":{"rooms":[],"except":[]}}
/// {"type":2,"opts":{"rooms":["r1"],"except":[]},"rooms":["x1","x2"]}
/// {"requestid":"vFk5GO","type":0,"rooms":["r1"]}
/// {"transaction":"K2BDrI","rooms":["r1"]}
/// ```
///
/// # Errors
///
/// [`Junk`] for everything else. Nothing may be done then; an order without its `opts` is not one to everybody.
///
/// **Source** `onrequest` in `lib/index.ts` of `@socket.io/redis-adapter` 8; `onrequest` in `index.js` of `socket.io-redis` 1.1 to 5.
pub fn decode_request(payload: &Bytes) -> Result<Incoming, Junk> {
    let payload = &standard(payload)?;
    let mut walk = Walk::new(payload);
    let fields = Fields::pass(&mut walk)?;
    walk.end()?;
    let decode = Decode {
        payload,
        walk,
        fields,
    };
    Ok(Incoming {
        uid: decode.uid(),
        request: decode.request()?,
    })
}

/// JSON as `MessagePack`, which one decoder reads. No map begins with the byte `{`.
fn standard(payload: &Bytes) -> Result<Bytes, Junk> {
    if payload.first() != Some(&b'{') {
        return Ok(payload.clone());
    }
    let text = ByteString::try_from(payload.clone()).map_err(|_| Junk::Malformed)?;
    let value = json::value(&text).map_err(walk::junk)?;
    let value = Args::from_joined(text.slice_ref(value), Attachments::none(), 1);
    Ok(value.msgpack_values().0)
}

/// The members of a request.
struct Fields<'a> {
    uid: Option<&'a [u8]>,
    request_id: Option<&'a [u8]>,
    old_request_id: Option<&'a [u8]>,
    transaction: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    opts: Option<&'a [u8]>,
    rooms: Option<&'a [u8]>,
    socket: Option<&'a [u8]>,
    room: Option<&'a [u8]>,
    close: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    packet: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn pass(walk: &mut Walk<'a>) -> Result<Self, Junk> {
        let [
            uid,
            request_id,
            old_request_id,
            transaction,
            kind,
            opts,
            rooms,
            socket,
            room,
            close,
            data,
            packet,
        ] = walk.members([
            b"uid",
            b"requestId",
            b"requestid",
            b"transaction",
            b"type",
            b"opts",
            b"rooms",
            b"sid",
            b"room",
            b"close",
            b"data",
            b"packet",
        ])?;
        Ok(Self {
            uid,
            request_id,
            old_request_id,
            transaction,
            kind,
            opts,
            rooms,
            socket,
            room,
            close,
            data,
            packet,
        })
    }
}

/// A request whose members are known.
struct Decode<'a> {
    payload: &'a Bytes,
    walk: Walk<'a>,
    fields: Fields<'a>,
}

impl Decode<'_> {
    fn request(&self) -> Result<Request, Junk> {
        let fields = &self.fields;
        let kind = fields.kind.and_then(walk::whole);
        if let Some(id) = fields.old_request_id {
            return self.old(kind, self.asker(Numbering::Old, id)?);
        }
        if let (None, None, Some(transaction)) = (kind, fields.request_id, fields.transaction) {
            return Ok(Request::Sockets {
                asker: self.asker(Numbering::Sync, transaction)?,
                rooms: self.rooms()?,
            });
        }
        self.current(kind)
    }

    /// The numbering of 6 and later.
    fn current(&self, kind: Option<u64>) -> Result<Request, Junk> {
        let fields = &self.fields;
        let is_bulk = fields.opts.is_some_and(walk::is_truthy);
        Ok(match kind {
            Some(0) => Request::Sockets {
                asker: self.current_asker()?,
                rooms: self.rooms()?,
            },
            Some(1) => Request::AllRooms {
                asker: self.current_asker()?,
            },
            Some(2) if is_bulk => Request::Join {
                opts: self.opts()?,
                rooms: self.some_rooms()?,
            },
            Some(3) if is_bulk => Request::Leave {
                opts: self.opts()?,
                rooms: self.some_rooms()?,
            },
            Some(4) if is_bulk => Request::Disconnect {
                opts: self.opts()?,
                close: self.close(),
            },
            Some(2) => self.join_one(self.current_asker()?)?,
            Some(3) => self.leave_one(self.current_asker()?)?,
            Some(4) => self.disconnect_one(self.current_asker()?)?,
            Some(5) => Request::Fetch {
                asker: self.current_asker()?,
                opts: self.opts()?,
            },
            Some(6) => {
                let data = fields.data.ok_or(Junk::NoEvent)?;
                let (name, args) = self.walk.event(self.payload, data)?;
                if is_reserved_server_event(&name) {
                    return Err(Junk::ReservedEvent);
                }
                // Null is an id too.
                let asker = fields
                    .request_id
                    .map(|_| self.current_asker())
                    .transpose()?;
                Request::ServerSideEmit {
                    asker: asker.map(Asker::on_shared_channel),
                    name,
                    args,
                }
            }
            Some(7) => {
                let packet = fields.packet.ok_or(Junk::Incomplete)?;
                let packet = Packet::pass(&mut Walk::new(packet))?;
                let (nsp, name, args) = packet.event(&self.walk, self.payload)?;
                Request::Broadcast {
                    asker: self.current_asker()?,
                    event: Box::new(BroadcastEvent {
                        nsp,
                        name,
                        args,
                        opts: self.opts()?,
                    }),
                }
            }
            _ => return Err(Junk::RequestType),
        })
    }

    /// The numbering of 2 to 5.
    fn old(&self, kind: Option<u64>, asker: Asker) -> Result<Request, Junk> {
        Ok(match kind {
            Some(0) => Request::Sockets {
                asker,
                rooms: self.rooms()?,
            },
            Some(1) => Request::SocketRooms {
                asker,
                socket: self.socket()?,
            },
            Some(2) => Request::AllRooms { asker },
            Some(3) => self.join_one(asker)?,
            Some(4) => self.leave_one(asker)?,
            Some(5) => Request::Custom {
                asker,
                data: self.fields.data.map_or_else(
                    || Args::from_vec(vec![Value::Null]),
                    |data| self.walk.arg(self.payload, data),
                ),
            },
            Some(6) => self.disconnect_one(asker)?,
            _ => return Err(Junk::RequestType),
        })
    }

    fn join_one(&self, asker: Asker) -> Result<Request, Junk> {
        Ok(Request::JoinOne {
            asker,
            socket: self.socket()?,
            room: self.room()?,
        })
    }

    fn leave_one(&self, asker: Asker) -> Result<Request, Junk> {
        Ok(Request::LeaveOne {
            asker,
            socket: self.socket()?,
            room: self.room()?,
        })
    }

    fn disconnect_one(&self, asker: Asker) -> Result<Request, Junk> {
        Ok(Request::DisconnectOne {
            asker,
            socket: self.socket()?,
            close: self.close(),
        })
    }

    fn uid(&self) -> Option<ByteString> {
        walk::text(self.payload, self.fields.uid?)
    }

    fn current_asker(&self) -> Result<Asker, Junk> {
        let id = self.fields.request_id.ok_or(Junk::Incomplete)?;
        self.asker(Numbering::Current, id)
    }

    fn asker(&self, numbering: Numbering, id: &[u8]) -> Result<Asker, Junk> {
        let id = match Reader::new(id).token().map_err(walk::junk)? {
            Token::Str(_) => Id::Text(walk::text(self.payload, id).ok_or(Junk::Incomplete)?),
            // JavaScript would take an object too, and nobody could compare it.
            Token::Array(_)
            | Token::Map(_)
            | Token::Bin(_)
            | Token::Ext(..)
            | Token::FixExt(..) => {
                return Err(Junk::Incomplete);
            }
            _ => Id::Other(
                self.walk
                    .arg(self.payload, id)
                    .to_dialect(Dialect::Json)
                    .joined()
                    .into_owned()
                    .into(),
            ),
        };
        Ok(Asker::new(numbering, id, self.uid()))
    }

    fn opts(&self) -> Result<Opts, Junk> {
        let opts = self.fields.opts.ok_or(Junk::Incomplete)?;
        match Opts::read(self.payload, opts)? {
            Some((opts, _)) => Ok(opts),
            None => Err(Junk::Incomplete),
        }
    }

    fn rooms(&self) -> Result<Names, Junk> {
        opts::names(self.payload, self.fields.rooms)
    }

    /// Rooms that have to be listed, though the list may be empty.
    fn some_rooms(&self) -> Result<Names, Junk> {
        match self.fields.rooms {
            Some(rooms) if !walk::is_nothing(rooms) => opts::names(self.payload, Some(rooms)),
            _ => Err(Junk::Incomplete),
        }
    }

    fn socket(&self) -> Result<ByteString, Junk> {
        let socket = self.fields.socket.ok_or(Junk::Incomplete)?;
        walk::text(self.payload, socket).ok_or(Junk::Incomplete)
    }

    fn room(&self) -> Result<ByteString, Junk> {
        let room = self.fields.room.ok_or(Junk::Incomplete)?;
        let token = Reader::new(room).token().map_err(walk::junk)?;
        walk::name_of(self.payload, token).ok_or(Junk::Rooms)
    }

    fn close(&self) -> bool {
        self.fields.close.is_some_and(walk::is_truthy)
    }
}

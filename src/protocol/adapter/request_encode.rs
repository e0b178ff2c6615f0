//! The requests we make, in the numbering of 6 and later.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Opts, Unpublishable,
    broadcast::{event_values, write_packet},
    is_reserved_server_event,
    json_out::{Object, to_json},
    values,
};
use crate::protocol::socketio::{Args, is_reserved_event, msgpack};

/// Asks for the ids of the sockets in any of these rooms, or of all.
///
/// **Shape** `{"uid":"u","requestId":"x","type":0,"rooms":["r1"]}`.
#[must_use]
pub fn encode_sockets(uid: &str, request_id: &str, rooms: &[ByteString]) -> Bytes {
    let mut object = request(Some(uid), Some(request_id), 0);
    object.raw("rooms", &to_json(rooms));
    object.bytes()
}

/// Asks all servers for their rooms.
///
/// **Shape** `{"uid":"h4qIkV","requestId":"Nyzrf8","type":1}`.
#[must_use]
pub fn encode_all_rooms(uid: &str, request_id: &str) -> Bytes {
    request(Some(uid), Some(request_id), 1).bytes()
}

/// Makes sockets join rooms, without an answer. Emitters give no uid.
///
/// **Shape** `{"uid":"h4qIkV","type":2,"opts":{"rooms":["r2"],"except":[]},"rooms":["x1","x2"]}`.
#[must_use]
pub fn encode_join(uid: Option<&str>, opts: &Opts, rooms: &[ByteString]) -> Bytes {
    bulk(uid, 2, opts, "rooms", &to_json(rooms))
}

/// Makes sockets leave rooms. As [`encode_join`], with type 3.
#[must_use]
pub fn encode_leave(uid: Option<&str>, opts: &Opts, rooms: &[ByteString]) -> Bytes {
    bulk(uid, 3, opts, "rooms", &to_json(rooms))
}

/// Disconnects sockets, without an answer. Emitters give no uid.
///
/// **Shape** `{"uid":"h4qIkV","type":4,"opts":{"rooms":["r2"],"except":[]},"close":true}`.
#[must_use]
pub fn encode_disconnect(uid: Option<&str>, opts: &Opts, close: bool) -> Bytes {
    bulk(uid, 4, opts, "close", &to_json(&close))
}

/// Asks all servers for their sockets.
///
/// **Shape** `{"uid":"h4qIkV","requestId":"fTjrGI","type":5,"opts":{"rooms":[],"except":[]}}`.
#[must_use]
pub fn encode_fetch(uid: &str, request_id: &str, opts: &Opts) -> Bytes {
    let mut object = request(Some(uid), Some(request_id), 5);
    object.raw("opts", &opts.to_json(false));
    object.bytes()
}

/// An event for the other servers; with a request id if they are to answer. Emitters give [`super::EMITTER`] as uid.
///
/// **Shape** `{"uid":"h4qIkV","requestId":"z0bQNG","type":6,"data":["sse","b"]}`. This is JSON always, so binary arrives as
/// `{"type":"Buffer","data":[1,2,3]}`.
///
/// # Errors
///
/// [`Unpublishable`] for [reserved names](is_reserved_server_event) and arguments that are nested too deep.
pub fn encode_server_side_emit(
    uid: &str,
    request_id: Option<&str>,
    name: &str,
    args: &Args,
) -> Result<Bytes, Unpublishable> {
    if is_reserved_server_event(name) {
        return Err(Unpublishable::ReservedEvent);
    }
    values::check_depth(args)?;
    let mut object = request(Some(uid), request_id, 6);
    object.raw("data", &event_json(name, args));
    Ok(object.bytes())
}

/// A broadcast whose acknowledgements are wanted. `opts` should have a timeout: without, servers of the reference wait for none.
///
/// **Shape** `{uid, requestId, type: 7, packet: {type: 2, data: [name, ...args], nsp}, opts: {rooms, except, flags}}`, in `MessagePack`
/// if there is binary, and else in JSON: servers before 7.2 end on the first and ignore the second.
///
/// # Errors
///
/// As [`super::encode`].
pub fn encode_broadcast(
    uid: &str,
    request_id: &str,
    nsp: &str,
    name: &str,
    args: &Args,
    opts: &Opts,
) -> Result<Bytes, Unpublishable> {
    if args.has_binary() {
        let (values, n_values) = event_values(name, args)?;
        let mut out = Vec::with_capacity(values.len() + 160);
        msgpack::write_map_len(&mut out, 5);
        for (key, text) in [("uid", uid), ("requestId", request_id)] {
            msgpack::write_str(&mut out, key);
            msgpack::write_str(&mut out, text);
        }
        msgpack::write_str(&mut out, "type");
        msgpack::write_uint(&mut out, 7);
        msgpack::write_str(&mut out, "packet");
        write_packet(&mut out, nsp, name, &values, n_values);
        msgpack::write_str(&mut out, "opts");
        opts.write_msgpack(&mut out);
        return Ok(out.into());
    }
    if is_reserved_event(name) {
        return Err(Unpublishable::ReservedEvent);
    }
    values::check_depth(args)?;
    let mut packet = Object::new();
    packet.member("type", &2);
    packet.raw("data", &event_json(name, args));
    packet.member("nsp", nsp);
    let mut object = request(Some(uid), Some(request_id), 7);
    object.raw("packet", &packet.text());
    object.raw("opts", &opts.to_json(true));
    Ok(object.bytes())
}

/// The members that come first.
fn request(uid: Option<&str>, request_id: Option<&str>, kind: u8) -> Object {
    let mut object = Object::new();
    if let Some(uid) = uid {
        object.member("uid", uid);
    }
    if let Some(request_id) = request_id {
        object.member("requestId", request_id);
    }
    object.member("type", &kind);
    object
}

fn bulk(uid: Option<&str>, kind: u8, opts: &Opts, name: &str, value: &str) -> Bytes {
    let mut object = request(uid, None, kind);
    object.raw("opts", &opts.to_json(false));
    object.raw(name, value);
    object.bytes()
}

/// The name and the arguments of an event as a JSON array.
fn event_json(name: &str, args: &Args) -> String {
    let joined = args.joined_with_buffers();
    let mut data = String::with_capacity(name.len() + joined.len() + 8);
    data.push('[');
    data.push_str(&to_json(name));
    if !args.is_empty() {
        data.push(',');
        data.push_str(&joined);
    }
    data.push(']');
    data
}

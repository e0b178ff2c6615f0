//! Broadcasts: `[uid, packet, opts]`.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    EMITTER, Junk, Opts, Unpublishable, legacy, values,
    walk::{self, Walk},
};
use crate::protocol::socketio::{
    Args, is_reserved_event,
    msgpack::{self, Reader, Token},
};

/// The packet type of an event, the only one that may be broadcast.
const EVENT: u64 = 2;
/// What emitters and servers of old make of an event with binary, although the binary stays where it is.
const BINARY_EVENT: u64 = 5;

/// An event from another server or an emitter.
#[derive(Debug, Clone, PartialEq)]
pub struct Broadcast {
    /// Who published it: a server, or [`super::EMITTER`]. What has our own uid was delivered before it was published.
    pub uid: ByteString,
    /// The namespace; `None` means `/`. Messages for another one than the channel's are not for us.
    pub nsp: Option<ByteString>,
    /// The name of the event; never a reserved one.
    pub name: ByteString,
    /// Its arguments: slices of the payload, unless that is in an old dialect.
    pub args: Args,
    /// Whom it is for.
    pub opts: Opts,
}

/// Encodes a broadcast, byte for byte as `@socket.io/redis-adapter` 8 does for the same values.
///
/// **Shape** `[uid, {type: 2, data: [name, ...args], nsp}, {rooms, except, flags}]`, with binary in its place. Dates are ISO 8601,
/// and whole numbers beyond 2^53 are floats.
///
/// # Errors
///
/// [`Unpublishable`] for reserved names and arguments that are nested too deep: neither survives at the other end.
pub fn encode(
    uid: &str,
    nsp: &str,
    name: &str,
    args: &Args,
    opts: &Opts,
) -> Result<Bytes, Unpublishable> {
    // Hot: once per broadcast. One pass more over the arguments than `Args::to_dialect`, to be sure of them.
    let mut out = without_opts(uid, nsp, name, args)?;
    opts.write_msgpack(&mut out);
    Ok(out.into())
}

/// Encodes the broadcast of a program that is no server, byte for byte as `@socket.io/redis-emitter` 5 does for the same values.
///
/// **Shape** that of [`encode`] with [`EMITTER`] as uid, and the flags before the exceptions.
///
/// # Errors
///
/// As [`encode`].
pub fn encode_emitted(
    nsp: &str,
    name: &str,
    args: &Args,
    opts: &Opts,
) -> Result<Bytes, Unpublishable> {
    let mut out = without_opts(EMITTER, nsp, name, args)?;
    opts.write_emitted(&mut out);
    Ok(out.into())
}

/// A broadcast up to its options.
fn without_opts(uid: &str, nsp: &str, name: &str, args: &Args) -> Result<Vec<u8>, Unpublishable> {
    let (values, n_values) = event_values(name, args)?;
    let mut out = Vec::with_capacity(values.len() + nsp.len() + name.len() + uid.len() + 96);
    msgpack::write_array_len(&mut out, 3);
    msgpack::write_str(&mut out, uid);
    write_packet(&mut out, nsp, name, &values, n_values);
    Ok(out)
}

/// The arguments of an event that may be published.
pub(super) fn event_values(name: &str, args: &Args) -> Result<(Bytes, usize), Unpublishable> {
    if is_reserved_event(name) {
        return Err(Unpublishable::ReservedEvent);
    }
    values::publishable(args)
}

/// Appends the packet of an event.
pub(super) fn write_packet(
    out: &mut Vec<u8>,
    nsp: &str,
    name: &str,
    values: &[u8],
    n_values: usize,
) {
    msgpack::write_map_len(out, 3);
    msgpack::write_str(out, "type");
    msgpack::write_uint(out, EVENT);
    msgpack::write_str(out, "data");
    msgpack::write_array_len(out, n_values + 1);
    msgpack::write_str(out, name);
    out.extend_from_slice(values);
    msgpack::write_str(out, "nsp");
    msgpack::write_str(out, nsp);
}

/// Decodes a broadcast of any version.
///
/// **Shape** that of [`encode`], with every known deviation: members missing, null or empty; keys in any order; numbers as rooms; more
/// than three items; type 5; the extensions of `msgpack-lite` and `notepack.io`; the dialect of `msgpack-js`, in which the
/// first emitters write. Bytes that both dialects can read are taken for the old one if no encoder of today would have
/// written them.
///
/// # Errors
///
/// [`Junk`] for everything else. Nothing may be delivered then.
///
/// **Source** `onmessage` in `lib/index.ts` of `@socket.io/redis-adapter`.
pub fn decode(payload: &Bytes) -> Result<Broadcast, Junk> {
    let standard = decode_standard(payload);
    if matches!(standard, Ok((_, false)) | Err(Junk::Foreign)) {
        return standard.map(|(broadcast, _)| broadcast);
    }
    let old = legacy::translate(payload).map(|payload| decode_standard(&payload));
    match (standard, old) {
        (_, Some(Ok((broadcast, false)))) | (Ok((broadcast, _)), _) => Ok(broadcast),
        (_, Some(Ok((broadcast, true)))) => Ok(broadcast),
        (Err(Junk::Malformed), Some(Err(junk))) | (Err(junk), _) => Err(junk),
    }
}

/// Decodes a broadcast in standard `MessagePack`; says too whether the bytes are doubtful.
fn decode_standard(payload: &Bytes) -> Result<(Broadcast, bool), Junk> {
    let mut walk = Walk::new(payload);
    let n_items = walk.array()?;
    if n_items < 3 {
        // Well-formed or not: it is too short in any dialect.
        return Err(Junk::Shape);
    }
    let uid = walk.value()?;
    let packet = Packet::pass(&mut walk)?;
    let opts = walk.value()?;
    for _ in 3..n_items {
        walk.value()?;
    }
    walk.end()?;

    let uid = walk::text(payload, uid).ok_or(Junk::Shape)?;
    let (nsp, name, args) = packet.event(&walk, payload)?;
    let (opts, is_doubtful) = Opts::read(payload, opts)?.ok_or(Junk::Shape)?;
    let is_doubtful = is_doubtful || walk.is_doubtful;
    let broadcast = Broadcast {
        uid,
        nsp,
        name,
        args,
        opts,
    };
    Ok((broadcast, is_doubtful))
}

/// The members of a packet that matter.
pub(super) struct Packet<'a> {
    kind: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    nsp: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// Passes a packet.
    pub(super) fn pass(walk: &mut Walk<'a>) -> Result<Self, Junk> {
        // The last three are written by some version and say nothing.
        let [kind, data, nsp, _, _, _] =
            walk.members([b"type", b"data", b"nsp", b"id", b"attachments", b"options"])?;
        Ok(Self { kind, data, nsp })
    }

    /// Namespace, name and arguments of the event that this packet has to be.
    pub(super) fn event(
        &self,
        walk: &Walk<'_>,
        payload: &Bytes,
    ) -> Result<(Option<ByteString>, ByteString, Args), Junk> {
        match self.kind.and_then(walk::whole) {
            Some(EVENT | BINARY_EVENT) => {}
            _ => return Err(Junk::PacketType),
        }
        let nsp = match self.nsp {
            Some(nsp) => Some(walk::text(payload, nsp).ok_or(Junk::Namespace)?),
            None => None,
        };
        let data = self.data.ok_or(Junk::NoEvent)?;
        let (name, args) = walk.event(payload, data)?;
        if is_reserved_event(&name) {
            return Err(Junk::ReservedEvent);
        }
        Ok((nsp, name, args))
    }
}

/// Whether a message on the channel of a room is a copy of one that this node gets elsewhere.
///
/// Servers before 2.0 and emitters before 3.0 publish a message for several rooms once on the channel of each. Of these copies
/// the one counts that comes on the channel of the first room that has members here.
#[must_use]
pub fn is_duplicate(
    room_in_channel: &str,
    rooms: &[ByteString],
    exists_locally: impl Fn(&str) -> bool,
) -> bool {
    rooms.len() > 1
        && rooms.iter().any(|room| room == room_in_channel)
        && rooms
            .iter()
            .find(|room| exists_locally(room))
            .is_some_and(|first| first != room_in_channel)
}

/// Whether a payload begins as an array does: the same bytes in all dialects.
pub(super) fn is_array(payload: &[u8]) -> bool {
    matches!(Reader::new(payload).token(), Ok(Token::Array(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_copies_counts() {
        let rooms = |names: &[&str]| -> Vec<ByteString> {
            names.iter().map(|name| ByteString::from(*name)).collect()
        };
        // Room in the channel, rooms of the message, rooms with members here, verdict.
        let table: [(&str, &[&str], &[&str], bool); 8] = [
            ("r1", &["r1"], &["r1"], false),
            ("r1", &["r1", "r2"], &["r1", "r2"], false),
            ("r2", &["r1", "r2"], &["r1", "r2"], true),
            ("r2", &["r1", "r2"], &["r2"], false),
            ("r3", &["r1", "r2", "r3"], &["r2", "r3"], true),
            ("r1", &[], &["r1"], false),
            ("r9", &["r1", "r2"], &["r1", "r9"], false),
            ("r1", &["r1", "r2"], &[], false),
        ];
        for (channel, names, local, expected) in table {
            let verdict = is_duplicate(channel, &rooms(names), |room| local.contains(&room));
            assert_eq!(verdict, expected, "{channel} of {names:?}, here {local:?}");
        }
    }
}

//! The edges of rooms: Redis itself says which member was the first of a room in the whole cluster, or the last.
//!
//! A script per change of a room's SET compares its size before and after. Redis runs one script at a time, so each edge
//! is found by one change, whoever makes it; and the time of Redis orders those of different servers.

use actix::Recipient;
use redis::{Cmd, ServerError, Value};

use super::answers::{text, texts};
use crate::SocketId;
use crate::namespace::Room;
use crate::registry::Occupancy;

/// KEYS: the SET. ARGV: what is done (SADD, SREM), "1" if the room may be called as a socket, the namespace, the room,
/// members.
///
/// The time is asked last: Redis before 5 lets nothing be written after it.
const CHANGE: &str = "if ARGV[2]=='1' and redis.call('SISMEMBER',KEYS[1],ARGV[4])==1 then return 0 end \
     local before=redis.call('SCARD',KEYS[1]) \
     redis.call(ARGV[1],KEYS[1],unpack(ARGV,5)) \
     local after=redis.call('SCARD',KEYS[1]) \
     if (before==0)==(after==0) then return 0 end \
     local t=redis.call('TIME') \
     return {'occupancy',after==0 and '0' or '1',ARGV[3],ARGV[4],t[1],t[2]}";

/// Adds members to the SET of a room, or removes some, and tells of an edge.
pub(super) fn change(
    verb: &str,
    key: &str,
    is_guarded: bool,
    nsp: &str,
    room: &Room,
    members: &[SocketId],
) -> Cmd {
    let mut command = Cmd::new();
    command
        .arg("EVAL")
        .arg(CHANGE)
        .arg(1)
        .arg(key)
        .arg(verb)
        .arg(if is_guarded { "1" } else { "0" })
        .arg(nsp)
        .arg(&**room);
    for member in members {
        command.arg(member.as_str());
    }
    command
}

/// Tells of all edges in these answers, also of those behind a command that was refused: they are found once.
pub(super) fn tell(watcher: Option<&Recipient<Occupancy>>, answers: &[Result<Value, ServerError>]) {
    if let Some(watcher) = watcher {
        let edges = answers.iter().flatten().filter_map(edge);
        edges.for_each(|edge| watcher.do_send(edge));
    }
}

/// The edge that an answer tells of, if any.
fn edge(answer: &Value) -> Option<Occupancy> {
    let Value::Array(items) = answer else {
        return None;
    };
    if items.first().and_then(text)? != "occupancy" {
        return None;
    }
    let [_, is_occupied, nsp, room, seconds, micros] = &texts(answer)[..] else {
        return None;
    };
    let (seconds, micros): (u64, u64) = (seconds.parse().ok()?, micros.parse().ok()?);
    Some(Occupancy {
        nsp: nsp.clone(),
        room: room.clone(),
        is_occupied: *is_occupied == "1",
        at_ms: seconds.saturating_mul(1000) + micros / 1000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_read_and_nothing_else_is_one() {
        let answer = |texts: &[&str]| {
            let items = texts
                .iter()
                .map(|text| Value::BulkString(text.as_bytes().into()));
            Value::Array(items.collect())
        };
        let read = edge(&answer(&["occupancy", "1", "/a", "r", "17", "2999"])).unwrap();
        assert!(read.is_occupied);
        assert_eq!((&*read.nsp, &*read.room, read.at_ms), ("/a", "r", 17_002));
        let gone = edge(&answer(&["occupancy", "0", "/", "r", "0", "0"])).unwrap();
        assert!(!gone.is_occupied);
        for other in [
            Value::Int(0),
            Value::Nil,
            answer(&[]),
            answer(&["other", "1", "/a", "r", "17", "2999"]),
            answer(&["occupancy", "1", "/a", "r", "17"]),
            answer(&["occupancy", "1", "/a", "r", "x", "0"]),
        ] {
            assert!(edge(&other).is_none(), "{other:?}");
        }
    }
}

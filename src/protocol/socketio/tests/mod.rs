//! Tables of the protocol documents, vectors of the reference's parsers, hostile input, properties.

mod arguments;
mod documents;
mod hostile;
mod plain;
mod properties;
mod reference;
mod vectors;

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Args, Body, DecodeError, Decoder, Dialect, Encoded, Limits, Packet, PacketType, Value,
};

/// Bytes written as hex.
fn hex(text: &str) -> Bytes {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect::<Vec<_>>()
        .into()
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Feeds one message: text, or hex behind `b:`.
fn feed(decoder: &mut Decoder, message: &str) -> Result<Option<Packet>, DecodeError> {
    match message.strip_prefix("b:") {
        Some(bytes) => decoder.binary(hex(bytes), &Limits::DEFAULT),
        None => decoder.text(&ByteString::from(message), &Limits::DEFAULT),
    }
}

/// Decodes messages of which the last completes a packet.
fn decode(messages: &[&str]) -> Result<Packet, DecodeError> {
    let mut decoder = Decoder::new(Dialect::Json);
    let mut last = None;
    for message in messages {
        last = feed(&mut decoder, message)?;
    }
    Ok(last.expect("complete"))
}

/// The messages of an encoded packet, without the engine's prefix and with hex behind `b:`.
fn messages(encoded: &Encoded) -> Vec<String> {
    let text = encoded.packet_text().map(str::to_owned);
    text.into_iter()
        .chain(
            encoded
                .binaries()
                .iter()
                .map(|bytes| format!("b:{}", to_hex(bytes))),
        )
        .collect()
}

/// Reads JSON in which `{"$b":"0102"}` is binary.
fn value(json: &str) -> Value {
    fn revive(value: &mut Value) {
        if let Some(bytes) = value.member("$b").and_then(Value::as_str) {
            *value = Value::Binary(hex(bytes));
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(revive),
            Value::Object(members) => members.values_mut().for_each(revive),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(json).unwrap();
    revive(&mut value);
    value
}

/// The arguments in a JSON array in which `{"$b":"0102"}` is binary.
fn args(json: &str) -> Args {
    match value(json) {
        Value::Array(items) => Args::from_vec(items),
        other => Args::from_vec(vec![other]),
    }
}

/// A packet as `type|nsp|id|data`, the form of the vectors. The first item of an event is its name, a text.
fn outline(packet: &Packet) -> (u8, String, Option<u64>, Option<Value>) {
    let list = |args: &Args| args.to_values().unwrap();
    let one = |args: &Args| list(args).into_iter().next();
    let (kind, id, data) = match &packet.body {
        Body::Connect { auth } => (PacketType::Connect, None, one(auth)),
        Body::Disconnect => (PacketType::Disconnect, None, None),
        Body::Event { id, name, args } => {
            let mut data = list(args);
            data.insert(0, Value::String(name.to_string()));
            (PacketType::Event, *id, Some(Value::Array(data)))
        }
        Body::Ack { id, args } => (PacketType::Ack, *id, Some(Value::Array(list(args)))),
        Body::ConnectError { data } => (PacketType::ConnectError, None, one(data)),
        Body::Empty => (PacketType::Event, None, None),
    };
    (kind as u8, packet.nsp.to_string(), id, data)
}

/// The same from the text of a vector.
fn outline_of(text: &str) -> (u8, String, Option<u64>, Option<Value>) {
    let parts: Vec<&str> = text.splitn(4, '|').collect();
    let kind = parts[0].parse().unwrap();
    let mut data = (!parts[3].is_empty()).then(|| value(parts[3]));
    match (kind, &mut data) {
        (2, Some(Value::Array(items))) => {
            if let Value::Number(name) = &items[0] {
                items[0] = Value::String(name.to_string());
            }
        }
        // An acknowledgement without payload has no arguments.
        (3, None) => data = Some(Value::Array(Vec::new())),
        _ => {}
    }
    // Ids mean something with events that have a payload and with acknowledgements only.
    let id = parts[2]
        .parse()
        .ok()
        .filter(|_| matches!((kind, &data), (2, Some(_)) | (3, _)));
    (kind, parts[1].to_owned(), id, data)
}

//! The packets of `socket.io-msgpack-parser`: one map in one binary message.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Args, Body, DecodeError, Packet, PacketType, is_reserved_event,
    msgpack::{self, Reader, Token},
    packet::js_number,
};

/// Decodes one packet.
///
/// **Shape** `{type, nsp, data, id?}` in any order; other members (`options`, `attachments`) are passed over. Arguments stay
/// slices of `message`.
///
/// # Errors
///
/// As in the reference; besides, events with a reserved name are refused here too, and containers nested
/// deeper than `max_depth`.
///
/// **Source** `checkPacket` in `socket.io-msgpack-parser` 3.0.
pub(super) fn decode(message: &Bytes, max_depth: usize) -> Result<Packet, DecodeError> {
    let mut reader = Reader::new(message);
    let (mut kind, mut nsp, mut id, mut data) = (None, None, None, None);
    for _ in 0..reader.map_len()? {
        let key = reader.token()?;
        let value = reader.skip(max_depth)?;
        match key {
            Token::Str(b"type") => kind = Some(value),
            Token::Str(b"nsp") => nsp = Some(value),
            Token::Str(b"id") => id = Some(value),
            Token::Str(b"data") => data = Some(value),
            Token::Array(_) | Token::Map(_) => return Err(DecodeError::MalformedMsgpack),
            _ => {}
        }
    }
    if !reader.is_empty() {
        return Err(DecodeError::MalformedMsgpack);
    }

    let kind = kind
        .and_then(whole)
        .and_then(PacketType::from_number)
        .filter(|kind| !kind.is_binary());
    let kind = kind.ok_or(DecodeError::UnknownType)?;
    let nsp = nsp
        .and_then(|value| Reader::new(value).str().ok())
        .ok_or(DecodeError::InvalidNamespace)?;
    let nsp = ByteString::try_from(message.slice_ref(nsp.as_bytes()))
        .map_err(|_| DecodeError::InvalidNamespace)?;
    let id = match id.filter(|value| *value != UNDEFINED) {
        Some(value) => Some(whole(value).ok_or(DecodeError::InvalidId)?),
        None => None,
    };
    let data = data.filter(|value| *value != UNDEFINED);
    let head = data.map(|data| Reader::new(data).token()).transpose()?;
    let data = data.map(|data| message.slice_ref(data));

    let body = match (kind, data) {
        (PacketType::Connect, None) => Body::Connect { auth: Args::none() },
        (PacketType::Connect, Some(data)) if matches!(head, Some(Token::Map(_))) => Body::Connect {
            auth: Args::from_msgpack(data, 1),
        },
        (PacketType::Disconnect, None) => Body::Disconnect,
        (PacketType::ConnectError, Some(data))
            if matches!(head, Some(Token::Map(_) | Token::Str(_))) =>
        {
            Body::ConnectError {
                data: Args::from_msgpack(data, 1),
            }
        }
        (PacketType::Event, Some(data)) if matches!(head, Some(Token::Array(_))) => {
            match event_data(&data)? {
                Some((name, _)) if is_reserved_event(&name) => {
                    return Err(DecodeError::ReservedEvent);
                }
                Some((name, args)) => Body::Event { id, name, args },
                None => Body::Empty,
            }
        }
        (PacketType::Ack, Some(data)) if matches!(head, Some(Token::Array(_))) => Body::Ack {
            id,
            args: array_items(&data)?,
        },
        _ => return Err(DecodeError::InvalidPayload),
    };
    Ok(Packet { nsp, body })
}

/// How `notepack.io` 2.2 writes `undefined`.
const UNDEFINED: [u8; 3] = [0xd4, 0, 0];

/// The integer that is not negative in a value; JavaScript does not tell `1` from `1.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and in range"
)]
fn whole(value: &[u8]) -> Option<u64> {
    match Reader::new(value).token().ok()? {
        Token::Uint(value) => Some(value),
        Token::Float(value) if value.fract() == 0.0 && (0.0..1e18).contains(&value) => {
            Some(value as u64)
        }
        _ => None,
    }
}

/// The items of a validated array.
fn array_items(array: &Bytes) -> Result<Args, DecodeError> {
    let mut reader = Reader::new(array);
    let n_items = reader.array_len()?;
    Ok(Args::from_msgpack(
        array.slice(reader.position()..),
        n_items,
    ))
}

/// The name and the arguments in a validated array; `None` if it is empty or does not start with a text or a number.
fn event_data(array: &Bytes) -> Result<Option<(ByteString, Args)>, DecodeError> {
    let mut reader = Reader::new(array);
    let n_items = reader.array_len()?;
    if n_items == 0 {
        return Ok(None);
    }
    let name = match reader.token()? {
        Token::Str(name) => match ByteString::try_from(array.slice_ref(name)) {
            Ok(name) => name,
            Err(_) => String::from_utf8_lossy(name).into_owned().into(),
        },
        Token::Uint(name) => name.to_string().into(),
        Token::Int(name) => name.to_string().into(),
        Token::Float(name) if !name.is_nan() => js_number(name).into(),
        _ => return Ok(None),
    };
    Ok(Some((
        name,
        Args::from_msgpack(array.slice(reader.position()..), n_items - 1),
    )))
}

/// Reads the `data` of an event: the array of its name and its arguments, which has to be the whole of `data`.
///
/// Names are not checked against the reserved ones: other servers have done that. `None` for an array that is empty or
/// starts with neither a text nor a number.
///
/// # Errors
///
/// [`DecodeError`] for bytes that are no such array or nested deeper than `max_depth`.
pub fn read_event_data(
    data: &Bytes,
    max_depth: usize,
) -> Result<Option<(ByteString, Args)>, DecodeError> {
    validate(data, max_depth)?;
    event_data(data)
}

/// Reads an array of arguments, which has to be the whole of `data`.
///
/// # Errors
///
/// [`DecodeError`] for bytes that are no such array or nested deeper than `max_depth`.
pub fn read_args(data: &Bytes, max_depth: usize) -> Result<Args, DecodeError> {
    validate(data, max_depth)?;
    array_items(data)
}

/// Reads one value of any kind, which has to be the whole of `data`, as one argument.
///
/// # Errors
///
/// [`DecodeError`] for bytes that are no such value or nested deeper than `max_depth`.
pub fn read_arg(data: &Bytes, max_depth: usize) -> Result<Args, DecodeError> {
    validate(data, max_depth)?;
    Ok(Args::from_msgpack(data.clone(), 1))
}

fn validate(data: &Bytes, max_depth: usize) -> Result<(), DecodeError> {
    let mut reader = Reader::new(data);
    reader.skip(max_depth)?;
    if reader.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::MalformedMsgpack)
    }
}

/// Appends the `data` of an event: the array of its name and its arguments.
pub fn write_event_data(out: &mut Vec<u8>, name: &str, args: &Args) {
    let (values, n_values) = args.msgpack_values();
    msgpack::write_array_len(out, n_values + 1);
    msgpack::write_str(out, name);
    out.extend_from_slice(&values);
}

/// Appends the arguments as an array.
pub fn write_args(out: &mut Vec<u8>, args: &Args) {
    let (values, n_values) = args.msgpack_values();
    msgpack::write_array_len(out, n_values);
    out.extend_from_slice(&values);
}

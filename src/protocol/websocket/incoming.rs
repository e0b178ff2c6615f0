//! What a client sends, as the owner of the connection sees it.

use super::error::{WsError, close_code};
use super::header::Opcode;

/// One message or control frame, complete, unmasked and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// To be answered by a [`Pong`](Opcode::Pong) frame with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping, or unsolicited.
    Pong(&'a [u8]),
    /// To be answered by [`close_reply`](super::close_reply); code and reason if there were any.
    /// Nothing follows: the decoder swallows what comes after it.
    Close(Option<(u16, &'a str)>),
}

/// A complete payload as what its opcode says it is.
pub(super) fn read(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, WsError> {
    Ok(match opcode {
        Opcode::Text => Incoming::Text(utf8(payload)?),
        Opcode::Binary | Opcode::Continuation => Incoming::Binary(payload),
        Opcode::Ping => Incoming::Ping(payload),
        Opcode::Pong => Incoming::Pong(payload),
        Opcode::Close => Incoming::Close(match payload {
            [] => None,
            [_] => return Err(WsError::ShortClose),
            &[high, low, ref reason @ ..] => {
                let code = u16::from_be_bytes([high, low]);
                if !close_code::may_be_sent(code) {
                    return Err(WsError::BadCloseCode(code));
                }
                Some((code, utf8(reason)?))
            }
        }),
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, WsError> {
    str::from_utf8(bytes).map_err(|_| WsError::InvalidUtf8)
}

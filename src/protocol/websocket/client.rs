//! A client for the tests: writes masked frames, keeps what the decoder made of them.

use super::{Decoder, Incoming, Limits, WsError};

pub(super) const LIMITS: Limits = Limits {
    max_message_bytes: 1_000_000,
    max_fragments: 0,
};

/// First bytes of frames.
pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = FIN | 8;
pub(super) const PING: u8 = FIN | 9;
pub(super) const PONG: u8 = FIN | 10;

/// An [`Incoming`] that outlives its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Incoming<'_>> for Kept {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(bytes) => Self::Binary(bytes.to_owned()),
            Incoming::Ping(bytes) => Self::Ping(bytes.to_owned()),
            Incoming::Pong(bytes) => Self::Pong(bytes.to_owned()),
            Incoming::Close(close) => {
                Self::Close(close.map(|(code, reason)| (code, reason.to_owned())))
            }
        }
    }
}

pub(super) fn text(text: &str) -> Kept {
    Kept::Text(text.to_owned())
}

/// A frame as a client writes it; `first` is FIN, reserved bits and opcode.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65_535 => {
            frame.push(0xfe);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .enumerate()
            .map(|(i, byte)| byte ^ key[i % 4]),
    );
    frame
}

/// A close frame as a client writes it.
pub(super) fn masked_close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// Feeds one read.
pub(super) fn feed(
    decoder: &mut Decoder,
    read: &[u8],
    kept: &mut Vec<Kept>,
) -> Result<(), WsError> {
    let mut scratch = read.to_owned();
    let mut at = 0;
    while let Some(incoming) = decoder.decode(&mut scratch[at..], &mut at)? {
        kept.push(incoming.into());
    }
    assert_eq!(at, scratch.len(), "none means that all was taken");
    Ok(())
}

/// Feeds a whole conversation in reads of `n_bytes`.
pub(super) fn decode_in_reads(
    decoder: &mut Decoder,
    bytes: &[u8],
    n_bytes: usize,
) -> (Vec<Kept>, Option<WsError>) {
    let mut kept = Vec::new();
    let outcome = bytes
        .chunks(n_bytes.max(1))
        .try_for_each(|read| feed(decoder, read, &mut kept));
    (kept, outcome.err())
}

/// Feeds a whole conversation at once.
pub(super) fn decode(bytes: &[u8]) -> (Vec<Kept>, Option<WsError>) {
    decode_in_reads(&mut Decoder::new(LIMITS, None), bytes, usize::MAX)
}

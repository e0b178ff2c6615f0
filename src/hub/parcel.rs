//! One Engine.IO packet that is ready to leave, in every form a carrier of this worker needs.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use crate::config::DeflateConfig;
use crate::protocol::engineio::ProtocolVersion;
use crate::protocol::socketio::Encoded;
use crate::protocol::websocket::{self, Compressor, Opcode, TextFrame};

/// What a packet says: the text of a whole Engine.IO packet (`42["hi"]`, `2`, `6`) or the bytes of a
/// binary message (which has no prefix in revision 4).
#[derive(Debug)]
pub(crate) enum Body {
    /// A whole Engine.IO packet, its type digit included, in its frame.
    Text(TextFrame),
    /// The payload of a binary message.
    Binary(Bytes),
    /// Bytes for a WebSocket as they are: a control frame, the answer to the handshake.
    Raw(Bytes),
}

/// A packet together with the WebSocket frames made from it, each made at most once per worker. (The one of a text was made with
/// the text.)
///
/// A broadcast puts the same `Rc<Parcel>` into the outbox of every member: the count is not shared
/// between threads, so two workers never write to the same cache line for a delivery.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) body: Body,
    /// Whether the sender allows compression (the `compress` flag).
    pub(crate) compress: bool,
    /// Frames that few packets have are apart: a parcel is made for each of them.
    binary: OnceCell<Box<Bytes>>,
    deflated: OnceCell<Box<Bytes>>,
}

/// How a client wants binary packets on a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Engine.IO 4: the payload as it is.
    V4,
    /// Engine.IO 3: one byte of packet type before the payload.
    V3,
    /// Engine.IO 3 with `b64=1`: `b4` and base64, as text.
    V3Base64,
}

/// When and how hard to compress for a client that negotiated it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deflate {
    threshold: usize,
    level: u32,
}

impl Deflate {
    pub(crate) const fn new(config: &DeflateConfig) -> Self {
        Self {
            threshold: config.threshold,
            level: config.level,
        }
    }
}

impl Dialect {
    pub(crate) fn new(protocol: ProtocolVersion, base64: bool) -> Self {
        match (protocol, base64) {
            (ProtocolVersion::V4, _) => Self::V4,
            (ProtocolVersion::V3, false) => Self::V3,
            (ProtocolVersion::V3, true) => Self::V3Base64,
        }
    }
}

impl Parcel {
    pub(crate) fn text(packet: impl Into<TextFrame>) -> Rc<Self> {
        Self::new(Body::Text(packet.into()), true)
    }

    pub(crate) fn new(body: Body, compress: bool) -> Rc<Self> {
        Rc::new(Self {
            body,
            compress,
            binary: OnceCell::new(),
            deflated: OnceCell::new(),
        })
    }

    /// The parcels of a Socket.IO packet: its text, then one per attachment.
    pub(crate) fn of(packet: Encoded, compress: bool) -> Parcels {
        match packet {
            Encoded::Text {
                message: text,
                attachments,
            } if attachments.is_empty() => Parcels::One(Self::new(Body::Text(text), compress)),
            Encoded::Text {
                message: text,
                attachments,
            } => Parcels::Many(
                std::iter::once(Self::new(Body::Text(text), compress))
                    .chain(
                        attachments
                            .iter()
                            .map(|bytes| Self::new(Body::Binary(bytes.clone()), compress)),
                    )
                    .collect(),
            ),
            Encoded::Binary(bytes) => Parcels::One(Self::new(Body::Binary(bytes), compress)),
        }
    }

    /// What this packet counts for in an outbox.
    pub(crate) fn len(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.len(),
            Body::Binary(bytes) | Body::Raw(bytes) => bytes.len(),
        }
    }

    /// The WebSocket frame of this packet.
    // Hot: most are there already, and nothing is counted for who only reads one.
    pub(crate) fn frame(&self, dialect: Dialect, deflate: Option<Deflate>) -> Cow<'_, Bytes> {
        if let Some(deflate) = deflate
            && self.compress
            && self.len() >= deflate.threshold
            && !matches!(self.body, Body::Raw(_))
            && dialect == Dialect::V4
        {
            let make = || Box::new(self.deflate(deflate.level));
            return Cow::Borrowed(self.deflated.get_or_init(make));
        }
        match (&self.body, dialect) {
            (Body::Raw(bytes), _) => Cow::Borrowed(bytes),
            (Body::Text(text), _) => Cow::Borrowed(text.frame()),
            (Body::Binary(bytes), Dialect::V4) => Cow::Borrowed(
                self.binary
                    .get_or_init(|| Box::new(websocket::frame(Opcode::Binary, bytes))),
            ),
            // Old clients are few: their forms are not kept.
            (Body::Binary(bytes), Dialect::V3) => {
                Cow::Owned(websocket::frame_of(Opcode::Binary, &[&[4], bytes]))
            }
            (Body::Binary(bytes), Dialect::V3Base64) => {
                let mut text = String::from("b4");
                base64::Engine::encode_string(&base64::prelude::BASE64_STANDARD, bytes, &mut text);
                Cow::Owned(websocket::frame(Opcode::Text, text.as_bytes()))
            }
        }
    }

    fn deflate(&self, level: u32) -> Bytes {
        thread_local!(static COMPRESSOR: RefCell<Option<(u32, Compressor)>> = const { RefCell::new(None) });
        let (opcode, payload) = match &self.body {
            Body::Text(text) => (Opcode::Text, text.as_bytes()),
            Body::Binary(bytes) | Body::Raw(bytes) => (Opcode::Binary, &bytes[..]),
        };
        COMPRESSOR.with_borrow_mut(|slot| {
            let (_, compressor) = match slot {
                Some(kept) if kept.0 == level => kept,
                slot => slot.insert((level, Compressor::new(level))),
            };
            compressor.frame(opcode, &[payload])
        })
    }
}

/// One or several parcels that belong together.
#[derive(Debug)]
pub(crate) enum Parcels {
    /// A packet without attachments.
    One(Rc<Parcel>),
    /// A packet with attachments, in order.
    Many(Vec<Rc<Parcel>>),
}

impl Parcels {
    pub(crate) fn as_slice(&self) -> &[Rc<Parcel>] {
        match self {
            Self::One(parcel) => std::slice::from_ref(parcel),
            Self::Many(parcels) => parcels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_framed_once_and_compressed_once_for_all_who_get_it() {
        let parcel = Parcel::text(format!("42[\"a\",\"{}\"]", "b".repeat(2000)));
        let deflate = Some(Deflate::new(&DeflateConfig::default()));
        for compression in [None, deflate] {
            let one = parcel.frame(Dialect::V4, compression);
            let other = parcel.frame(Dialect::V4, compression);
            assert_eq!(one.as_ptr(), other.as_ptr());
        }
        let (plain, packed) = (
            parcel.frame(Dialect::V4, None),
            parcel.frame(Dialect::V4, deflate),
        );
        assert!(packed.len() < plain.len() / 10);
    }

    #[test]
    fn what_is_short_or_must_not_be_compressed_is_sent_plain() {
        let deflate = Some(Deflate::new(&DeflateConfig::default()));
        let short = Parcel::text("42[\"a\"]");
        assert_eq!(
            short.frame(Dialect::V4, deflate),
            short.frame(Dialect::V4, None)
        );
        let flagged = Parcel::new(Body::Text("4".repeat(5000).into()), false);
        assert_eq!(
            flagged.frame(Dialect::V4, deflate),
            flagged.frame(Dialect::V4, None)
        );
    }
}

//! Payloads of every form behind one face: what a polling request or response carries.

use std::iter::FusedIterator;

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    DecodeError, Packet, ProtocolVersion,
    packet::base64_packet_len,
    payload_v3::{
        self, append_v3_binary_binary, append_v3_binary_text, append_v3_string_binary,
        append_v3_string_text,
    },
    payload_v4::{self, append_v4_binary, append_v4_text},
};

/// Does this `Content-Type` announce the v3 binary form? Without one the body is text.
///
/// Source: `onDataRequest` in `engine.io/lib/transports/polling.ts`; v4-current.md, "Headers".
#[must_use]
pub fn body_is_binary(content_type: Option<&str>) -> bool {
    content_type
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| {
            essence
                .trim()
                .eq_ignore_ascii_case("application/octet-stream")
        })
}

/// The body of a polling POST.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A textual body. Bytes that are not UTF-8 are replaced before, as in the reference (`from_utf8_lossy`).
    Text(&'a str),
    /// A body for which [`body_is_binary`] holds.
    Binary(&'a [u8]),
}

/// Decodes a payload packet by packet.
///
/// At most `max_packets` packets are handed out; one more is an error. After an error the iterator is at its end.
/// Packets in front of an error are handed out first, as in the reference.
#[must_use]
pub fn decode_payload(version: ProtocolVersion, body: Body<'_>, max_packets: usize) -> Payload<'_> {
    let rest = match (version, body) {
        (ProtocolVersion::V4, Body::Text(text)) => Rest::V4(Some(text)),
        (ProtocolVersion::V4, Body::Binary(_)) => Rest::Refused(DecodeError::BinaryPayload),
        (ProtocolVersion::V3, Body::Text("")) => Rest::Refused(DecodeError::EmptyPayload),
        (ProtocolVersion::V3, Body::Text(text)) => Rest::V3String(text),
        (ProtocolVersion::V3, Body::Binary(bytes)) => Rest::V3Binary(bytes),
    };
    Payload {
        rest,
        n_left: max_packets,
        max_packets,
    }
}

/// The packets of one payload. See [`decode_payload`].
///
/// # Errors
/// Each item is a packet or the [`DecodeError`] that ends the payload.
#[derive(Debug, Clone)]
pub struct Payload<'a> {
    rest: Rest<'a>,
    n_left: usize,
    max_packets: usize,
}

#[derive(Debug, Clone)]
enum Rest<'a> {
    /// `None` after the last packet: an empty rest is an empty packet, which is an error.
    V4(Option<&'a str>),
    V3String(&'a str),
    V3Binary(&'a [u8]),
    Refused(DecodeError),
    Ended,
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<Packet<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let packet = match &mut self.rest {
            Rest::V4(rest) => payload_v4::next(rest),
            Rest::V3String(rest) => payload_v3::next_of_string(rest),
            Rest::V3Binary(rest) => payload_v3::next_of_binary(rest),
            Rest::Refused(err) => Some(Err(*err)),
            Rest::Ended => None,
        };
        let packet = match (packet, self.n_left.checked_sub(1)) {
            (Some(Ok(packet)), Some(n_left)) => {
                self.n_left = n_left;
                return Some(Ok(packet));
            }
            (Some(Ok(_)), None) => Some(Err(DecodeError::TooManyPackets {
                max: self.max_packets,
            })),
            (packet, _) => packet,
        };
        self.rest = Rest::Ended;
        packet
    }
}

impl FusedIterator for Payload<'_> {}

/// Writes one payload from packets that are ready, until no more fit.
///
/// The reference puts everything that is queued into one response, whatever its size; a cap keeps one response from
/// holding a client's whole backlog twice.
///
/// Shape: as in the module's table of forms. An empty payload is not valid in any form: send a noop instead.
#[derive(Debug)]
pub struct PayloadEncoder {
    out: Out,
    max_bytes: usize,
}

#[derive(Debug)]
enum Out {
    V4(String),
    V3String(String),
    V3Binary(Vec<u8>),
}

impl PayloadEncoder {
    /// An empty payload of at most `max_bytes` bytes.
    ///
    /// `binary_form` is heeded in v3 only, and is for clients that take binary
    /// ([`super::Query::is_binary_supported`]):
    ///
    /// | this payload holds            | reference   | Socket.IO 1 client understands | so `binary_form` |
    /// |-------------------------------|-------------|--------------------------------|------------------|
    /// | a binary message              | binary form | the binary form                | true             |
    /// | text that is not ASCII        | string form | only the binary form           | true (false to be as the reference) |
    /// | ASCII text only               | string form | both forms                     | false            |
    ///
    /// Socket.IO 1 clients (engine.io-parser 1) take the characters of a string form for bytes of UTF-8, and end the
    /// session at the first other one. Socket.IO 2 clients understand both forms at any time.
    #[must_use]
    pub const fn new(version: ProtocolVersion, binary_form: bool, max_bytes: usize) -> Self {
        let out = match version {
            ProtocolVersion::V4 => Out::V4(String::new()),
            ProtocolVersion::V3 if binary_form => Out::V3Binary(Vec::new()),
            ProtocolVersion::V3 => Out::V3String(String::new()),
        };
        Self { out, max_bytes }
    }

    /// Appends a text packet (`4hello`) and answers true, or leaves the payload as it was and answers false.
    ///
    /// The first packet is taken whatever its size: a payload has to make progress.
    // Hot: one scan for the v3 length, one reservation, one copy.
    #[must_use]
    pub fn push_text(&mut self, packet: &str) -> bool {
        let n_added = match &self.out {
            Out::V4(_) => packet.len().saturating_add(1),
            Out::V3String(_) | Out::V3Binary(_) => packet
                .len()
                .saturating_add(payload_v3::header_len(packet.len())),
        };
        if !self.fits(n_added) {
            return false;
        }
        match &mut self.out {
            Out::V4(out) => append_v4_text(out, packet),
            Out::V3String(out) => append_v3_string_text(out, packet),
            Out::V3Binary(out) => append_v3_binary_text(out, packet),
        }
        true
    }

    /// Appends a binary message, as [`Self::push_text`] does.
    #[must_use]
    pub fn push_binary(&mut self, message: &[u8]) -> bool {
        let n_added = match &self.out {
            Out::V4(_) => base64_packet_len(ProtocolVersion::V4, message).saturating_add(1),
            Out::V3String(_) => {
                let len = base64_packet_len(ProtocolVersion::V3, message);
                len.saturating_add(payload_v3::header_len(len))
            }
            Out::V3Binary(_) => {
                let len = message.len().saturating_add(1);
                len.saturating_add(payload_v3::header_len(len))
            }
        };
        if !self.fits(n_added) {
            return false;
        }
        match &mut self.out {
            Out::V4(out) => append_v4_binary(out, message),
            Out::V3String(out) => append_v3_string_binary(out, message),
            Out::V3Binary(out) => append_v3_binary_binary(out, message),
        }
        true
    }

    fn fits(&mut self, n_added: usize) -> bool {
        let len = self.len();
        let fits = len == 0 || len.saturating_add(n_added) <= self.max_bytes;
        if fits {
            match &mut self.out {
                Out::V4(out) | Out::V3String(out) => out.reserve(n_added),
                Out::V3Binary(out) => out.reserve(n_added),
            }
        }
        fits
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.out {
            Out::V4(out) | Out::V3String(out) => out.len(),
            Out::V3Binary(out) => out.len(),
        }
    }

    /// Has nothing been written yet?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload as a response body.
    #[must_use]
    pub fn finish(self) -> EncodedPayload {
        match self.out {
            Out::V4(out) | Out::V3String(out) => EncodedPayload::Text(out.into()),
            Out::V3Binary(out) => EncodedPayload::Binary(out.into()),
        }
    }
}

/// A payload that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodedPayload {
    /// v4, and the v3 string form. Only this one can be wrapped as JSONP.
    Text(ByteString),
    /// The v3 binary form.
    Binary(Bytes),
}

impl EncodedPayload {
    /// The `Content-Type` of the response.
    ///
    /// Source: `doWrite` in `engine.io/lib/transports/polling.ts`.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text/plain; charset=UTF-8",
            Self::Binary(_) => "application/octet-stream",
        }
    }

    /// The body of the response.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::{
        ProtocolVersion::{V3, V4},
        *,
    };
    use crate::protocol::engineio::{Data, PacketType, encode_text};

    /// A packet as a server queues it.
    #[derive(Debug, Clone)]
    enum Queued {
        Text(u8, String),
        Binary(Vec<u8>),
    }

    impl Queued {
        fn push_to(&self, encoder: &mut PayloadEncoder) -> bool {
            match self {
                Self::Text(id, data) => {
                    encoder.push_text(&encode_text(PacketType::from_id(*id).unwrap(), data))
                }
                Self::Binary(message) => encoder.push_binary(message),
            }
        }

        fn as_packet(&self) -> Packet<'_> {
            match self {
                Self::Text(id, data) => Packet::text(PacketType::from_id(*id).unwrap(), data),
                Self::Binary(message) => Packet {
                    kind: PacketType::Message,
                    data: Data::Binary(Cow::Borrowed(message)),
                },
            }
        }
    }

    fn queue() -> impl Strategy<Value = Vec<Queued>> {
        let packet = prop_oneof![
            (0u8..7, any::<String>())
                .prop_map(|(id, data)| Queued::Text(id, data.replace('\x1e', " "))),
            any::<Vec<u8>>().prop_map(Queued::Binary),
        ];
        proptest::collection::vec(packet, 1..20)
    }

    fn decode_all(
        version: ProtocolVersion,
        payload: &EncodedPayload,
        check: impl FnOnce(Vec<Packet<'_>>),
    ) {
        let body = match payload {
            EncodedPayload::Text(text) => Body::Text(text),
            EncodedPayload::Binary(bytes) => Body::Binary(bytes),
        };
        check(
            decode_payload(version, body, 100)
                .collect::<Result<_, _>>()
                .unwrap(),
        );
    }

    #[test]
    fn only_octet_stream_announces_the_binary_form() {
        for (content_type, is_binary) in [
            (None, false),
            (Some(""), false),
            (Some("text/plain; charset=UTF-8"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("application/octet-stream"), true),
            (Some("Application/Octet-Stream; x=y"), true),
        ] {
            assert_eq!(body_is_binary(content_type), is_binary, "{content_type:?}");
        }
    }

    #[test]
    fn a_binary_body_is_refused_in_v4() {
        let mut payload = decode_payload(V4, Body::Binary(b"4hello"), 10);
        assert_eq!(payload.next(), Some(Err(DecodeError::BinaryPayload)));
        assert_eq!(payload.next(), None);
    }

    #[test]
    fn one_packet_too_many_is_an_error_and_the_end() {
        let bodies = [
            (V4, Body::Text("2\x1e2\x1e2\x1e2")),
            (V3, Body::Text("1:21:21:21:2")),
            (
                V3,
                Body::Binary(&[0, 1, 255, b'2', 0, 1, 255, b'2', 0, 1, 255, b'2']),
            ),
        ];
        for (version, body) in bodies {
            let mut payload = decode_payload(version, body, 2);
            assert!(payload.next().unwrap().is_ok());
            assert!(payload.next().unwrap().is_ok());
            assert_eq!(
                payload.next(),
                Some(Err(DecodeError::TooManyPackets { max: 2 }))
            );
            assert_eq!(payload.next(), None);
        }
        assert_eq!(
            decode_payload(V4, Body::Text("2\x1e2"), 2)
                .filter(Result::is_ok)
                .count(),
            2
        );
    }

    #[test]
    fn what_does_not_fit_stays_outside_but_the_first_packet_always_fits() {
        let mut encoder = PayloadEncoder::new(V4, false, 10);
        assert!(encoder.is_empty());
        assert!(encoder.push_text("4hello"));
        assert!(!encoder.push_text("4abc"));
        assert!(!encoder.push_binary(&[1]));
        assert!(encoder.push_text("4ab"));
        assert!(!encoder.push_text("2"));
        assert_eq!(
            encoder.finish(),
            EncodedPayload::Text("4hello\x1e4ab".into())
        );

        let mut encoder = PayloadEncoder::new(V4, false, 3);
        assert!(encoder.push_text("4hello"));
        assert!(!encoder.push_text("2"));
    }

    #[test]
    fn the_form_decides_the_content_type() {
        for (version, binary_form, content_type) in [
            (V4, true, "text/plain; charset=UTF-8"),
            (V3, false, "text/plain; charset=UTF-8"),
            (V3, true, "application/octet-stream"),
        ] {
            let mut encoder = PayloadEncoder::new(version, binary_form, 100);
            assert!(encoder.push_binary(&[1, 2, 3, 4]));
            assert_eq!(encoder.finish().content_type(), content_type);
        }
    }

    proptest! {
        #[test]
        fn any_queue_survives_every_form(queue in queue()) {
            for (version, binary_form) in [(V4, false), (V3, false), (V3, true)] {
                let mut encoder = PayloadEncoder::new(version, binary_form, usize::MAX);
                prop_assert!(queue.iter().all(|packet| packet.push_to(&mut encoder)));
                let expected: Vec<_> = queue.iter().map(Queued::as_packet).collect();
                decode_all(version, &encoder.finish(), |packets| assert_eq!(packets, expected));
            }
        }

        #[test]
        fn any_queue_is_cut_into_payloads_within_the_cap(queue in queue(), max_bytes in 0usize..200) {
            for (version, binary_form) in [(V4, false), (V3, false), (V3, true)] {
                let mut rest = queue.as_slice();
                let mut n_packets = 0;
                while !rest.is_empty() {
                    let mut encoder = PayloadEncoder::new(version, binary_form, max_bytes);
                    let n = rest.iter().take_while(|packet| packet.push_to(&mut encoder)).count();
                    prop_assert!(n == 1 || (n > 1 && encoder.len() <= max_bytes));
                    decode_all(version, &encoder.finish(), |packets| assert_eq!(packets.len(), n));
                    rest = &rest[n..];
                    n_packets += n;
                }
                prop_assert_eq!(n_packets, queue.len());
            }
        }

        #[test]
        fn any_body_ends_with_its_first_error(text: String, bytes: Vec<u8>, max_packets in 0usize..5) {
            for (version, body) in [(V4, Body::Text(&text)), (V3, Body::Text(&text)), (V3, Body::Binary(&bytes))] {
                let items: Vec<_> = decode_payload(version, body, max_packets).collect();
                prop_assert!(items.iter().filter(|item| item.is_ok()).count() <= max_packets);
                prop_assert!(items.iter().rev().skip(1).all(Result::is_ok));
            }
        }

        #[test]
        fn any_damage_to_a_payload_is_survived(queue in queue(), at: prop::sample::Index, byte: u8) {
            for (version, binary_form) in [(V4, false), (V3, false), (V3, true)] {
                let mut encoder = PayloadEncoder::new(version, binary_form, usize::MAX);
                prop_assert!(queue.iter().all(|packet| packet.push_to(&mut encoder)));
                let is_binary = matches!(encoder.out, Out::V3Binary(_));
                let mut bytes = encoder.finish().into_bytes().to_vec();
                let at = at.index(bytes.len());
                bytes[at] = byte;
                let text = String::from_utf8_lossy(&bytes);
                let body = if is_binary { Body::Binary(&bytes) } else { Body::Text(&text) };
                let items: Vec<_> = decode_payload(version, body, 100).collect();
                prop_assert!(items.iter().rev().skip(1).all(Result::is_ok));
            }
        }
    }
}

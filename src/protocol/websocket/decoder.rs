//! What a client sends, taken apart: frames in, messages out.

use std::fmt;
use std::ops::Range;

use super::error::WsError;
use super::header::{FrameHeader, MAX_HEADER_BYTES, Opcode};
use super::incoming::{Incoming, read};
use super::mask::unmask;
use super::message::Message;
use super::negotiation::Negotiated;

/// What one message may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, all its fragments together, after decompression. **Unit**: bytes.
    pub max_message_bytes: usize,
    /// Most frames of one message, 0 for any number; more are refused with 1008. Empty fragments cost no
    /// memory but do cost time.
    pub max_fragments: usize,
}

impl Limits {
    /// Most compressed bytes of a message that may inflate to one of allowed size.
    ///
    /// Data that cannot be compressed grows by a few bytes per block; zlib's own bound with any of its
    /// settings is an eighth.
    const fn max_compressed_bytes(self) -> usize {
        self.max_message_bytes
            .saturating_add(self.max_message_bytes / 8)
            .saturating_add(64)
    }

    const fn too_big(self) -> WsError {
        WsError::MessageTooBig {
            max_bytes: self.max_message_bytes,
        }
    }
}

/// Takes a client's frames apart.
///
/// A frame that lies in the input as a whole, neither fragmented nor compressed, is handed out where it
/// lies. Anything else is put together on the heap, grows with the bytes that arrive, and is freed by the
/// call after the one that handed it out. Between messages a decoder holds no memory but itself.
///
/// Control frames between fragments are handed out at once. Text is checked as it arrives; compressed
/// text when its message is complete.
///
/// **Source**: RFC 6455 section 5; RFC 7692 sections 6 and 7.2.2.
pub struct Decoder {
    limits: Limits,
    deflate: bool,
    end: Option<End>,
    partial: Option<Box<Partial>>,
}

#[derive(Clone, Copy)]
enum End {
    Closed,
    Failed(WsError),
}

/// What waits for more input.
#[derive(Default)]
struct Partial {
    /// A header cut by the end of the input.
    header: [u8; MAX_HEADER_BYTES],
    n_header: usize,
    /// A frame whose payload has not arrived as a whole.
    frame: Option<Frame>,
    /// A control frame cut by the end of the input, or handed out by the last call.
    control: Vec<u8>,
    message: Option<Message>,
}

impl Partial {
    const fn is_waiting(&self) -> bool {
        self.n_header > 0
            || self.frame.is_some()
            || match &self.message {
                Some(message) => !message.is_complete,
                None => false,
            }
    }
}

struct Frame {
    opcode: Opcode,
    is_final: bool,
    is_compressed: bool,
    key: [u8; 4],
    n_missing: usize,
    is_cut: bool,
}

/// Where a complete message or control frame is.
enum Ready {
    Input(Opcode, Range<usize>),
    Control(Opcode),
    Message,
}

impl Decoder {
    /// A decoder for one connection; `deflate` is what [`negotiate`](super::negotiate) yielded.
    #[must_use]
    pub const fn new(limits: Limits, deflate: Option<Negotiated>) -> Self {
        Self {
            limits,
            deflate: deflate.is_some(),
            end: None,
            partial: None,
        }
    }

    /// Takes bytes from the front of `input`, unmasking them in place, until one message or control frame
    /// is complete. `consumed` rises by the number of bytes taken.
    ///
    /// `None` means that all of the input was taken. Call until then: only that call frees what the call
    /// before it handed out.
    ///
    /// # Errors
    ///
    /// The rule of the protocol or the limit that was broken; every later call says the same. The
    /// connection is to be closed with [`WsError::close_code`]. A size is refused on sight of the header,
    /// invalid text at its first wrong byte.
    // Hot: once per frame and once per read. A text frame of 64 bytes takes about 25 ns, one of 1 KiB
    // 50 (400 if it is not ASCII, where checking UTF-8 is most of it). Frames that lie whole allocate nothing.
    pub fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        consumed: &mut usize,
    ) -> Result<Option<Incoming<'a>>, WsError> {
        self.release();
        if let Some(end) = self.end {
            *consumed += input.len();
            return match end {
                End::Closed => Ok(None),
                End::Failed(err) => Err(err),
            };
        }

        let mut at = 0;
        let ready = self.advance(input, &mut at);
        *consumed += at;
        let incoming = match ready {
            Ok(None) => return Ok(None),
            Ok(Some(Ready::Input(opcode, range))) => match read(opcode, &input[range]) {
                Ok(incoming) => incoming,
                Err(err) => return Err(self.fail(err)),
            },
            Ok(Some(Ready::Control(opcode))) => read(
                opcode,
                self.partial
                    .as_deref()
                    .map_or(&[], |partial| &partial.control),
            )?,
            Ok(Some(Ready::Message)) => match self
                .partial
                .as_deref()
                .and_then(|partial| partial.message.as_ref())
            {
                Some(message) => message.read(),
                None => return Ok(None),
            },
            Err(err) => return Err(self.fail(err)),
        };
        if let Incoming::Close(_) = incoming {
            self.end = Some(End::Closed);
        }
        Ok(Some(incoming))
    }

    /// Whether a frame or message has begun and is not complete: what a time limit is to look at.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.end.is_none()
            && self
                .partial
                .as_ref()
                .is_some_and(|partial| partial.is_waiting())
    }

    /// Heap memory held for what is not complete, or was handed out by the last call. **Unit**: bytes.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            size_of::<Partial>()
                + partial.control.capacity()
                + partial.message.as_ref().map_or(0, Message::capacity)
        })
    }

    fn fail(&mut self, err: WsError) -> WsError {
        self.partial = None;
        self.end = Some(End::Failed(err));
        err
    }

    /// Frees what the last call handed out.
    fn release(&mut self) {
        if let Some(partial) = &mut self.partial {
            if self.end.is_some() || !partial.is_waiting() {
                self.partial = None;
            } else if partial.frame.is_none() {
                partial.control.clear();
            }
        }
    }

    fn advance(&mut self, input: &mut [u8], at: &mut usize) -> Result<Option<Ready>, WsError> {
        loop {
            let resumed = self
                .partial
                .as_mut()
                .and_then(|partial| partial.frame.take());
            let Some(mut frame) = (match resumed {
                Some(frame) => Some(frame),
                None => self.next_frame(input, at)?,
            }) else {
                return Ok(None);
            };

            let start = *at;
            let n_bytes = frame.n_missing.min(input.len() - start);
            let range = start..start + n_bytes;
            let payload = &mut input[range.clone()];
            *at = range.end;
            frame.key = unmask(payload, frame.key);
            frame.n_missing -= n_bytes;
            let is_complete = frame.n_missing == 0;
            let is_whole = is_complete && !frame.is_cut;

            if frame.opcode.is_control() {
                if is_whole {
                    return Ok(Some(Ready::Input(frame.opcode, range)));
                }
                let partial = self.partial.get_or_insert_default();
                partial.control.extend_from_slice(payload);
                if is_complete {
                    read(frame.opcode, &partial.control)?;
                    return Ok(Some(Ready::Control(frame.opcode)));
                }
            } else if is_whole && frame.is_final && frame.opcode != Opcode::Continuation {
                if !frame.is_compressed {
                    return Ok(Some(Ready::Input(frame.opcode, range)));
                }
                let message =
                    Message::inflated(frame.opcode, payload, self.limits.max_message_bytes)?;
                self.partial.get_or_insert_default().message = Some(message);
                return Ok(Some(Ready::Message));
            } else {
                let message = self
                    .partial
                    .get_or_insert_default()
                    .message
                    .get_or_insert_with(|| Message::new(frame.opcode, frame.is_compressed));
                message.push(payload)?;
                if is_complete {
                    message.n_frames += 1;
                    if frame.is_final {
                        message.finish(self.limits.max_message_bytes)?;
                        return Ok(Some(Ready::Message));
                    }
                }
            }

            if !is_complete {
                frame.is_cut = true;
                self.partial.get_or_insert_default().frame = Some(frame);
                return Ok(None);
            }
        }
    }

    /// The frame that begins at `at`, if its header is complete; else the bytes of the header are kept.
    fn next_frame(&mut self, input: &[u8], at: &mut usize) -> Result<Option<Frame>, WsError> {
        let header = match &mut self.partial {
            Some(partial) if partial.n_header > 0 => loop {
                let Some(&byte) = input.get(*at) else {
                    return Ok(None);
                };
                *at += 1;
                partial.header[partial.n_header] = byte;
                partial.n_header += 1;
                if let Some((header, _)) = FrameHeader::parse(&partial.header[..partial.n_header])?
                {
                    partial.n_header = 0;
                    break header;
                }
            },
            _ => {
                let rest = &input[*at..];
                let Some((header, n_bytes)) = FrameHeader::parse(rest)? else {
                    if !rest.is_empty() {
                        let partial = self.partial.get_or_insert_default();
                        partial.header[..rest.len()].copy_from_slice(rest);
                        partial.n_header = rest.len();
                        *at = input.len();
                    }
                    return Ok(None);
                };
                *at += n_bytes;
                header
            }
        };
        self.admit(&header).map(Some)
    }

    /// Checks a header against the message under way and the limits.
    fn admit(&self, header: &FrameHeader) -> Result<Frame, WsError> {
        let message = self
            .partial
            .as_ref()
            .and_then(|partial| partial.message.as_ref());
        if !header.opcode.is_control() {
            let is_compressed = match (header.opcode, message) {
                (Opcode::Continuation, None) => return Err(WsError::UnexpectedContinuation),
                (Opcode::Continuation, Some(message)) => message.is_compressed(),
                (_, Some(_)) => return Err(WsError::ExpectedContinuation),
                (_, None) => header.is_compressed,
            };
            if header.is_compressed && !self.deflate {
                return Err(WsError::ReservedBits);
            }
            let (n_bytes, n_frames) =
                message.map_or((0, 0), |message| (message.n_bytes, message.n_frames));
            let max_bytes = if is_compressed {
                self.limits.max_compressed_bytes()
            } else {
                self.limits.max_message_bytes
            };
            if header.len > max_bytes.saturating_sub(n_bytes) as u64 {
                return Err(self.limits.too_big());
            }
            let max_fragments = self.limits.max_fragments;
            if max_fragments != 0 && n_frames >= max_fragments {
                return Err(WsError::TooManyFragments { max_fragments });
            }
        }
        Ok(Frame {
            opcode: header.opcode,
            is_final: header.is_final,
            is_compressed: header.is_compressed,
            key: header.key,
            n_missing: usize::try_from(header.len).map_err(|_| self.limits.too_big())?,
            is_cut: false,
        })
    }
}

impl fmt::Debug for Decoder {
    /// Without payloads: this may end up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limits", &self.limits)
            .field("deflate", &self.deflate)
            .field("is_partial", &self.is_partial())
            .field("buffered_bytes", &self.buffered_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::*;
    use super::super::negotiate;
    use super::*;

    fn one(decoder: &mut Decoder, bytes: &[u8]) -> Kept {
        let mut kept = Vec::new();
        feed(decoder, bytes, &mut kept).unwrap();
        assert_eq!(kept.len(), 1);
        kept.remove(0)
    }

    #[test]
    fn examples_of_section_5_7() {
        let mut decoder = Decoder::new(LIMITS, None);
        let masked_text = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(one(&mut decoder, masked_text), text("Hello"));
        let masked_pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(
            one(&mut decoder, masked_pong),
            Kept::Pong(b"Hello".to_vec())
        );
        // The examples without a mask are a server's: a client must not send them.
        let unmasked: [&[u8]; 3] = [b"\x81\x05Hello", b"\x01\x03Hel", b"\x82\x7e\x01\x00"];
        for bytes in unmasked {
            assert_eq!(decode(bytes).1, Some(WsError::Unmasked));
        }
    }

    #[test]
    fn whole_frames_are_handed_out_where_they_lie() {
        let mut scratch = [
            masked(FIN | TEXT, b"in place"),
            masked(PING, b"ping"),
            masked(FIN | BINARY, b"bin"),
        ]
        .concat();
        let span = scratch.as_ptr_range();
        let mut decoder = Decoder::new(LIMITS, None);
        let mut at = 0;
        for _ in 0..3 {
            let pointer = match decoder
                .decode(&mut scratch[at..], &mut at)
                .unwrap()
                .unwrap()
            {
                Incoming::Text(text) => text.as_ptr(),
                Incoming::Ping(bytes) | Incoming::Binary(bytes) => bytes.as_ptr(),
                other => panic!("{other:?} was not sent"),
            };
            assert!(span.contains(&pointer));
            assert_eq!(decoder.buffered_bytes(), 0);
        }
        assert_eq!(at, scratch.len());
    }

    #[test]
    fn an_idle_decoder_is_small_and_holds_nothing() {
        assert!(size_of::<Decoder>() <= 64, "{}", size_of::<Decoder>());
        let mut decoder = Decoder::new(LIMITS, None);
        let bytes = [
            masked(TEXT, &[b'x'; 5000]),
            masked(FIN, b"y"),
            masked(PING, b"p"),
        ]
        .concat();
        for n_bytes in [1, 100, usize::MAX] {
            decode_in_reads(&mut decoder, &bytes, n_bytes);
            assert!(!decoder.is_partial());
            assert_eq!(decoder.buffered_bytes(), 0);
        }
    }

    #[test]
    fn partial_means_that_something_is_missing() {
        let mut decoder = Decoder::new(LIMITS, None);
        let mut kept = Vec::new();
        let table: [(&[u8], bool); 7] = [
            (b"", false),
            (b"\x01", true),              // half a header
            (b"\x80\0\0\0\0", true),      // an empty first fragment
            (b"\x89\x81\0\0\0\0", true),  // a ping without its payload
            (b"p", true),                 // the ping is complete, the message is not
            (b"\x80\x80\0\0\0\0", false), // the last fragment
            (b"\x89\x80\0\0\0\0", false),
        ];
        for (read, is_partial) in table {
            feed(&mut decoder, read, &mut kept).unwrap();
            assert_eq!(decoder.is_partial(), is_partial, "after {read:x?}");
        }
        assert_eq!(
            kept,
            [Kept::Ping(b"p".to_vec()), text(""), Kept::Ping(vec![])]
        );
    }

    #[test]
    fn memory_follows_what_arrives_and_not_what_is_announced() {
        let limits = Limits {
            max_message_bytes: usize::MAX,
            max_fragments: 0,
        };
        let mut decoder = Decoder::new(limits, None);
        let announces_4_gib = [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7];
        feed(&mut decoder, &announces_4_gib, &mut Vec::new()).unwrap();
        assert!(decoder.is_partial());
        assert!(decoder.buffered_bytes() < 1024);
    }

    #[test]
    fn a_failed_decoder_stays_failed_and_a_closed_one_silent() {
        let mut decoder = Decoder::new(LIMITS, None);
        let mut kept = Vec::new();
        assert_eq!(
            feed(&mut decoder, b"\x81\x00", &mut kept),
            Err(WsError::Unmasked)
        );
        assert_eq!(
            feed(&mut decoder, &masked(PING, b""), &mut kept),
            Err(WsError::Unmasked)
        );

        let mut decoder = Decoder::new(LIMITS, None);
        assert_eq!(
            one(
                &mut decoder,
                &[masked(CLOSE, b""), b"\x81\x00".to_vec()].concat()
            ),
            Kept::Close(None)
        );
        assert_eq!(feed(&mut decoder, b"\x81\x00", &mut kept), Ok(()));
        assert_eq!(kept, []);
    }

    #[test]
    fn rsv1_needs_the_extension_and_the_first_frame_of_a_message() {
        let deflated = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        let agreed = negotiate(["permessage-deflate"]).unwrap();
        let table = [
            (vec![masked(FIN | RSV1 | TEXT, deflated)], agreed, None),
            (
                vec![masked(FIN | RSV1 | TEXT, deflated)],
                None,
                Some(WsError::ReservedBits),
            ),
            (
                vec![masked(RSV1 | TEXT, deflated), masked(FIN, b"")],
                agreed,
                None,
            ),
            (
                vec![masked(TEXT, b"a"), masked(FIN | RSV1, deflated)],
                agreed,
                Some(WsError::ReservedBits),
            ),
            (
                vec![masked(RSV1 | PING, b"")],
                agreed,
                Some(WsError::ReservedBits),
            ),
        ];
        for (frames, deflate, err) in table {
            let mut decoder = Decoder::new(LIMITS, deflate);
            assert_eq!(
                decode_in_reads(&mut decoder, &frames.concat(), usize::MAX).1,
                err
            );
        }
    }

    #[test]
    fn compressed_messages_are_limited_before_and_after_inflating() {
        let limits = Limits {
            max_message_bytes: 1000,
            max_fragments: 0,
        };
        let too_big = Some(WsError::MessageTooBig { max_bytes: 1000 });
        let agreed = negotiate(["permessage-deflate"]).unwrap();
        let deflated = |len: usize| super::super::deflate::tests::deflated(&vec![b'x'; len]);
        let table = [
            (masked(FIN | RSV1 | TEXT, &deflated(1000)), None),
            (masked(FIN | RSV1 | TEXT, &deflated(1001)), too_big),
            (masked(FIN | RSV1 | TEXT, &deflated(5_000_000)), too_big),
            (
                [masked(RSV1 | TEXT, &deflated(1001)), masked(FIN, b"")].concat(),
                too_big,
            ),
            (
                vec![FIN | RSV1 | BINARY, 0xfe, 0x10, 0x00, 0, 0, 0, 0],
                too_big,
            ),
        ];
        for (bytes, err) in table {
            assert_eq!(
                decode_in_reads(&mut Decoder::new(limits, agreed), &bytes, usize::MAX).1,
                err
            );
        }
    }

    #[test]
    fn debug_shows_no_payload() {
        let mut decoder = Decoder::new(LIMITS, None);
        decode_in_reads(&mut decoder, &masked(TEXT, b"secret"), usize::MAX);
        let shown = format!("{decoder:?}");
        assert!(shown.contains("is_partial: true"));
        assert!(!shown.contains("secret") && !shown.contains("115"));
    }
}

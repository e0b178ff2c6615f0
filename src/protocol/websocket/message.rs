//! A message that does not lie in the input as a whole: in fragments, cut by the end of a read, or compressed.

use super::deflate;
use super::error::WsError;
use super::header::Opcode;
use super::incoming::Incoming;
use super::text::TextBuffer;

/// What has arrived of a message. It grows with what arrives, never with what a header announces.
pub(super) struct Message {
    body: Body,
    pub(super) n_bytes: usize,
    pub(super) n_frames: usize,
    pub(super) is_complete: bool,
}

enum Body {
    Text(TextBuffer),
    Binary(Vec<u8>),
    /// Inflated when it is complete: until then it costs its compressed bytes and no zlib state.
    Compressed {
        is_text: bool,
        bytes: Vec<u8>,
    },
}

impl Message {
    pub(super) fn new(opcode: Opcode, is_compressed: bool) -> Self {
        let is_text = opcode == Opcode::Text;
        let body = match (is_compressed, is_text) {
            (true, is_text) => Body::Compressed {
                is_text,
                bytes: Vec::new(),
            },
            (false, true) => Body::Text(TextBuffer::default()),
            (false, false) => Body::Binary(Vec::new()),
        };
        Self {
            body,
            n_bytes: 0,
            n_frames: 0,
            is_complete: false,
        }
    }

    /// A message of one compressed frame.
    pub(super) fn inflated(
        opcode: Opcode,
        compressed: &[u8],
        max_bytes: usize,
    ) -> Result<Self, WsError> {
        let body = inflated(opcode == Opcode::Text, compressed, max_bytes)?;
        Ok(Self {
            body,
            n_bytes: compressed.len(),
            n_frames: 1,
            is_complete: true,
        })
    }

    pub(super) const fn is_compressed(&self) -> bool {
        matches!(self.body, Body::Compressed { .. })
    }

    /// Appends what was unmasked. Text is checked here, unless it is compressed.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), WsError> {
        self.n_bytes += bytes.len();
        match &mut self.body {
            Body::Text(text) => text.push(bytes)?,
            Body::Binary(body) | Body::Compressed { bytes: body, .. } => {
                body.extend_from_slice(bytes)
            }
        }
        Ok(())
    }

    /// Says that this was the last frame.
    pub(super) fn finish(&mut self, max_bytes: usize) -> Result<(), WsError> {
        match &self.body {
            Body::Text(text) => text.finish()?,
            Body::Binary(_) => {}
            Body::Compressed { is_text, bytes } => {
                self.body = inflated(*is_text, bytes, max_bytes)?
            }
        }
        self.is_complete = true;
        Ok(())
    }

    pub(super) fn read(&self) -> Incoming<'_> {
        match &self.body {
            Body::Text(text) => Incoming::Text(text.as_str()),
            Body::Binary(bytes) | Body::Compressed { bytes, .. } => Incoming::Binary(bytes),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.capacity(),
            Body::Binary(bytes) | Body::Compressed { bytes, .. } => bytes.capacity(),
        }
    }
}

fn inflated(is_text: bool, compressed: &[u8], max_bytes: usize) -> Result<Body, WsError> {
    let bytes = deflate::inflate(compressed, max_bytes)?;
    if !is_text {
        return Ok(Body::Binary(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|_| WsError::InvalidUtf8)?;
    Ok(Body::Text(text.into()))
}

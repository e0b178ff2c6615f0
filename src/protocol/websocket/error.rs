//! Why a WebSocket connection has to end, and the close codes that say so.

use thiserror::Error;

/// What a client did that ends its connection.
///
/// The text is for the log; the client gets [`close_code`](Self::close_code).
///
/// **Source**: RFC 6455 sections 5, 7.4.1, 8.1; RFC 7692 section 6.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WsError {
    /// A reserved bit is set that no negotiated extension gives a meaning to (RFC 6455 5.2).
    #[error("reserved bits are set")]
    ReservedBits,
    /// An opcode that is not defined, 3 to 7 or 11 to 15 (RFC 6455 5.2).
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// A client's frame without a mask (RFC 6455 5.1).
    #[error("frame is not masked")]
    Unmasked,
    /// A control frame with FIN unset (RFC 6455 5.5).
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// A control frame with more than 125 bytes (RFC 6455 5.5).
    #[error("control frame is longer than 125 bytes")]
    LongControl,
    /// A 64-bit length whose highest bit is set (RFC 6455 5.2).
    #[error("frame length exceeds 63 bits")]
    LengthOverflow,
    /// A continuation frame with no message to continue (RFC 6455 5.4).
    #[error("continuation frame without a message")]
    UnexpectedContinuation,
    /// A new message before the last one was finished (RFC 6455 5.4).
    #[error("new message inside a fragmented message")]
    ExpectedContinuation,
    /// A close frame with a payload of one byte (RFC 6455 5.5.1).
    #[error("close frame has half a code")]
    ShortClose,
    /// A close frame with a code that must not be sent (RFC 6455 7.4).
    #[error("close code {0} is not allowed")]
    BadCloseCode(u16),
    /// A text message or a close reason that is not UTF-8 (RFC 6455 8.1).
    #[error("text is not valid utf-8")]
    InvalidUtf8,
    /// A compressed message that is not DEFLATE data (RFC 7692 7.2.2).
    #[error("compressed message cannot be inflated")]
    InvalidDeflate,
    /// A message larger than [`Limits::max_message_bytes`](super::Limits::max_message_bytes).
    #[error("message exceeds {max_bytes} bytes")]
    MessageTooBig {
        /// The limit that was exceeded.
        max_bytes: usize,
    },
    /// A message of more frames than [`Limits::max_fragments`](super::Limits::max_fragments).
    #[error("message has more than {max_fragments} fragments")]
    TooManyFragments {
        /// The limit that was exceeded.
        max_fragments: usize,
    },
}

impl WsError {
    /// The code of the close frame that answers this error.
    ///
    /// 1007 for what is not the text or the DEFLATE data it claims to be, 1009 for size, 1008 (policy)
    /// for too many fragments, 1002 for everything else.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::Unmasked
            | Self::FragmentedControl
            | Self::LongControl
            | Self::LengthOverflow
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::ShortClose
            | Self::BadCloseCode(_) => close_code::PROTOCOL_ERROR,
            Self::InvalidUtf8 | Self::InvalidDeflate => close_code::INVALID_PAYLOAD,
            Self::MessageTooBig { .. } => close_code::MESSAGE_TOO_BIG,
            Self::TooManyFragments { .. } => close_code::POLICY_VIOLATION,
        }
    }
}

/// The close codes a server has a use for, and the rule for all of them.
///
/// **Source**: RFC 6455 section 7.4.1 and its IANA registry.
pub mod close_code {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The server is shutting down, or the page was left.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// A kind of data this endpoint does not take, such as binary where only text is understood.
    pub const UNSUPPORTED_DATA: u16 = 1003;
    /// Nothing on the wire: stands for a close frame without a code.
    pub const NO_STATUS: u16 = 1005;
    /// Nothing on the wire: stands for a connection that ended without a close frame.
    pub const ABNORMAL: u16 = 1006;
    /// The data is not what its type says, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: u16 = 1007;
    /// A rule of this server that no other code describes.
    pub const POLICY_VIOLATION: u16 = 1008;
    /// The message is larger than this server takes.
    pub const MESSAGE_TOO_BIG: u16 = 1009;
    /// The server failed.
    pub const INTERNAL_ERROR: u16 = 1011;
    /// The server restarts; come back.
    pub const SERVICE_RESTART: u16 = 1012;
    /// The server is overloaded; come back later.
    pub const TRY_AGAIN_LATER: u16 = 1013;

    /// Whether a close frame may carry this code.
    ///
    /// 1012 to 1014 were registered with IANA after the RFC; 1004 is reserved, 1005, 1006 and 1015 are
    /// never on the wire, 1016 to 2999 wait for future RFCs, 3000 to 4999 belong to libraries and
    /// applications.
    #[must_use]
    pub const fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_that_may_be_sent() {
        let table = [
            (WsError::ReservedBits, 1002),
            (WsError::ReservedOpcode(3), 1002),
            (WsError::Unmasked, 1002),
            (WsError::FragmentedControl, 1002),
            (WsError::LongControl, 1002),
            (WsError::LengthOverflow, 1002),
            (WsError::UnexpectedContinuation, 1002),
            (WsError::ExpectedContinuation, 1002),
            (WsError::ShortClose, 1002),
            (WsError::BadCloseCode(1005), 1002),
            (WsError::InvalidUtf8, 1007),
            (WsError::InvalidDeflate, 1007),
            (WsError::MessageTooBig { max_bytes: 1 }, 1009),
            (WsError::TooManyFragments { max_fragments: 1 }, 1008),
        ];
        for (err, code) in table {
            assert_eq!(err.close_code(), code, "{err}");
            assert!(close_code::may_be_sent(code));
        }
    }

    #[test]
    fn error_is_small() {
        assert!(size_of::<WsError>() <= 16);
    }
}

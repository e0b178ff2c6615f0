//! Why a socket has gone.

/// The reason of a disconnection, in the words of the reference ([`DisconnectReason::as_str`]).
///
/// | reason | when | state can be recovered |
/// |---|---|---|
/// | `transport error` | the connection broke, or the client broke its rules | yes |
/// | `transport close` | the client closed the connection | yes |
/// | `forced close` | the server closed the session: it got what is no Socket.IO packet, or one for a namespace the client is not in | yes |
/// | `ping timeout` | the client was silent for too long | yes |
/// | `parse error` | the client sent what is no Engine.IO packet | no |
/// | `server shutting down` | the server ends | yes |
/// | `forced server close` | the same, over polling while no poll waits | yes |
/// | `client namespace disconnect` | `socket.disconnect()` at the client | no |
/// | `server namespace disconnect` | `socket.disconnect()` at the server | no |
///
/// Source: `packages/socket.io/lib/socket-types.ts`, `DisconnectReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// `transport error`
    TransportError,
    /// `transport close`
    TransportClose,
    /// `forced close`
    ForcedClose,
    /// `ping timeout`
    PingTimeout,
    /// `parse error`
    ParseError,
    /// `server shutting down`
    ServerShuttingDown,
    /// `forced server close`
    ForcedServerClose,
    /// `client namespace disconnect`
    ClientNamespaceDisconnect,
    /// `server namespace disconnect`
    ServerNamespaceDisconnect,
}

impl DisconnectReason {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 9] = [
        Self::TransportError,
        Self::TransportClose,
        Self::ForcedClose,
        Self::PingTimeout,
        Self::ParseError,
        Self::ServerShuttingDown,
        Self::ForcedServerClose,
        Self::ClientNamespaceDisconnect,
        Self::ServerNamespaceDisconnect,
    ];

    /// The words of the reference.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ServerShuttingDown => "server shutting down",
            Self::ForcedServerClose => "forced server close",
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
        }
    }

    /// Whether connection state recovery keeps the state of a socket that went for this reason.
    #[must_use]
    pub const fn is_recoverable(self) -> bool {
        match self {
            Self::TransportError
            | Self::TransportClose
            | Self::ForcedClose
            | Self::PingTimeout
            | Self::ServerShuttingDown
            | Self::ForcedServerClose => true,
            Self::ParseError
            | Self::ClientNamespaceDisconnect
            | Self::ServerNamespaceDisconnect => false,
        }
    }
}

impl std::fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_own_place() {
        for (place, reason) in DisconnectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
    }
}

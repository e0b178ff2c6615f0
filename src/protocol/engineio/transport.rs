//! The two protocol revisions and the two transports.

use std::{fmt, str::FromStr};

/// Revision of the protocol, the `EIO` query parameter.
///
/// Source: `docs/engine.io-protocol`, "History": 3 is Socket.IO 1 and 2, 4 is Socket.IO 3 and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// `EIO=3`: the client pings; payloads count characters.
    V3,
    /// `EIO=4`: the server pings; payloads use a record separator.
    V4,
}

impl ProtocolVersion {
    /// The number in the query: 3 or 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A transport, the `transport` query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling, JSONP included.
    Polling,
    /// One WebSocket connection.
    Websocket,
}

impl Transport {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Websocket => "websocket",
        }
    }

    /// What the handshake announces under `upgrades` for a session that starts on this transport.
    ///
    /// Source: `getAvailableUpgrades` in `engine.io/lib/socket.ts`.
    #[must_use]
    pub const fn upgrades(self, enabled: Transports, allow_upgrades: bool) -> &'static [Self] {
        match self {
            Self::Polling if allow_upgrades && enabled.websocket => &[Self::Websocket],
            Self::Polling | Self::Websocket => &[],
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Exact names only, as on the wire; `Err(())` is any other name.
impl FromStr for Transport {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "polling" => Ok(Self::Polling),
            "websocket" => Ok(Self::Websocket),
            _ => Err(()),
        }
    }
}

/// Which transports a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transports {
    /// Polling is offered.
    pub polling: bool,
    /// WebSocket is offered.
    pub websocket: bool,
}

impl Transports {
    /// Is this transport offered?
    #[must_use]
    pub const fn contains(self, transport: Transport) -> bool {
        match transport {
            Transport::Polling => self.polling,
            Transport::Websocket => self.websocket,
        }
    }
}

/// Both, as in the reference.
impl Default for Transports {
    fn default() -> Self {
        Self {
            polling: true,
            websocket: true,
        }
    }
}

impl FromIterator<Transport> for Transports {
    fn from_iter<I: IntoIterator<Item = Transport>>(transports: I) -> Self {
        let mut set = Self {
            polling: false,
            websocket: false,
        };
        for transport in transports {
            match transport {
                Transport::Polling => set.polling = true,
                Transport::Websocket => set.websocket = true,
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire_and_nothing_else() {
        for transport in [Transport::Polling, Transport::Websocket] {
            assert_eq!(transport.as_str().parse(), Ok(transport));
            assert_eq!(transport.to_string(), transport.as_str());
        }
        for name in [
            "",
            "abc",
            "Polling",
            "polling ",
            "webtransport",
            "flashsocket",
        ] {
            assert_eq!(name.parse::<Transport>(), Err(()), "{name}");
        }
    }

    #[test]
    fn only_polling_announces_an_upgrade_and_only_to_an_offered_websocket() {
        let both = Transports::default();
        let polling_only: Transports = [Transport::Polling].into_iter().collect();
        assert_eq!(
            Transport::Polling.upgrades(both, true),
            [Transport::Websocket]
        );
        assert_eq!(Transport::Polling.upgrades(both, false), []);
        assert_eq!(Transport::Polling.upgrades(polling_only, true), []);
        assert_eq!(Transport::Websocket.upgrades(both, true), []);
        assert!(polling_only.contains(Transport::Polling));
        assert!(!polling_only.contains(Transport::Websocket));
    }
}

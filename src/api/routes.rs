//! The paths below `/api/v1`.

use super::commands::Verb;
use super::query::path_part;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    OpenApi,
    Command(Verb),
    Batch,
    Rooms,
    Sockets,
    Socket(String),
    SocketsOf(String),
    Presence,
    Nodes,
}

impl Route {
    /// The route of a path, of which the beginning is gone: `/emit`.
    pub(super) fn find(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let part = |text: &str| path_part(text).filter(|text| !text.is_empty());
        Some(match parts.as_slice() {
            ["openapi.json"] => Self::OpenApi,
            ["emit"] => Self::Command(Verb::Emit),
            ["emit-with-ack"] => Self::Command(Verb::EmitWithAck),
            ["join"] => Self::Command(Verb::Join),
            ["leave"] => Self::Command(Verb::Leave),
            ["disconnect"] => Self::Command(Verb::Disconnect),
            ["server-side-emit"] => Self::Command(Verb::ServerSideEmit),
            ["batch"] => Self::Batch,
            ["rooms"] => Self::Rooms,
            ["sockets"] => Self::Sockets,
            ["sockets", id] => Self::Socket(part(id)?),
            ["users", id, "sockets"] => Self::SocketsOf(part(id)?),
            ["presence"] => Self::Presence,
            ["nodes"] => Self::Nodes,
            _ => return None,
        })
    }

    /// What it is called where its time is counted.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::OpenApi => "openapi",
            Self::Command(verb) => verb.name(),
            Self::Batch => "batch",
            Self::Rooms => "rooms",
            Self::Sockets => "sockets",
            Self::Socket(_) => "socket",
            Self::SocketsOf(_) => "user_sockets",
            Self::Presence => "presence",
            Self::Nodes => "nodes",
        }
    }

    /// Its one method.
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Command(_) | Self::Batch => "POST",
            _ => "GET",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere_or_nowhere() {
        for (path, route) in [
            ("/emit", Some(Route::Command(Verb::Emit))),
            ("/sockets/a%2Fb", Some(Route::Socket("a/b".to_owned()))),
            (
                "/users/%C3%A9/sockets",
                Some(Route::SocketsOf("é".to_owned())),
            ),
            ("", None),
            ("/", None),
            ("/emit/", None),
            ("/Emit", None),
            ("//emit", None),
            ("/sockets/", None),
            ("/sockets/a/b", None),
            ("/sockets/%ff", None),
            ("/users/a", None),
        ] {
            assert_eq!(Route::find(path), route, "{path}");
        }
    }
}

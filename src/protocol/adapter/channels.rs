//! The names of channels.

use bytestring::ByteString;

/// The channel names of one server: a prefix that the whole cluster has in common (`key`), and the server's uid.
///
/// **Shape** with the default key: `socket.io#/chat#room1#`, `socket.io-request#/chat#`, `socket.io-response#/chat#tk3fXw#`.
///
/// **Source** the constructor of `RedisAdapter` in `lib/index.ts` of `@socket.io/redis-adapter`; older ones for the others.
#[derive(Debug, Clone)]
pub struct Channels {
    key: ByteString,
    uid: ByteString,
}

/// Whom a broadcast's channel is about: a first sieve, before the message is decoded. The message has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Everybody, or more than one room.
    Everybody,
    /// One room.
    Room(&'a str),
    /// One room, on a channel without the final `#`: `socket.io-redis` 5.0.0 and an emitter for Python. To be taken
    /// only if exactly this room has members here.
    Unterminated(&'a str),
}

impl Channels {
    /// The names for a prefix (`socket.io` unless configured) and the uid of this server.
    #[must_use]
    pub fn new(key: impl Into<ByteString>, uid: impl Into<ByteString>) -> Self {
        Self {
            key: key.into(),
            uid: uid.into(),
        }
    }

    /// The prefix.
    #[must_use]
    pub fn key(&self) -> &ByteString {
        &self.key
    }

    /// The uid of this server.
    #[must_use]
    pub fn uid(&self) -> &ByteString {
        &self.uid
    }

    /// Where broadcasts to everybody go, or to exactly one room: `K#N#`, `K#N#R#`.
    #[must_use]
    pub fn broadcast(&self, nsp: &str, room: Option<&str>) -> String {
        let key = &self.key;
        match room {
            Some(room) => format!("{key}#{nsp}#{room}#"),
            None => format!("{key}#{nsp}#"),
        }
    }

    /// The same as some old publishers write it, without the final `#`: `K#N`, `K#N#R`.
    #[must_use]
    pub fn unterminated_broadcast(&self, nsp: &str, room: Option<&str>) -> String {
        let mut channel = self.broadcast(nsp, room);
        channel.pop();
        channel
    }

    /// The pattern for all broadcasts of a namespace, those without the final `#` to a room included: `K#N#*`, with
    /// what is special in patterns escaped.
    #[must_use]
    pub fn pattern(&self, nsp: &str) -> String {
        let mut pattern = escape(&self.broadcast(nsp, None));
        pattern.push('*');
        pattern
    }

    /// Where requests go, and which connections are counted on: `K-request#N#`.
    #[must_use]
    pub fn request(&self, nsp: &str) -> String {
        format!("{}-request#{nsp}#", self.key)
    }

    /// Where an emitter for Python sends requests about everybody: `K-request#N`.
    #[must_use]
    pub fn unterminated_request(&self, nsp: &str) -> String {
        format!("{}-request#{nsp}", self.key)
    }

    /// The pattern for its requests about one room, `K-request#N#R`, which does not match `K-request#N#`: that one would
    /// come twice.
    #[must_use]
    pub fn unterminated_request_pattern(&self, nsp: &str) -> String {
        let mut pattern = escape(&self.request(nsp));
        pattern.push_str("?*");
        pattern
    }

    /// Whether requests for a namespace come on this channel. With a final `#` behind a room it belongs to another
    /// namespace, whose name contains a `#`.
    #[must_use]
    pub fn is_request(&self, nsp: &str, channel: &str) -> bool {
        let rest = channel
            .strip_prefix(&*self.key)
            .and_then(|rest| rest.strip_prefix("-request#"))
            .and_then(|rest| rest.strip_prefix(nsp));
        match rest {
            Some("" | "#") => true,
            Some(rest) => rest.starts_with('#') && !rest.ends_with('#'),
            None => false,
        }
    }

    /// Where all servers answer by default: `K-response#N#`.
    #[must_use]
    pub fn response(&self, nsp: &str) -> String {
        format!("{}-response#{nsp}#", self.key)
    }

    /// Where those answer us that answer the asker alone.
    #[must_use]
    pub fn own_response(&self, nsp: &str) -> String {
        self.response_of(nsp, &self.uid)
    }

    /// Where the asker of this uid is answered alone: `K-response#N#U#`.
    #[must_use]
    pub fn response_of(&self, nsp: &str, uid: &str) -> String {
        format!("{}-response#{nsp}#{uid}#", self.key)
    }

    /// Where servers of `socket.io-redis` 1.1 ask for ids: `K-sync#request#N#`.
    #[must_use]
    pub fn sync_request(&self, nsp: &str) -> String {
        format!("{}-sync#request#{nsp}#", self.key)
    }

    /// Where one such question is answered: `K-sync#response#T`.
    #[must_use]
    pub fn sync_response(&self, transaction: &str) -> String {
        format!("{}-sync#response#{transaction}", self.key)
    }

    /// Where this server publishes for itself, to know that it hears: `K-canary#U`. No pattern of others matches it.
    #[must_use]
    pub fn canary(&self) -> String {
        format!("{}-canary#{}", self.key, self.uid)
    }

    /// Whom a channel is about, if it is one for broadcasts of this namespace.
    ///
    /// `#` may occur in names of namespaces and rooms: `K#/a#b#` is room `b` of `/a`, and everybody in `/a#b`. The namespace in
    /// the message decides.
    #[must_use]
    pub fn room_of<'a>(&self, nsp: &str, channel: &'a str) -> Option<Target<'a>> {
        // Hot: once per message and namespace that may be meant.
        let rest = channel
            .strip_prefix(&*self.key)?
            .strip_prefix('#')?
            .strip_prefix(nsp)?;
        if rest.is_empty() {
            return Some(Target::Everybody);
        }
        let room = rest.strip_prefix('#')?;
        Some(match room.strip_suffix('#') {
            None if room.is_empty() => Target::Everybody,
            // The room of the empty name is nobody's: servers of the reference hear this as to everybody.
            Some("") => Target::Everybody,
            Some(room) => Target::Room(room),
            None => Target::Unterminated(room),
        })
    }
}

/// A name as a pattern that matches nothing else.
///
/// **Source** `stringmatchlen` in `util.c` of Redis.
fn escape(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len() + 4);
    for symbol in name.chars() {
        if matches!(symbol, '\\' | '*' | '?' | '[' | ']') {
            pattern.push('\\');
        }
        pattern.push(symbol);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_reference() {
        let channels = Channels::new("socket.io", "h4qIkV");
        let table = [
            (channels.broadcast("/", None), "socket.io#/#"),
            (
                channels.broadcast("/chat", Some("r1")),
                "socket.io#/chat#r1#",
            ),
            (channels.unterminated_broadcast("/", None), "socket.io#/"),
            (
                channels.unterminated_broadcast("/", Some("r")),
                "socket.io#/#r",
            ),
            (channels.pattern("/chat"), "socket.io#/chat#*"),
            (channels.pattern(r"/a[b]*?\"), r"socket.io#/a\[b\]\*\?\\#*"),
            (channels.request("/"), "socket.io-request#/#"),
            (channels.unterminated_request("/"), "socket.io-request#/"),
            (
                channels.unterminated_request_pattern("/*"),
                r"socket.io-request#/\*#?*",
            ),
            (channels.response("/"), "socket.io-response#/#"),
            (channels.own_response("/"), "socket.io-response#/#h4qIkV#"),
            (channels.response_of("/", "x"), "socket.io-response#/#x#"),
            (channels.sync_request("/"), "socket.io-sync#request#/#"),
            (
                channels.sync_response("K2BDrI"),
                "socket.io-sync#response#K2BDrI",
            ),
            (channels.canary(), "socket.io-canary#h4qIkV"),
        ];
        for (name, expected) in table {
            assert_eq!(name, expected);
        }
    }

    #[test]
    fn a_channel_says_whom_it_is_about() {
        let channels = Channels::new("k", "u");
        let table = [
            ("/", "k#/#", Some(Target::Everybody)),
            ("/", "k#/", Some(Target::Everybody)),
            ("/", "k#/##", Some(Target::Everybody)),
            ("/", "k#/#r1#", Some(Target::Room("r1"))),
            ("/", "k#/#a#b#", Some(Target::Room("a#b"))),
            ("/", "k#/#r1", Some(Target::Unterminated("r1"))),
            ("/h", "k#/h#x#", Some(Target::Room("x"))),
            ("/h#x", "k#/h#x#", Some(Target::Everybody)),
            ("/", "k#/chat#", None),
            ("/chat", "k#/#", None),
            ("/", "k-request#/#", None),
            ("/", "other#/#", None),
            ("/", "k", None),
            ("/", "", None),
        ];
        for (nsp, channel, expected) in table {
            assert_eq!(channels.room_of(nsp, channel), expected, "{nsp} {channel}");
        }
    }

    #[test]
    fn requests_of_other_namespaces_are_not_ours() {
        let channels = Channels::new("k", "u");
        for channel in ["k-request#/#", "k-request#/", "k-request#/#r1"] {
            assert!(channels.is_request("/", channel), "{channel}");
        }
        for channel in [
            "k-request#/#x#",
            "k-request#/chat#",
            "k-request#",
            "k#/#",
            "k-response#/#",
        ] {
            assert!(!channels.is_request("/", channel), "{channel}");
        }
    }
}

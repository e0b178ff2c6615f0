//! How everything is called in Redis.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{key}#{id}` | SET | the id of a socket of `/`, and its rooms |
//! | `{key}#{room}` | SET | the ids of the sockets in a room of `/` |
//! | `{key}{nsp}#{…}` | SET | the same for another namespace, `#` and `%` in its name percent-encoded |
//! | `{key}-nodes` | SET | the uids of the nodes |
//! | `{key}-node#{uid}` | SET | the entries of a node |
//! | `{key}-lease#{uid}` | string | the name of a node that lives |
//! | `{key}-reap#{uid}` | string | the uid of the node that tidies up after this one |
//! | `{key}-rewrite#{uid}` | string | tells a node that something of its own may have been removed |
//!
//! The name of a namespace begins with `/` and cannot bring a `#` into the key: what follows `{key}` up to the
//! first `#` says which namespace it is, and no two meet. No room can be called so that its key begins with
//! `{key}-`. (Two deployments on one Redis of which one is called as the bookkeeping of the other, `a` and
//! `a-node`, are a mistake that no form could save.)

use std::borrow::Cow;

use bytestring::ByteString;

/// How many symbols an id of ours has; see [`is_id_shaped`].
const ID_SYMBOLS: usize = 20;

/// What a node owns: the key of a socket without the prefix, `#{id}` or `{nsp}#{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Entry(ByteString);

impl Entry {
    pub(super) fn new(nsp: &str, id: &str) -> Self {
        Self(format!("{}#{id}", segment(nsp)).into())
    }

    /// What another node, or a node before us, has written. `None` if no node of ours would.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (nsp, id) = text.split_once('#')?;
        ((nsp.is_empty() || nsp.starts_with('/')) && !id.is_empty()).then(|| Self(text.into()))
    }

    /// The id of the socket.
    pub(super) fn id(&self) -> &str {
        self.0.split_once('#').map_or("", |(_, id)| id)
    }

    /// Another socket of the same namespace.
    pub(super) fn neighbour(&self, id: &str) -> Self {
        Self(format!("{}#{id}", self.nsp()).into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the namespace.
    pub(super) fn namespace(&self) -> String {
        match self.nsp() {
            "" => "/".to_owned(),
            segment => segment.replace("%23", "#").replace("%25", "%"),
        }
    }

    fn nsp(&self) -> &str {
        self.0.split_once('#').map_or("", |(nsp, _)| nsp)
    }
}

impl AsRef<str> for Entry {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What stands for a namespace in a key.
fn segment(nsp: &str) -> Cow<'_, str> {
    if nsp == "/" {
        Cow::Borrowed("")
    } else if nsp.contains(['#', '%']) {
        Cow::Owned(nsp.replace('%', "%25").replace('#', "%23"))
    } else {
        Cow::Borrowed(nsp)
    }
}

/// Whether a room is called as a socket of any node could be: then its key may be that of a socket.
pub(super) fn is_id_shaped(room: &str) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    room.len() == ID_SYMBOLS && room.bytes().all(is_symbol)
}

/// All names below one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys(String);

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self(prefix.to_owned())
    }

    pub(super) fn socket(&self, entry: &Entry) -> String {
        format!("{}{}", self.0, entry.as_str())
    }

    /// The key of a room in the namespace of a socket.
    pub(super) fn room(&self, entry: &Entry, room: &str) -> String {
        format!("{}{}#{room}", self.0, entry.nsp())
    }

    pub(super) fn nodes(&self) -> String {
        format!("{}-nodes", self.0)
    }

    pub(super) fn node(&self, uid: &str) -> String {
        format!("{}-node#{uid}", self.0)
    }

    pub(super) fn lease(&self, uid: &str) -> String {
        format!("{}-lease#{uid}", self.0)
    }

    pub(super) fn reap(&self, uid: &str) -> String {
        format!("{}-reap#{uid}", self.0)
    }

    pub(super) fn rewrite(&self, uid: &str) -> String {
        format!("{}-rewrite#{uid}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_root_namespace_has_the_form_of_the_seed() {
        let keys = Keys::new("socket.io");
        let entry = Entry::new("/", "951wMmbBjkREmCapAAAD");
        assert_eq!(keys.socket(&entry), "socket.io#951wMmbBjkREmCapAAAD");
        assert_eq!(keys.room(&entry, "foo"), "socket.io#foo");
    }

    #[test]
    fn other_namespaces_are_told_apart() {
        let keys = Keys::new("k");
        for (nsp, id, key) in [
            ("/chat", "a", "k/chat#a"),
            ("/a#b", "a", "k/a%23b#a"),
            ("/a%23b", "a", "k/a%2523b#a"),
            ("/", "/chat#a", "k#/chat#a"),
            ("/a/b", "#c", "k/a/b##c"),
        ] {
            let entry = Entry::new(nsp, id);
            assert_eq!(keys.socket(&entry), key);
            assert_eq!(entry.id(), id);
            assert_eq!(keys.room(&entry, id), key);
            assert_eq!(Entry::parse(entry.as_str().as_bytes()), Some(entry));
        }
    }

    #[test]
    fn the_bookkeeping_has_names_of_its_own() {
        let keys = Keys::new("k");
        assert_eq!(keys.nodes(), "k-nodes");
        assert_eq!(keys.node("u"), "k-node#u");
        assert_eq!(keys.lease("u"), "k-lease#u");
        assert_eq!(keys.reap("u"), "k-reap#u");
        assert_eq!(keys.rewrite("u"), "k-rewrite#u");
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for junk in [
            &b"a"[..],
            b"",
            b"-node#u",
            b"chat#a",
            b"#",
            b"/chat#",
            b"#\xff",
        ] {
            assert_eq!(Entry::parse(junk), None, "{junk:?}");
        }
    }

    #[test]
    fn an_id_is_known_by_its_shape() {
        assert!(is_id_shaped("951wMmbBjkREmCapAAAD"));
        assert!(is_id_shaped(crate::SocketId::generate().as_str()));
        for other in [
            "",
            "foo",
            "951wMmbBjkREmCapAAAD1",
            "951wMmbBjkREmCapAAA#",
            "ö51wMmbBjkREmCapAAD",
        ] {
            assert!(!is_id_shaped(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn keys_meet_only_if_namespace_and_name_do(
            one in "/[a#%/]{0,4}", name in "[a#%/]{1,4}",
            other in "/[a#%/]{0,4}", other_name in "[a#%/]{1,4}",
        ) {
            let keys = Keys::new("k");
            let key = |nsp: &str, name: &str| keys.room(&Entry::new(nsp, "x"), name);
            prop_assert_eq!(
                key(&one, &name) == key(&other, &other_name),
                (&one, &name) == (&other, &other_name)
            );
        }
    }
}

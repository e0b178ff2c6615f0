//! The query string of an Engine.IO request.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{HandshakeError, JsonpIndex, ProtocolVersion};

/// What a request asks for, borrowed from its query string.
///
/// | key         | meaning                                                                       |
/// |-------------|-------------------------------------------------------------------------------|
/// | `EIO`       | protocol version, see [`Self::version`]                                       |
/// | `transport` | `polling` or `websocket`                                                      |
/// | `sid`       | the session; without it (or with an empty one) the request is a handshake     |
/// | `b64`       | any value but the empty one: binary has to be base64 in both directions       |
/// | `j`         | JSONP: number of the callback                                                 |
/// | `t`         | cache buster, ignored                                                         |
///
/// Of a repeated key the last value counts, as in the reference. `b64` and `j` of the handshake (or, after an upgrade,
/// of the WebSocket request) hold for the life of that transport.
///
/// Source: v3.md, "URLs"; v4-current.md, "Query parameters"; `prepare` in `engine.io/lib/server.ts`.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    raw: &'a str,
    eio: Option<Cow<'a, str>>,
    transport: Option<Cow<'a, str>>,
    sid: Option<Cow<'a, str>>,
    jsonp: Option<JsonpIndex>,
    is_base64: bool,
}

impl<'a> Query<'a> {
    /// Reads a raw query string, without the question mark. It cannot fail: what is missing is found out later.
    // Hot: once per poll; nothing is allocated unless a value is escaped.
    #[must_use]
    pub fn parse(raw: &'a str) -> Self {
        let raw = raw.split_once('#').map_or(raw, |(query, _)| query);
        let mut query = Self {
            raw,
            eio: None,
            transport: None,
            sid: None,
            jsonp: None,
            is_base64: false,
        };
        for (key, value) in form_pairs(raw) {
            match &*key {
                "EIO" => query.eio = Some(value),
                "transport" => query.transport = Some(value),
                "sid" => query.sid = (!value.is_empty()).then_some(value),
                "j" => query.jsonp = Some(JsonpIndex::from_param(&value)),
                "b64" => query.is_base64 = !value.is_empty(),
                _ => {}
            }
        }
        query
    }

    /// The name of the transport, whatever the client wrote.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.transport.as_deref()
    }

    /// The session id, whatever the client wrote; never an empty one.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// The number of the JSONP callback, for a JSONP client.
    #[must_use]
    pub const fn jsonp(&self) -> Option<JsonpIndex> {
        self.jsonp
    }

    /// May binary be sent to this client as it is, where the transport and the revision can?
    ///
    /// A JSONP client never can, even if it forgot to say `b64`.
    #[must_use]
    pub const fn is_binary_supported(&self) -> bool {
        !self.is_base64 && self.jsonp.is_none()
    }

    /// The protocol version of a handshake. Requests of a known session are not asked for it.
    ///
    /// | `EIO`          | `allow_eio3`         | not `allow_eio3` |
    /// |----------------|----------------------|------------------|
    /// | `4`            | [`ProtocolVersion::V4`] | [`ProtocolVersion::V4`] |
    /// | `3` or missing | [`ProtocolVersion::V3`] | error         |
    /// | other          | error                | error            |
    ///
    /// # Errors
    /// [`HandshakeError::UnsupportedVersion`].
    pub fn version(&self, allow_eio3: bool) -> Result<ProtocolVersion, HandshakeError> {
        match self.eio.as_deref() {
            Some("4") => Ok(ProtocolVersion::V4),
            Some("3") | None if allow_eio3 => Ok(ProtocolVersion::V3),
            _ => Err(HandshakeError::UnsupportedVersion),
        }
    }

    /// All keys and values, decoded, in their order; a repeated key comes repeatedly.
    ///
    /// Inserted one after another into a map that keeps the order of its keys, they become the reference's
    /// `handshake.query`.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        form_pairs(self.raw)
    }
}

/// The pairs of an `application/x-www-form-urlencoded` text.
///
/// Source: WHATWG URL, "application/x-www-form-urlencoded parsing".
pub(super) fn form_pairs(form: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8_lossy();
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn a_query_of_a_real_client_is_read_without_a_copy() {
        let query = Query::parse("EIO=4&transport=polling&t=N8hyd7H&sid=lv_VI97HAXpY6yYWAAAC");
        assert_eq!(query.version(false), Ok(ProtocolVersion::V4));
        assert_eq!(query.transport(), Some("polling"));
        assert!(matches!(
            query.sid,
            Some(Cow::Borrowed("lv_VI97HAXpY6yYWAAAC"))
        ));
        assert_eq!(query.jsonp(), None);
        assert!(query.is_binary_supported());
    }

    #[test]
    fn versions_other_than_3_and_4_are_refused_and_a_missing_one_is_3() {
        let unsupported = Err(HandshakeError::UnsupportedVersion);
        for (raw, strict, with_eio3) in [
            ("EIO=4", Ok(ProtocolVersion::V4), Ok(ProtocolVersion::V4)),
            (
                "%45IO=%34",
                Ok(ProtocolVersion::V4),
                Ok(ProtocolVersion::V4),
            ),
            ("EIO=3", unsupported.clone(), Ok(ProtocolVersion::V3)),
            ("", unsupported.clone(), Ok(ProtocolVersion::V3)),
            ("eio=4", unsupported.clone(), Ok(ProtocolVersion::V3)),
            ("EIO=abc", unsupported.clone(), unsupported.clone()),
            ("EIO=2", unsupported.clone(), unsupported.clone()),
            ("EIO=5", unsupported.clone(), unsupported.clone()),
            ("EIO=04", unsupported.clone(), unsupported.clone()),
            ("EIO=", unsupported.clone(), unsupported.clone()),
            (
                "EIO=3&EIO=4",
                Ok(ProtocolVersion::V4),
                Ok(ProtocolVersion::V4),
            ),
            ("EIO=4&EIO=3", unsupported, Ok(ProtocolVersion::V3)),
        ] {
            let query = Query::parse(raw);
            assert_eq!(
                (query.version(false), query.version(true)),
                (strict, with_eio3),
                "{raw}"
            );
        }
    }

    #[test]
    fn base64_and_jsonp_clients_get_no_binary() {
        for (raw, is_supported) in [
            ("", true),
            ("b64=1", false),
            ("b64=0", false),
            ("b64=", true),
            ("b64", true),
            ("b64=1&b64=", true),
            ("j=0", false),
            ("j=0&b64=1", false),
        ] {
            assert_eq!(
                Query::parse(raw).is_binary_supported(),
                is_supported,
                "{raw}"
            );
        }
        assert!(Query::parse("j=").jsonp().is_some());
    }

    #[test]
    fn an_empty_sid_is_none() {
        assert_eq!(Query::parse("sid=").sid(), None);
        assert_eq!(Query::parse("sid").sid(), None);
        assert_eq!(Query::parse("sid=a&sid=").sid(), None);
        assert_eq!(Query::parse("sid=ab#c").sid(), Some("ab"));
        assert_eq!(Query::parse("sid=a%2Eb").sid(), Some("a.b"));
    }

    // Each row was run through Node's URL and Object.fromEntries, which is what the reference keeps.
    #[test]
    fn the_pairs_make_the_query_object_of_the_reference() {
        for (raw, json) in [
            (
                "EIO=4&transport=polling&t=abc",
                r#"{"EIO":"4","transport":"polling","t":"abc"}"#,
            ),
            ("EIO=3&EIO=4&b=1&b=2", r#"{"EIO":"4","b":"2"}"#),
            ("a=1+2&b=%20%2B", r#"{"a":"1 2","b":" +"}"#),
            ("a&b=&=c&&d==e", r#"{"a":"","b":"","":"c","d":"=e"}"#),
            (
                "x=%zz&y=%e2%82%ac&z=%ff",
                "{\"x\":\"%zz\",\"y\":\"€\",\"z\":\"\u{fffd}\"}",
            ),
            ("a=1&a=2&c=3&a=", r#"{"a":"","c":"3"}"#),
            ("sid=ab#c", r#"{"sid":"ab"}"#),
            ("a=%00", r#"{"a":"\u0000"}"#),
            ("a=%E2%82", "{\"a\":\"\u{fffd}\"}"),
            ("a=1;b=2", r#"{"a":"1;b=2"}"#),
            ("", "{}"),
        ] {
            let object: Map<String, Value> = Query::parse(raw)
                .pairs()
                .map(|(key, value)| (key.into_owned(), value.into_owned().into()))
                .collect();
            assert_eq!(Value::Object(object).to_string(), json, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read(raw in "[ -~é€]{0,60}") {
            let query = Query::parse(&raw);
            let _ = (query.version(true), query.transport(), query.jsonp());
            prop_assert!(query.sid() != Some(""));
            prop_assert!(query.pairs().count() <= raw.len());
        }

        #[test]
        fn what_is_percent_encoded_is_read_back(key: String, value: String) {
            let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
            let raw = format!("{}={}", escaped(&key), escaped(&value));
            let pairs: Vec<_> = Query::parse(&raw).pairs().collect();
            prop_assert_eq!(pairs, vec![(Cow::from(key), Cow::from(value))]);
        }
    }
}

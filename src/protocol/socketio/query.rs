//! Engine.IO 3 clients have no CONNECT payload: they put what they have to say behind the namespace.

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;

use super::{Args, Value};

/// Splits a namespace as an Engine.IO 3 client sends it into its path and its query.
///
/// **Shape** `/admin?token=1234&uid=abcd` gives `("/admin", "token=1234&uid=abcd")`; without `?` the query is empty.
///
/// **Source** `_parseNamespace` in `packages/socket.io/lib/client.ts`. Engine.IO 4 sessions must not use this: there the whole
/// text is the name.
#[must_use]
pub fn split_query(nsp: &str) -> (&str, &str) {
    let nsp = nsp.split_once('#').map_or(nsp, |(before, _)| before);
    nsp.split_once('?').unwrap_or((nsp, ""))
}

/// The members of a query as one object argument, which is the `auth` of an Engine.IO 3 client.
///
/// **Shape** `a=b&c=d+e` gives `{"a":"b","c":"d e"}`; the last of several equal keys wins.
#[must_use]
pub fn query_auth(query: &str) -> Args {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let members: IndexMap<String, Value> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), Value::String(decode(value))))
        .collect();
    Args::from_vec(vec![Value::Object(members)])
}

//! `[tls]`: encryption of the connections that are accepted.

use std::path::PathBuf;

use serde::Deserialize;

/// `[tls]`: encryption of the connections that are accepted: TLS 1.2 and 1.3, HTTP/1.1 alone.
///
/// Of [`Server::run`](crate::Server::run), with the carrier `mounted`; inside an `App` of your own it is that of your
/// `HttpServer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsConfig {
    /// File with the certificate and those that lead to its root, in PEM form, the server's first.
    ///
    /// Default empty: no TLS. Given together with [`key`](Self::key).
    pub cert: PathBuf,
    /// File with the private key of the certificate, in PEM form.
    ///
    /// Default empty: no TLS.
    pub key: PathBuf,
}

impl TlsConfig {
    pub(crate) fn is_on(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

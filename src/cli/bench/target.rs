//! The server that is loaded: where it is, and how one gets a connection to it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use hyper_rustls::ConfigBuilderExt as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
#[cfg(unix)]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use super::broken::{Broken, PlanError};

/// A connection, with TLS or without.
pub(super) type Stream = Box<dyn Duplex>;

/// Both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// What the system keeps at its two ends for a connection that nobody reads from: here so much, and at the server some dozen
/// segments, which on the loopback are of 64 kB if nobody asks for those of an Ethernet.
const STALLED_RECEIVE_BYTES: u32 = 4096;
#[cfg(unix)]
const STALLED_SEGMENT_BYTES: u32 = 1460;

/// Who connects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// The number of the client.
    pub(super) n: usize,
    /// It will not read: the system is to keep little for it, so that the server has to.
    pub(super) is_stalled: bool,
}

/// Where the server is.
pub(super) struct Target {
    /// As it was given.
    pub(super) url: String,
    /// For the header of this name.
    pub(super) host: String,
    addresses: Vec<SocketAddr>,
    /// Without TLS none.
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// With the query, which does not name the transport yet.
    path: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Connections take turns in coming from these. Of none: from where the system likes.
    sources: Vec<IpAddr>,
}

impl Target {
    /// # Errors
    /// The URL is none of a server, its host has no address, or TLS has no certificates to believe in.
    pub(super) fn new(
        url: &str,
        path: &str,
        headers: Vec<(HeaderName, HeaderValue)>,
        sources: Vec<IpAddr>,
    ) -> Result<Self, PlanError> {
        let wrong = || PlanError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (is_tls, usual_port) = match uri.scheme_str() {
            Some("http" | "ws") => (false, 80),
            Some("https" | "wss") => (true, 443),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if !matches!(uri.path(), "" | "/") || authority.as_str().contains('@') {
            return Err(wrong());
        }
        // An IPv6 address has brackets in a URL, and nowhere else.
        let name = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(usual_port);
        let found = std::net::ToSocketAddrs::to_socket_addrs(&(name, port));
        let addresses: Vec<SocketAddr> = found
            .map_err(|source| PlanError::Host {
                host: name.to_owned(),
                source,
            })?
            .collect();
        let tls = match is_tls {
            true => {
                let name = ServerName::try_from(name.to_owned()).map_err(|_| wrong())?;
                Some((connector()?, name))
            }
            false => None,
        };
        let query = uri.query().map(|query| format!("&{query}"));
        let path = format!(
            "/{}/?EIO=4{}",
            path.trim_matches('/'),
            query.unwrap_or_default()
        );
        // What is put together here is parsed once for each connection.
        format!("{path}&transport=websocket")
            .parse::<Uri>()
            .map_err(|_| PlanError::Path(path.clone()))?;
        Ok(Self {
            url: url.to_owned(),
            host: authority.as_str().to_owned(),
            addresses,
            tls,
            path,
            headers,
            sources,
        })
    }

    /// Path and query of a request.
    pub(super) fn path(&self, transport: &str, sid: &str) -> String {
        let mut path = format!("{}&transport={transport}", self.path);
        if !sid.is_empty() {
            path.push_str("&sid=");
            path.extend(percent_encoding::utf8_percent_encode(
                sid,
                percent_encoding::NON_ALPHANUMERIC,
            ));
        }
        path
    }

    /// A connection for a client.
    ///
    /// # Errors
    /// Why the last address that the host has was no good.
    pub(super) async fn dial(&self, caller: Caller) -> Result<Stream, Broken> {
        let turn = caller.n % self.sources.len().max(1);
        let source = self.sources.get(turn).copied();
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for &address in &self.addresses {
            if source.is_some_and(|source| source.is_ipv4() != address.is_ipv4()) {
                continue;
            }
            match tcp(address, source, caller.is_stalled).await {
                Ok(stream) => return self.secured(stream).await,
                Err(err) => last = err,
            }
        }
        Err(Broken::Connect(last))
    }

    async fn secured(&self, stream: tokio::net::TcpStream) -> Result<Stream, Broken> {
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => {
                let connected = connector.connect(name.clone(), stream).await;
                Ok(Box::new(connected.map_err(Broken::Tls)?))
            }
        }
    }
}

async fn tcp(
    address: SocketAddr,
    source: Option<IpAddr>,
    is_stalled: bool,
) -> io::Result<tokio::net::TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if is_stalled {
        // Before it connects: later the server knows of more.
        socket.set_recv_buffer_size(STALLED_RECEIVE_BYTES)?;
        #[cfg(unix)]
        SockRef::from(&socket).set_tcp_mss(STALLED_SEGMENT_BYTES)?;
    }
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// TLS that believes in the certificates of the system, or those that `SSL_CERT_FILE` names.
fn connector() -> Result<TlsConnector, PlanError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_native_roots()
        .map_err(PlanError::Certificates)?
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, PlanError> {
        Target::new(url, "/socket.io/", Vec::new(), Vec::new())
    }

    #[test]
    fn urls_name_a_server_and_what_the_handshake_says() {
        let found = target("http://127.0.0.1:3000/?token=a").unwrap();
        assert_eq!(found.host, "127.0.0.1:3000");
        assert_eq!(
            found.path("polling", "a-b.c_d"),
            "/socket.io/?EIO=4&token=a&transport=polling&sid=a%2Db%2Ec%5Fd"
        );
        let ports = [("http://[::1]", 80), ("wss://127.0.0.1", 443)];
        for (url, port) in ports {
            let found = Target::new(url, "x", Vec::new(), Vec::new());
            assert_eq!(found.unwrap().addresses[0].port(), port);
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "localhost:3000",
            "ftp://localhost",
            "http://",
            "http://127.0.0.1/chat",
            "http://user:secret@127.0.0.1",
        ] {
            assert!(matches!(target(url), Err(PlanError::Url(_))), "{url}");
        }
        let path = Target::new("http://127.0.0.1", "a b", Vec::new(), Vec::new());
        assert!(matches!(path, Err(PlanError::Path(_))));
    }
}

//! What becomes of a TCP connection before HTTP: who it is from.

use std::net::SocketAddr;
use std::rc::Rc;

use actix_http::error::DispatchError;
use actix_rt::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::arrivals::Arrivals;
use super::proxies;
use super::proxy_protocol::{self, ProxyError};
use crate::config::Config;
use crate::metrics::Counter;
use crate::server::Server;

/// How connections of a listener begin.
pub(super) struct Entrance {
    server: Server,
    arrivals: Arrivals,
}

impl Entrance {
    pub(super) fn new(server: Server, arrivals: Arrivals) -> Rc<Self> {
        Rc::new(Self { server, arrivals })
    }

    fn config(&self) -> &Config {
        self.server.config()
    }

    /// The connection, with the address of the client as far as the connection itself says it.
    ///
    /// # Errors
    /// It does not begin as it should; it is closed.
    pub(super) async fn enter(
        self: Rc<Self>,
        mut stream: TcpStream,
    ) -> Result<(TcpStream, Option<SocketAddr>), DispatchError> {
        let peer = stream.peer_addr().ok();
        let networks = &self.config().security.trusted_proxies;
        let is_proxy = |peer: SocketAddr| proxies::is_trusted(networks, peer.ip());
        if !self.config().server.proxy_protocol || !peer.is_some_and(is_proxy) {
            return Ok((stream, peer));
        }
        let Some(waiting) = self.arrivals.admit(&stream) else {
            return Err(closed());
        };
        let header = proxy_protocol::read(&mut stream);
        let read = tokio::time::timeout(self.arrivals.patience(), header).await;
        // A late one is counted as all are that send nothing.
        let read = read.map_err(|_| closed())?;
        waiting.has_spoken();
        match read {
            Ok(client) => Ok((stream, client.or(peer))),
            // A proxy that looks whether the port is open.
            Err(ProxyError::Read(_)) => Err(closed()),
            Err(err) => {
                self.server.shared().metrics.count(Counter::NoProxyHeader);
                log::debug!("a connection of a proxy is closed peer={peer:?} why={err}");
                Err(closed())
            }
        }
    }
}

/// [`Entrance`] of a listener with TLS.
pub(super) struct Encrypting {
    entrance: Rc<Entrance>,
    acceptor: TlsAcceptor,
}

impl Encrypting {
    pub(super) fn new(entrance: Rc<Entrance>, acceptor: TlsAcceptor) -> Rc<Self> {
        Rc::new(Self { entrance, acceptor })
    }

    /// As [`Entrance::enter`], and the handshake of TLS.
    ///
    /// # Errors
    /// It does not begin as it should; it is closed.
    pub(super) async fn enter(
        self: Rc<Self>,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<SocketAddr>), DispatchError> {
        let (stream, client) = Rc::clone(&self.entrance).enter(stream).await?;
        let arrivals = &self.entrance.arrivals;
        let Some(waiting) = arrivals.admit(&stream) else {
            return Err(closed());
        };
        let handshake = self.acceptor.accept(stream);
        let accepted = tokio::time::timeout(arrivals.patience(), handshake).await;
        let accepted = accepted.map_err(|_| closed())?;
        waiting.has_spoken();
        accepted.map(|stream| (stream, client)).map_err(|err| {
            self.entrance
                .server
                .shared()
                .metrics
                .count(Counter::TlsFailed);
            log::debug!("a connection is closed client={client:?} why=no tls err={err}");
            closed()
        })
    }
}

/// What the HTTP server is told of a connection that it does not get.
pub(super) fn closed() -> DispatchError {
    DispatchError::Io(std::io::ErrorKind::ConnectionAborted.into())
}

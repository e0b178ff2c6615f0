//! What becomes of a TCP connection before HTTP: who it is from.

use std::net::SocketAddr;
use std::rc::Rc;

use actix_http::error::DispatchError;
use actix_rt::net::TcpStream;

use super::arrivals::Arrivals;
use super::proxies;
use super::proxy_protocol::{self, ProxyError};
use crate::config::Config;
use crate::metrics::Counter;
use crate::server::Server;

/// How connections of a listener begin.
#[derive(Clone)]
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

fn closed() -> DispatchError {
    DispatchError::Io(std::io::ErrorKind::ConnectionAborted.into())
}

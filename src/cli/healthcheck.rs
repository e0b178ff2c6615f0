//! `greenroom healthcheck`: asks a running server how it is, for containers that have no other program.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use clap::Args;
use greenroom::config::{Config, Source};

use super::Failure;

/// How long connecting may take, and the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More of an answer is not looked at.
const ANSWER_BYTES: u64 = 16 * 1024;

/// Ask the server with these settings on this machine how it is; ends with 0 if it is well
///
/// It asks for /healthz: whether the process lives. In a container: HEALTHCHECK CMD ["greenroom", "healthcheck"]
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Ask for /readyz: whether clients should be sent to it now
    #[arg(long)]
    ready: bool,
    /// Ask HOST:PORT, in the place of the address in the settings
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
}

impl Healthcheck {
    pub(super) fn run(self, source: &Source) -> Result<(), Failure> {
        let address = match self.address {
            Some(address) => address,
            None => address(&source.read()?.config),
        };
        let path = if self.ready { "/readyz" } else { "/healthz" };
        let answer = ask(&address, path).map_err(|source| Failure::Unwell {
            why: format!("http://{address}{path} is not answered: {source}"),
        })?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status == "200" {
            return Ok(());
        }
        let body = answer
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body.trim());
        Err(Failure::Unwell {
            why: format!("http://{address}{path} is answered {status} {body}"),
        })
    }
}

/// Where a server with these settings is found on this machine.
fn address(config: &Config) -> String {
    let server = &config.server;
    let (host, port) = match server.internal_port {
        Some(port) => (&server.internal_host, port),
        None => (&server.host, server.port),
    };
    let host = match host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "[::1]",
        host => host,
    };
    format!("{host}:{port}")
}

fn ask(address: &str, path: &str) -> io::Result<String> {
    let mut last = io::Error::other("no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                // In one piece: who has read enough may answer and close.
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes())?;
                let mut answer = Vec::new();
                stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
            Err(err) => last = err,
        }
    }
    Err(last)
}

//! TLS: both transports inside it, certificates that are read again, and what is no TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom::Server;
use greenroom::config::{Carrier, Config};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::servers::authority::Authority;
use crate::support::tcp::{Listening, Raw, http, listening};
use crate::support::{Hearing, counter, eventually, on_actix, within};

/// A certificate with its authority.
struct Certificate {
    root: CertificateDer<'static>,
    cert: String,
    key: String,
}

impl Certificate {
    fn new() -> Self {
        let authority = Authority::new();
        let root = &authority.certificate;
        let (cert, key) = authority.issue();
        Self {
            root: root.der().clone(),
            cert: cert + &root.pem(),
            key,
        }
    }

    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("cert.pem"), &self.cert).unwrap();
        std::fs::write(folder.join("key.pem"), &self.key).unwrap();
    }

    /// A connection of a client that trusts this authority alone.
    async fn connect(&self, listening: &Listening) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(listening.address).await?;
        self.encrypt(stream).await
    }

    async fn encrypt(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let connecting = TlsConnector::from(Arc::new(config));
        let name = "localhost".try_into().unwrap();
        within("tls", connecting.connect(name, stream)).await
    }
}

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.server.carrier = Carrier::Mounted;
    config.tls.cert = folder.join("cert.pem");
    config.tls.key = folder.join("key.pem");
    config
}

struct Secured {
    listening: Listening,
    hearing: Hearing,
    certificate: Certificate,
    folder: tempfile::TempDir,
}

async fn secured(change: impl FnOnce(&mut Config)) -> Secured {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::new();
    certificate.write(folder.path());
    let mut config = config(folder.path());
    change(&mut config);
    let (listening, hearing) = listening(config).await;
    Secured {
        listening,
        hearing,
        certificate,
        folder,
    }
}

const POLL: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async fn poll(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(POLL.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    within("a response", stream.read_to_end(&mut response))
        .await
        .unwrap();
    String::from_utf8(response).unwrap()
}

#[test]
fn both_transports_are_spoken_inside_tls() {
    on_actix(async {
        let Secured {
            listening,
            mut hearing,
            certificate,
            ..
        } = secured(|_| {}).await;
        let mut stream = certificate.connect(&listening).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let response = poll(&mut stream).await;
        assert!(
            response.starts_with("HTTP/1.1 200") && response.contains("\r\n\r\n0{"),
            "{response}"
        );
        let stream = certificate.connect(&listening).await.unwrap();
        let url = "wss://localhost/socket.io/?EIO=4&transport=websocket";
        let (mut ws, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        ws.send(Message::text("40")).await.unwrap();
        let socket = hearing.connected().await;
        assert!(socket.handshake().is_secure());
        assert_eq!(
            socket.handshake().address().unwrap().to_string(),
            "127.0.0.1"
        );
        ws.send(Message::text(format!(
            r#"42["large","{}"]"#,
            "x".repeat(100_000)
        )))
        .await
        .unwrap();
        let event = hearing.event().await;
        assert_eq!(event.name(), "large");
        socket.emit("echo", "y".repeat(100_000));
        let echoed = within("an echo", async {
            loop {
                let message = ws.next().await.unwrap().unwrap();
                if message.len() > 100_000 {
                    return message;
                }
            }
        })
        .await;
        assert!(echoed.to_text().unwrap().starts_with(r#"42["echo","yyy"#));
    });
}

#[test]
fn a_certificate_is_read_again_and_connections_stay() {
    on_actix(async {
        let Secured {
            listening,
            mut hearing,
            certificate,
            folder,
        } = secured(|_| {}).await;
        let stream = certificate.connect(&listening).await.unwrap();
        let url = "wss://localhost/socket.io/?EIO=4&transport=websocket";
        let (mut ws, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        ws.send(Message::text("40")).await.unwrap();
        hearing.connected().await;

        let renewed = Certificate::new();
        renewed.write(folder.path());
        // Nobody has asked for it yet.
        certificate.connect(&listening).await.unwrap();
        listening.server.reload_certificates().unwrap();
        renewed.connect(&listening).await.unwrap();
        assert!(certificate.connect(&listening).await.is_err());
        ws.send(Message::text(r#"42["still here"]"#)).await.unwrap();
        assert_eq!(hearing.event().await.name(), "still here");
    });
}

#[test]
fn settings_are_taken_over_with_their_certificate_or_not_at_all() {
    on_actix(async {
        let Secured {
            listening,
            certificate,
            folder,
            ..
        } = secured(|_| {}).await;
        let mut changed = config(folder.path());
        changed.limits.connections = 1;
        std::fs::write(folder.path().join("cert.pem"), "half").unwrap();
        listening.server.reload(changed.clone()).unwrap_err();
        certificate.connect(&listening).await.unwrap();
        let renewed = Certificate::new();
        renewed.write(folder.path());
        listening.server.reload(changed).unwrap();
        renewed.connect(&listening).await.unwrap();
    });
}

#[test]
fn a_certificate_that_is_half_written_is_not_taken() {
    on_actix(async {
        let Secured {
            listening,
            certificate,
            folder,
            ..
        } = secured(|_| {}).await;
        let other = Certificate::new();
        let half = |text: &str| text[..text.len() / 2].to_owned();
        let two_thirds = &certificate.cert[..certificate.cert.len() - 100];
        for (cert, key, why) in [
            (
                half(&certificate.cert),
                certificate.key.clone(),
                "tls.cert is ",
            ),
            (
                two_thirds.to_owned(),
                certificate.key.clone(),
                "tls.cert is ",
            ),
            (
                String::new(),
                certificate.key.clone(),
                "there is no certificate in it",
            ),
            (
                certificate.cert.clone(),
                half(&certificate.key),
                "tls.key is ",
            ),
            (certificate.cert.clone(), String::new(), "tls.key is "),
            (
                certificate.cert.clone(),
                other.key.clone(),
                "does not fit its key",
            ),
        ] {
            std::fs::write(folder.path().join("cert.pem"), cert).unwrap();
            std::fs::write(folder.path().join("key.pem"), key).unwrap();
            let err = listening
                .server
                .reload_certificates()
                .unwrap_err()
                .to_string();
            assert!(err.contains(why), "{err}");
            certificate.connect(&listening).await.unwrap();
            // At the start it is an error.
            let err = Server::builder()
                .config(config(folder.path()))
                .build()
                .unwrap_err();
            assert!(err.to_string().contains(why), "{err}");
        }
        std::fs::remove_file(folder.path().join("cert.pem")).unwrap();
        assert!(listening.server.reload_certificates().is_err());
        other.write(folder.path());
        listening.server.reload_certificates().unwrap();
        other.connect(&listening).await.unwrap();
    });
}

#[test]
fn what_is_no_tls_is_closed_and_counted() {
    on_actix(async {
        let secured = secured(|config| {
            config.limits.time_to_complete_head = Duration::from_secs(2);
        });
        let Secured {
            listening,
            certificate,
            ..
        } = secured.await;
        let failed = counter(&listening.server, "tls_failed");
        let (status, _) = http(&listening, POLL).await;
        assert_ne!(status, 200);
        eventually("it is counted", || {
            counter(&listening.server, "tls_failed") > failed
        })
        .await;
        // Silence, before the handshake and after it.
        let mut raw = Raw::connect(&listening).await;
        assert_eq!(raw.response().await.0, 0);
        eventually("it is counted", || {
            counter(&listening.server, "no_request") == 1
        })
        .await;
        let mut stream = certificate.connect(&listening).await.unwrap();
        let mut response = Vec::new();
        let _ = within("the end", stream.read_to_end(&mut response)).await;
        eventually("it is counted", || {
            counter(&listening.server, "no_request") == 2
        })
        .await;
    });
}

#[test]
fn the_proxy_protocol_comes_before_tls() {
    on_actix(async {
        let secured = secured(|config| {
            config.server.proxy_protocol = true;
            config.security.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        });
        let Secured {
            listening,
            mut hearing,
            certificate,
            ..
        } = secured.await;
        let mut stream = TcpStream::connect(listening.address).await.unwrap();
        stream
            .write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n")
            .await
            .unwrap();
        let stream = certificate.encrypt(stream).await.unwrap();
        let url = "wss://localhost/socket.io/?EIO=4&transport=websocket";
        let (mut ws, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        ws.send(Message::text("40")).await.unwrap();
        let address = hearing.connected().await.handshake().address();
        assert_eq!(address.unwrap().to_string(), "192.0.2.7");
    });
}

#[test]
fn the_carrier_that_cannot_is_refused() {
    let mut config = config("no/such/folder".as_ref());
    let err = Server::builder()
        .config(config.clone())
        .build()
        .unwrap_err();
    assert!(
        err.to_string().contains("cannot read no/such/folder"),
        "{err}"
    );
    config.server.carrier = Carrier::Direct;
    let err = config.clone().validated().unwrap_err().to_string();
    assert!(err.contains("needs server.carrier = \"mounted\""), "{err}");
    config.tls.key = "".into();
    let err = config.validated().unwrap_err().to_string();
    assert!(err.contains("tls.cert is given without tls.key"), "{err}");
}

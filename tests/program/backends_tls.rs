//! A backend behind TLS, which the program believes if the certificates of the system say so.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::program::{self, Program};
use crate::support::servers::Certificates;

/// Answers each request with an object that has no members, over TLS.
fn backend(certificates: &Certificates, ip: [u8; 4]) -> SocketAddr {
    let (chain, key) = &certificates.server;
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(chain).unwrap()],
            PrivateKeyDer::from_pem_file(key).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(SocketAddr::from((ip, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = rustls::StreamOwned::new(session, stream.unwrap());
            // Who does not believe us goes away in the middle.
            let _ = answer(stream);
        }
    });
    address
}

fn answer(stream: impl Read + Write) -> std::io::Result<()> {
    let (mut stream, mut length) = (BufReader::new(stream), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    stream.get_mut().write_all(answer.as_bytes())?;
    stream.get_mut().flush()
}

/// The body of the answer.
fn exchange(server: &Program, method: &str, query: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(program::DEADLINE)).unwrap();
    write!(
        stream,
        "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// What a client reads that wants in.
fn asked(server: &Program) -> String {
    let opened = exchange(server, "GET", "", "");
    let sid = opened.split('"').nth(3).unwrap();
    let query = format!("&sid={sid}");
    assert_eq!(exchange(server, "POST", &query, "40"), "ok");
    exchange(server, "GET", &query, "")
}

#[test]
fn certificates_decide_whether_a_backend_is_believed() {
    let certificates = Certificates::new();
    let backends = |ip| {
        let address = backend(&certificates, ip);
        format!("[{{ url = \"https://{address}/\", connect = true, timeout = \"30s\" }}]")
    };
    let (right, ca) = (backends([127, 0, 0, 1]), certificates.ca.to_str().unwrap());
    let start = |backends: &str, ca: &str| {
        let variables = [("GREENROOM_BACKENDS", backends), ("SSL_CERT_FILE", ca)];
        // Without a config.toml: the defaults hold.
        Program::greenroom(env!("CARGO_TARGET_TMPDIR").as_ref(), &[], &variables)
    };
    assert!(asked(&start(&right, ca)).starts_with("40{"));

    // Another authority, and another name than that in the certificate.
    let others = Certificates::new();
    let refused =
        r#"44{"message":"the backend is not reachable","data":{"code":"backend_unreachable"}}"#;
    let server = start(&right, others.ca.to_str().unwrap());
    assert_eq!(asked(&server), refused);
    let server = start(&backends([127, 0, 0, 2]), ca);
    assert_eq!(asked(&server), refused);
}

//! Certificates that are read again while the server runs.

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::{ConfigError, TlsConfig};

/// Marks a connection that is encrypted.
#[derive(Debug)]
pub(super) struct Encrypted;

/// The certificate of a server and its key, as they were when they could last be read.
#[derive(Debug)]
pub(crate) struct Certificates {
    config: TlsConfig,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Those of settings that are validated; `None` if there is no TLS.
    ///
    /// # Errors
    /// A file cannot be read, or has not what it should.
    pub(crate) fn new(config: &TlsConfig) -> Result<Option<Arc<Self>>, ConfigError> {
        if !config.is_on() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            config: config.clone(),
            current: RwLock::new(read(config)?),
        })))
    }

    /// What is in the files now.
    ///
    /// # Errors
    /// As at the start.
    pub(crate) fn read(&self) -> Result<Arc<CertifiedKey>, ConfigError> {
        read(&self.config)
    }

    /// New connections get this one.
    pub(crate) fn replace(&self, certificate: Arc<CertifiedKey>) {
        *self.current.write() = certificate;
    }

    /// How connections are accepted: HTTP/1.1 alone, since WebSockets of other revisions are not spoken.
    ///
    /// # Errors
    /// Never with the versions that are asked for.
    pub(super) fn acceptor(self: Arc<Self>) -> Result<tokio_rustls::TlsAcceptor, rustls::Error> {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

fn read(config: &TlsConfig) -> Result<Arc<CertifiedKey>, ConfigError> {
    let wrong = |key, path: &Path, problem: String| ConfigError::Value {
        key,
        problem: format!("is {}: {problem}", path.display()),
    };
    let bytes = |path: &Path| {
        std::fs::read(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(&config.cert)?)
        .collect::<Result<_, _>>()
        .map_err(|err| wrong("tls.cert", &config.cert, err.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(
            "tls.cert",
            &config.cert,
            "there is no certificate in it".to_owned(),
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&bytes(&config.key)?)
        .map_err(|err| wrong("tls.key", &config.key, err.to_string()))?;
    let key =
        any_supported_type(&key).map_err(|err| wrong("tls.key", &config.key, err.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|err| {
        wrong(
            "tls.cert",
            &config.cert,
            format!("it does not fit its key: {err}"),
        )
    })?;
    Ok(Arc::new(certified))
}

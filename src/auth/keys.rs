//! Keys, and the signatures that they verify.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, decode_header};
use parking_lot::RwLock;
use ring::{hmac, signature};
use serde::Deserialize;

use super::TokenError;
use crate::config::ConfigError;

/// Keys of a set beyond this number are not looked at.
const MOST_KEYS: usize = 64;

/// A key, and the one algorithm that it is for: what a token says of its algorithm decides nothing.
#[derive(Debug)]
pub(crate) struct Key {
    id: Option<String>,
    material: Material,
}

enum Material {
    Hs256(hmac::Key),
    Rs256 {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// As DER of PKCS#1.
    Rs256Der(Vec<u8>),
    /// The point, uncompressed.
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.algorithm())
    }
}

impl Material {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::HS256,
            Self::Rs256 { .. } | Self::Rs256Der(_) => Algorithm::RS256,
            Self::Es256(_) => Algorithm::ES256,
            Self::EdDsa(_) => Algorithm::EdDSA,
        }
    }

    fn verify(&self, message: &[u8], signed: &[u8]) -> bool {
        let by = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(message, signed)
        };
        let verified = match self {
            Self::Hs256(key) => hmac::verify(key, message, signed),
            Self::Rs256 { modulus, exponent } => signature::RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signed),
            Self::Rs256Der(der) => by(&signature::RSA_PKCS1_2048_8192_SHA256, der),
            Self::Es256(point) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            Self::EdDsa(key) => by(&signature::ED25519, key),
        };
        verified.is_ok()
    }

    /// A key of an elliptic curve: only P-256 has this length.
    fn es256(point: Vec<u8>) -> Option<Self> {
        (point.len() == 65).then_some(Self::Es256(point))
    }

    fn ed_dsa(key: Vec<u8>) -> Option<Self> {
        (key.len() == 32).then_some(Self::EdDsa(key))
    }
}

impl Key {
    pub(super) fn of_secret(secret: &[u8]) -> Self {
        Self {
            id: None,
            material: Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret)),
        }
    }

    fn of_pem(pem: &[u8]) -> Option<Self> {
        let bytes = |key: &DecodingKey| key.try_get_as_bytes().ok().map(<[u8]>::to_vec);
        let rsa = || DecodingKey::from_rsa_pem(pem).ok().as_ref().and_then(bytes);
        let ec = || DecodingKey::from_ec_pem(pem).ok().as_ref().and_then(bytes);
        let ed = || DecodingKey::from_ed_pem(pem).ok().as_ref().and_then(bytes);
        // Each takes the keys of its own kind alone.
        let material = ec()
            .and_then(Material::es256)
            .or_else(|| ed().and_then(Material::ed_dsa))
            .or_else(|| rsa().map(Material::Rs256Der))?;
        Some(Self { id: None, material })
    }

    /// A key of a set that verifies signatures; secrets have no place in a set.
    fn of_jwk(jwk: &Jwk) -> Option<Self> {
        if !matches!(
            jwk.common.public_key_use,
            None | Some(PublicKeyUse::Signature)
        ) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let material = match (&jwk.algorithm, key.kind()) {
            (
                AlgorithmParameters::RSA(_),
                DecodingKeyKind::RsaModulusExponent {
                    n: modulus,
                    e: exponent,
                },
            ) => {
                // 2048 bits: ring takes none that is shorter.
                (modulus.len() >= 256).then(|| Material::Rs256 {
                    modulus: modulus.clone(),
                    exponent: exponent.clone(),
                })
            }
            (AlgorithmParameters::EllipticCurve(ec), DecodingKeyKind::SecretOrDer(point))
                if ec.curve == EllipticCurve::P256 =>
            {
                Material::es256(point.clone())
            }
            (AlgorithmParameters::OctetKeyPair(pair), DecodingKeyKind::SecretOrDer(key))
                if pair.curve == EllipticCurve::Ed25519 =>
            {
                Material::ed_dsa(key.clone())
            }
            _ => None,
        }?;
        let named = jwk.common.key_algorithm;
        let agrees = named.is_none_or(|named| named == material.algorithm().into());
        let id = jwk.common.key_id.clone();
        agrees.then_some(Self { id, material })
    }
}

/// Reads the file with a public key.
pub(super) fn read_pem(path: &Path) -> Result<Key, ConfigError> {
    let key = "auth.jwt.public_key";
    let wrong = |problem: String| ConfigError::Value { key, problem };
    let pem = std::fs::read(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    if String::from_utf8_lossy(&pem).contains("PRIVATE KEY") {
        let name = path.display();
        return Err(wrong(format!(
            "is {name}, which has a private key: only its owner should have it"
        )));
    }
    Key::of_pem(&pem).ok_or_else(|| {
        let name = path.display();
        wrong(format!(
            "is {name}, which is no public key of RSA, P-256 or Ed25519 in PEM form"
        ))
    })
}

/// The keys of a set that can be used.
///
/// # Errors
/// Why there is none, for the log.
pub(super) fn read_set(json: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set =
        serde_json::from_slice(json).map_err(|err| format!("it is no JWK set: {err}"))?;
    let n_keys = set.keys.len();
    let usable: Vec<_> = set
        .keys
        .into_iter()
        .take(MOST_KEYS)
        .filter_map(|key| Key::of_jwk(&serde_json::from_value(key).ok()?))
        .collect();
    if usable.is_empty() {
        return Err(format!(
            "none of its {n_keys} keys is for RS256, ES256 or EdDSA"
        ));
    }
    Ok(usable)
}

/// The keys that are good now.
#[derive(Debug, Default)]
pub(super) struct Keys(RwLock<Arc<[Key]>>);

impl Keys {
    pub(super) fn replace(&self, keys: Vec<Key>) {
        *self.0.write() = keys.into();
    }

    /// The payload of a token whose signature is right.
    pub(super) fn verify(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        let malformed = |_| TokenError::Malformed;
        let keys = Arc::clone(&self.0.read());
        if keys.is_empty() {
            return Err(TokenError::NoKeys);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // We know no extension that could be critical. Source: RFC 7515, section 4.1.11.
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let (message, signed) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (_, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let signed = URL_SAFE_NO_PAD.decode(signed).map_err(malformed)?;
        let mut candidates = keys
            .iter()
            .filter(|key| key.material.algorithm() == header.alg)
            .filter(|key| key.id.is_none() || header.kid.is_none() || key.id == header.kid)
            .peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        if !candidates.any(|key| key.material.verify(message.as_bytes(), &signed)) {
            return Err(TokenError::Signature);
        }
        URL_SAFE_NO_PAD.decode(payload).map_err(malformed)
    }
}

//! The token of a socket: asked for at the door, readable by handlers.

use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::remote::RemoteSocket;
use super::socket::Socket;
use super::socket_state::SocketInner;
use crate::auth::{Auth, Claims, TokenError};
use crate::error::{ArgsError, Refusal};
use crate::protocol::engineio::ProtocolVersion;
use crate::protocol::socketio::{Args, Value};

impl SocketInner {
    pub(crate) fn claims(&self) -> Option<Arc<Claims>> {
        self.claims.lock().clone()
    }

    pub(crate) fn set_claims(&self, claims: Claims) {
        *self.claims.lock() = Some(Arc::new(claims));
    }

    /// What the auth payload has under this name.
    fn token(&self, name: &str) -> String {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let payload = self.auth.first::<Value>().unwrap_or_default();
        let token = payload.member(name).and_then(text);
        // The root namespace of old clients has no payload.
        let in_query = || {
            let is_old = self.protocol == ProtocolVersion::V3;
            is_old.then(|| self.handshake.query(name).map(str::to_owned))
        };
        token.or_else(|| in_query().flatten()).unwrap_or_default()
    }
}

impl Socket {
    /// The claims of the token that it came in with, or of the last fresh one, parsed. `null` if its namespace requires none.
    ///
    /// ```
    /// # use greenroom::prelude::*;
    /// #[derive(Deserialize)]
    /// struct User {
    ///     sub: String,
    /// }
    ///
    /// fn name(socket: &Socket) -> Option<String> {
    ///     Some(socket.claims::<User>().ok()?.sub)
    /// }
    /// ```
    ///
    /// # Errors
    /// They have another shape.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        let claims = self.inner.claims();
        parse(claims.map_or(Value::Null, |claims| claims.all.clone()))
    }
}

impl RemoteSocket {
    /// The claims of its token; see [`Socket::claims`].
    ///
    /// # Errors
    /// They have another shape.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        parse(self.handshake.claims().clone())
    }
}

fn parse<T: DeserializeOwned>(claims: Value) -> Result<T, ArgsError> {
    Args::from_vec(vec![claims]).first()
}

/// Lets in who has a good token, before any middleware.
pub(crate) fn require(
    auth: Arc<Auth>,
    socket: Socket,
) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>> {
    Box::pin(async move {
        let token = socket.inner.token(&auth.config().token);
        let claims = auth.verify(&token).await.map_err(refusal)?;
        socket.inner.set_claims(claims);
        Ok(())
    })
}

/// Shape: `{"message": "the token has expired", "data": {"code": "token_expired"}}`.
fn refusal(err: TokenError) -> Refusal {
    Refusal::new(err.to_string()).with_data(serde_json::json!({ "code": err.code() }))
}

/// What a client sends with the refresh event: the token, or an object with it, as in its auth payload.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Fresh {
    Token(String),
    Payload(std::collections::HashMap<String, Value>),
}

impl Fresh {
    pub(crate) fn token(self, name: &str) -> String {
        match self {
            Self::Token(token) => token,
            Self::Payload(payload) => {
                let token = payload.get(name).and_then(Value::as_str);
                token.unwrap_or_default().to_owned()
            }
        }
    }
}

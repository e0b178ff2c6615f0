//! Tokens that expire: the client is asked for a fresh one, and in the end its socket is closed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use serde_json::json;

use super::{Application, Session};
use crate::auth::{Auth, TokenError};
use crate::clock;
use crate::hub::Timer;
use crate::metrics::Counter;
use crate::namespace::{Ack, Fresh, Socket, SocketInner};
use crate::protocol::socketio::Args;

/// Timers do not look further ahead.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What has become of the token of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenStage {
    /// Nothing, or there is none.
    Good,
    /// The client was asked for another, because it ended then.
    Asked(Duration),
    /// The socket is on its way out.
    Over,
}

impl Session {
    /// Waits for the end of the first token that ends.
    pub(super) fn watch_tokens(&mut self) {
        let (Some(auth), Application::SocketIo(sockets)) =
            (&self.server.auth, &mut self.application)
        else {
            return;
        };
        let next = sockets.seated.iter().filter_map(|seated| {
            let expires = seated.socket.claims()?.expires;
            match seated.token {
                TokenStage::Over => None,
                TokenStage::Asked(then) if then == expires => Some(closes(auth, expires)),
                TokenStage::Asked(_) | TokenStage::Good => Some(expires),
            }
        });
        let Some(next) = next.min() else { return };
        let wait = next.saturating_sub(clock::now()).min(LONGEST);
        // A little later, so that it has expired by then.
        let at = Instant::now() + wait + Duration::from_millis(1);
        // However often a client brings fresh tokens, it has one timer: who is early looks again.
        if sockets.token_watched.is_none_or(|watched| at < watched) {
            let before = sockets.token_watched.replace(at);
            let mut hub = self.hub.borrow_mut();
            hub.move_timer(self.seat, Timer::Token, before, at);
        }
    }

    pub(super) fn token_due(&mut self) {
        let (Some(auth), Application::SocketIo(sockets)) =
            (&self.server.auth, &mut self.application)
        else {
            return;
        };
        let now = clock::now();
        sockets.token_watched = None;
        for seated in &mut sockets.seated {
            let Some(claims) = seated.socket.claims() else {
                continue;
            };
            let (expires, socket) = (claims.expires, Socket::from(Arc::clone(&seated.socket)));
            if seated.token == TokenStage::Over {
                continue;
            }
            if now >= closes(auth, expires) {
                seated.token = TokenStage::Over;
                self.server.metrics.count(Counter::TokenExpired);
                log::debug!(
                    "a socket is disconnected nsp={} id={} why=its token has expired",
                    socket.namespace_name(),
                    socket.id()
                );
                socket.disconnect(false);
            } else if now >= expires && seated.token != TokenStage::Asked(expires) {
                seated.token = TokenStage::Asked(expires);
                let remaining = closes(auth, expires).saturating_sub(now);
                let remaining_ms = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
                let words = json!({ "expires": expires.as_secs(), "remaining_ms": remaining_ms });
                socket.emit(&auth.config().refresh_event, words);
            }
        }
        self.watch_tokens();
    }

    /// Whether an event of this socket brings a fresh token.
    pub(super) fn is_refresh(&self, socket: &SocketInner, name: &str) -> bool {
        let auth = self.server.auth.as_ref();
        auth.is_some_and(|auth| auth.config().refresh_event == name && socket.claims().is_some())
    }

    /// Takes a fresh token; nothing more is read from the client until it has been checked.
    pub(super) fn refresh_token(
        &mut self,
        socket: Arc<SocketInner>,
        args: &Args,
        ack: Ack,
        ctx: &mut Context<Self>,
    ) {
        let Some(auth) = self.server.auth.clone() else {
            return ack.forget();
        };
        let token = args
            .first::<Fresh>()
            .map(|fresh| fresh.token(&auth.config().token))
            .unwrap_or_default();
        let check = async move {
            let claims = auth.verify(&token).await?;
            let before = socket.claims();
            if before.is_some_and(|before| before.subject != claims.subject) {
                return Err(TokenError::Subject);
            }
            let expires = claims.expires;
            socket.set_claims(claims);
            Ok(expires)
        };
        let taken = check
            .into_actor(self)
            .map(|checked, session: &mut Self, _| {
                match checked {
                    Ok(expires) => ack.send(json!({ "expires": expires.as_secs() })),
                    Err(err) => ack.send(json!({ "error": err.to_string(), "code": err.code() })),
                }
                session.watch_tokens();
            });
        self.block_on(taken, ctx);
    }
}

/// When a socket whose token expires at `expires` is closed.
fn closes(auth: &Auth, expires: Duration) -> Duration {
    let config = auth.config();
    expires
        .saturating_add(config.leeway)
        .saturating_add(config.grace)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::Server;
    use crate::config::{Config, Secret};
    use crate::hub;
    use crate::testing::Client;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn token(lives: Duration) -> String {
        let expires = (clock::now() + lives).as_secs_f64();
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (header, claims) = (json!({ "alg": "HS256" }), json!({ "exp": expires }));
        let message = format!("{}.{}", part(header), part(claims));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let signed = ring::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }

    #[actix_rt::test]
    async fn however_often_tokens_are_fresh_there_is_one_timer() {
        let hour = Duration::from_secs(3600);
        let mut config = Config::default();
        config.auth.jwt.namespaces = vec!["/".to_owned()];
        config.auth.jwt.secret = Secret::new(SECRET);
        config.auth.jwt.grace = hour;
        let server = Server::builder().config(config).build().unwrap();
        let auth = json!({ "token": token(hour) });
        let mut client = Client::connect_to(&server, "/", auth).await.unwrap();
        for _ in 0..10 {
            // It ends soon, and the client is asked for one that lives long.
            for lives in [Duration::from_millis(20), hour] {
                let fresh = token(lives);
                let answer = client.emit_with_ack("auth:refresh", fresh).await.unwrap();
                let answer: serde_json::Value = answer.first().unwrap();
                assert!(answer["expires"].is_u64(), "{answer}");
                if lives < hour {
                    client.event("auth:refresh").await.unwrap();
                }
            }
        }
        let hub = hub::here(server.shared());
        assert_eq!(hub.borrow().n_timers(Timer::Token), 1);
    }
}

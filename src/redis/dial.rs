//! One connection to one server.

use std::{fs, path::Path, time::Duration};

use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisError, TlsCertificates, Value,
    aio::{self, MultiplexedConnection},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use crate::config::{RedisCredentials, RedisHost, RedisTls, RedisUrl, RespVersion};

use super::{
    Cause, Link, LinkError,
    error::Redacted,
    pubsub::{self, PubSub, Sink},
};

/// A client for one server of a URL.
pub(super) fn client(
    url: &RedisUrl,
    host: &RedisHost,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Client, LinkError> {
    client_at(url, host, settings(url), timeout, redacted)
}

/// A client for one sentinel of a URL.
pub(super) fn sentinel_client(
    url: &RedisUrl,
    host: &RedisHost,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Client, LinkError> {
    let settings = with_credentials(
        RedisConnectionInfo::default().set_lib_name("greenroom", env!("CARGO_PKG_VERSION")),
        url.sentinel_credentials(),
    );
    client_at(url, host, settings, timeout, redacted)
}

fn client_at(
    url: &RedisUrl,
    host: &RedisHost,
    settings: RedisConnectionInfo,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Client, LinkError> {
    let (name, port) = (host.name.clone(), host.port);
    let broken = |err: RedisError| redacted.of(&err, timeout);
    let addr = match url.tls() {
        None => ConnectionAddr::Tcp(name, port),
        Some(tls) => ConnectionAddr::TcpTls {
            host: name,
            port,
            insecure: tls.is_insecure,
            tls_params: None,
        },
    };
    let info = addr
        .into_connection_info()
        .map_err(broken)?
        .set_tcp_settings(tcp(timeout))
        .set_redis_settings(settings);
    match url.tls() {
        None => Client::open(info).map_err(broken),
        Some(tls) => {
            let certificates = certificates(tls, redacted)?;
            Client::build_with_tls(info, certificates)
                .map_err(|err| redacted.error(Cause::Tls, &err.to_string()))
        }
    }
}

/// A client for the server behind a unix socket.
pub(super) fn unix_client(
    url: &RedisUrl,
    path: &Path,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Client, LinkError> {
    ConnectionAddr::Unix(path.to_owned())
        .into_connection_info()
        .and_then(|info| Client::open(info.set_redis_settings(settings(url))))
        .map_err(|err| redacted.of(&err, timeout))
}

fn settings(url: &RedisUrl) -> RedisConnectionInfo {
    let settings = RedisConnectionInfo::default()
        .set_lib_name("greenroom", env!("CARGO_PKG_VERSION"))
        .set_db(url.database().into())
        .set_protocol(protocol(url));
    with_credentials(settings, url.credentials())
}

pub(super) fn protocol(url: &RedisUrl) -> ProtocolVersion {
    match url.protocol() {
        Some(RespVersion::Resp3) => ProtocolVersion::RESP3,
        Some(RespVersion::Resp2) | None => ProtocolVersion::RESP2,
    }
}

fn with_credentials(
    settings: RedisConnectionInfo,
    credentials: Option<&RedisCredentials>,
) -> RedisConnectionInfo {
    let Some(RedisCredentials { user, password }) = credentials else {
        return settings;
    };
    let settings = settings.set_password(password);
    if user.is_empty() {
        settings
    } else {
        settings.set_username(user)
    }
}

/// Options of TCP that let us notice a peer which went away without a word.
pub(super) fn tcp(timeout: Duration) -> TcpSettings {
    // Nothing is sent on a connection for subscriptions: only probes notice that its peer is gone.
    let probes = TcpKeepalive::new()
        .with_time(Duration::from_secs(5))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(probes);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(timeout.max(Duration::from_secs(1)));
    #[cfg(not(target_os = "linux"))]
    let _ = timeout;
    settings
}

/// The files of a URL, read anew for each dial: certificates are replaced while we run.
pub(super) fn certificates(
    tls: &RedisTls,
    redacted: &Redacted,
) -> Result<TlsCertificates, LinkError> {
    // Two providers in one program would make rustls panic when it has to choose; a program that has chosen keeps its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let read = |path: &Path| {
        fs::read(path).map_err(|err| {
            redacted.error(
                Cause::Tls,
                &format!("cannot read {}: {err}", path.display()),
            )
        })
    };
    Ok(TlsCertificates {
        root_cert: tls.ca.as_deref().map(read).transpose()?,
        client_tls: match &tls.identity {
            Some((cert, key)) => Some(ClientTlsConfig {
                client_cert: read(cert)?,
                client_key: read(key)?,
            }),
            None => None,
        },
    })
}

/// Dials one server for commands.
pub(super) async fn commands(
    client: &Client,
    name: &str,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Link, LinkError> {
    let connection = client
        .get_multiplexed_async_connection_with_config(&config(timeout))
        .await
        .map_err(|err| redacted.of(&err, timeout))?;
    link(connection, name, timeout, redacted).await
}

/// Dials one server for commands and subscriptions on the same connection; `None` if it does not speak RESP3.
pub(super) async fn shared(
    client: &Client,
    name: &str,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Option<PubSub>, LinkError> {
    let known = client.get_connection_info();
    let settings = known.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(known.clone().set_redis_settings(settings))
        .map_err(|err| redacted.of(&err, timeout))?;
    let (inbox, messages) = pubsub::inbox();
    let config = config(timeout).set_push_sender(inbox);
    // Old servers refuse `HELLO`, some proxies hang up on it. Whatever else is wrong, RESP2 will show too.
    let Ok(connection) = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
    else {
        return Ok(None);
    };
    let link = link(connection.clone(), name, timeout, redacted).await?;
    Ok(Some(PubSub {
        sink: Sink::Shared(connection),
        messages,
        link: Some(link),
    }))
}

fn config(timeout: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout))
}

async fn link(
    connection: MultiplexedConnection,
    name: &str,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Link, LinkError> {
    let link = Link::single(connection, timeout, redacted.clone());
    let mut set_name = Cmd::new();
    set_name.arg("CLIENT").arg("SETNAME").arg(name);
    let mut ping = Cmd::new();
    ping.arg("PING");
    // A server that wants credentials takes connections without them, and says so with each command. One whose rules
    // forbid these two is as good as any.
    let answers = link.pipeline(vec![set_name, ping]).await?;
    if let Some(Err(err)) = answers.last()
        && Cause::of(err) != Cause::Permission
    {
        return Err(redacted.server(err));
    }
    Ok(link)
}

/// Dials one server for subscriptions.
pub(super) async fn pubsub(
    client: &Client,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<aio::PubSub, LinkError> {
    let broken = |err: RedisError| redacted.of(&err, timeout);
    let mut pubsub = client.get_async_pubsub().await.map_err(broken)?;
    // As above. With RESP2 the answer is one text until there is a subscription, then it has two.
    match pubsub.ping::<Value>().await {
        Err(err) => Err(broken(err)),
        Ok(Value::ServerError(err)) if Cause::of(&err) != Cause::Permission => {
            Err(redacted.server(&err))
        }
        Ok(_) => Ok(pubsub),
    }
}

//! `[server]` and `[log]`: where the process listens, what it serves and what it says.

use std::path::PathBuf;

use serde::Deserialize;

/// `[server]`: where the process listens and what it serves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address to listen on, an IP address or a name that resolves to some.
    ///
    /// Default `"127.0.0.1"`; `"0.0.0.0"` or `"::"` for every interface. Not empty. `HOST` in the environment overrides it.
    pub host: String,
    /// TCP port to listen on.
    ///
    /// Default 3000. Zero lets the system choose a free one. `PORT` in the environment overrides it.
    pub port: u16,
    /// Address of the internal listener, if there is one.
    ///
    /// Default `"127.0.0.1"`. Not empty.
    pub internal_host: String,
    /// TCP port of a listener of its own for `/metrics`, `/healthz` and `/readyz`.
    ///
    /// Default none: they are answered on [`port`](Self::port). Zero lets the system choose a free one. It listens before
    /// the other, and until all sessions have ended.
    pub internal_port: Option<u16>,
    /// Number of worker threads.
    ///
    /// Default 0, which is one per core. At most 1024.
    pub workers: usize,
    /// Path of the Socket.IO endpoint, the `path` of the clients.
    ///
    /// Default `"/socket.io"`. Begins with a slash; slashes at the end are dropped.
    pub path: String,
    /// Whether the browser client (`socket.io.js` and its siblings) is served below [`path`](Self::path).
    ///
    /// Default `true`.
    pub serve_client: bool,
    /// Folder with the `dist` files of the npm package `socket.io-client`, relative to the working directory.
    ///
    /// Default `"static/node_modules/socket.io-client/dist"`. When it is missing, requests for these files are answered
    /// 404 with a text that says how to install them.
    pub client_dir: PathBuf,
    /// Folder with the pages served under `/`, relative to the working directory.
    ///
    /// Default `"static"`. Dotfiles, `node_modules` and types a page does not need are not served.
    pub static_dir: PathBuf,
    /// Connections that the kernel keeps until a worker accepts them (`listen(2)`).
    ///
    /// Default 4096, range 1 to 65535. The kernel lowers it to `net.core.somaxconn`.
    pub backlog: u32,
    /// Who reads and writes an established WebSocket.
    ///
    /// Default `"direct"`.
    pub carrier: Carrier,
    /// Whether what several clients get is written with one system call, where the kernel can (io_uring, Linux 6.1) and lets us.
    ///
    /// Default `true`. With the carrier `direct` and without TLS; where it cannot be had, each client is written to alone.
    pub io_uring: bool,
    /// Whether connections from [`security.trusted_proxies`](super::SecurityConfig::trusted_proxies) begin with the header of
    /// the PROXY protocol, version 1 or 2, which names the client.
    ///
    /// Default `false`. If so, one from there without the header is closed; one from elsewhere is served without it. Only
    /// with the carrier `direct`, or with TLS.
    pub proxy_protocol: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 3000,
            internal_host: "127.0.0.1".to_owned(),
            internal_port: None,
            workers: 0,
            path: "/socket.io".to_owned(),
            serve_client: true,
            client_dir: PathBuf::from("static/node_modules/socket.io-client/dist"),
            static_dir: PathBuf::from("static"),
            backlog: 4096,
            carrier: Carrier::Direct,
            io_uring: true,
            proxy_protocol: false,
        }
    }
}

impl ServerConfig {
    /// How many workers there will be.
    #[must_use]
    pub fn n_workers(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        }
    }
}

/// Who reads and writes an established WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Carrier {
    /// The server takes the TCP stream over after the handshake: a quarter of the memory per connection.
    #[default]
    Direct,
    /// The stream stays inside actix-web, as in an application that Greenroom is mounted into.
    Mounted,
}

/// `[log]`: what is logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LogConfig {
    /// What is logged, in the syntax of `env_logger`: a level, or levels by module.
    ///
    /// Default `"info"`; `"off"` for nothing, `"info,greenroom::session=debug"` for one module. `RUST_LOG` in the
    /// environment overrides it.
    pub filter: String,
    /// What a line looks like.
    ///
    /// Default `"auto"`.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people if it goes to a terminal, else JSON.
    #[default]
    Auto,
    /// For people: time, level, place and text.
    Human,
    /// A JSON object a line: `{"ts":…,"level":…,"target":…,"msg":…}`.
    Json,
}

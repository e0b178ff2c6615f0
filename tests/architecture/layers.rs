//! What the shape of `src` shall be.

/// The modules from the bottom to the top, each with the reason for its place. Imports go downward.
pub(crate) const LAYERS: &[(&str, &str)] = &[
    (
        "protocol",
        "pure: bytes and time in, packets and effects out",
    ),
    ("config", "settings, judged once; knows nobody"),
    ("redis", "connections; does not know what is said on them"),
    ("clock", "the time of day; knows nobody"),
    ("metrics", "names counters; knows nobody"),
    ("rates", "pure: how far over a rate a client is"),
    (
        "throttle",
        "keeps lines of the log from repeating; knows nobody",
    ),
    (
        "error",
        "what users of the crate can meet, made of errors from below",
    ),
    (
        "outbound",
        "requests to programs elsewhere; does not know what is said in them",
    ),
    ("auth", "tokens and keys; knows no socket"),
    (
        "carrier",
        "moves the bytes of a WebSocket; does not know what a packet is",
    ),
    (
        "locals",
        "which rooms have members here, and on which workers; knows nobody",
    ),
    ("hub", "one per worker: seats, rooms, fan-out"),
    ("cluster", "what a server shares with others, in operations"),
    ("publisher", "one per server: the publish connection"),
    ("registry", "one per process: who is where"),
    ("namespace", "what handler authors see"),
    (
        "subscriber",
        "one per server: hears the others, tells hubs and registry",
    ),
    (
        "emitter",
        "for programs that are no servers; says rooms as `namespace` does",
    ),
    (
        "observer",
        "for programs that are no servers; gives what `namespace` gives",
    ),
    ("recovery", "keeps what clients missed, per room and socket"),
    ("engine", "Engine.IO without Socket.IO on top"),
    ("webhooks", "tells programs elsewhere of sockets and rooms"),
    (
        "session",
        "one per client: drives the protocol, tells hub and namespaces",
    ),
    ("http", "requests into sessions, sessions into responses"),
    ("server", "puts everything together"),
    (
        "api",
        "HTTP for backends, written as a program would be; a listener of our own has it",
    ),
    ("prelude", "the face of the crate, for the handlers below"),
    ("backend", "handlers that are programs elsewhere"),
    ("handlers", "written as any handler author would"),
    (
        "testing",
        "a client that reaches into the server from above",
    ),
    ("hot", "what benches reach into"),
];

/// Imports that go upward, each with its reason. A line that is not needed any more fails the test: delete it.
pub(crate) const UPWARD: &[(&str, &str, &str)] = &[
    (
        "hub",
        "namespace",
        "members are sockets; answers to a broadcast are collected in `BroadcastAcks`",
    ),
    (
        "hub",
        "session",
        "a hub tells its sessions what happened, by their commands",
    ),
    (
        "hub",
        "server",
        "a hub reads the configuration and the counters in `Shared`",
    ),
    (
        "hub",
        "subscriber",
        "who waits for a join is passed on behind it, as `Confirm`",
    ),
    (
        "cluster",
        "namespace",
        "rooms are named, answers are `BroadcastAcks`, who has none is `Silent`",
    ),
    (
        "registry",
        "namespace",
        "members are sockets; watchers hear `RoomEvent`",
    ),
    (
        "namespace",
        "subscriber",
        "the table of namespaces says which have to be heard",
    ),
    (
        "subscriber",
        "server",
        "what is heard reaches all hubs through `Shared`",
    ),
    (
        "namespace",
        "server",
        "a socket reaches all hubs through `Shared`, and its author the `Server`",
    ),
    (
        "engine",
        "session",
        "a client of an engine is a session's seat",
    ),
    (
        "session",
        "server",
        "a session finds namespaces and limits in `Shared`",
    ),
    ("http", "server", "an endpoint serves one `Shared`"),
    ("http", "api", "the listener of our own serves it"),
];

/// How many lines a file has at most, the tests at its end not counted.
pub(crate) const LONGEST: usize = 500;

/// Crates that only some files may name, with the reason.
pub(crate) const CONFINED: &[(&str, &[&str], &str)] = &[
    (
        "actix_web_actors",
        &["carrier/mounted.rs"],
        "deprecated upstream: one file knows it",
    ),
    (
        "rmp_serde",
        &["testing.rs"],
        "the packets of servers are written by `protocol`",
    ),
    (
        "socket2",
        &[
            "carrier/direct.rs",
            "carrier/shortcut.rs",
            "redis/dial.rs",
            "cli/bench/target.rs",
        ],
        "options of sockets are set where the sockets are made, or made again",
    ),
    (
        "io_uring::",
        &["carrier/ring.rs"],
        "what the kernel does with addresses is proved in one file",
    ),
    (
        "libc",
        &["carrier/ring.rs"],
        "flags of a system call, beside the call",
    ),
    (
        "unsafe",
        &["carrier/ring.rs"],
        "the one place where the compiler has to be believed",
    ),
    ("toml", &["config/"], "nobody else reads files"),
    (
        "hyper_util",
        &["auth/jwks.rs", "outbound/client.rs", "cli/bench/polling.rs"],
        "requests are made where keys are fetched, where programs are told, and by clients that load a server",
    ),
    (
        "tokio_tungstenite",
        &["cli/bench/"],
        "the clients that load a server; servers have the codec in `protocol`",
    ),
    (
        "hdrhistogram",
        &["cli/bench/times.rs"],
        "one measure for all times",
    ),
    (
        "rustix",
        &[
            "main.rs",
            "carrier/shortcut.rs",
            "cli/bench/files.rs",
            "cli/bench/timer.rs",
        ],
        "the system, where the standard library does not know it",
    ),
];

/// What pure code does not name: no actors, no runtime, no network, no clock of its own.
pub(crate) const IMPURE: &[&str] = &[
    "actix",
    "actix_rt",
    "actix_web",
    "actix_http",
    "actix_codec",
    "tokio",
    "redis",
    "log::",
    "env_logger",
    "Instant::now",
    "SystemTime::now",
    "std::net",
    "std::fs",
    "std::thread",
];

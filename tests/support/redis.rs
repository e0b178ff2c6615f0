//! Redis servers that a test starts and stops: one, a Cluster, a master with a replica and sentinels.
//!
//! Each listens on a free port of 127.0.0.1 and keeps its files in a folder of its own. It is stopped when its value is
//! dropped, also by a panic, and when the process of the test ends in whatever way.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

#[path = "authority.rs"]
pub mod authority;

use authority::Authority;

/// Nothing that is waited for takes longer, on a machine that has other work too.
const DEADLINE: Duration = Duration::from_secs(60);

/// A redis-server that runs.
pub struct Redis {
    /// Has the server for a child and kills it when its standard input ends, which it does when this process ends.
    guard: Child,
    pid: String,
    log: Receiver<String>,
    port: u16,
    options: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// A server without a password.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with more options, as on its command line: `["--requirepass", "x"]`.
    pub fn with(options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        Self::in_folder(folder, options)
    }

    /// A server whose options name files in its folder.
    pub fn in_folder(folder: TempDir, options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let port = free_port();
        let (guard, pid, log) = spawn(port, folder.path(), &options);
        let mut redis = Self {
            guard,
            pid,
            log,
            port,
            options,
            folder,
        };
        // Somebody else may take the port before the server does.
        for _ in 0..10 {
            if redis.is_ready() {
                return redis;
            }
            redis.port = free_port();
            (redis.guard, redis.pid, redis.log) =
                spawn(redis.port, redis.folder.path(), &redis.options);
        }
        panic!("redis-server does not start with {:?}", redis.options);
    }

    fn is_ready(&self) -> bool {
        self.logged(&["Ready to accept connections", "+monitor master"])
    }

    /// The port, which has TLS if the options say so.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The folder of the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until the server logs a text.
    pub fn wait_for_log(&self, text: &str) {
        assert!(self.logged(&[text]), "the server ended without `{text}`");
    }

    /// Whether one of the texts is logged before the server ends.
    fn logged(&self, texts: &[&str]) -> bool {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(rest) {
                Ok(line) if texts.iter().any(|text| line.contains(text)) => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!("no {texts:?} in the log"),
            }
        }
    }

    /// What redis-cli prints for a command. It stops the test if the command fails.
    pub fn cli(&self, words: &[&str]) -> String {
        let ca = self
            .options
            .iter()
            .skip_while(|option| *option != "--tls-ca-cert-file");
        let tls = ca.skip(1).take(1).flat_map(|ca| ["--tls", "--cacert", ca]);
        let output = Command::new("redis-cli")
            .args(["-e", "-p", &self.port.to_string()])
            .args(tls)
            .args(words)
            .output()
            .expect("redis-cli is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}: {text}");
        text.trim_end().to_owned()
    }

    /// Kills the server, as `kill -9` does.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        drop(self.guard.stdin.take());
        self.guard.wait().expect("it was started");
    }

    /// Starts the server again after [`kill`](Self::kill), at the same port, with the same files.
    pub fn restart(&mut self) {
        (self.guard, self.pid, self.log) = spawn(self.port, self.folder.path(), &self.options);
        assert!(self.is_ready(), "the port {} is taken", self.port);
    }

    /// Stops the process without ending it: its connections stay, and nothing is answered.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid]).status();
        assert!(status.expect("kill is there").success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &Path, options: &[String]) -> (Child, String, Receiver<String>) {
    let has_tls = options.iter().any(|option| option.starts_with("--tls-"));
    let port = port.to_string();
    let ports = if has_tls {
        ["--port", "0", "--tls-port", &port]
    } else {
        ["--port", &port, "--save", ""]
    };
    // Its process says its number before it becomes the server, whose log begins at once. The shell lets go of the
    // pipe, so that it ends with the server.
    let script = "sh -c 'echo $$; exec redis-server \"$@\"' sh \"$@\" 2>&1 & \
                  exec > /dev/null 2>&1; cat; kill -KILL $!; wait";
    let mut guard = Command::new("sh")
        .args(["-c", script, "sh"])
        .args(options.iter().filter(|option| option.ends_with(".conf")))
        .args(ports)
        .args(["--bind", "127.0.0.1", "--daemonize", "no", "--dir"])
        .arg(folder)
        .args(options.iter().filter(|option| !option.ends_with(".conf")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh is there");
    let mut lines = BufReader::new(guard.stdout.take().expect("it is piped")).lines();
    let pid = lines.next().expect("sh says the process").unwrap();
    let (sender, log) = channel();
    // The thread ends with the server. Whoever does not listen any more does not keep it from being read.
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (guard, pid, log)
}

/// Three masters that share all slots.
pub struct Cluster {
    /// The masters.
    pub nodes: Vec<Redis>,
    options: Vec<String>,
}

impl Cluster {
    /// Starts them and waits until each serves.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more options for each.
    pub fn with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let nodes: Vec<Redis> = (0..3).map(|_| member(&options)).collect();
        let last_slots = ["5460", "10922", "16383"];
        let mut slot = "0".to_owned();
        for (at, node) in nodes.iter().enumerate() {
            let epoch = (at + 1).to_string();
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", &slot, last_slots[at]]);
            slot = (last_slots[at].parse::<u32>().unwrap() + 1).to_string();
        }
        for node in &nodes[1..] {
            meet(node, &nodes[0]);
        }
        for node in &nodes {
            node.wait_for_log("Cluster state changed: ok");
            // What is published at one reaches those that it is connected to.
            wait_for(node, |nodes| nodes.matches(" connected ").count() == 3);
        }
        Self { nodes, options }
    }

    /// Starts a replica of one of the masters and waits until it can take its place: it has everything, and all who have
    /// a vote know it.
    pub fn add_replica_of(&self, at: usize) -> Redis {
        let (master, replica) = (&self.nodes[at], member(&self.options));
        meet(&replica, master);
        replica.wait_for_log("Cluster state changed: ok");
        let id = master.cli(&["CLUSTER", "MYID"]);
        replica.cli(&["CLUSTER", "REPLICATE", &id]);
        replica.wait_for_log("MASTER <-> REPLICA sync: Finished with success");
        for node in &self.nodes {
            wait_for(node, |nodes| nodes.contains(&format!("slave {id} ")));
        }
        replica
    }

    /// `redis+cluster://…` with all nodes.
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", self.hosts())
    }

    /// `host:port,host:port,host:port`.
    pub fn hosts(&self) -> String {
        hosts(&self.nodes)
    }
}

/// A server that can become part of a Cluster. The bus of one listens on its port + 10000 unless it is told otherwise.
fn member(options: &[String]) -> Redis {
    let bus = free_port().to_string();
    let cluster = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "5000",
        "--cluster-port",
        &bus,
    ];
    let options = options.iter().map(String::as_str);
    Redis::with(&cluster.into_iter().chain(options).collect::<Vec<_>>())
}

/// Waits until what a server says of its Cluster is right.
fn wait_for(node: &Redis, is_right: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    let mut nodes = node.cli(&["CLUSTER", "NODES"]);
    while !is_right(&nodes) {
        assert!(Instant::now() < deadline, "{nodes}");
        nodes = node.cli(&["CLUSTER", "NODES"]);
    }
}

/// Makes two servers of a Cluster know each other.
fn meet(one: &Redis, other: &Redis) {
    let port = other.port().to_string();
    let bus = other.cli(&["CONFIG", "GET", "cluster-port"]);
    let bus = bus.lines().last().expect("the setting exists");
    one.cli(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
}

/// A master, its replica, and three sentinels that watch them as `mymaster`.
pub struct Sentinels {
    /// The master at the start.
    pub master: Redis,
    /// The replica at the start.
    pub replica: Redis,
    /// Those who watch.
    pub sentinels: Vec<Redis>,
}

impl Sentinels {
    /// Password of master and replica.
    pub const PASSWORD: &str = "of-the-master";
    /// Password of the sentinels.
    pub const SENTINEL_PASSWORD: &str = "of-the-sentinels";

    /// Starts them and waits until all know each other.
    pub fn start() -> Self {
        let auth = [
            "--requirepass",
            Self::PASSWORD,
            "--masterauth",
            Self::PASSWORD,
        ];
        let master = Redis::with(&auth);
        let address = format!("127.0.0.1 {}", master.port());
        let following = [&auth[..], &["--replicaof", "127.0.0.1"]].concat();
        let port = master.port().to_string();
        let replica = Redis::with(&[&following[..], &[&port]].concat());
        replica.wait_for_log("MASTER <-> REPLICA sync: Finished with success");
        let sentinels: Vec<Redis> = (0..3)
            .map(|_| {
                let folder = TempDir::new().unwrap();
                let path = folder.path().join("sentinel.conf");
                let lines = [
                    format!("sentinel monitor mymaster {address} 2"),
                    format!("sentinel auth-pass mymaster {}", Self::PASSWORD),
                    "sentinel down-after-milliseconds mymaster 1000".to_owned(),
                    "sentinel failover-timeout mymaster 5000".to_owned(),
                    format!("requirepass {}", Self::SENTINEL_PASSWORD),
                    format!("sentinel sentinel-pass {}", Self::SENTINEL_PASSWORD),
                ];
                fs::write(&path, lines.join("\n")).unwrap();
                Redis::in_folder(folder, &[path.to_str().unwrap(), "--sentinel"])
            })
            .collect();
        for sentinel in &sentinels {
            for _ in 0..2 {
                sentinel.wait_for_log("+sentinel sentinel");
            }
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    /// `redis+sentinel://…` with all sentinels and both passwords.
    pub fn url(&self) -> String {
        format!(
            "redis+sentinel://:{}@{}/mymaster?sentinel_password={}",
            Self::PASSWORD,
            hosts(&self.sentinels),
            Self::SENTINEL_PASSWORD
        )
    }

    /// Kills the master and waits until the sentinels have agreed on the replica.
    pub fn fail_over(&mut self) {
        self.master.kill();
        self.wait_for_promotion();
    }

    /// Waits until the sentinels have agreed on the replica.
    pub fn wait_for_promotion(&self) {
        for sentinel in &self.sentinels {
            sentinel.wait_for_log("+switch-master");
        }
    }
}

fn hosts(nodes: &[Redis]) -> String {
    let hosts: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port()))
        .collect();
    hosts.join(",")
}

/// Certificates for a server at 127.0.0.1 and for a client, in files of a folder.
pub struct Certificates {
    /// The authority.
    pub ca: PathBuf,
    /// The server.
    pub server: (PathBuf, PathBuf),
    /// A client, issued by the same authority.
    pub client: (PathBuf, PathBuf),
    _folder: TempDir,
}

impl Certificates {
    /// Makes them.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let authority = Authority::new();
        let issue = |name: &str| {
            let (certificate, key) = authority.issue();
            (
                write(&format!("{name}.crt"), certificate),
                write(&format!("{name}.key"), key),
            )
        };
        let (server, client) = (issue("server"), issue("client"));
        Self {
            ca: write("ca.crt", authority.certificate.pem()),
            server,
            client,
            _folder: folder,
        }
    }

    /// A server with TLS. `clients` is `yes` if they have to show a certificate, else `no`.
    pub fn redis(&self, clients: &str) -> Redis {
        let options = self.options(clients);
        Redis::with(&options.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// What makes a server one with TLS.
    pub fn options(&self, clients: &str) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [
            ("--tls-cert-file", text(&self.server.0)),
            ("--tls-key-file", text(&self.server.1)),
            ("--tls-ca-cert-file", text(&self.ca)),
            ("--tls-auth-clients", clients.to_owned()),
            ("--save", String::new()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}

//! An example, or the program itself, as a process of its own. Knows nothing of the crate: other packages use it too.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Nothing that a test waits for takes longer, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// What a server says when it listens; the address follows.
const READY: &str = "listening on: ";

/// A running program. Killed at the end of the test; what it logged is shown if the test fails.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts an example on a port that the system chooses, and waits until it listens.
    pub(crate) fn start(example: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(built(&format!("examples/{example}")));
        // Without a config.toml: the defaults hold.
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        let mut variables = variables.to_vec();
        variables.insert(0, ("RUST_LOG", "info"));
        Self::run(command, &variables)
    }

    /// The same with the program itself, which finds its config.toml in `folder`.
    pub(crate) fn greenroom(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(built("greenroom"));
        command.current_dir(folder).args(words);
        Self::run(command, variables)
    }

    fn run(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .env_clear()
            .envs([("HOST", "127.0.0.1"), ("PORT", "0")])
            .env("GREENROOM_LOG__FORMAT", "human")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was found, and the system starts it");
        let errors = child.stderr.take().expect("it is piped");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (ready, listens) = mpsc::channel();
        thread::spawn({
            let log = Arc::clone(&log);
            move || {
                // Read to the end, so that the program never waits for us.
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    if let Some((_, address)) = line.split_once(READY) {
                        // Nobody may wait any more.
                        let _ = ready.send(address.trim().parse());
                    }
                    log.lock().push(line);
                }
            }
        });
        let Ok(Ok(address)) = listens.recv_timeout(DEADLINE) else {
            let _ = child.kill();
            panic!("it does not listen:\n{}", log.lock().join("\n"));
        };
        Self {
            child,
            address,
            log,
        }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request to the engine: status and body of the answer.
    pub(crate) fn ask(&self, method: &str, query: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("it is not zero");
        let length = body.len();
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream
            .write_all(request.as_bytes())
            .expect("it reads requests");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("it answers in time");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head has an end");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status is a number"), body.to_owned())
    }

    /// Its number among the processes.
    pub(crate) fn pid(&self) -> i32 {
        self.child
            .id()
            .try_into()
            .expect("numbers of processes are small")
    }

    /// Its address.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a signal: `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} is sent");
    }

    /// Waits for a line in its log that has this in it: the line.
    pub(crate) fn logged(&self, part: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let lines = self.log();
            if let Some(line) = lines.iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "no line has {part:?}");
            thread::yield_now();
        }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    /// Asks it to end, as a service manager does, and waits for that.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        // Somebody else waits for the end, so that this wait can have a deadline.
        let (ended, end) = mpsc::channel();
        let pid = self.child.id();
        thread::scope(|scope| {
            scope.spawn(|| ended.send(self.child.wait()));
            let Ok(status) = end.recv_timeout(DEADLINE) else {
                let _ = Command::new("kill")
                    .args(["-KILL", &pid.to_string()])
                    .status();
                panic!("it does not end");
            };
            status.expect("it is our child")
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the program logged:\n{}", self.log.lock().join("\n"));
        }
    }
}

/// Where cargo put what it has built: an example, or the program.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the system knows the running test");
    let folder = test.ancestors().nth(2).unwrap_or_else(|| Path::new("."));
    let binary = folder.join(name);
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --bins --examples`",
        binary.display()
    );
    binary
}

//! The programs of the README, run: a copy of this test that was started anew, any server, and Node.js.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::root;

/// Nothing that is waited for takes longer once it is built, also on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Tells a copy of this test which program of the README it is.
const PROGRAM: &str = "README_PROGRAM";

/// What a server says when it listens; the address follows.
const READY: &str = "listening on: ";

/// In a copy of this test that was started as a program: runs it to its end.
pub(crate) fn as_program<E: Into<Box<dyn Error>>>(
    name: &str,
    run: fn() -> Result<(), E>,
) -> Option<Result<(), Box<dyn Error>>> {
    (std::env::var(PROGRAM).as_deref() == Ok(name)).then(|| {
        env_logger::init();
        run().map_err(Into::into)
    })
}

/// This test, to be started anew as a program.
pub(crate) fn this_test(test: &str, program: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(PROGRAM, program);
    command
}

/// A process that serves, and those that it started. Killed at the end of the test.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Ends with the last of these processes.
    log: Receiver<String>,
}

impl Running {
    /// Starts this test anew, as a program.
    pub(crate) fn this_test(test: &str, program: &str) -> Self {
        Self::start(this_test(test, program))
    }

    /// Starts a server on a port that the system chooses, and waits until it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("RUST_LOG", "info")])
            .env("GREENROOM_LOG__FORMAT", "human")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = lines(child.stderr.take().unwrap());
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        let address = loop {
            match log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match line.split_once(READY) {
                    Some((_, address)) => break address.trim().parse().unwrap(),
                    None => seen.push(line),
                },
                Err(_) => {
                    signal("KILL", &child);
                    panic!("{command:?} does not listen:\n{}", seen.join("\n"));
                }
            }
        };
        Self {
            child,
            address,
            log,
        }
    }

    /// Asks for a path: the body begins so.
    pub(crate) fn serves(&self, path: &str, start: &str) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 OK\r\n"), "{path}: {head}");
        assert!(body.starts_with(start), "{path}: {body:.200}");
    }

    /// Asks it to end, and waits until nothing of it is left.
    pub(crate) fn end(&mut self) {
        signal("TERM", &self.child);
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("SIGTERM is ignored"),
            }
        }
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal("KILL", &self.child);
            let _ = self.child.wait();
        }
    }
}

/// A script that runs in Node.js beside the installed Socket.IO client. Killed at the end of the test.
pub(crate) struct Node {
    child: Child,
    output: Receiver<String>,
}

impl Node {
    pub(crate) fn eval(script: &str) -> Self {
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", script])
            .current_dir(root().join("static"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js is installed");
        let output = lines(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub(crate) fn line(&self) -> String {
        self.output.recv_timeout(DEADLINE).expect("a line in time")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe as they come, read to its end so that nobody waits for us.
pub(crate) fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody may listen any more.
            let _ = sender.send(line);
        }
    });
    lines
}

/// Sends a signal to a process and those that it started.
pub(crate) fn signal(name: &str, leader: &Child) {
    // The shell has it built in; a program of that name is not on every machine.
    let line = format!("kill -{name} -- -{}", leader.id());
    let sent = Command::new("bash").args(["-c", &line]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{line}");
}

//! Runs every command and every code block of the README, and looks behind its links.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

#[path = "readme/chat.rs"]
mod chat;
#[path = "readme/emitter.rs"]
mod emitter;
#[path = "readme/mounted.rs"]
mod mounted;
#[path = "readme/programs.rs"]
mod programs;
#[path = "support/redis.rs"]
#[allow(unreachable_pub, reason = "tests inside the crate use it too")]
mod servers;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use greenroom::Value;
use greenroom::config::Config;
use greenroom::protocol::adapter;
use programs::{DEADLINE, Node, Running, as_program, this_test};
use servers::Redis;

const README: &str = include_str!("../README.md");

/// What a command of the README promises.
enum Promise {
    /// Serves these paths until it is told to end.
    Serves(&'static [(&'static str, &'static str)]),
    /// Is the one thing that continuous integration does. It runs this test, so this test does not run it.
    RunsAllTests,
    /// Ends well, and then there is this file.
    Makes(&'static str),
    /// Ends well, and has published something on this channel of a Redis.
    Publishes(&'static str),
    /// Ends well and prints this about a Redis that is empty.
    Prints(&'static str),
}

/// Paths and what they begin with.
const CHAT: &[(&str, &str)] = &[
    ("/", "<!doctype html>"),
    ("/socket.io/socket.io.js", "/*!\n * Socket.IO v4."),
    ("/socket.io/?EIO=4&transport=polling", "0{\"sid\":\""),
];

const COMMANDS: &[(&str, Promise)] = &[
    ("make run", Promise::Serves(CHAT)),
    ("cargo run --release", Promise::Serves(CHAT)),
    ("make test", Promise::RunsAllTests),
    ("cargo run --example echo", Promise::Serves(&[CHAT[2]])),
    (
        "cargo doc --no-deps",
        Promise::Makes("target/doc/greenroom/index.html"),
    ),
    (
        "cargo run --release -- emit --to lobby said server Hello.",
        Promise::Publishes("socket.io#/#lobby#"),
    ),
    (
        "cargo run --release -- emit --to lobby --except staff --disconnect",
        Promise::Publishes("socket.io-request#/#"),
    ),
    (
        "cargo run --release -- gc --dry-run",
        Promise::Prints("nothing to remove; 0 living nodes\n"),
    ),
];

/// A code block: its language and its text.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

fn blocks(markdown: &str) -> Vec<Block<'_>> {
    let mut parts = markdown.split("```");
    parts.next();
    let mut blocks = Vec::new();
    while let Some(block) = parts.next() {
        let (language, text) = block.split_once('\n').unwrap();
        blocks.push(Block { language, text });
        assert!(parts.next().is_some(), "a code block has no end: {text}");
    }
    blocks
}

fn of_language(language: &str) -> Vec<&'static str> {
    blocks(README)
        .into_iter()
        .filter(|block| block.language == language)
        .map(|block| block.text)
        .collect()
}

/// The commands of the `sh` blocks, without comments.
fn commands() -> Vec<&'static str> {
    of_language("sh")
        .into_iter()
        .flat_map(str::lines)
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect()
}

/// What stands between backticks in the prose.
fn inline_code() -> Vec<&'static str> {
    README
        .split("```")
        .step_by(2)
        .flat_map(|prose| prose.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_block_has_a_test() {
    let languages: Vec<_> = blocks(README).iter().map(|block| block.language).collect();
    for language in &languages {
        assert!(
            ["rust", "sh", "toml", "js"].contains(language),
            "{language}"
        );
    }
    let count = |language| of_language(language).len();
    // Four of Rust: the chat, the application, the test of the chat, the emitter. Each of the others is run below.
    assert_eq!((count("rust"), count("toml"), count("js")), (4, 2, 1));
}

#[test]
fn the_rust_blocks_are_what_is_run_here() {
    let rust = of_language("rust");
    let chat = [rust[0], "\n", rust[2]].concat();
    assert!(include_str!("readme/chat.rs").ends_with(&format!("\n\n{chat}")));
    assert!(include_str!("readme/mounted.rs").ends_with(&format!("\n\n{}", rust[1])));
    assert!(include_str!("readme/emitter.rs").ends_with(&format!("\n\n{}", rust[3])));
}

#[test]
fn the_handler_has_under_thirty_lines() {
    assert!(of_language("rust")[0].lines().count() < 30);
}

#[test]
fn the_settings_are_settings() {
    let config = Config::from_toml(of_language("toml")[0]).unwrap();
    let default = Config::default();
    assert_eq!(config.server.port, 8080);
    assert_eq!(config.engine.ping_interval, Duration::from_secs(10));
    assert_eq!(config.limits.connections, 5000);
    assert_eq!(config.engine.ping_timeout, default.engine.ping_timeout);
}

#[test]
fn the_route_of_the_first_node_is_the_one_in_the_configuration_of_nginx() {
    let config = Config::from_toml(of_language("toml")[1]).unwrap();
    let nginx = std::fs::read_to_string(root().join("deploy/nginx.conf")).unwrap();
    let route = config.engine.sid_prefix.replace('.', "\\.");
    let line = format!("\"~^{route}\"");
    assert!(nginx.contains(&line), "{line} is not in:\n{nginx}");
}

#[test]
fn the_chat_serves_the_client_of_the_readme() {
    if let Some(ended) = as_program("chat", chat::run) {
        return ended.unwrap();
    }
    let mut server = Running::this_test("the_chat_serves_the_client_of_the_readme", "chat");
    let client = of_language("js")[0];
    assert!(client.contains("http://127.0.0.1:3000"));
    let client = client.replace("127.0.0.1:3000", &server.address.to_string());

    // The first to speak hears the second.
    let first = Node::eval(&client);
    assert_eq!(first.line(), "1");
    let second = Node::eval(&client);
    assert_eq!(second.line(), "2");
    let heard = first.line();
    let (id, text) = heard.split_once(' ').unwrap();
    assert_eq!((id.len(), text), (20, "Hello?"), "{heard}");
    server.end();
}

#[test]
fn the_application_has_both_routes() {
    if let Some(ended) = as_program("mounted", mounted::run) {
        return ended.unwrap();
    }
    let mut server = Running::this_test("the_application_has_both_routes", "mounted");
    server.serves("/hello", "hello");
    server.serves(CHAT[2].0, CHAT[2].1);
    server.end();
}

#[test]
fn the_emitter_publishes_what_it_says() {
    if let Some(ended) = as_program("emitter", emitter::run) {
        return ended.unwrap();
    }
    let redis = Redis::start();
    let mut connection = hearing(&redis);
    let mut messages = connection.as_pubsub();
    messages.psubscribe("*").unwrap();
    let mut program = this_test("the_emitter_publishes_what_it_says", "emitter");
    program.env("REDIS_URL", redis.url());
    let ended = program.stdout(Stdio::null()).status().unwrap();
    assert!(ended.success());
    for (channel, event, args) in [
        (
            "socket.io#/#lobby#",
            "said",
            &["server", "Closing time."][..],
        ),
        ("socket.io#/admin#", "closed", &["lobby"]),
    ] {
        let message = messages.get_message().unwrap();
        assert_eq!(message.get_channel_name(), channel);
        let payload = Bytes::copy_from_slice(message.get_payload_bytes());
        let heard = adapter::decode(&payload).unwrap();
        assert_eq!(heard.name, event);
        let args: Vec<_> = args
            .iter()
            .map(|arg| Value::String((*arg).into()))
            .collect();
        assert_eq!(heard.args.to_values().unwrap(), args);
    }
}

/// A connection to a Redis that waits no longer than it has to for what it hears.
fn hearing(redis: &Redis) -> redis::Connection {
    let client = redis::Client::open(redis.url()).unwrap();
    let connection = client.get_connection().unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}

/// A command publishes something on this channel.
fn publishes(mut command: Command, channel: &str) {
    let redis = Redis::start();
    let mut connection = hearing(&redis);
    let mut messages = connection.as_pubsub();
    messages.psubscribe("*").unwrap();
    let ended = command.env("REDIS_URL", redis.url()).status().unwrap();
    assert!(ended.success(), "{command:?}");
    let message = messages.get_message().unwrap();
    assert_eq!(message.get_channel_name(), channel, "{command:?}");
}

fn prints(mut command: Command, text: &str) {
    let redis = Redis::start();
    let output = command.env("REDIS_URL", redis.url()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), text);
}

#[test]
fn every_command_keeps_its_promise() {
    let commands = commands();
    for (known, _) in COMMANDS {
        assert!(
            commands.contains(known),
            "the README has no `{known}` any more: delete its line in COMMANDS"
        );
    }
    let tools = ["make ", "cargo ", "npm ", "node ", "git ", "docker "];
    for code in inline_code() {
        let is_command = tools.iter().any(|tool| code.starts_with(tool));
        assert!(!is_command || commands.contains(&code), "`{code}`");
    }

    // Without a deadline: on a fresh machine these compile everything.
    for build in [
        "cargo build --release --bin greenroom",
        "cargo build --example echo",
    ] {
        assert!(in_root(build).status().unwrap().success(), "{build}");
    }
    for command in commands {
        let promise = COMMANDS.iter().find(|(known, _)| *known == command);
        let (_, promise) = promise.unwrap_or_else(|| panic!("nobody has tried `{command}`"));
        match promise {
            Promise::Serves(paths) => {
                let mut server = Running::start(in_root(command));
                for (path, start) in *paths {
                    server.serves(path, start);
                }
                server.end();
            }
            Promise::RunsAllTests => is_what_integration_does(command),
            Promise::Makes(file) => {
                assert!(in_root(command).status().unwrap().success(), "{command}");
                assert!(root().join(file).exists(), "{command}");
            }
            Promise::Publishes(channel) => publishes(in_root(command), channel),
            Promise::Prints(text) => prints(in_root(command), text),
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let of_docs = std::fs::read_dir(root().join("docs")).unwrap();
    let of_docs = of_docs.map(|file| file.unwrap().path());
    let of_docs = of_docs.filter(|file| file.extension().is_some_and(|it| it == "md"));
    let files = ["README.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name));
    for file in files.into_iter().chain(of_docs) {
        let text = std::fs::read_to_string(&file).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        for link in prose.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = match link.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor.to_owned())),
                None => (link, None),
            };
            let to = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            assert!(to.exists(), "{}: {link}", file.display());
            if anchor.is_some() {
                let there = std::fs::read_to_string(&to).unwrap();
                let leads = there.lines().any(|line| anchor_of(line) == anchor);
                assert!(leads, "{}: {link}", file.display());
            }
        }
    }
}

/// What somebody looks up there is what the program says: the texts between backticks in the first column of each table,
/// and what stands around their `…`.
#[test]
fn the_troubles_are_told_in_the_words_of_the_program() {
    let said = sources(&root().join("src")).replace("\\\"", "\"");
    let troubles = std::fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let mut n_texts = 0;
    for row in troubles.lines().filter(|line| line.starts_with("| ")) {
        let first = row.split(" | ").next().unwrap();
        for text in first.split('`').skip(1).step_by(2) {
            let text = text.trim_start_matches("disconnect: ");
            let text = text.trim_start_matches("connect_error: ");
            let error = ["\"message\":\"", "{\"error\":\""]
                .iter()
                .find_map(|before| Some(text.split_once(before)?.1))
                .unwrap_or(text);
            for part in error.trim_end_matches("\"}").split('…') {
                let part = part.trim();
                assert!(said.contains(part) || part == SYSTEM, "{part:?} of {row}");
                n_texts += 1;
            }
        }
    }
    assert!(n_texts > 20, "{n_texts}");
}

/// What the operating system says, not the program.
const SYSTEM: &str = ": Address already in use";

/// All sources below a folder, one after the other.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| match path.is_dir() {
            true => sources(&path),
            false => std::fs::read_to_string(path).unwrap(),
        })
        .collect()
}

/// The anchor of a heading, as Markdown is commonly shown.
fn anchor_of(line: &str) -> Option<String> {
    let heading = line.trim_start_matches('#').strip_prefix(' ')?;
    let is_kept = |symbol: &char| symbol.is_alphanumeric() || " -_".contains(*symbol);
    let anchor: String = heading.to_lowercase().chars().filter(is_kept).collect();
    line.starts_with('#').then(|| anchor.replace(' ', "-"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What cargo and make tell this test, and who else they start should not hear. `make run` starts what is in `target`, so
/// another folder is not passed on either.
const OF_THIS_RUN: [&str; 10] = [
    "CARGO_BIN_EXE_",
    "CARGO_CRATE_",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_TMPDIR",
    "MAKE",
    "MFLAGS",
];

/// A command line in the root of the repository, as somebody would type it there, but for the profile: a release build
/// would take minutes, and the tests have built the other.
fn in_root(line: &str) -> Command {
    let line = line.replace("--release", "--profile dev");
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if OF_THIS_RUN.iter().any(|start| name.starts_with(start)) {
            command.env_remove(&*name);
        }
    }
    command.env("RUN_PROFILE", "dev");
    command
}

/// `.ci/run` calls it, and nothing else that matters.
fn is_what_integration_does(command: &str) {
    let script = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let does: Vec<_> = script
        .lines()
        .filter(|line| {
            !["#", "set ", "cd "]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .collect();
    assert_eq!(does, [format!("exec {command}")]);

    let plan = in_root(&format!("{command} --dry-run")).output().unwrap();
    assert!(plan.status.success(), "{plan:?}");
    let plan = String::from_utf8(plan.stdout).unwrap();
    for step in [
        "cargo test",
        "cargo clippy",
        "node --test",
        "tests/nginx/",
        "pytest",
    ] {
        assert!(plan.contains(step), "{step} is not in:\n{plan}");
    }
}

#[test]
fn blocks_are_found() {
    let markdown = "Text.\n\n```sh\nmake run\n```\n\n`x`\n\n```rust\nfn f() {}\n```\n";
    let block = |language, text| Block { language, text };
    assert_eq!(
        blocks(markdown),
        [block("sh", "make run\n"), block("rust", "fn f() {}\n")]
    );
}

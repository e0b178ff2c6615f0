//! The shape of `src`: who imports whom, how long files are, and what stays in one place.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The modules from the bottom to the top, each with the reason for its place. Imports go downward.
const LAYERS: &[(&str, &str)] = &[
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
const UPWARD: &[(&str, &str, &str)] = &[
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

/// Files that have a second subject still: to be split, and no model for others. They may not grow.
const TOO_LONG: &[(&str, usize)] = &[];

const LONGEST: usize = 500;

/// Crates that only some files may name, with the reason.
const CONFINED: &[(&str, &[&str], &str)] = &[
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
const IMPURE: &[&str] = &[
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

/// A source file without its tests and comments.
struct Source {
    /// Below `src`.
    path: String,
    text: String,
    code: String,
    n_lines: usize,
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files below a folder that end in `.rs`, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// All files of `src` that are not tests.
fn sources() -> Vec<Source> {
    let all: Vec<(String, String)> = rust_files(&src())
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let path = path
                .strip_prefix(src())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (path, text)
        })
        .collect();
    let tests: Vec<String> = all
        .iter()
        .flat_map(|(path, text)| test_modules(path, text))
        .collect();
    let is_test = |path: &str| {
        let module = path.trim_end_matches(".rs");
        tests
            .iter()
            .any(|test| module == test || module.starts_with(&format!("{test}/")))
    };
    all.into_iter()
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| {
            let shipped = without_tests(&text);
            Source {
                path,
                n_lines: shipped.lines().count(),
                code: without_comments(shipped),
                text,
            }
        })
        .collect()
}

/// The files that a file declares as `#[cfg(test)] mod name;`, without their ending.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let folder = match path.strip_suffix("mod.rs") {
        Some(folder) => folder.to_owned(),
        None => format!("{}/", path.trim_end_matches(".rs")),
    };
    let mut found = Vec::new();
    for rest in text.split("#[cfg(test)]\nmod ").skip(1) {
        if let Some((name, _)) = rest.split_once([';', '{'])
            && rest[name.len()..].starts_with(';')
        {
            found.push(format!("{folder}{name}"));
        }
    }
    found
}

/// What is above the inline tests.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {")
        .map_or(text, |end| &text[..=end])
}

fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line.split_once(" // ").map_or(line, |(code, _)| code), "\n"])
        .collect()
}

/// The first identifier of a text.
fn identifier(text: &str) -> &str {
    let is_part = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    &text[..text.find(|symbol| !is_part(symbol)).unwrap_or(text.len())]
}

/// The first identifiers of a path's end: one, or those of a group in braces.
fn heads(text: &str) -> Vec<&str> {
    let Some(group) = text.strip_prefix('{') else {
        return vec![identifier(text)];
    };
    let (mut depth, mut is_start, mut heads) = (1, true, Vec::new());
    for (at, symbol) in group.char_indices() {
        match symbol {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => is_start = true,
            symbol if depth == 1 && is_start && !symbol.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                is_start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// What a file takes from the root of the crate, by `crate::` or by enough `super::`.
fn from_root(source: &Source) -> BTreeSet<&str> {
    let module = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = module.split('/').count();
    let code = &source.code;
    let by_crate = code
        .match_indices("crate::")
        .map(|(at, word)| (at, at + word.len()));
    let to_root = "super::".repeat(depth);
    let by_super = code
        .match_indices(&to_root)
        .map(|(at, word)| (at, at + word.len()));
    by_crate
        .chain(by_super)
        .filter(|(start, _)| {
            !code[..*start]
                .ends_with(|symbol: char| symbol.is_alphanumeric() || "_$:".contains(symbol))
        })
        .flat_map(|(_, end)| heads(&code[end..]))
        .collect()
}

/// `lib.rs`: its modules, and which of them each re-exported name is from.
struct Root {
    modules: BTreeSet<String>,
    names: BTreeMap<String, String>,
}

impl Root {
    fn read() -> Self {
        let code = without_comments(&fs::read_to_string(src().join("lib.rs")).unwrap());
        let modules = code
            .lines()
            .filter_map(|line| {
                line.strip_prefix("pub ")
                    .unwrap_or(line)
                    .strip_prefix("mod ")
            })
            .map(|name| identifier(name).to_owned())
            .collect();
        let mut names = BTreeMap::new();
        for statement in code.split("\npub use ").skip(1) {
            let tree = statement.split(';').next().unwrap_or_default();
            let leaves = tree.split(['{', ',', '}']).map(str::trim);
            for leaf in leaves.filter(|leaf| !leaf.is_empty() && !leaf.ends_with("::")) {
                let name = leaf.rsplit([':', ' ']).next().unwrap_or_default();
                names.insert(name.to_owned(), identifier(tree).to_owned());
            }
        }
        Self { modules, names }
    }

    fn module_of<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.modules.contains(name) {
            return Some(name);
        }
        self.names.get(name).map(String::as_str)
    }
}

/// The module below the root that a file belongs to.
fn module(path: &str) -> &str {
    identifier(path)
}

fn place(module: &str) -> usize {
    let place = LAYERS.iter().position(|(name, _)| *name == module);
    place.unwrap_or_else(|| panic!("`{module}` has no place in LAYERS"))
}

#[test]
fn imports_go_downward() {
    let root = Root::read();
    let mut upward = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in sources() {
        let from = module(&source.path);
        if from == "lib" || is_binary(&source) {
            continue;
        }
        for name in from_root(&source) {
            let Some(to) = root.module_of(name) else {
                wrong.push(format!("{}: what is `crate::{name}`?", source.path));
                continue;
            };
            if place(to) <= place(from) {
                continue;
            }
            upward.insert((from.to_owned(), to.to_owned()));
            if !UPWARD
                .iter()
                .any(|(lower, upper, _)| (*lower, *upper) == (from, to))
            {
                wrong.push(format!(
                    "{}: `{from}` may not import `{to}` (`{name}`)",
                    source.path
                ));
            }
        }
    }
    for (lower, upper, _) in UPWARD {
        if !upward.contains(&((*lower).to_owned(), (*upper).to_owned())) {
            wrong.push(format!(
                "nobody in `{lower}` imports `{upper}` any more: delete the line in UPWARD"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_place() {
    let listed: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    let root = Root::read();
    let there: BTreeSet<&str> = root.modules.iter().map(String::as_str).collect();
    assert_eq!(listed, there);
}

#[test]
fn the_protocol_and_the_configuration_know_nobody() {
    for source in sources() {
        let from = module(&source.path);
        if ["protocol", "config", "metrics"].contains(&from) {
            let names = from_root(&source);
            assert!(
                names.iter().all(|name| *name == from),
                "{} imports {names:?}",
                source.path
            );
        }
    }
}

#[test]
fn the_protocol_is_pure() {
    for source in sources()
        .iter()
        .filter(|source| module(&source.path) == "protocol")
    {
        for word in IMPURE {
            assert!(!names(&source.code, word), "{} names `{word}`", source.path);
        }
    }
}

#[test]
fn handlers_use_the_public_face_alone() {
    let root = Root::read();
    for source in sources()
        .iter()
        .filter(|source| module(&source.path) == "handlers")
    {
        for name in from_root(source) {
            let is_public = name == "prelude" || root.names.contains_key(name);
            assert!(is_public, "{} takes `crate::{name}`", source.path);
        }
    }
}

/// Whether a file belongs to the program and not to the library.
fn is_binary(source: &Source) -> bool {
    ["main", "cli"].contains(&module(&source.path))
}

#[test]
fn the_binary_uses_the_public_face_alone() {
    // Without modules of the library, all that a binary can reach of the crate is what is public.
    for source in sources().iter().filter(|source| is_binary(source)) {
        let Source { path, code, .. } = source;
        let modules: Vec<&str> = code
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("mod "))
            .map(identifier)
            .collect();
        let is_main = path == "main.rs";
        assert!(!is_main || modules == ["cli"], "{path}: {modules:?}");
        let is_plain = !code.contains("include!") && !code.contains("#[path");
        assert!(is_plain, "{path} takes code from elsewhere");
        // Clients that load servers of any kind are no part of one.
        let is_client = path.starts_with("cli/bench/");
        assert!(
            is_client || names(code, "greenroom"),
            "{path} does without the crate"
        );
    }
}

#[test]
fn some_crates_are_known_in_one_place() {
    for (word, places, reason) in CONFINED {
        let (inside, outside): (Vec<_>, Vec<_>) = sources()
            .into_iter()
            .filter(|source| names(&source.code, word))
            .map(|source| source.path)
            .partition(|path| places.iter().any(|place| path.starts_with(place)));
        assert!(outside.is_empty(), "{outside:?} name `{word}`; {reason}");
        assert!(
            !inside.is_empty(),
            "nobody names `{word}` any more: delete the line in CONFINED"
        );
    }
}

/// Whether code names a crate or a path, not as a part of a longer name.
fn names(code: &str, word: &str) -> bool {
    let is_part = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    code.match_indices(word).any(|(at, _)| {
        let is_longer = word.ends_with(is_part) && code[at + word.len()..].starts_with(is_part);
        !code[..at].ends_with(is_part) && !is_longer
    })
}

/// All crates and their features, as cargo builds them along these edges.
fn built_of(edges: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["tree", "--locked", "--prefix=none", "--format={p} {f}"]);
    let output = cargo.args(["--edges", edges]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

#[test]
fn tests_change_nothing_of_what_the_server_is_built_of() {
    // Otherwise cargo builds most of it twice, for tests and for those who run it, and what is tested is not what is run.
    let (server, with_tests) = (built_of("normal,build"), built_of("normal,build,dev"));
    assert!(server.len() < with_tests.len());
    let changed: Vec<_> = server.difference(&with_tests).collect();
    assert_eq!(changed, [""; 0], "tests build these with other features");
}

#[test]
fn files_end_before_a_second_subject() {
    let mut wrong = Vec::new();
    let sources = sources();
    for (known, _) in TOO_LONG {
        if !sources.iter().any(|source| source.path == *known) {
            wrong.push(format!("{known} is gone: delete the line in TOO_LONG"));
        }
    }
    for Source { path, n_lines, .. } in sources {
        let known = TOO_LONG.iter().find(|(name, _)| *name == path);
        match known {
            Some((_, most)) if n_lines > *most => {
                wrong.push(format!("{path} has grown to {n_lines} lines"));
            }
            Some(_) if n_lines <= LONGEST => {
                wrong.push(format!("{path} is short now: delete the line in TOO_LONG"));
            }
            None if n_lines > LONGEST => wrong.push(format!(
                "{path} has {n_lines} lines without tests: split it"
            )),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_lives_in_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "examples", "tests"] {
        for path in rust_files(&root.join(folder))
            .iter()
            .filter(|path| !is_installed(path))
        {
            let text = fs::read_to_string(path).unwrap();
            assert!(
                text.starts_with("//! "),
                "{} does not begin with `//!`",
                path.display()
            );
        }
    }
    // Files that tests leave out above are files of this crate too.
    assert!(
        sources()
            .iter()
            .all(|source| source.text.starts_with("//! "))
    );
}

fn is_installed(path: &Path) -> bool {
    let installed = ["node_modules", ".venv", ".node"];
    path.components()
        .any(|part| installed.iter().any(|name| part.as_os_str() == *name))
}

#[test]
fn heads_of_paths_are_found() {
    for (text, expected) in [
        ("hub::Seat;", vec!["hub"]),
        (
            "{hub::{Seat, Link}, Server, http::{self}};",
            vec!["hub", "Server", "http"],
        ),
        ("{\n    Ack, Args,\n};", vec!["Ack", "Args"]),
        ("Server {", vec!["Server"]),
    ] {
        assert_eq!(heads(text), expected);
    }
}

#[test]
fn imports_are_found_in_any_form() {
    let source = |path: &str, code: &str| Source {
        path: path.to_owned(),
        text: String::new(),
        code: without_comments(without_tests(code)),
        n_lines: 0,
    };
    for (path, code, expected) in [
        (
            "hub/mod.rs",
            "use crate::session;\nlet x = crate::http::x();",
            vec!["http", "session"],
        ),
        ("hub/mod.rs", "use super::session::Seat;", vec!["session"]),
        (
            "hub/seat.rs",
            "use super::session;\nuse super::super::{http, engine::X};",
            vec!["engine", "http"],
        ),
        (
            "engine.rs",
            "pub(super) fn f() {} use super::hub;",
            vec!["hub"],
        ),
        (
            "hub/mod.rs",
            "/// [`crate::Server`]\npub(crate) fn f() {} // crate::http::x\n// crate::http::x",
            vec![],
        ),
        (
            "hub/mod.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::http;\n}",
            vec![],
        ),
    ] {
        let found: Vec<_> = from_root(&source(path, code))
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        assert_eq!(found, expected, "{code}");
    }
}

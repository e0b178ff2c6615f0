//! The shape of `src`: who imports whom, how long files are, and what stays in one place.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where"
)]

mod layers;
mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use layers::{CONFINED, IMPURE, LAYERS, LONGEST, UPWARD};
use sources::{
    Root, Source, from_root, heads, identifier, rust_files, sources, without_comments,
    without_tests,
};

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
    let mut lengths: Vec<(String, usize)> = sources()
        .into_iter()
        .map(|source| (format!("src/{}", source.path), source.n_lines))
        .collect();
    for path in files_of(&["examples", "tests"]) {
        let n_lines = fs::read_to_string(&path).unwrap().lines().count();
        lengths.push((path.display().to_string(), n_lines));
    }
    lengths.retain(|(_, n_lines)| *n_lines > LONGEST);
    assert_eq!(lengths, [], "split these");
}

#[test]
fn every_file_says_what_lives_in_it() {
    for path in files_of(&["src", "examples", "tests"]) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//! "),
            "{} does not begin with `//!`",
            path.display()
        );
    }
    // Files that tests leave out above are files of this crate too.
    assert!(
        sources()
            .iter()
            .all(|source| source.text.starts_with("//! "))
    );
}

/// All files in Rust below these folders, but for what was installed.
fn files_of(folders: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = folders
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)));
    all.filter(|path| !is_installed(path)).collect()
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

//! The files of `src`, and what they import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file without its tests and comments.
pub(crate) struct Source {
    /// Below `src`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
    pub(crate) n_lines: usize,
}

pub(crate) fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files below a folder that end in `.rs`, sorted.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
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
pub(crate) fn sources() -> Vec<Source> {
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
pub(crate) fn test_modules(path: &str, text: &str) -> Vec<String> {
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
pub(crate) fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {")
        .map_or(text, |end| &text[..=end])
}

pub(crate) fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line.split_once(" // ").map_or(line, |(code, _)| code), "\n"])
        .collect()
}

/// The first identifier of a text.
pub(crate) fn identifier(text: &str) -> &str {
    let is_part = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    &text[..text.find(|symbol| !is_part(symbol)).unwrap_or(text.len())]
}

/// The first identifiers of a path's end: one, or those of a group in braces.
pub(crate) fn heads(text: &str) -> Vec<&str> {
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
pub(crate) fn from_root(source: &Source) -> BTreeSet<&str> {
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
pub(crate) struct Root {
    pub(crate) modules: BTreeSet<String>,
    pub(crate) names: BTreeMap<String, String>,
}

impl Root {
    pub(crate) fn read() -> Self {
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

    pub(crate) fn module_of<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.modules.contains(name) {
            return Some(name);
        }
        self.names.get(name).map(String::as_str)
    }
}

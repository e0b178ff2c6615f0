//! The commented file: every key with its default, and the reference that is made of it.

use super::Config;

/// The file that ships, which documents the defaults; the program turns recovery on in it.
const SHIPPED: &str = include_str!("../../config.toml");

impl Config {
    /// A file with every key, its meaning and its default; [`Config::from_toml`] makes [`Config::default`] of it.
    #[must_use]
    pub fn commented() -> String {
        SHIPPED.replace(", but for recovery.enabled;", ";").replace(
            "; on here, for the chat.\nenabled = true",
            ".\nenabled = false",
        )
    }

    /// The reference of the configuration, in Markdown: `docs/configuration.md`.
    #[must_use]
    pub fn reference() -> String {
        let mut pages = Pages::default();
        Self::commented().lines().for_each(|line| pages.line(line));
        pages.finish()
    }
}

/// The reference as far as it has been written.
#[derive(Default)]
struct Pages {
    text: String,
    section: String,
    /// There may be several of it; no variable sets a key of one.
    is_list: bool,
    /// The last comment, whose subject has not come yet.
    comment: Vec<String>,
    /// Keys that share a comment: each with what follows its `=`, and whether that is an example.
    keys: Vec<(String, String, bool)>,
    /// The comment of these keys.
    meaning: Vec<String>,
}

impl Pages {
    fn line(&mut self, line: &str) {
        let (is_comment, content) = match line.strip_prefix('#') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, line),
        };
        if let Some(section) = section(content) {
            self.flush();
            self.is_list = content.starts_with("[[");
            self.section(section);
        } else if let Some((key, value)) = key(content) {
            if !self.comment.is_empty() {
                self.flush();
                self.meaning = std::mem::take(&mut self.comment);
            }
            self.keys
                .push((key.to_owned(), value.to_owned(), is_comment));
        } else if is_comment {
            // `<sid>` would be taken for HTML.
            self.comment.push(content.replace('<', "&lt;"));
        } else if self.section.is_empty() {
            self.paragraphs();
        }
    }

    fn section(&mut self, section: &str) {
        self.text += &format!("\n## [{section}]\n");
        section.clone_into(&mut self.section);
        self.paragraphs();
    }

    /// What was said before a section.
    fn paragraphs(&mut self) {
        let comment = std::mem::take(&mut self.comment);
        for paragraph in comment.split(String::is_empty) {
            if !paragraph.is_empty() {
                self.text += &format!("\n{}\n", paragraph.join("\n"));
            }
        }
    }

    fn flush(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let keys = std::mem::take(&mut self.keys);
        let names: Vec<String> = keys
            .iter()
            .map(|(key, ..)| format!("`{}.{key}`", self.section))
            .collect();
        let defaults: Vec<String> = keys
            .iter()
            .map(|(_, value, is_example)| match is_example {
                true => format!("none; an example: `{value}`"),
                false => format!("`{value}`"),
            })
            .collect();
        let variables: Vec<String> = keys
            .iter()
            .map(|(key, ..)| {
                let section = self.section.replace('.', "__");
                format!("`GREENROOM_{section}__{key}`").to_ascii_uppercase()
            })
            .collect();
        let meaning = std::mem::take(&mut self.meaning).join("\n");
        self.text += &format!(
            "\n### {}\n\n{}\n\nDefault: {}.",
            names.join(", "),
            meaning.trim_start_matches("... "),
            defaults.join(", "),
        );
        self.text += &match self.is_list {
            true => "\n".to_owned(),
            false => format!(" Variable: {}.\n", variables.join(", ")),
        };
    }

    fn finish(mut self) -> String {
        self.flush();
        let head = "# Configuration\n\n<!-- Made of config.toml: greenroom genconfig --markdown > docs/configuration.md -->\n";
        // What the file says about itself is true of this page, but for its name.
        format!("{head}{}", self.text)
            .replace("Greenroom's settings. ", "The settings in `config.toml`. ")
    }
}

fn section(text: &str) -> Option<&str> {
    let name = text.strip_prefix('[')?.strip_suffix(']')?;
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    Some(inner.unwrap_or(name))
}

fn key(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(" = ")?;
    let is_key = key
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_key.then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_is_the_defaults() {
        assert_eq!(
            Config::from_toml(&Config::commented()).unwrap(),
            Config::default()
        );
    }

    #[test]
    fn the_reference_in_the_documentation_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        let how = "cargo run -- genconfig --markdown > docs/configuration.md";
        assert!(
            written == Config::reference(),
            "docs/configuration.md is old: {how}"
        );
    }

    #[test]
    fn every_key_has_an_entry_with_its_meaning() {
        let reference = Config::reference();
        let mut section = String::new();
        for line in Config::commented().lines() {
            let line = line.trim_start_matches("# ");
            if let Some(found) = super::section(line) {
                found.clone_into(&mut section);
            } else if let Some((key, _)) = key(line) {
                assert!(
                    reference.contains(&format!("`{section}.{key}`")),
                    "{section}.{key}"
                );
            }
        }
        for entry in reference.split("\n### ").skip(1) {
            let meaning = entry.lines().nth(2).unwrap_or_default();
            assert!(
                !meaning.is_empty() && !meaning.starts_with("Default"),
                "{entry}"
            );
        }
    }
}

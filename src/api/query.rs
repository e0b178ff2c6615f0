//! The parameters of queries.

use percent_encoding::percent_decode_str;

use super::problem::{Kind, Problem};

/// The parameters of a query, decoded. None is there that the path does not know.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut found = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            if !known.contains(&name.as_str()) {
                let known = match known {
                    [] => "there are none here".to_owned(),
                    known => format!("those of this path are {}", known.join(", ")),
                };
                return Err(malformed(&name, format!("is unknown: {known}")));
            }
            found.push((name, decoded(value)?));
        }
        Ok(Self(found))
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(known, _)| known == name);
        values.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is there once or not at all.
    pub(super) fn one<'a>(&'a self, name: &str) -> Result<Option<&'a str>, Problem> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(malformed(name, "is there twice")),
        }
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Problem> {
        match self.one(name)? {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(malformed(name, "is neither `true` nor `false`")),
        }
    }

    /// The namespace that is meant.
    pub(super) fn namespace(&self) -> Result<&str, Problem> {
        Ok(self.one("namespace")?.unwrap_or("/"))
    }

    /// How many there may be on a page.
    pub(super) fn limit(&self, most: usize) -> Result<usize, Problem> {
        const DEFAULT: usize = 100;
        let Some(text) = self.one("limit")? else {
            return Ok(DEFAULT.min(most));
        };
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(malformed("limit", "is not a number"));
        }
        match text.parse() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(Problem::invalid(format!("limit: the range is 1 to {most}"))),
        }
    }
}

fn malformed(name: &str, problem: impl AsRef<str>) -> Problem {
    let problem = problem.as_ref();
    Problem::new(Kind::Malformed, format!("the parameter `{name}` {problem}"))
        .with("parameter", name)
}

/// A part of a query: `+` is a blank, as forms write it.
fn decoded(text: &str) -> Result<String, Problem> {
    let text = text.replace('+', " ");
    path_part(&text)
        .ok_or_else(|| Problem::new(Kind::Malformed, "a parameter is not UTF-8".to_owned()))
}

/// A part of a path.
pub(super) fn path_part(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, Problem> {
        Query::parse(query, &["a", "limit", "namespace", "flag"])
    }

    #[test]
    fn parameters_are_decoded() {
        let query = parse("a=%C3%A9+%2B&a&&limit=7&flag=false").unwrap();
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["é +", ""]);
        assert_eq!(query.limit(10).unwrap(), 7);
        assert_eq!(query.namespace().unwrap(), "/");
        assert!(!query.flag("flag", true).unwrap());
        assert_eq!(parse("").unwrap().limit(1000).unwrap(), 100);
        assert_eq!(parse("").unwrap().limit(10).unwrap(), 10);
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_name() {
        let read = |query: &str| {
            let query = parse(query)?;
            query.one("a")?;
            query.flag("flag", true)?;
            query.limit(1000)
        };
        for (query, status, part) in [
            (
                "b=1",
                400,
                "`b` is unknown: those of this path are a, limit",
            ),
            ("a=1&a=2", 400, "`a` is there twice"),
            ("flag=1", 400, "`flag` is neither"),
            ("limit=x", 400, "`limit` is not a number"),
            ("limit=", 400, "`limit` is not a number"),
            ("limit=-1", 400, "`limit` is not a number"),
            ("limit=0", 422, "1 to 1000"),
            ("limit=1001", 422, "1 to 1000"),
            ("limit=99999999999999999999999", 422, "1 to 1000"),
            ("a=%ff", 400, "not UTF-8"),
        ] {
            let problem = read(query).expect_err(query);
            assert_eq!(problem.status(), status, "{query}");
            assert!(problem.detail().contains(part), "{}", problem.detail());
        }
    }
}

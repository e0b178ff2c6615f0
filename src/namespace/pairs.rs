//! Names with values, in one piece of memory.

use std::iter;

/// What a session remembers as long as it lives: a piece of memory for each name and value would cost more than the
/// text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(Box<[u8]>);

impl Pairs {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        iter::from_fn(move || Some((text(&mut rest)?, text(&mut rest)?)))
    }

    /// The first value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Pairs {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            for text in [name.as_ref(), value.as_ref()] {
                // Nobody sends 4 GiB; who makes them up has them cut off.
                let len = u32::try_from(text.len()).unwrap_or(0);
                bytes.extend_from_slice(&len.to_ne_bytes());
                bytes.extend_from_slice(text.as_bytes().get(..len as usize).unwrap_or_default());
            }
        }
        Self(bytes.into())
    }
}

/// Takes a text, its length before it, off the front.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (len, behind) = rest.split_first_chunk()?;
    let (text, behind) = behind.split_at_checked(u32::from_ne_bytes(*len) as usize)?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_comes_out() {
        let given = [("host", "a"), ("empty", ""), ("", "é 😀\0"), ("host", "b")];
        let pairs: Pairs = given.into_iter().collect();
        assert!(pairs.iter().eq(given));
        assert_eq!(pairs.get("host"), Some("a"));
        assert_eq!(pairs.get("empty"), Some(""));
        assert_eq!(pairs.get("Host"), None);
        assert_eq!(Pairs::default().iter().next(), None);
    }
}

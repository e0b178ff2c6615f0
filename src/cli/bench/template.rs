//! Texts with gaps: what clients send differs from one to the other.

use serde_json::Value;

/// JSON with gaps, which are filled for each message or client.
///
/// | gap | filled with |
/// |---|---|
/// | `{client}` | the number of the client, from 0 |
/// | `{room}` | the room: `bench-0` and so on |
/// | `{id}` | something that no other message has, of letters, digits and `-` |
/// | `{payload}` | the payload |
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Gap(Gap),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    Number,
    Room,
    Id,
    Payload,
}

const GAPS: &[(&str, Gap)] = &[
    ("{client}", Gap::Number),
    ("{room}", Gap::Room),
    ("{id}", Gap::Id),
    ("{payload}", Gap::Payload),
];

/// What is filled in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filling<'a> {
    pub(super) n: usize,
    pub(super) room: &'a str,
    pub(super) id: &'a str,
    pub(super) payload: &'a str,
}

/// What a template is judged with.
const SAMPLE: Filling<'_> = Filling {
    n: 0,
    room: "room",
    id: "id",
    payload: "payload",
};

impl Template {
    /// The text of a JSON object, if it is one when it is filled.
    pub(super) fn object(text: &str) -> Option<Self> {
        let template = Self::parse(text);
        let filled = template.fill(&SAMPLE);
        let is_object = matches!(serde_json::from_str(&filled), Ok(Value::Object(_)));
        is_object.then_some(template)
    }

    /// The payload of an event: its name, and its arguments as the text of a JSON array. `None` if they are none.
    pub(super) fn event(name: &str, args: &str) -> Option<Self> {
        let filled = Self::parse(args).fill(&SAMPLE);
        let Ok(Value::Array(values)) = serde_json::from_str(&filled) else {
            return None;
        };
        let name = Value::from(name);
        // An array, so it has its brackets.
        let inner = args.trim().get(1..)?.strip_suffix(']')?;
        Some(match values.is_empty() {
            true => Self::parse(&format!("[{name}]")),
            false => Self::parse(&format!("[{name},{inner}]")),
        })
    }

    fn parse(mut text: &str) -> Self {
        let mut parts = Vec::new();
        // Braces that are no gap are JSON.
        while let Some((at, word, gap)) = GAPS
            .iter()
            .filter_map(|&(word, gap)| Some((text.find(word)?, word, gap)))
            .min_by_key(|&(at, ..)| at)
        {
            parts.push(Part::Text(text[..at].to_owned()));
            parts.push(Part::Gap(gap));
            text = &text[at + word.len()..];
        }
        parts.push(Part::Text(text.to_owned()));
        Self(parts)
    }

    pub(super) fn has_payload(&self) -> bool {
        self.0.contains(&Part::Gap(Gap::Payload))
    }

    pub(super) fn fill(&self, filling: &Filling<'_>) -> String {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Gap(Gap::Number) => filled.push_str(&filling.n.to_string()),
                Part::Gap(Gap::Room) => filled.push_str(filling.room),
                Part::Gap(Gap::Id) => filled.push_str(filling.id),
                Part::Gap(Gap::Payload) => filled.push_str(filling.payload),
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILLING: Filling<'_> = Filling {
        n: 7,
        room: "bench-1",
        id: "a-b",
        payload: "xxx",
    };

    #[test]
    fn events_are_filled() {
        for (args, expected) in [
            ("[]", r#"["say"]"#),
            (" [ ] ", r#"["say"]"#),
            (r#"["{payload}"]"#, r#"["say","xxx"]"#),
            (
                r#" [{"room":"{room}","id":"{id}","n":{client}}, 1] "#,
                r#"["say",{"room":"bench-1","id":"a-b","n":7}, 1]"#,
            ),
            (
                r#"["{other}","{client}{client}"]"#,
                r#"["say","{other}","77"]"#,
            ),
        ] {
            let template = Template::event("say", args).unwrap();
            assert_eq!(template.fill(&FILLING), expected, "{args}");
        }
        let quoted = Template::event("a\"b", "[]").unwrap();
        assert_eq!(quoted.fill(&FILLING), r#"["a\"b"]"#);
    }

    #[test]
    fn what_is_not_json_of_that_kind_is_none() {
        for args in ["", "{}", "[", "[{room}]", "\"{payload}\"", "[] []"] {
            assert_eq!(Template::event("say", args), None, "{args}");
        }
        for object in ["", "[]", "{token}", "{\"token\":}"] {
            assert_eq!(Template::object(object), None, "{object}");
        }
    }

    #[test]
    fn objects_are_filled() {
        let template = Template::object(r#"{"token":"user-{client}"}"#).unwrap();
        assert_eq!(template.fill(&FILLING), r#"{"token":"user-7"}"#);
    }
}

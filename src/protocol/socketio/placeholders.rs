//! The objects that stand for attachments in JSON text: finding, checking, renumbering.

use std::fmt::Write;

use bytes::Bytes;

use super::{
    json,
    json_tokens::{Token, Tokens},
};

/// What a container of a JSON text holds, in the order in which containers open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// Array items, or members of an object.
    Items(u32),
    /// An object that stands for the attachment of this number.
    Placeholder(usize),
}

/// All containers of a text.
pub(super) struct Containers {
    pub(super) found: Vec<Container>,
    /// Whether every placeholder has a `num` that refers to an attachment. What is inside another placeholder does not
    /// count, since it is replaced together with it.
    pub(super) are_legal: bool,
}

/// Counts the items of every container and finds the placeholders.
///
/// With `n_attachments` = 0 nothing is a placeholder: objects that look like one are ordinary, as in the reference.
///
/// **Source** `_reconstructPacket` in `packages/socket.io-parser/lib/binary.ts`. One difference: a fractional `num` is
/// illegal here and gives `undefined` there.
pub(super) fn containers(text: &str, n_attachments: usize) -> Containers {
    let mut found = Vec::new();
    let mut open: Vec<Frame> = Vec::new();
    let mut illegal = false;
    for token in Tokens::new(text) {
        let (ended, illegal_inside) = match token {
            Token::Key(key) => {
                if let Some(frame) = open.last_mut() {
                    frame.slot = if n_attachments == 0 {
                        Slot::Other
                    } else {
                        Slot::of(key)
                    };
                }
                continue;
            }
            Token::ArrayStart | Token::ObjectStart => {
                open.push(Frame::new(found.len()));
                found.push(Container::Items(0));
                continue;
            }
            Token::ArrayEnd | Token::ObjectEnd => {
                let Some(frame) = open.pop() else { break };
                let mut illegal_inside = frame.illegal_inside;
                let mut container = Container::Items(frame.n_items);
                if frame.placeholder {
                    match frame.num.filter(|num| *num < n_attachments) {
                        Some(num) => {
                            (container, illegal_inside) = (Container::Placeholder(num), false);
                        }
                        None => illegal_inside = true,
                    }
                }
                if let Some(place) = found.get_mut(frame.place) {
                    *place = container;
                }
                (Token::Null, illegal_inside)
            }
            Token::Str(_) | Token::Number(_) | Token::True | Token::False | Token::Null => {
                (token, false)
            }
        };
        match open.last_mut() {
            Some(frame) => frame.take(ended, illegal_inside),
            None => illegal |= illegal_inside,
        }
    }
    Containers {
        found,
        are_legal: !illegal,
    }
}

/// An open container while [`containers`] is inside it.
struct Frame {
    place: usize,
    n_items: u32,
    slot: Slot,
    placeholder: bool,
    num: Option<usize>,
    illegal_inside: bool,
}

impl Frame {
    fn new(place: usize) -> Self {
        Self {
            place,
            n_items: 0,
            slot: Slot::Other,
            placeholder: false,
            num: None,
            illegal_inside: false,
        }
    }

    /// Takes note of one finished item. The last of several equal keys wins, as in JavaScript.
    fn take(&mut self, item: Token<'_>, illegal_inside: bool) {
        self.n_items = self.n_items.saturating_add(1);
        self.illegal_inside |= illegal_inside;
        match self.slot {
            Slot::Placeholder => self.placeholder = item == Token::True,
            Slot::Num => {
                self.num = match item {
                    Token::Number(num) => whole(num),
                    _ => None,
                };
            }
            Slot::Other => {}
        }
        self.slot = Slot::Other;
    }
}

/// Which member of an object comes next.
#[derive(Clone, Copy)]
enum Slot {
    Placeholder,
    Num,
    Other,
}

impl Slot {
    fn of(key: &str) -> Self {
        match &*json::unescape(key) {
            "_placeholder" => Self::Placeholder,
            "num" => Self::Num,
            _ => Self::Other,
        }
    }
}

/// A small whole number in any JSON spelling (`1`, `1.0`, `1e0`).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and in range"
)]
fn whole(number: &str) -> Option<usize> {
    if let Ok(num) = number.parse() {
        return Some(num);
    }
    let float: f64 = number.parse().ok()?;
    (float.fract() == 0.0 && (0.0..4e9).contains(&float)).then_some(float as usize)
}

/// A part of a text with placeholders, and of the attachments only those it refers to, numbered anew.
pub(super) fn renumbered(text: &str, attachments: &[Bytes]) -> (String, Vec<Bytes>) {
    let mut containers = containers(text, attachments.len()).found.into_iter();
    let (mut out, mut kept) = (String::with_capacity(text.len()), Vec::new());
    let mut copied = 0;
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        if !matches!(token, Token::ArrayStart | Token::ObjectStart) {
            continue;
        }
        if let Some(Container::Placeholder(num)) = containers.next() {
            out.push_str(text.get(copied..tokens.start).unwrap_or_default());
            let n_inside = tokens.leave();
            containers.by_ref().take(n_inside).for_each(drop);
            copied = tokens.at;
            push(&mut out, kept.len());
            kept.extend(attachments.get(num).cloned());
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    (out, kept)
}

/// A text in which each placeholder is what `JSON.stringify` makes of the `Buffer` it stands for.
pub(super) fn as_buffers(text: &str, attachments: &[Bytes]) -> String {
    let mut containers = containers(text, attachments.len()).found.into_iter();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        if !matches!(token, Token::ArrayStart | Token::ObjectStart) {
            continue;
        }
        if let Some(Container::Placeholder(num)) = containers.next() {
            out.push_str(text.get(copied..tokens.start).unwrap_or_default());
            let n_inside = tokens.leave();
            containers.by_ref().take(n_inside).for_each(drop);
            copied = tokens.at;
            push_buffer(&mut out, attachments.get(num).map_or(&[], |bytes| bytes));
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// Appends bytes as `JSON.stringify` writes a `Buffer`.
pub(in crate::protocol) fn push_buffer(out: &mut String, bytes: &[u8]) {
    out.push_str(r#"{"type":"Buffer","data":["#);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte}");
    }
    out.push_str("]}");
}

/// Appends the object that stands for an attachment.
pub(super) fn push(out: &mut String, num: usize) {
    // Writing to a string cannot fail.
    let _ = write!(out, r#"{{"_placeholder":true,"num":{num}}}"#);
}

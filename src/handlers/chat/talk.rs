//! Talking: messages with text and pictures, what becomes of them, typing, and reading what was said before.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::history::{Image, Message, Page};
use super::limits::{Pace, RECEIPT_TIMEOUT, SENT};
use super::messages::{
    Before, Conv, Delivery, Picture, Receipt, Refused, Say, Typing, Which, parse, picture_bytes,
};
use super::people::PersonId;
use super::sent::Posted;
use super::{Chat, Who, check, images, room_of, user_of};
use crate::prelude::{Args, Binary, Room};

/// What is about to be said.
struct Draft {
    say: Say,
    picture: Option<(&'static str, Bytes)>,
}

impl Chat {
    /// `say`: a message.
    pub(super) fn say(&mut self, who: &Who<'_>, args: &Args) -> Result<Posted, Refused> {
        let parsed = parse::<(Say,)>(args);
        let say = self.first_time(who, parsed.map(|(say,)| say))?;
        match say {
            Sending::Again(posted) => Ok(posted),
            Sending::First(say) => self.post(who, Draft { say, picture: None }),
        }
    }

    /// `show`: a message with a picture; the text may be empty.
    pub(super) fn show(&mut self, who: &Who<'_>, args: &Args) -> Result<Posted, Refused> {
        let parsed = parse::<(Say, Binary)>(args);
        let parsed = parsed.and_then(|(say, binary)| Ok((say, picture_bytes(binary)?)));
        let (say, bytes) = match parsed {
            Ok((say, bytes)) => (Ok(say), bytes),
            Err(refused) => (Err(refused), Bytes::new()),
        };
        let say = match self.first_time(who, say)? {
            Sending::Again(posted) => return Ok(posted),
            Sending::First(say) => say,
        };
        let max = self.limits.image_bytes;
        if bytes.len() > max {
            let message = format!("The limit for a picture is {max} bytes.");
            return Err(Refused::new("image_too_large", message).with_limit(max));
        }
        let mime = images::kind(&bytes).ok_or_else(|| {
            let message = "This is no PNG, JPEG, GIF or WebP picture.";
            Refused::new("image_type", message).with_types(self.limits.image_types)
        })?;
        let picture = Some((mime, bytes));
        self.post(who, Draft { say, picture })
    }

    /// Looks up a message by its id: what was sent before gets the same answer, and what was not counts.
    fn first_time(
        &mut self,
        who: &Who<'_>,
        parsed: Result<Say, Refused>,
    ) -> Result<Sending, Refused> {
        let known = parsed.as_ref().ok().and_then(|say| {
            let person = self.people.get(who.person.as_str())?;
            person.sent.find(&say.id)
        });
        if let Some(posted) = known {
            return Ok(Sending::Again(posted));
        }
        self.pace(who, Pace::Say)?;
        let say = parsed?;
        if !check::is_message_id(&say.id) {
            let message = "The id of a message is 8 to 40 letters, digits, \"-\" or \"_\".";
            return Err(Refused::new("bad_id", message));
        }
        Ok(Sending::First(say))
    }

    /// Says a message, if it can be said.
    fn post(&mut self, who: &Who<'_>, draft: Draft) -> Result<Posted, Refused> {
        let Draft { say, picture } = draft;
        let conv = self.accessible(who, say.conv)?;
        let text = self.checked_text(&say.text, picture.is_some())?;
        if picture.is_some() {
            self.pace(who, Pace::Show)?;
        }
        let others = self.others(who, &conv);
        let bytes = picture.as_ref().map(|(_, bytes)| bytes.clone());
        let image = picture.map(|(mime, bytes)| Image {
            mime,
            size: bytes.len(),
            gone: false,
            picture: self.pictures.add(bytes),
        });
        let from = self.public(who)?;
        let history = match &conv {
            Conv::Room(name) => self.rooms.get_mut(name).map(|room| &mut room.history),
            Conv::Person(other) => {
                // From now on both hear of each other.
                self.pairs.open(other, &who.person, &mut self.pictures);
                let pair = self.pairs.open(&who.person, other, &mut self.pictures);
                Some(&mut pair.history)
            }
        };
        let history = history.ok_or_else(|| Refused::new("not_in_room", "That room is gone."))?;
        let (room, to) = match &conv {
            Conv::Room(name) => (Some(name.clone()), None),
            Conv::Person(other) => (None, Some(other.clone())),
        };
        let message = Message {
            seq: history.next_seq(who.now.unix_ms),
            id: say.id,
            at: who.now.unix_ms,
            from,
            room,
            to,
            text: text.into(),
            image,
        };
        history.push(message.clone(), &mut self.pictures);
        let posted = Posted {
            seq: message.seq,
            at: message.at,
            duplicate: false,
        };
        if let Some(person) = self.people.get_mut(&who.person) {
            person.sent.add(message.id.clone(), posted, SENT);
        }
        let audience = who.socket.to(audience(&conv, &who.person));
        match bytes {
            Some(bytes) => audience.emit("message", (&message, Binary(bytes))),
            None => audience.emit("message", &message),
        }
        follow_up(who, conv, &message, others);
        Ok(posted)
    }

    fn checked_text<'a>(&self, text: &'a str, has_picture: bool) -> Result<&'a str, Refused> {
        let max = self.limits.text_chars;
        let text = check::text(text).ok_or_else(|| {
            Refused::bad_request("A message has no control characters but line ends and tabs.")
        })?;
        if text.is_empty() && !has_picture {
            return Err(Refused::new("empty", "There is nothing to say in it."));
        }
        if text.chars().count() > max {
            let message = format!("A message has at most {max} characters.");
            return Err(Refused::new("too_long", message).with_limit(max));
        }
        Ok(text)
    }

    /// `typing`: shown to the others, or dropped.
    pub(super) fn typing(&mut self, who: &Who<'_>, args: &Args) {
        if self.pace(who, Pace::Typing).is_err() {
            return;
        }
        let Ok((Typing { conv, on, .. },)) = parse::<(Typing,)>(args) else {
            return;
        };
        let (Ok(conv), Ok(from)) = (self.accessible(who, conv), self.public(who)) else {
            return;
        };
        let typing = Typing {
            conv: seen_by_others(&conv, &who.person),
            from: Some(from),
            on,
        };
        let others = who.socket.to(audience(&conv, &who.person));
        let others = others.except(user_of(&who.person)).volatile();
        others.emit("typing", typing);
    }

    /// `history`: what was said before a message.
    pub(super) fn history(&mut self, who: &Who<'_>, args: &Args) -> Result<Page, Refused> {
        let (Before { conv, before },) = parse(args)?;
        let conv = self.accessible(who, conv)?;
        let page = self.history_of(who, &conv).map(|history| {
            let n = self.limits.history;
            history.before(before, n, &self.pictures)
        });
        Ok(page.unwrap_or_default())
    }

    /// `picture`: the bytes of a picture in the history.
    pub(super) fn picture(&mut self, who: &Who<'_>, args: &Args) -> Result<Picture, Refused> {
        let (Which { conv, seq },) = parse(args)?;
        let conv = self.accessible(who, conv)?;
        let history = self.history_of(who, &conv);
        let image = history.and_then(|history| history.find(seq)?.image);
        let picture = image.and_then(|image| {
            let bytes = self.pictures.get(image.picture)?;
            Some(Picture {
                mime: image.mime,
                bytes: Binary(bytes.clone()),
            })
        });
        picture.ok_or_else(|| Refused::new("gone", "This picture is not kept any more."))
    }

    fn history_of(&self, who: &Who<'_>, conv: &Conv) -> Option<&super::history::History> {
        match conv {
            Conv::Room(name) => Some(&self.rooms.get(name)?.history),
            Conv::Person(other) => Some(&self.pairs.get(&who.person, other)?.history),
        }
    }
}

/// A message under an id.
enum Sending {
    First(Say),
    /// Sent before; the answer of then.
    Again(Posted),
}

/// The Socket.IO rooms of a conversation that `person` is in.
fn audience(conv: &Conv, person: &PersonId) -> Vec<Room> {
    match conv {
        Conv::Room(name) => vec![room_of(name)],
        Conv::Person(other) => vec![user_of(other), user_of(person)],
    }
}

/// The same conversation from the other side: in a private one each names the other.
fn seen_by_others(conv: &Conv, person: &PersonId) -> Conv {
    match conv {
        Conv::Room(name) => Conv::Room(name.clone()),
        Conv::Person(_) => Conv::Person(person.clone()),
    }
}

/// Asks the others whether they have got a message, and tells its sender how many have.
fn follow_up(who: &Who<'_>, conv: Conv, message: &Message, others: Vec<PersonId>) {
    if others.is_empty() {
        return;
    }
    let namespace = who.socket.namespace();
    let sender = user_of(&who.person);
    let asked = namespace
        .to(audience(&conv, &who.person))
        .except(sender.clone())
        .timeout(RECEIPT_TIMEOUT);
    let receipt = Receipt {
        conv: seen_by_others(&conv, &who.person),
        seq: message.seq,
    };
    let (seq, id) = (message.seq, message.id.clone());
    actix::spawn(async move {
        let answers = match asked.emit_with_ack("receipt", receipt).await {
            Ok(answers) => answers.responses,
            Err(err) => return log::error!("receipts were not asked for err={err}"),
        };
        // Each person counts once, whatever its tabs answer, and only if it was there.
        let got: BTreeSet<PersonId> = answers
            .iter()
            .filter_map(|answer| answer.first().ok())
            .collect();
        let delivery = Delivery {
            conv,
            seq,
            id,
            got: others.iter().filter(|other| got.contains(*other)).count(),
            of: others.len(),
        };
        namespace.to(sender).emit("delivery", delivery);
    });
}

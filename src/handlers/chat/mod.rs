//! # Chat
//! Owns: people, rooms, private conversations, and what was said and shown in them, all in memory.
//! Runs: one in the process, on a thread of its own, for the namespace `/`.
//! Receives: [`Connect`], [`Disconnect`], every [`Event`]. Sends: events to sockets and rooms.
//! Stops: with the process; after a panic it starts empty and takes in whoever speaks. Never: awaits, trusts a field.
//!
//! A *person* is one browser, known by a secret token; a *tab* is one socket. Two prefixes keep the names that people give
//! to rooms apart from ids: a tab is in `room:<name>` for each room and in `user:<id>` for its person.
//!
//! Every event but `typing` is answered with one object, `{ok: true, …}` or `{ok: false, code, message, …}`, where `message`
//! is a sentence to show. `conv` stands for `{room: name}` or `{person: id}`, `msg` for `{seq, id, at, from: {id, name},
//! room | to, text, image?: {mime, size, gone?}}`.
//!
//! | from a client | arguments | answer | refused with |
//! |---|---|---|---|
//! | (connect) | auth `{token, name}` | `welcome` | `bad_auth`, `full` |
//! | `name` | `name` | `name` | `bad_name`, `name_taken` |
//! | `join` | `room`, `{after?}` | `room`, `people`, `messages`, `more`, `gap` | `bad_room`, `too_many_rooms` |
//! | `leave` | `room` | | `bad_room` |
//! | `open` | person id, `{after?}` | `person`, `messages`, `more`, `gap` | `no_such_person` |
//! | `history` | `{…conv, before}` | `messages`, `more` | `not_in_room`, `no_such_person` |
//! | `say` | `{…conv, id, text}` | `seq`, `at`, `duplicate` | those, `empty`, `too_long`, `bad_id` |
//! | `show` | the same, bytes | the same | those, `image_too_large`, `image_type` |
//! | `picture` | `{…conv, seq}` | `mime`, `bytes` | `not_in_room`, `no_such_person`, `gone` |
//! | `typing` | `{…conv, on}` | | dropped |
//!
//! All of them: `bad_request` for other shapes, `rate` with `retry_after_ms` for too many.
//!
//! | to clients | arguments | who |
//! |---|---|---|
//! | `welcome` | `{you, limits, rooms, private, server}` | a tab that has come, recovered or not |
//! | `room` | `{name, people, gone?}` | everybody, at most once per room and 200 ms |
//! | `joined`, `left` | `{room, person}`, `{room, id}` | the room; `left` 3 s after the last tab went |
//! | `person` | `{id, name, online}` | those who see this person somewhere |
//! | `message` | `msg`, bytes? | the conversation without the sending tab |
//! | `receipt` | `{…conv, seq}`, answered with the own id or null | the conversation without the sender |
//! | `delivery` | `{…conv, seq, id, got, of}` | the sender |
//! | `typing` | `{…conv, from, on}` | the conversation without the sender |
//!
//! Numbers of messages (`seq`) grow within a conversation, over restarts of the server too, so a client that was away asks
//! for what follows the last it has; with connection state recovery it mostly need not ask. A message that is sent again
//! under the same id gets the first answer again and is not said twice.

mod check;
mod history;
mod images;
mod limits;
mod messages;
mod people;
mod places;
mod private;
mod rooms;
mod sent;
mod tabs;
mod talk;

use std::time::{Duration, Instant, SystemTime};

use actix::prelude::*;
use serde::Serialize;

use self::images::Pictures;
use self::limits::{Limits, Pace};
use self::messages::{Done, Nothing, Refused};
use self::people::{People, PersonId};
use self::private::Pairs;
use self::rooms::Rooms;
use crate::prelude::{
    Ack, Args, Config, Connect, Disconnect, Event, Namespace, Refusal, Room, Socket, shared,
};

/// The chat, to be registered for the namespace `/` of a server with this configuration.
///
/// ```
/// use greenroom::{handlers::chat, prelude::*};
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let config = Config::default();
/// let chat = chat::handlers(&config);
/// let server = Server::builder().config(config).namespace("/", chat).build()?;
/// # Ok(())
/// # }
/// ```
pub fn handlers(config: &Config) -> crate::Handlers<Chat> {
    let limits = Limits::within(config);
    shared(move || Chat::new(limits.clone()))
        .on_connect()
        .on_disconnect()
        .on_event()
}

/// The chat; see [`handlers`].
pub struct Chat {
    limits: Limits,
    people: People,
    rooms: Rooms,
    pairs: Pairs,
    pictures: Pictures,
    /// Where everybody is; known since the first one came.
    everybody: Option<Namespace>,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat").finish_non_exhaustive()
    }
}

/// The time, read once per message.
#[derive(Clone, Copy, Debug)]
struct Now {
    instant: Instant,
    /// Milliseconds since 1970.
    unix_ms: u64,
}

impl Now {
    fn read() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place of the chat; messages say when they came"
        )]
        let since_1970 = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Self {
            instant: Instant::now(),
            unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Who an event is from.
#[derive(Clone, Debug)]
struct Who<'a> {
    socket: &'a Socket,
    person: PersonId,
    now: Now,
}

/// The Socket.IO room of a chat room.
fn room_of(name: &Room) -> Room {
    format!("room:{name}").into()
}

/// The Socket.IO room of a person's tabs.
fn user_of(person: &PersonId) -> Room {
    format!("user:{}", person.as_str()).into()
}

impl Chat {
    fn new(limits: Limits) -> Self {
        Self {
            people: People::default(),
            rooms: Rooms::new(limits.rooms),
            pairs: Pairs::new(limits::PRIVATE),
            pictures: Pictures::new(limits::PICTURE_BYTES),
            everybody: None,
            limits,
        }
    }

    /// Counts an event against the rate of its person.
    fn pace(&mut self, who: &Who<'_>, pace: Pace) -> Result<(), Refused> {
        let Some(person) = self.people.get_mut(&who.person) else {
            return Err(Refused::no_such_person());
        };
        let taken = person.rates.take(pace, who.now.instant);
        taken.map_err(Refused::rate)
    }

    /// An event of those that share one rate.
    fn paced<T>(
        &mut self,
        who: &Who<'_>,
        args: &Args,
        pace: Pace,
        act: impl FnOnce(&mut Self, &Who<'_>, &Args) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        self.pace(who, pace)?;
        act(self, who, args)
    }
}

impl Actor for Chat {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(limits::TICK, |chat, _| chat.tick(Instant::now()));
    }
}

impl Handler<Connect> for Chat {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        self.everybody.get_or_insert_with(|| socket.namespace());
        Ok(self.welcome(&socket, Instant::now())?)
    }
}

impl Handler<Disconnect> for Chat {
    type Result = ();

    fn handle(&mut self, Disconnect { socket, .. }: Disconnect, _: &mut Context<Self>) {
        self.lose(socket.id(), Instant::now());
    }
}

impl Handler<Event> for Chat {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Context<Self>) {
        let (socket, name, args, ack) = event.into_parts();
        let now = Now::read();
        let Some(person) = self.person_of(&socket, now.instant) else {
            return ack.forget();
        };
        let (socket, args) = (&socket, &args);
        let who = &Who {
            socket,
            person,
            now,
        };
        match &*name {
            "say" => answer(ack, self.say(who, args)),
            "typing" => {
                self.typing(who, args);
                ack.forget();
            }
            "join" => answer(ack, self.paced(who, args, Pace::Other, Self::join)),
            "open" => answer(ack, self.paced(who, args, Pace::Other, Self::open)),
            "history" => answer(ack, self.paced(who, args, Pace::Other, Self::history)),
            "picture" => answer(ack, self.paced(who, args, Pace::Picture, Self::picture)),
            "show" => answer(ack, self.show(who, args)),
            "leave" => answer(ack, self.paced(who, args, Pace::Other, Self::leave)),
            "name" => answer(ack, self.paced(who, args, Pace::Other, Self::rename)),
            _ => answer(
                ack,
                self.paced(who, args, Pace::Other, |_, _, _| -> Result<Nothing, _> {
                    Err(Refused::bad_request("There is no such event."))
                }),
            ),
        }
    }
}

/// Answers an event, in the one form that all answers have.
fn answer<T: Serialize>(ack: Ack, result: Result<T, Refused>) {
    match result {
        Ok(reply) => ack.send(Done::new(reply)),
        Err(refused) => ack.send(refused),
    }
}

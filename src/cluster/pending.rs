//! The questions that other servers have not answered yet.

use std::collections::HashMap;
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::quality::RandomState;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::namespace::BroadcastAcks;
use crate::protocol::adapter::{Answer, AnswerBody};
use crate::protocol::engineio::SocketId;
use crate::protocol::socketio::Args;

/// Who waits for which answers, by the id of the request.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<HashMap<ByteString, Waiter, RandomState>>);

#[derive(Debug)]
enum Waiter {
    Query(Query),
    /// Broadcasts count their answers themselves.
    Acks(Arc<BroadcastAcks>),
}

#[derive(Debug)]
struct Query {
    expected: usize,
    answered: Answered,
    done: Option<oneshot::Sender<()>>,
}

/// What has been answered to a question.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) bodies: Vec<AnswerBody>,
    /// Servers of our own kind say who they are.
    pub(crate) from: Vec<ByteString>,
}

impl Answered {
    /// The answers to an event.
    pub(crate) fn into_emitted(self) -> Vec<Args> {
        let answers = self.bodies.into_iter().filter_map(|body| match body {
            AnswerBody::Emitted(value) => Some(value),
            _ => None,
        });
        answers.collect()
    }
}

impl Pending {
    /// Opens a question to so many servers; the receiver resolves when all have answered.
    pub(crate) fn ask(&self, expected: usize) -> (ByteString, oneshot::Receiver<()>) {
        let (done, receiver) = oneshot::channel();
        let id = request_id();
        let query = Query {
            expected,
            answered: Answered::default(),
            done: Some(done),
        };
        self.0.lock().insert(id.clone(), Waiter::Query(query));
        (id, receiver)
    }

    /// Ends a question: what has been answered.
    pub(crate) fn take(&self, id: &ByteString) -> Answered {
        match self.0.lock().remove(id) {
            Some(Waiter::Query(query)) => query.answered,
            Some(Waiter::Acks(_)) | None => Answered::default(),
        }
    }

    /// Opens a broadcast whose receivers acknowledge it.
    pub(crate) fn collect(&self, acks: &Arc<BroadcastAcks>) -> ByteString {
        let id = request_id();
        self.0
            .lock()
            .insert(id.clone(), Waiter::Acks(Arc::clone(acks)));
        id
    }

    /// Nobody waits any more.
    pub(crate) fn forget(&self, id: &ByteString) {
        self.0.lock().remove(id);
    }

    /// Hands over an answer; `false` if nobody waits for it (any more), or it answers another question.
    pub(crate) fn answer(&self, answer: Answer) -> bool {
        let mut pending = self.0.lock();
        match (pending.get_mut(&answer.request_id), answer.body) {
            (Some(Waiter::Acks(acks)), AnswerBody::ClientCount(asked)) => {
                let asked = usize::try_from(asked).unwrap_or(usize::MAX);
                acks.node_answered(asked, answer.uid);
                true
            }
            (Some(Waiter::Acks(acks)), AnswerBody::Ack(args)) => {
                acks.answered(Some(args));
                true
            }
            (Some(Waiter::Query(query)), body) => {
                query.answered.bodies.push(body);
                query.answered.from.extend(answer.uid);
                if query.answered.bodies.len() >= query.expected
                    && let Some(done) = query.done.take()
                {
                    // Whoever waited may have gone.
                    let _ = done.send(());
                }
                true
            }
            _ => false,
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// As unlikely to meet another as a socket's id, and as harmless in a channel.
fn request_id() -> ByteString {
    SocketId::generate().as_str().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(id: &ByteString, names: &[&str]) -> Answer {
        Answer {
            request_id: id.clone(),
            uid: Some("other".into()),
            body: AnswerBody::Rooms(names.iter().map(|name| (*name).into()).collect()),
        }
    }

    #[test]
    fn a_question_is_done_when_all_have_answered() {
        let pending = Pending::default();
        let (id, mut done) = pending.ask(2);
        assert!(pending.answer(rooms(&id, &["a"])));
        assert!(done.try_recv().is_err());
        assert!(pending.answer(rooms(&id, &["b"])));
        assert!(done.try_recv().is_ok());
        assert!(!pending.answer(rooms(&"unknown".into(), &["c"])));
        let answered = pending.take(&id);
        assert_eq!((answered.bodies.len(), answered.from.len()), (2, 2));
        assert!(!pending.answer(rooms(&id, &["late"])));
        assert_eq!(pending.len(), 0);
    }
}

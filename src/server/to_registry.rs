//! What the registry is told and asked.

use std::mem;

use actix::dev::ToEnvelope;
use actix::prelude::*;

use super::Shared;
use crate::hub;
use crate::registry::{Change, Changes, Registry};

impl Shared {
    /// A socket has joined, left or gone. What happens in one round of a worker's event loop is told at its end: the
    /// registry has a thread of its own, and waking that is most of the work.
    pub(crate) fn tell_change(&self, change: impl FnOnce() -> Change) {
        if self.registry.get().is_none() {
            return;
        }
        self.changes.lock().push(change());
        if !hub::end_of_round(self.id) {
            self.tell_changes();
        }
    }

    /// Nothing overtakes another: it is sent under the lock.
    pub(crate) fn tell_changes(&self) {
        let mut changes = self.changes.lock();
        if let Some(registry) = self.registry.get()
            && !changes.is_empty()
        {
            registry.do_send(Changes(mem::take(&mut changes)));
        }
    }

    /// Tells the registry, and waits for no answer.
    pub(crate) fn tell_registry<M>(&self, message: impl FnOnce() -> M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Registry: Handler<M>,
        Context<Registry>: ToEnvelope<Registry, M>,
    {
        self.tell_changes();
        if let Some(registry) = self.registry.get() {
            registry.do_send(message());
        }
    }

    /// Asks at once; the answer is `None` if there is no registry, or it ends.
    pub(crate) fn ask_registry<M>(
        &self,
        question: M,
    ) -> impl Future<Output = Option<M::Result>> + Send + use<M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Registry: Handler<M>,
        Context<Registry>: ToEnvelope<Registry, M>,
    {
        self.tell_changes();
        #[expect(
            clippy::disallowed_methods,
            reason = "a question of a program; not the delivery path"
        )]
        let answer = self.registry.get().map(|registry| registry.send(question));
        async move { answer?.await.ok() }
    }
}

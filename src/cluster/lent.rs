//! The connection of the subscriber, lent to the publisher.

use tokio::sync::watch;

use crate::redis::Link;

/// What the subscriber has to lend: with RESP3 its connection takes commands too, and Redis, which wakes for each
/// connection and writes to each of its own, has one less to care for.
#[derive(Debug)]
pub(crate) struct Lent(watch::Sender<Offer>);

#[derive(Clone, Debug)]
enum Offer {
    /// Its connection is not there yet.
    Later,
    /// Nothing: who publishes needs a connection of its own.
    Nothing,
    Connection(Link),
}

impl Lent {
    pub(super) fn new(is_lent: bool) -> Self {
        let first = match is_lent {
            true => Offer::Later,
            false => Offer::Nothing,
        };
        Self(watch::Sender::new(first))
    }

    /// Whether it is worth a connection that can be lent.
    pub(crate) fn is_wanted(&self) -> bool {
        !matches!(*self.0.borrow(), Offer::Nothing)
    }

    /// The connection that stands now; `None` if it takes no commands.
    pub(crate) fn lend(&self, link: Option<Link>) {
        self.0.send_replace(match link {
            Some(link) => Offer::Connection(link),
            None => Offer::Nothing,
        });
    }

    /// The connection, once it stands; `None` if the borrower needs one of its own.
    pub(crate) async fn borrow(&self) -> Option<Link> {
        let mut offers = self.0.subscribe();
        let is_settled = |offer: &Offer| match offer {
            Offer::Later => false,
            Offer::Nothing => true,
            Offer::Connection(link) => !link.is_broken(),
        };
        match offers.wait_for(is_settled).await.as_deref() {
            Ok(Offer::Connection(link)) => Some(link.clone()),
            _ => None,
        }
    }
}

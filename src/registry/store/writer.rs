//! The task that owns the connection: dials for ever, writes what is true, then what changes.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use redis::ServerError;

use super::answers::{Trouble, ask_members, command, is_lasting, scan};
use super::keys::Entry;
use super::reaper::Reaping;
use super::state::Shared;
use super::stats::count;
use super::{lease, occupancy, reaper};
use crate::redis::{Backoff, Link};

/// How many sockets are looked at together.
const SOCKETS_PER_FLUSH: usize = 256;

/// With how many members in all: some 100 KB of commands, a few milliseconds of Redis.
const MEMBERS_PER_FLUSH: usize = 4096;

/// Flushes begin at least this far apart. The first after a pause begins at once; under load a flush then has
/// more to carry, and the system calls of both sides are shared.
const PACE: Duration = Duration::from_millis(2);

/// Runs until the store is closed: whether everything of this node was removed.
pub(super) async fn run(shared: Rc<Shared>) -> bool {
    let mut backoff = Backoff::default();
    loop {
        let delay = backoff.next();
        if !delay.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = closing(&shared) => {}
            }
        }
        if shared.state.borrow().is_closing {
            return false;
        }
        let settings = &shared.settings;
        let trouble = match settings.endpoint.connect(settings.timeout).await {
            Err(err) => Trouble::Link(err),
            Ok(link) => match serve(&shared, &link, &mut backoff).await {
                Ok(()) => return true,
                Err(trouble) => trouble,
            },
        };
        shared.suspend(&trouble);
    }
}

/// While Redis is away there is nothing to wait for.
async fn closing(shared: &Shared) {
    while !shared.state.borrow().is_closing {
        shared.wake.notified().await;
    }
}

/// One connection. Ends well when the store is closed and nothing of this node is left.
async fn serve(shared: &Shared, link: &Link, backoff: &mut Backoff) -> Result<(), Trouble> {
    lease::announce(shared, link).await?;
    shared.state.borrow_mut().is_rewrite_wanted = true;
    // The lease is renewed while much is written, and dead nodes are reaped while little is.
    let never = |result: Result<Infallible, Trouble>| match result {
        Err(trouble) => Err(trouble),
    };
    tokio::select! {
        result = write(shared, link, backoff) => result,
        result = lease::keep(shared, link) => never(result),
        result = reaper::watch(shared, link) => never(result),
    }
}

async fn write(shared: &Shared, link: &Link, backoff: &mut Backoff) -> Result<(), Trouble> {
    let mut last: Option<Instant> = None;
    loop {
        if shared.state.borrow().is_rewrite_wanted {
            recall(shared, link).await?;
        }
        let (is_closing, is_synced) = {
            let state = shared.state.borrow();
            (state.is_closing, state.is_synced)
        };
        if is_synced {
            backoff.reset();
            if let Some(last) = last
                && !is_closing
            {
                tokio::time::sleep_until((last + PACE).into()).await;
            }
        }
        let batch = shared.take(SOCKETS_PER_FLUSH);
        if !batch.is_empty() {
            last = Some(Instant::now());
            flush(shared, link, batch).await?;
            shared.settle();
        } else if is_closing && is_synced {
            return lease::resign(shared, link).await;
        } else {
            shared.wake.notified().await;
        }
    }
}

/// Puts everything into the queue that is here or that Redis has of this node.
async fn recall(shared: &Shared, link: &Link) -> Result<(), Trouble> {
    shared.recall();
    count(&shared.stats.rewrites);
    let key = shared.keys.node(&shared.settings.uid);
    let mut cursor = ByteString::from_static("0");
    loop {
        let (next, found) = scan(link, &key, &cursor, "1000").await?;
        {
            let mut state = shared.state.borrow_mut();
            let entries = found
                .iter()
                .filter_map(|entry| Entry::parse(entry.as_bytes()));
            entries.for_each(|entry| state.changes.found(entry));
        }
        if next == "0" {
            break;
        }
        cursor = next;
    }
    shared.recalled();
    Ok(())
}

async fn flush(shared: &Shared, link: &Link, mut batch: Vec<Entry>) -> Result<(), Trouble> {
    let (ghosts, unknown) = {
        let state = shared.state.borrow();
        let is_ghost = |entry: &mut Entry| state.changes.is_ghost(entry);
        let ghosts: Vec<_> = batch.extract_if(.., is_ghost).collect();
        let unknown: Vec<_> = batch
            .iter()
            .filter(|entry| state.changes.is_unknown(entry))
            .cloned()
            .collect();
        (ghosts, unknown)
    };
    if !ghosts.is_empty() {
        // They went while we could not say so. An id may have come back at another node meanwhile.
        let (keys, uid) = (&shared.keys, &shared.settings.uid);
        let reaping = Reaping {
            link,
            keys,
            uid,
            by: uid,
            watcher: shared.settings.watcher.as_ref(),
        };
        reaping.entries(&ghosts).await?;
        let mut state = shared.state.borrow_mut();
        ghosts.iter().for_each(|ghost| state.changes.removed(ghost));
    }
    if !unknown.is_empty() {
        let questions = unknown
            .iter()
            .map(|entry| command(&["SMEMBERS", &shared.keys.socket(entry)]))
            .collect();
        let answers = ask_members(link, questions).await?;
        let mut state = shared.state.borrow_mut();
        for (entry, members) in unknown.iter().zip(answers) {
            state.changes.learn(entry, members);
        }
    }
    let mut orders = {
        let mut state = shared.state.borrow_mut();
        state.changes.orders(batch, &shared.keys, MEMBERS_PER_FLUSH)
    };
    let watcher = shared.settings.watcher.as_ref();
    orders.watch(watcher.is_some());
    if orders.is_empty() {
        return Ok(());
    }
    count(&shared.stats.flushes);
    let phases = orders.phases(&shared.keys.node(&shared.settings.uid));
    // One server does what it is told in this order.
    let phases = if link.is_cluster() {
        phases.into()
    } else {
        vec![phases.into_iter().flatten().collect()]
    };
    for commands in phases.into_iter().filter(|commands| !commands.is_empty()) {
        let answers = link.pipeline(commands).await?;
        occupancy::tell(watcher, &answers);
        for answer in answers {
            answer.or_else(|err| refused(shared, err))?;
        }
    }
    Ok(())
}

/// A command was refused: either nothing can be stored now, or this will never be.
fn refused(shared: &Shared, err: ServerError) -> Result<redis::Value, Trouble> {
    if !is_lasting(&err) {
        return Err(Trouble::Refused(err));
    }
    count(&shared.stats.errors);
    let mut state = shared.state.borrow_mut();
    if !std::mem::replace(&mut state.was_refused, true) {
        let details = err.details().unwrap_or_default();
        log::error!(
            "redis refuses to store a membership err={} {details}",
            err.code()
        );
    }
    Ok(redis::Value::Nil)
}

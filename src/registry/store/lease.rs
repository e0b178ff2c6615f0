//! That this node lives, and who else does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytestring::ByteString;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::answers::{Trouble, ask, command, is_one, text, texts};
use super::state::Shared;
use crate::cluster::Part;
use crate::redis::Link;

/// How many sockets are looked for at each renewal. If a third of all keys is lost, that goes unnoticed in one
/// of 600 renewals.
const SAMPLE: usize = 16;

/// Says that this node lives. The lease comes first: a node of the list that has none is dead.
pub(super) async fn announce(shared: &Shared, link: &Link) -> Result<(), Trouble> {
    let (settings, keys) = (&shared.settings, &shared.keys);
    let (lease, nodes, ttl) = (keys.lease(&settings.uid), keys.nodes(), settings.ttl_ms());
    // A Redis without memory refuses to set what is there already, but prolongs it.
    let is_kept = ask(link, vec![command(&["PEXPIRE", &lease, &ttl])]).await?;
    if !is_one(is_kept.first()) {
        let set = command(&["SET", &lease, &settings.node, "PX", &ttl]);
        ask(link, vec![set]).await?;
    }
    let listed = ask(link, vec![command(&["SISMEMBER", &nodes, &settings.uid])]).await?;
    if !is_one(listed.first()) {
        ask(link, vec![command(&["SADD", &nodes, &settings.uid])]).await?;
    }
    Ok(())
}

/// Takes this node off the list; nothing of it is left.
pub(super) async fn resign(shared: &Shared, link: &Link) -> Result<(), Trouble> {
    let (uid, keys) = (&shared.settings.uid, &shared.keys);
    let commands = vec![
        command(&["SREM", &keys.nodes(), uid]),
        command(&["DEL", &keys.lease(uid)]),
        command(&["DEL", &keys.rewrite(uid)]),
    ];
    ask(link, commands).await.map(drop)
}

/// Renews the lease for as long as the connection lasts, and looks who else has one. Tries the connection when it is
/// doubted that it still works.
pub(super) async fn keep(shared: &Shared, link: &Link) -> Result<Infallible, Trouble> {
    let tick = shared.settings.tick();
    let mut ticks = interval_at(Instant::now(), tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => renew(shared, link).await?,
            () = shared.settings.health.doubted(Part::Data) => {
                link.try_all().await?;
                shared.settings.health.works(Part::Data);
            }
        }
    }
}

async fn renew(shared: &Shared, link: &Link) -> Result<(), Trouble> {
    let (settings, keys) = (&shared.settings, &shared.keys);
    let renewal = vec![
        command(&["PEXPIRE", &keys.lease(&settings.uid), &settings.ttl_ms()]),
        command(&["DEL", &keys.rewrite(&settings.uid)]),
        command(&["SMEMBERS", &keys.nodes()]),
    ];
    let answers = ask(link, renewal).await?;
    let mut nodes = answers.get(2).map(texts).unwrap_or_default();
    let n_nodes = nodes.len();
    nodes.retain(|uid| *uid != settings.uid.as_str());
    let is_known = is_one(answers.first()) && nodes.len() < n_nodes;
    if !is_known {
        // We were frozen for longer than the lease and others took us for dead, or Redis has lost everything.
        announce(shared, link).await?;
    }
    if !is_known || is_one(answers.get(1)) || !is_complete(shared, link).await? {
        log::info!("memberships are compared with redis and written anew");
        shared.state.borrow_mut().is_rewrite_wanted = true;
        shared.wake.notify_one();
    }
    look_around(shared, link, nodes).await
}

/// Looks for some of our sockets: Redis can lose keys and stay. It evicts them where it is configured so, and a
/// server of a Cluster that starts anew has none.
async fn is_complete(shared: &Shared, link: &Link) -> Result<bool, Trouble> {
    let sample = {
        let mut state = shared.state.borrow_mut();
        let is_settled = state.is_synced && !state.is_in_flight;
        if is_settled {
            state.changes.sample(SAMPLE)
        } else {
            Vec::new()
        }
    };
    let (keys, node) = (&shared.keys, shared.keys.node(&shared.settings.uid));
    let questions = sample.iter().flat_map(|entry| {
        [
            command(&["EXISTS", &keys.socket(entry)]),
            command(&["SISMEMBER", &node, entry.as_str()]),
        ]
    });
    let answers = ask(link, questions.collect()).await?;
    let state = shared.state.borrow();
    let mut sample = sample.iter().zip(answers.chunks(2));
    Ok(sample.all(|(entry, answers)| {
        let is_there = answers.iter().all(|answer| is_one(Some(answer)));
        // One that has gone meanwhile is not missed.
        is_there || !state.changes.is_written(entry)
    }))
}

/// Which of the nodes on the list live.
async fn look_around(shared: &Shared, link: &Link, nodes: Vec<ByteString>) -> Result<(), Trouble> {
    let questions = nodes
        .iter()
        .map(|uid| command(&["GET", &shared.keys.lease(uid)]));
    let leases = ask(link, questions.collect()).await?;
    let (mut peers, mut dead) = (BTreeMap::new(), shared.dead.borrow_mut());
    dead.clear();
    for (uid, lease) in nodes.into_iter().zip(&leases) {
        if let Some(name) = text(lease) {
            peers.insert(uid.to_string(), name.to_string());
        } else {
            dead.insert(uid.to_string());
        }
    }
    if !dead.is_empty() {
        shared.has_dead.notify_one();
    }
    shared.peers.send_if_modified(|known| {
        let has_changed = **known != peers;
        if has_changed {
            *known = Arc::new(peers);
        }
        has_changed
    });
    Ok(())
}

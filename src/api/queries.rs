//! The questions: rooms, sockets, presence of users, nodes.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};

use super::problem::{Kind, Problem};
use super::query::Query;
use super::whom::{find, names};
use super::{Api, reply, value};
use crate::{RemoteSocket, Room, Silent, SocketId, Value, user_room};

type Answer = Result<Json, Problem>;

/// `GET /rooms`: the rooms of a namespace and how many sockets are in them.
pub(super) async fn rooms(api: &Api, query: &str) -> Answer {
    let query = Query::parse(query, &["namespace", "prefix", "counts", "limit", "after"])?;
    let namespace = find(api, query.namespace()?).await?;
    let prefix = query.one("prefix")?.unwrap_or_default();
    let with_counts = query.flag("counts", true)?;
    let (limit, after) = (query.limit(api.settings.page_size)?, query.one("after")?);
    // A socket's own room has the name of its id, and is no news to those that ask for rooms.
    let (rooms, ids) = tokio::join!(namespace.all_rooms(), namespace.socket_ids([""; 0]));
    let mut silent = worse(&rooms.silent, &ids.silent);
    let own: HashSet<&str> = ids.iter().map(SocketId::as_str).collect();
    let named = rooms
        .iter()
        .filter(|room| room.starts_with(prefix) && !own.contains(&***room));
    let (page, next) = page(named, |room| room, limit, after);
    // Without a room it would be all sockets.
    let found: Vec<Json> = if with_counts && !page.is_empty() {
        let names: Vec<Room> = page.iter().map(|room| (*room).clone()).collect();
        let sockets = namespace.to(names).fetch_sockets().await;
        silent = worse(&silent, &sockets.silent);
        let counts = count(&sockets);
        let count = |room: &Room| counts.get(room).copied().unwrap_or_default();
        let counted = page
            .iter()
            .map(|room| json!({ "name": &***room, "sockets": count(room) }));
        counted.collect()
    } else {
        page.iter().map(|room| json!({ "name": &**room })).collect()
    };
    let found = json!({ "rooms": found, "next": next });
    Ok(reply::gathered(api, found, &silent, false))
}

/// Who was silent, of two questions: the one that more have left open.
fn worse(one: &Silent, other: &Silent) -> Silent {
    if other.len() > one.len() { other } else { one }.clone()
}

/// How many of the sockets are in each room.
fn count(sockets: &[RemoteSocket]) -> HashMap<&Room, usize> {
    let mut counts = HashMap::new();
    for room in sockets.iter().flat_map(RemoteSocket::rooms) {
        *counts.entry(room).or_default() += 1;
    }
    counts
}

/// Those behind `after`, at most `limit`; and the last of them if there are more.
fn page<'a, T>(
    sorted: impl Iterator<Item = &'a T>,
    name: impl Fn(&'a T) -> &'a str,
    limit: usize,
    after: Option<&str>,
) -> (Vec<&'a T>, Option<&'a str>) {
    let mut rest = sorted.skip_while(|item| after.is_some_and(|after| name(item) <= after));
    let page: Vec<&T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last().map(|last| name(last)));
    (page, next)
}

/// `GET /sockets`: the sockets of a namespace, or of some of its rooms.
pub(super) async fn sockets(api: &Api, query: &str) -> Answer {
    let query = Query::parse(query, &["namespace", "room", "limit", "after"])?;
    let rooms: Vec<String> = query.all("room").map(str::to_owned).collect();
    let rooms: Vec<Room> = names(api, "room", &rooms)?.collect();
    sockets_in(api, &query, rooms).await
}

/// `GET /users/{id}/sockets`: the sockets of a user.
pub(super) async fn sockets_of(api: &Api, user: &str, query: &str) -> Answer {
    let query = Query::parse(query, &["namespace", "limit", "after"])?;
    sockets_in(api, &query, vec![user_room(user)]).await
}

async fn sockets_in(api: &Api, query: &Query, rooms: Vec<Room>) -> Answer {
    let namespace = find(api, query.namespace()?).await?;
    let (limit, after) = (query.limit(api.settings.page_size)?, query.one("after")?);
    // Ids are small, so all of them are asked for, and only the page for all that there is to a socket.
    let ids = namespace.socket_ids(rooms).await;
    let (page, next) = page(ids.iter(), SocketId::as_str, limit, after);
    let mut silent = ids.silent.clone();
    let mut found = Vec::new();
    if !page.is_empty() {
        let own: Vec<&str> = page.iter().map(|id| id.as_str()).collect();
        let sockets = namespace.to(own.clone()).fetch_sockets().await;
        let own: HashSet<&str> = own.into_iter().collect();
        // Others may be in a room that is named like a socket.
        let of_page = sockets
            .iter()
            .filter(|socket| own.contains(socket.id().as_str()));
        found.extend(of_page.map(described));
        silent = worse(&silent, &sockets.silent);
    }
    let found = json!({ "sockets": found, "total": ids.len(), "next": next });
    Ok(reply::gathered(api, found, &silent, false))
}

/// `GET /sockets/{id}`: one socket.
pub(super) async fn socket(api: &Api, id: &str, query: &str) -> Answer {
    let query = Query::parse(query, &["namespace"])?;
    let namespace = find(api, query.namespace()?).await?;
    let sockets = namespace.to(id).fetch_sockets().await;
    if let Some(socket) = sockets.iter().find(|socket| socket.id().as_str() == id) {
        return Ok(described(socket));
    }
    let trouble = api.server.trouble();
    if trouble.is_none() && sockets.silent.is_nobody() {
        return Err(Problem::new(
            Kind::UnknownSocket,
            "no server has a socket with this id",
        ));
    }
    let detail = format!(
        "the servers that have answered do not have it; silent: {}",
        sockets.silent
    );
    let problem = Problem::new(Kind::Incomplete, detail);
    Err(match trouble {
        Some(trouble) => problem.with("trouble", trouble),
        None => problem,
    })
}

/// A socket as backends see it. Of the handshake they get no headers: there are secrets of clients in them.
fn described(socket: &RemoteSocket) -> Json {
    let handshake = socket.handshake();
    let data: Value = socket.data().unwrap_or_default();
    let connected_at = u64::try_from(handshake.issued().as_millis()).unwrap_or(u64::MAX);
    json!({
        "id": socket.id(),
        "rooms": socket.rooms(),
        "data": value::to_json(&data),
        "address": handshake.address().map(|address| address.to_string()),
        "user_agent": handshake.header("user-agent"),
        "connected_at_ms": connected_at,
    })
}

/// `GET /presence`: which users are there.
pub(super) async fn presence(api: &Api, query: &str) -> Answer {
    let query = Query::parse(query, &["namespace", "user"])?;
    let namespace = find(api, query.namespace()?).await?;
    let users: Vec<&str> = query.all("user").collect();
    let most = api.settings.page_size;
    if users.is_empty() || users.len() > most {
        return Err(Problem::invalid(format!("user: there are 1 to {most}")));
    }
    let rooms: Vec<Room> = users.iter().map(|user| user_room(user)).collect();
    let sockets = namespace.to(rooms.clone()).fetch_sockets().await;
    let counts = count(&sockets);
    let presence = users.iter().zip(&rooms).map(|(user, room)| {
        let n_sockets = counts.get(room).copied().unwrap_or_default();
        json!({ "user": user, "online": n_sockets > 0, "sockets": n_sockets })
    });
    let found = json!({ "users": presence.collect::<Json>() });
    Ok(reply::gathered(api, found, &sockets.silent, false))
}

/// `GET /nodes`: the servers of the cluster and what they have to do.
pub(super) async fn nodes(api: &Api, query: &str) -> Answer {
    Query::parse(query, &[])?;
    let nodes = api.server.nodes().await;
    let found = json!({ "nodes": nodes.known, "others": nodes.others });
    Ok(reply::gathered(api, found, &nodes.silent, false))
}

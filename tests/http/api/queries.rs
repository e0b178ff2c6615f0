//! What can be asked.

use actix::prelude::*;
use greenroom::{Binary, ServerEvent, shared, user_room};
use serde_json::{Value, json};

use super::{served, with_key};
use crate::support::api::Backend;
use crate::support::tcp::listen;
use crate::support::{ear, on_actix};

#[test]
fn rooms_are_listed_in_pages() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let _a = served.join(&["b1", "b2"]).await;
        let _b = served.join(&["b1", "a", "b3"]).await;
        let backend = served.backend;
        // The registry hears of joins behind the socket.
        let mut all = json!(null);
        for _ in 0..1000 {
            all = backend.get("/rooms").await.ok();
            if all["rooms"].as_array().unwrap().len() == 4 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let rooms = json!([
            {"name": "a", "sockets": 1}, {"name": "b1", "sockets": 2},
            {"name": "b2", "sockets": 1}, {"name": "b3", "sockets": 1},
        ]);
        let none = json!({"nodes": [], "unnamed": 0});
        assert_eq!(
            all,
            json!({"rooms": rooms, "next": null, "complete": true, "silent": none})
        );
        let page = backend
            .get("/rooms?prefix=b&limit=2&counts=false")
            .await
            .ok();
        assert_eq!(page["rooms"], json!([{"name": "b1"}, {"name": "b2"}]));
        assert_eq!(page["next"], "b2");
        let page = backend.get("/rooms?prefix=b&limit=2&after=b2").await.ok();
        assert_eq!(page["rooms"], json!([{"name": "b3", "sockets": 1}]));
        assert_eq!(page["next"], Value::Null);
    });
}

#[test]
fn sockets_and_users_are_found() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (_a, at_a) = served.join(&["r", &user_room("ada")]).await;
        let (_b, at_b) = served.join(&[&user_room("ada")]).await;
        let (_c, at_c) = served.join(&[at_a.id().as_str()]).await;
        at_a.set_data(&(json!({"name": "Ada"}), Binary::from(vec![1])))
            .unwrap();
        let backend = served.backend;
        let mut sorted = vec![
            at_a.id().to_string(),
            at_b.id().to_string(),
            at_c.id().to_string(),
        ];
        sorted.sort();
        // The registry hears of joins behind the socket.
        let server = served.listening.server.clone();
        while server.root().room_size("user:ada").await.found < 2 {
            tokio::task::yield_now().await;
        }
        while server.root().room_size(at_a.id().as_str()).await.found < 2 {
            tokio::task::yield_now().await;
        }

        let ids = |reply: &Value| -> Vec<String> {
            let sockets = reply["sockets"].as_array().unwrap();
            sockets
                .iter()
                .map(|socket| socket["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let all = backend.get("/sockets").await.ok();
        assert_eq!(
            (ids(&all), &all["total"], &all["next"]),
            (sorted.clone(), &json!(3), &json!(null))
        );
        let first = backend.get("/sockets?limit=2").await.ok();
        assert_eq!(
            (ids(&first), &first["next"]),
            (sorted[..2].to_vec(), &json!(sorted[1]))
        );
        let second = backend
            .get(&format!("/sockets?limit=2&after={}", sorted[1]))
            .await
            .ok();
        assert_eq!(
            (ids(&second), &second["next"]),
            (sorted[2..].to_vec(), &json!(null))
        );
        let in_room = backend.get("/sockets?room=r&room=nobody").await.ok();
        assert_eq!(ids(&in_room), [at_a.id().as_str()]);
        let unknown = backend.get("/sockets?room=nobody").await.ok();
        assert_eq!((ids(&unknown), &unknown["total"]), (vec![], &json!(0)));

        let one = backend.get(&format!("/sockets/{}", at_a.id())).await.ok();
        let mut rooms = vec![at_a.id().as_str(), "r", "user:ada"];
        rooms.sort();
        let mut found: Vec<_> = one["rooms"].as_array().unwrap().clone();
        found.sort_by_key(Value::to_string);
        assert_eq!(Value::from(found), json!(rooms));
        assert_eq!(one["data"], json!([{"name": "Ada"}, {"$binary": "AQ=="}]));
        assert_eq!(one["address"], "127.0.0.1");
        assert!(one["connected_at_ms"].as_u64().unwrap() > 1_700_000_000_000);
        let reply = backend.get("/sockets/nobody").await;
        assert_eq!(reply.problem(), (404, "unknown-socket"));

        let of_user = backend.get("/users/ada/sockets").await.ok();
        assert_eq!((ids(&of_user).len(), &of_user["total"]), (2, &json!(2)));
        let presence = backend.get("/presence?user=ada&user=bob").await.ok();
        let expected = json!([
            {"user": "ada", "online": true, "sockets": 2}, {"user": "bob", "online": false, "sockets": 0},
        ]);
        assert_eq!(presence["users"], expected);
    });
}

/// A handler that answers events of servers.
struct Cache;

impl Actor for Cache {
    type Context = Context<Self>;
}

impl Handler<ServerEvent> for Cache {
    type Result = ();

    fn handle(&mut self, event: ServerEvent, _: &mut Context<Self>) {
        let (name, args, ack) = event.into_parts();
        ack.send(json!([name.to_string(), args.first::<Value>().unwrap()]));
    }
}

#[test]
fn servers_are_told_and_asked() {
    on_actix(async {
        let listening = listen(with_key(), |builder| {
            let cache = shared(|| Cache).on_server_event();
            builder.namespace("/", cache).namespace("/deaf", ear().0)
        })
        .await;
        let backend = Backend(listening.address);
        let none = json!({"nodes": [], "unnamed": 0});
        let ask = json!({"event": "forget", "args": ["all"], "ack": true});
        let reply = backend.post("/server-side-emit", ask).await.ok();
        let expected = json!({"answers": [["forget", "all"]], "complete": true, "silent": none});
        assert_eq!(reply, expected);
        let tell = json!({"event": "forget", "args": ["all"]});
        let reply = backend.post("/server-side-emit", tell).await.ok();
        assert_eq!(reply, json!({"complete": true}));
        // Without a handler for it a server is silent, as it is to other servers.
        let deaf = json!({"namespace": "/deaf", "event": "forget", "ack": true});
        let reply = backend.post("/server-side-emit", deaf).await.ok();
        assert_eq!(
            (&reply["answers"], &reply["complete"]),
            (&json!([]), &json!(false))
        );
        assert_eq!(reply["silent"]["nodes"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_node_tells_its_load() {
    on_actix(async {
        let mut config = with_key();
        config.redis.node = "web1".to_owned();
        let mut served = served(config).await;
        let _client = served.join(&[]).await;
        let reply = served.backend.get("/nodes").await.ok();
        assert_eq!(
            (&reply["others"], &reply["complete"]),
            (&json!(0), &json!(true))
        );
        let node = &reply["nodes"][0];
        assert_eq!(node["name"], "web1");
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(
            (&node["sessions"], &node["sockets"]),
            (&json!(1), &json!(1))
        );
        assert!(node["uptime_ms"].is_u64());
    });
}

//! The servers of a cluster, and what they have to do.

use serde::{Deserialize, Serialize};

use super::Server;
use super::shared::Shared;
use crate::namespace::Gathered;
use crate::registry::AskNodes;

/// The servers of a cluster that were [found](Server::nodes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nodes {
    /// Those of Greenroom, this one first, the others by name.
    pub known: Vec<Node>,
    /// How many others there are: Node.js servers, which do not say who they are.
    pub others: usize,
}

/// A server, and what it has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Node {
    /// `redis.node` in its configuration, or made of its machine's name and its port.
    pub name: String,
    /// The version of Greenroom.
    pub version: String,
    /// Open sessions.
    pub sessions: u64,
    /// Sockets in all namespaces.
    pub sockets: u64,
    /// How long ago it was built, in milliseconds.
    pub uptime_ms: u64,
}

impl Shared {
    /// What this server says of itself.
    pub(crate) fn load(&self) -> Node {
        let namespaces = self.namespaces().map(|all| all.all()).unwrap_or_default();
        let n_sockets: usize = namespaces.iter().map(|nsp| nsp.n_sockets()).sum();
        Node {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sessions: self.n_sessions() as u64,
            sockets: n_sockets as u64,
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Server {
    /// The servers of the cluster and what they have to do, this one first. Asked at once; answered as other questions
    /// to the whole cluster are.
    ///
    /// ```
    /// # async fn example(server: greenroom::Server) {
    /// let nodes = server.nodes().await;
    /// for node in &nodes.known {
    ///     println!("{}: {} sessions", node.name, node.sessions);
    /// }
    /// println!("and {} of another kind", nodes.others);
    /// # }
    /// ```
    pub fn nodes(&self) -> impl Future<Output = Gathered<Nodes>> + Send + use<> {
        let here = self.shared().load();
        let answer = self.shared().ask_registry(AskNodes);
        async move {
            let Gathered { found, silent, .. } = answer.await.unwrap_or_default();
            let (told, mut others) = found;
            let n_told = told.len();
            let mut known: Vec<Node> = told.iter().filter_map(|args| args.first().ok()).collect();
            // Of a version that says something else.
            others += n_told - known.len();
            known.sort_by(|a, b| a.name.cmp(&b.name));
            known.insert(0, here);
            Gathered::new(Nodes { known, others }, silent)
        }
    }
}

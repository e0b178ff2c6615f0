//! Namespaces that this server does not have, and others of its cluster do.

use std::sync::Arc;

use bytestring::ByteString;
use tokio::sync::oneshot;

use super::Server;
use super::builder::Nobody;
use crate::namespace::{Namespace, NamespaceInner, per_worker};
use crate::subscriber::Visit;

impl Server {
    /// As [`Server::of`], also for a namespace that only other servers of the cluster have: it may be emitted to and
    /// asked about in the same way, and has no sockets here.
    ///
    /// None if nobody has it, or Redis, which knows, cannot be asked.
    pub fn of_cluster(&self, name: &str) -> impl Future<Output = Option<Namespace>> + Send + use<> {
        let (here, shared) = (self.of(name), Arc::clone(self.shared()));
        let name = ByteString::from(name);
        async move {
            if here.is_some() {
                return here;
            }
            let cluster = shared.cluster.as_ref()?;
            if name.len() > shared.limits().namespace_name_bytes
                || cluster.count_listeners(&name).await.ok()? == 0
            {
                return None;
            }
            let (heard, is_heard) = oneshot::channel();
            shared.tell_subscriber(|| Visit::Begins(name.clone(), heard));
            let definition = per_worker(|| Nobody).define(true);
            let elsewhere = NamespaceInner::elsewhere(name, definition, Arc::clone(&shared));
            // Without an answer Redis has gone meanwhile: who is asked then is silent.
            let _ = tokio::time::timeout(cluster.settings.connect_timeout, is_heard).await;
            Some(Namespace::new(Arc::new(elsewhere)))
        }
    }
}

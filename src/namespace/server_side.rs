//! Sending events to servers: to the others, or to all.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::oneshot;

use super::Namespace;
use super::gathered::Gathered;
use super::server_event::{ServerAck, ServerEvent};
use crate::error::EmitError;
use crate::protocol::socketio::Args;
use crate::registry;

impl Namespace {
    /// Sends an event to the other servers of the cluster, where handlers of this namespace get it as
    /// [`ServerEvent`]. Without a cluster nobody is there to hear it.
    ///
    /// Shape: as [`Namespace::emit`], but as JSON: binary arrives as `{"type": "Buffer", "data": [1, 2]}`.
    ///
    /// # Errors
    /// The values cannot be serialized, or the name is reserved or too long.
    pub fn server_side_emit<T: Serialize>(&self, name: &str, values: T) -> Result<(), EmitError> {
        self.server_side_emit_args(name, &Args::from_values(&values)?)
    }

    /// As [`Namespace::server_side_emit`], with arguments that are encoded already.
    ///
    /// # Errors
    /// The name is reserved or too long.
    pub fn server_side_emit_args(&self, name: &str, args: &Args) -> Result<(), EmitError> {
        let shared = self.0.shared();
        shared.check_server_event_name(name)?;
        if let Some(cluster) = &shared.cluster {
            cluster.server_side_emit(self.0.name(), None, name, args);
        }
        Ok(())
    }

    /// As [`Namespace::server_side_emit`], and waits for an answer of each server, `redis.requests_timeout` at most.
    ///
    /// An answer is one value. A server that has no handler for it is silent.
    ///
    /// # Errors
    /// As [`Namespace::server_side_emit`]; nothing was sent then.
    pub fn server_side_emit_with_ack<T: Serialize>(
        &self,
        name: &str,
        values: T,
    ) -> impl Future<Output = Result<Gathered<Vec<Args>>, EmitError>> + Send + use<T> {
        let args = Args::from_values(&values).map_err(EmitError::from);
        let asked = args.map(|args| self.server_side_emit_args_with_ack(name, &args));
        async move { asked?.await }
    }

    /// As [`Namespace::server_side_emit_with_ack`], with arguments that are encoded already.
    ///
    /// # Errors
    /// The name is reserved or too long; nothing was sent then.
    pub fn server_side_emit_args_with_ack(
        &self,
        name: &str,
        args: &Args,
    ) -> impl Future<Output = Result<Gathered<Vec<Args>>, EmitError>> + Send + use<> {
        let shared = self.0.shared();
        let asked = shared.check_server_event_name(name).map(|()| {
            shared.ask_registry(registry::AskServers {
                nsp: self.0.name().into(),
                name: name.into(),
                args: args.clone(),
            })
        });
        async move { Ok(asked?.await.unwrap_or_default()) }
    }

    /// As [`Namespace::server_side_emit_args`], to the handlers of this server too: what a program says that is no part
    /// of any server.
    ///
    /// # Errors
    /// The name is reserved or too long.
    pub fn tell_servers(&self, name: &str, args: &Args) -> Result<(), EmitError> {
        self.server_side_emit_args(name, args)?;
        if !self.0.is_elsewhere() {
            self.tell_this_server(name, args, None);
        }
        Ok(())
    }

    /// As [`Namespace::tell_servers`], and waits for an answer of each server, `redis.requests_timeout` at most.
    ///
    /// # Errors
    /// The name is reserved or too long; nothing was sent then.
    pub fn ask_servers(
        &self,
        name: &str,
        args: &Args,
    ) -> impl Future<Output = Result<Gathered<Vec<Args>>, EmitError>> + Send + use<> {
        let shared = self.0.shared();
        let (answer, answered) = oneshot::channel();
        let is_right = shared.check_server_event_name(name);
        let elsewhere = self.server_side_emit_args_with_ack(name, args);
        let is_elsewhere = self.0.is_elsewhere();
        match is_right.is_ok() && !is_elsewhere {
            true => self.tell_this_server(name, args, Some(answer)),
            false => drop(answer),
        }
        let limit = shared.config.redis.requests_timeout;
        let own = shared.name.clone();
        async move {
            let here = tokio::time::timeout(limit, answered);
            let (here, elsewhere) = tokio::join!(here, elsewhere);
            let mut gathered = elsewhere?;
            match here {
                Ok(Ok(answer)) => gathered.found.insert(0, answer),
                _ if is_elsewhere => {}
                _ => gathered.silent.nodes.push(own),
            }
            Ok(gathered)
        }
    }

    fn tell_this_server(&self, name: &str, args: &Args, answer: Option<oneshot::Sender<Args>>) {
        let nsp = &self.0;
        let ack = ServerAck::here(Arc::clone(nsp), answer);
        ServerEvent::new(Arc::clone(nsp), name.into(), args.clone(), ack).hand_over();
    }
}

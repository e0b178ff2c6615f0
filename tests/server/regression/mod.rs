//! Bugs that were found, each by the test that showed it. All of issue 2.

mod connect;
mod limits;
mod panics;
mod reading;
mod workers;

use std::sync::Arc;

use actix::prelude::*;
use greenroom::config::Carrier;
use greenroom::{Connect, Handlers, Refusal, Socket, per_worker};

const CARRIERS: [Carrier; 2] = [Carrier::Direct, Carrier::Mounted];

/// A handler that does something with each socket when it comes.
struct Welcome<F>(Arc<F>);

impl<F: Fn(&Socket) + Unpin + 'static> Actor for Welcome<F> {
    type Context = Context<Self>;
}

impl<F: Fn(&Socket) + Unpin + 'static> Handler<Connect> for Welcome<F> {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        (self.0)(&socket);
        Ok(())
    }
}

fn welcome<F>(welcome: F) -> Handlers<Welcome<F>>
where
    F: Fn(&Socket) + Send + Sync + Unpin + 'static,
{
    let welcome = Arc::new(welcome);
    per_worker(move || Welcome(Arc::clone(&welcome))).on_connect()
}

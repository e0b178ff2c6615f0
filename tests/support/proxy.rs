//! A way to a Redis that can be cut, or that goes deaf: it stands, and nothing comes through it any more.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::servers::Redis;

/// See the module documentation. It lives on the system of the test.
pub(crate) struct Proxy {
    port: u16,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_cut: bool,
    n_connections: u64,
    /// Connections up to this number hear nothing.
    n_deaf: u64,
    /// Connections up to this number have ended.
    n_severed: u64,
}

impl Proxy {
    pub(crate) async fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, _) = watch::channel(State::default());
        let (target, told) = (redis.port(), state.clone());
        actix::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                told.send_modify(|state| state.n_connections += 1);
                let now = *told.borrow();
                if !now.is_cut {
                    let state = told.subscribe();
                    actix::spawn(pump(client, target, now.n_connections, state));
                }
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends all connections, and each new one at once.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.is_cut = true);
    }

    /// New connections go through again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| state.is_cut = false);
    }

    /// How many connections there have been.
    pub(crate) fn n_connections(&self) -> u64 {
        self.state.borrow().n_connections
    }

    /// Ends the connections that are there.
    pub(crate) fn sever(&self) {
        self.state
            .send_modify(|state| state.n_severed = state.n_connections);
    }

    /// What Redis says on the connections that are there is not passed on any more.
    pub(crate) fn deafen(&self) {
        self.state
            .send_modify(|state| state.n_deaf = state.n_connections);
    }
}

async fn pump(client: TcpStream, target: u16, number: u64, mut state: watch::Receiver<State>) {
    let Ok(redis) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let ((mut from_client, mut to_client), (mut from_redis, mut to_redis)) =
        (client.into_split(), redis.into_split());
    let (mut asked, mut said) = ([0; 4096], [0; 4096]);
    loop {
        let is_done = tokio::select! {
            n = from_client.read(&mut asked) => match n {
                Ok(n) if n > 0 => to_redis.write_all(&asked[..n]).await.is_err(),
                _ => true,
            },
            n = from_redis.read(&mut said) => match n {
                Ok(n) if n > 0 && state.borrow().n_deaf >= number => false,
                Ok(n) if n > 0 => to_client.write_all(&said[..n]).await.is_err(),
                _ => true,
            },
            changed = state.changed() => changed.is_err() || {
                let state = state.borrow_and_update();
                state.is_cut || state.n_severed >= number
            },
        };
        if is_done {
            return;
        }
    }
}

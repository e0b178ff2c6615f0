//! A counter that all clients share: one instance of the handler for the whole process, so that its state needs no lock.
//!
//! `cargo run --example counter`, then `socket.emit("add", 2, (total) => …)` from several clients.

use greenroom::prelude::*;

/// `socket.emit("add", amount)`, with an ack or without.
#[derive(Deserialize)]
struct Add(i64);

#[derive(Default)]
struct Counter {
    total: i64,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

/// Whoever comes is told where the counter stands.
impl Handler<Connect> for Counter {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        socket.emit("total", self.total);
        Ok(())
    }
}

/// Everybody else hears of a change, whoever made it gets the ack.
impl Handler<On<Add>> for Counter {
    type Result = ();

    fn handle(&mut self, add: On<Add>, _: &mut Context<Self>) {
        let On {
            args: Add(amount),
            socket,
            ack,
            ..
        } = add;
        let Some(total) = self.total.checked_add(amount) else {
            return ack.refuse("that is too much");
        };
        self.total = total;
        socket.broadcast().emit("total", total);
        ack.send(total);
    }
}

fn main() -> Result<(), greenroom::Error> {
    env_logger::init();
    Server::builder()
        .config(Config::load()?)
        .namespace("/", shared(Counter::default).on_connect().on::<Add>("add"))
        .run()
}
